"""An integer adder network of 16 channels as steps of the kernels of `engine.kernels.planes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.backends.native_strips import Plan, Step
from engine.backends.native_windows import Tensor
from engine.kernels import planes_adder, planes_first, planes_last
from engine.kernels.buffers import constant
from engine.kernels.compile import Shape
from engine.kernels.planes import CHANNELS, COLUMNS

if TYPE_CHECKING:
    from engine.integer import IntegerNetwork
    from engine.kernels.compile import Kernels
    from engine.network import NetworkSpec


def fits(spec: NetworkSpec, network: IntegerNetwork) -> bool:
    """Whether these kernels can run it."""
    return (spec.block, spec.f) == ("adder", CHANNELS) and all(planes_adder.fits(layer) for layer in network.body)


def plan(scale: int, network: IntegerNetwork, kernels: Kernels) -> Plan:
    """The steps of a checked network that `fits`."""
    maps = [Tensor(np.uint8, CHANNELS, zero, planes=True) for zero in network.input_zeros()]
    maps.append(Tensor(np.uint32, CHANNELS // 2, planes=True))
    first = constant(planes_first.constants(network.first))
    steps = [
        Step(kernels.get(Shape("ends_s16.luma", ())), (), (), 0, Tensor(np.int16, 0), reads_plane=True),
        Step(kernels.get(Shape("planes_first.build", ())), (0,), (first,), 2, maps[0]),
    ]
    for layer, output in zip(network.body, maps[1:], strict=True):
        skip = layer is network.body[-1]
        kernel = kernels.get(Shape("planes_adder.build", (skip, layer.slope is not None)))
        constants = constant(planes_adder.constants(layer, network.skip if skip else None))
        reads = (len(steps) - 1, 1) if skip else (len(steps) - 1,)
        steps.append(Step(kernel, reads, (constants,), 1, output))
    last = constant(planes_last.constants(network.last, scale))
    steps.append(Step(kernels.get(Shape("planes_last.build", (scale,))), (len(steps) - 1,), (last,), 2, None, reads_plane=True))
    return Plan(tuple(steps), scale, COLUMNS)
