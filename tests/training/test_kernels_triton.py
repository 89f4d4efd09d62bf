"""The CUDA kernels: on a graphics card where there is one, otherwise in Triton's interpreter, in a process of its own."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from training import kernels_torch

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="Triton comes with torch for CUDA")
SHAPES = [(1, 2, 17, 4, 5), (2, 17, 1, 1, 3), (1, 1, 2, 11, 13)]


def check(device):
    """Sums, rounded-off sums and input gradient are those of accumulated taps."""
    from training import kernels_triton  # noqa: PLC0415 - needs Triton, and its environment set

    rng = torch.Generator().manual_seed(0)
    for batch, inputs, outputs, height, width in SHAPES:
        x, w = torch.randn(batch, inputs, height, width, generator=rng), torch.randn(outputs, inputs, 3, 3, generator=rng)
        g = torch.randn(batch, outputs, height, width, generator=rng)
        assert kernels_triton.supports(x.to(device), w.to(device)) == (device == "cuda")
        made = kernels_triton.sums(x.to(device), w.to(device)).cpu()
        torch.testing.assert_close(made, kernels_torch.sums(x, w), rtol=1e-5, atol=1e-4)
        made = kernels_triton.soft_sums(x.to(device), w.to(device), 0.5).cpu()
        torch.testing.assert_close(made, kernels_torch.soft_sums(x, w, 0.5), rtol=1e-5, atol=1e-4)
        made = kernels_triton.input_gradient(x.to(device), w.to(device), g.to(device)).cpu()
        torch.testing.assert_close(made, kernels_torch.input_gradient(x, w, g), rtol=1e-5, atol=1e-4)


def test_the_kernels_are_right():
    if torch.cuda.is_available():
        return check("cuda")
    root = Path(__file__).parents[2]
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, __file__], env=environment, check=True, timeout=200)
    return None


if __name__ == "__main__":
    check("cpu")
