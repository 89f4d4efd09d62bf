"""``python -m tests.benchmarks.idle_taps MODEL… PICTURES``: how many of an adder network's taps ever bend.

A tap |x - w| bends where its input x passes its weight w. If all inputs of a picture lie on one side of the weight, it only adds or
subtracts x. Given adder models (ids or files) and a folder of low-resolution pictures, for each layer: the share of taps that at most
one input in a thousand passes, and of those that at least one in twenty passes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from engine import images
from engine.colour import split
from training.models import find_model
from training.network import AdderSESR
from training.networks import frozen

IDLE, BUSY = 1 / 1000, 1 / 20
SIDE = 128


def passing(weight_oihw: torch.Tensor, x_nchw: torch.Tensor) -> torch.Tensor:
    """For each tap the share of its inputs that lie on that side of its weight where fewer are; OIHW."""
    shares = torch.empty_like(weight_oihw)
    for channel, values in enumerate(x_nchw.transpose(0, 1).flatten(1)):
        below = torch.searchsorted(values.sort().values, weight_oihw[:, channel].contiguous()) / values.numel()
        shares[:, channel] = torch.minimum(below, 1 - below)
    return shares


def main(arguments: list[str]) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("pictures", type=Path, metavar="PICTURES")
    given = parser.parse_args(arguments)
    files = sorted(file for file in given.pictures.iterdir() if "_HR" not in file.name)
    lumas = [split(images.read(file).pixels)[0][:SIDE, :SIDE] for file in files]
    batches = [torch.from_numpy(np.ascontiguousarray(luma, np.float32))[None, None] for luma in lumas]
    for name in given.models:
        network = frozen(find_model(name))
        if not isinstance(network, AdderSESR):
            sys.exit(f"{name}: has no adder layers")
        maps = [network.features(batch) for batch in batches]
        for index, block in enumerate(network.body):
            weight = block.kernel().detach()
            shares = torch.stack([passing(weight, each[index]) for each in maps]).mean(0)
            idle, busy = (shares <= IDLE).float().mean().item(), (shares >= BUSY).float().mean().item()
            sys.stdout.write(f"{Path(name).stem:24} body.{index}  idle {idle:5.1%}  busy {busy:5.1%}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
