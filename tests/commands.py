"""The real command in a process of its own, with its own home, for tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from engine import weights
from engine.network import NetworkSpec
from tests.networks import random_model

if TYPE_CHECKING:
    from engine.weights import Model

ROOT = Path(__file__).parent.parent
AS_NOBODY = """
from addersesr_app.cli import main
import addersesr_app.commands.upscale, addersesr_app.logs, engine.backends.onnx, engine.picture_work, engine.codecs.vips, engine.codecs.heif
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
"""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def value(self) -> Any:
        return json.loads(self.out)

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]


class Command:
    """`addersesr` with everything that it stores kept below ``home``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "ADDERSESR_", "PYTEST"))},
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONIOENCODING": "utf-8",
            "QT_QPA_PLATFORM": "offscreen",
        }

    def without_torch(self) -> Command:
        """The same where torch is not installed; as it takes long to load, for tests that need it not as well."""
        bare = Command(self.home)
        hiding = self.home / "hiding"
        hiding.mkdir(exist_ok=True)
        (hiding / "torch.py").write_text("raise ImportError('torch is not installed')")
        bare.environment["PYTHONPATH"] = f"{hiding}{os.pathsep}{ROOT}"
        return bare

    def start(self, *words: object, **options: Any) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "addersesr_app", *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
        return subprocess.Popen(argv, env=self.environment, **{**pipes, **options})

    def __call__(self, *words: object, **options: Any) -> Outcome:
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=120)
        return Outcome(process.returncode, out, err)

    def as_nobody(self, *words: object) -> Outcome:
        """As a user who may not write everywhere, even where the tests run as root; who may not read root's Python, hence the imports."""
        code = f"import os, sys\n{AS_NOBODY}\nsys.exit(main(sys.argv[1:]))"
        argv = [sys.executable, "-c", code, *map(str, words)]
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        return Outcome(done.returncode, done.stdout, done.stderr)


def mild_model(spec: NetworkSpec, seed: int = 0) -> Model:
    """Random weights that change a picture only a little, as a trained network's do."""
    model = random_model(spec, seed)
    tensors = {name: array * np.float32(0.004) if name.startswith("last.") else array for name, array in model.tensors.items()}
    return replace(model, tensors=tensors)


def store_model(path: Path, spec: NetworkSpec | None = None) -> Path:
    """A small ×2 network's file, or that of ``spec``."""
    weights.write(mild_model(spec or NetworkSpec(2, 1, 4)), path)
    return path


def photo(width: int, height: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """A smooth, colourful picture (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(2, height // 8), max(2, width // 8), 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def store(path: Path, width: int = 24, height: int = 16, seed: int = 0) -> Path:
    """A picture file in the format of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix, photo(width, height, seed))
    assert done
    path.write_bytes(data.tobytes())
    return path


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a picture file, by an independent reader."""
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return pixels.shape[1], pixels.shape[0]


def tree(folder: Path) -> list[str]:
    """Every file below a folder, hidden ones included."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def mount_tmpfs(folder: Path, size: str) -> bool:
    """Mount a small disk; False where that is not allowed."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    return shutil.which("mount") is not None and subprocess.run(words, capture_output=True, check=False).returncode == 0


def unmount(folder: Path) -> None:
    """Take the small disk away."""
    subprocess.run(["umount", str(folder)], check=True)
