"""The tool that pictures every page: what goes wrong in it is told."""

import subprocess
import sys

from tests.conftest import ROOT

RUN = """
import sys
from pathlib import Path
from addersesr_app import screenshots
screenshots.TIMEOUT_MS = 4000
sys.exit(screenshots.main(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def test_a_fault_ends_it_with_its_traceback(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    command = [sys.executable, "-c", RUN, str(tmp_path / "out"), str(tmp_path / "broken.png")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "the window did not get that far" in done.stderr
