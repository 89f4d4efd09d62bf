"""A film's length costs no memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.clips import store_clip
from tests.commands import ROOT

SCRIPT = """
import sys
from pathlib import Path
from engine import jobs
from engine.catalogue import Catalogue
from engine.events import Finished
from engine.footprint import peak_bytes
settings = jobs.Settings(model=sys.argv[1], backend="onnx", threads=1, effort="fast")
events = list(jobs.run(jobs.Job((Path(sys.argv[2]),), settings), jobs.Tools(Catalogue([]))))
[end] = [event for event in events if isinstance(event, Finished)]
print(end.frames, peak_bytes() >> 20)
"""
ALLOWED_MIB = 24
"""For what grows a little with a film's length: its index, the allocator's slack. Its frames would be 135 MiB as they are."""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is told in other units elsewhere")
def test_ten_times_the_frames_take_no_more_memory(tmp_path, film_model):
    peaks = []
    for count in (200, 2000):
        source = store_clip(tmp_path / f"{count}.mp4", count, size=(96, 64), options={"preset": "ultrafast"})
        words = [sys.executable, "-c", SCRIPT, str(film_model), str(source)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
        frames, peak_mib = map(int, done.stdout.split())
        assert frames == count
        peaks.append(peak_mib)
    assert peaks[1] - peaks[0] < ALLOWED_MIB, peaks
