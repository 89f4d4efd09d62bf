"""Thousands of damaged files through the readers, in a process of its own: no crash, no hang, no memory without bound."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pictures import samples

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
EACH = 200
MOST_SECONDS, MOST_MB = 10, 900
READER = """
import json, sys, time, zlib
from pathlib import Path
import numpy as np
from engine import images
from engine.errors import PictureError
from engine.footprint import peak_bytes

def damaged(whole, draw):
    data = bytearray(whole)
    match draw.integers(5):
        case 0:  # single bytes, half of them near the beginning
            for _ in range(draw.integers(1, 9)):
                reach = min(400, len(data)) if draw.random() < 0.5 else len(data)
                data[draw.integers(reach)] = draw.integers(256)
        case 1:  # a stretch of noise
            start = int(draw.integers(len(data)))
            stop = min(len(data), start + int(draw.integers(1, 64)))
            data[start:stop] = draw.bytes(stop - start)
        case 2:  # sizes and counts at their extremes
            start = int(draw.integers(max(1, min(400, len(data) - 4))))
            data[start:start + 4] = [b"\\xff" * 4, b"\\0" * 4, b"\\x7f\\xff\\xff\\xff", b"\\xff\\xff\\xff\\x7f"][draw.integers(4)]
        case 3:  # a piece left out
            start = int(draw.integers(len(data)))
            del data[start:start + int(draw.integers(1, 200))]
        case _:  # a piece twice
            start = int(draw.integers(len(data)))
            data[start:start] = data[start:start + int(draw.integers(1, 200))]
    return bytes(data)

path, slowest, outcomes = Path(sys.argv[1]) / "damaged", 0.0, {"read": 0, "refused": 0}
for name in sorted(Path(sys.argv[1]).glob("*.whole")):
    draw = np.random.default_rng(zlib.crc32(name.name.encode()))
    for _ in range(int(sys.argv[2])):
        path.write_bytes(damaged(name.read_bytes(), draw))
        started = time.process_time()
        try:
            images.read(path)
            outcomes["read"] += 1
        except PictureError as error:
            assert str(path) in str(error) and "\\n" not in str(error), error
            outcomes["refused"] += 1
        slowest = max(slowest, time.process_time() - started)
print(json.dumps({**outcomes, "slowest": slowest, "peak_mb": peak_bytes() / (1 << 20)}))
"""


def store(files: Mapping[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        (folder / f"{name}.whole").write_bytes(data)


@pytest.mark.skipif(sys.platform == "win32", reason="the process's peak memory is asked for as POSIX has it")
def test_thousands_of_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    files = samples()
    store(files, tmp_path)
    command = [sys.executable, "-X", "faulthandler", "-c", READER, str(tmp_path), str(EACH)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["read"] + told["refused"] == EACH * len(files) > 2000
    assert min(told["read"], told["refused"]) > 100, told
    assert told["slowest"] < MOST_SECONDS
    assert told["peak_mb"] < MOST_MB
