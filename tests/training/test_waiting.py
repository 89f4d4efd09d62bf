from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TURNING = """
import sys, time
if sys.argv[1] == "ours":
    import training
import torch
torch.set_num_threads(2)
x = torch.ones(2**20)
x + x
began = time.process_time()
for _ in range(50):
    x[:65536] + 1  # large enough for two threads
    time.sleep(0.005)
print(time.process_time() - began)
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2 or sys.platform != "linux", reason="GNU's OpenMP, with a second processor to wait on")
def test_torchs_threads_do_not_wait_turning() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    taken = {
        mode: float(
            subprocess.run(
                [sys.executable, "-c", TURNING, mode],
                cwd=Path(__file__).parents[2],
                capture_output=True,
                text=True,
                check=True,
                env=environment,
            ).stdout
        )
        for mode in ("ours", "default")
    }
    assert taken["ours"] < 0.5 * taken["default"], taken
