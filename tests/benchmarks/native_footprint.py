"""Peak memory and cold start of the back ends, each measured in a process of its own: `python -m tests.benchmarks.native_footprint`.

Memory is the process's peak after a 1920x1080 picture, imports included. The start is from the process's first line to the
first result (320x180), with an empty folder for compiled kernels and with a filled one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

START = time.perf_counter()
NETWORKS = (("sesr-m5", "fp32"), ("addersesr-m5", "fp32"), ("addersesr-m5", "int8"))


def child(backend: str, file: Path, precision: str, width: int, height: int, folder: Path) -> None:
    """Upscale one picture and print seconds from the start and the peak in MiB. Imports only what it needs."""
    import numpy as np  # noqa: PLC0415 - imports are part of a cold start

    from engine import weights  # noqa: PLC0415
    from engine.footprint import peak_bytes  # noqa: PLC0415

    model = weights.read(file)
    if backend == "native":
        from engine.backends.native import Kernels, NativeBackend  # noqa: PLC0415

        NativeBackend(model, precision, kernels=Kernels(folder)).run(np.zeros((height, width), np.float32))
    else:
        from engine.backends.onnx import OnnxBackend  # noqa: PLC0415

        OnnxBackend(model, precision).run(np.zeros((height, width), np.float32))
    sys.stdout.write(f"{time.perf_counter() - START} {peak_bytes() / (1 << 20)}\n")


def measure(*arguments: object) -> tuple[float, float]:
    """Seconds and MiB of one child."""
    command = [sys.executable, "-m", "tests.benchmarks.native_footprint", *map(str, arguments)]
    seconds, mebibytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), float(mebibytes)


def row(network: str, precision: str, folder: Path) -> str:
    """One network's line of the table."""
    from engine import weights  # noqa: PLC0415
    from tests.benchmarks.native_speed import model  # noqa: PLC0415

    file, kernels = folder / "model.safetensors", folder / "kernels"
    weights.write(model(network, precision), file)
    cold, _ = measure("native", file, precision, 320, 180, kernels)
    kept, _ = measure("native", file, precision, 320, 180, kernels)
    _, ours = measure("native", file, precision, 1920, 1080, kernels)
    _, theirs = measure("onnx", file, precision, 1920, 1080, kernels)
    return f"| {network} {precision} | {cold:.2f} | {kept:.2f} | {ours:.0f} | {theirs:.0f} |"


def main() -> None:
    """Measure and print a Markdown table."""
    lines = ["| network | first result, s | with kernels kept, s | peak MiB, native | peak MiB, onnx |", "|---|---|---|---|---|"]
    for network, precision in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(row(network, precision, Path(folder)))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), Path(sys.argv[6]))
    else:
        main()
