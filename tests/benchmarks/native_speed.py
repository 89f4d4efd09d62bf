"""The native engine against ONNX Runtime and against this processor's own limits, side by side in one run.

    python -m tests.benchmarks.native_speed [--width 640 --height 360] [--threads 2] [--rounds 9] [ROW …]

Prints a Markdown table of ratios of medians. Everything takes turns, so that a slow moment of the machine hits all alike, and rests in
between: threads of ONNX Runtime go on turning for some milliseconds after their work, on the cores of whoever is next. Every output is
compared with the reference first. Weights are random: no kernel looks at them. On a machine that is busy with other things,
``--processor-time`` counts the processor time of one thread instead of the time on the clock.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from engine import cpu, reference, reference_integer
from engine.backends.native import NativeBackend
from engine.backends.onnx import OnnxBackend
from engine.integer import parse
from engine.kernels.compile import register_bytes
from engine.network import PRESETS, NetworkSpec
from engine.quantise import quantise
from tests.benchmarks.adder_layer import SHAPES, AdderLayer
from tests.benchmarks.byte_differences import PAIR, SAD, WORDS, ByteDifferences
from tests.networks import gentle_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.backends import Backend
    from engine.weights import Model


REST_S = 0.1


@dataclass(frozen=True)
class Runner:
    """A network on a back end, as the table names it: ``native adder-m5 int8``."""

    backend: str
    network: str
    precision: str

    def make(self, threads: int) -> Backend:
        """The back end, its model's weights random."""
        kind = NativeBackend if self.backend == "native" else OnnxBackend
        return kind(model(self.network, self.precision), self.precision, threads)


@dataclass(frozen=True)
class Row:
    """One line of the table: how many times faster ``ours`` must be than ``theirs``."""

    name: str
    ours: Runner
    theirs: Runner
    target: float


ROWS = (
    Row("sesr-m5", Runner("native", "sesr-m5", "fp32"), Runner("onnx", "sesr-m5", "fp32"), 1.7),
    Row("sesr-m11", Runner("native", "sesr-m11", "fp32"), Runner("onnx", "sesr-m11", "fp32"), 1.4),
    Row("sesr-xl", Runner("native", "sesr-xl", "fp32"), Runner("onnx", "sesr-xl", "fp32"), 1.1),
    Row("adder-fp32", Runner("native", "addersesr-m5", "fp32"), Runner("onnx", "sesr-m5", "fp32"), 1.2),
    Row("adder-int8", Runner("native", "addersesr-m5", "int8"), Runner("onnx", "sesr-m5", "fp32"), 5.0),
    Row("adder-qdq", Runner("native", "addersesr-m5", "int8"), Runner("onnx", "sesr-m5", "int8"), 2.0),
    Row("adder-own", Runner("native", "addersesr-m5", "int8"), Runner("native", "sesr-m5", "int8"), 1.5),
    Row("sesr-int8", Runner("native", "sesr-m5", "int8"), Runner("onnx", "sesr-m5", "int8"), 1.3),
    Row("sesr-prelu", Runner("native", "sesr-m5-prelu", "int8"), Runner("native", "sesr-m5", "int8"), 0.9),
    Row("adder-prelu", Runner("native", "addersesr-m5-prelu", "int8"), Runner("native", "addersesr-m5", "int8"), 0.9),
)


def model(network: str, precision: str) -> Model:
    """A network by its id without the scale, x2: PReLU in float as published, ReLU in integers unless its name ends in ``-prelu``."""
    family, size, *activation = network.split("-")
    block = "adder" if family == "addersesr" else "convolution"
    spec = NetworkSpec(2, *PRESETS[size], block, "prelu" if precision == "fp32" or activation else "relu")
    made = gentle_model(spec)
    if precision == "fp32":
        return made
    return replace(made, int8=quantise(made, [picture(32, 32)]))


def picture(height: int, width: int) -> np.ndarray:
    """Luma, the same at every call."""
    return np.random.default_rng(7).random((height, width), np.float32)


def check(runner: Runner, backend: Backend) -> None:
    """Compare a whole small output with the reference: ours in integers bit for bit, floats within 1e-4."""
    made, y = model(runner.network, runner.precision), picture(41, 67)
    actual = backend.run(y)
    if runner.precision == "fp32":
        assert np.abs(actual - reference.run(made, y)).max() < 1e-4, runner
    elif runner.backend == "native":
        assert (actual == reference_integer.run(parse(made.spec, made.int8, made.id), y)).all(), runner


def seconds(run: Callable[[], object], clock: Callable[[], float]) -> float:
    """Time of one call, after a rest."""
    time.sleep(REST_S)
    start = clock()
    run()
    return clock() - start


def measure(
    rows: tuple[Row, ...], size: tuple[int, int], threads: int, rounds: int, clock: Callable[[], float]
) -> tuple[dict[Runner, float], dict[str, float]]:
    """Median seconds of each runner, and median rates of byte differences over ``threads`` threads: the processor's, and a layer's."""
    y = picture(*size)
    backends = {runner: runner.make(threads) for runner in dict.fromkeys(r for row in rows for r in (row.ours, row.theirs))}
    for runner, backend in backends.items():
        check(runner, backend)
        backend.run(y)
    limits, layer = ByteDifferences(threads, clock, register_bytes()), AdderLayer(threads, clock)
    times: dict[Runner, list[float]] = {runner: [] for runner in backends}
    rates: dict[str, list[float]] = {name: [] for name in (SAD, PAIR, WORDS, *SHAPES)}
    for _ in range(rounds):
        for runner, backend in backends.items():
            times[runner].append(seconds(lambda backend=backend: backend.run(y), clock))
        for name, samples in rates.items():
            samples.append((layer if name in SHAPES else limits).rate(name))
    medians = {runner: statistics.median(samples) for runner, samples in times.items()}
    return medians, {name: statistics.median(samples) for name, samples in rates.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", default=[row.name for row in ROWS], metavar="ROW")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--threads", type=int, default=cpu.cores())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--processor-time", action="store_true", help="processor time of one thread")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.processor_time else time.perf_counter
    threads = 1 if arguments.processor_time else arguments.threads
    rows = tuple(row for row in ROWS if row.name in arguments.rows)
    size = (arguments.height, arguments.width)
    medians, rates = measure(rows, size, threads, arguments.rounds, clock)
    lines = [f"{cpu.name()}, {threads} threads, {arguments.width}x{arguments.height}, medians of {arguments.rounds}, {clock.__name__}", ""]
    lines += ["| ours | against | ms | ms | times faster | target |", "|---|---|---|---|---|---|"]
    lines += [line(row, medians) for row in rows]
    adder = Runner("native", "addersesr-m5", "int8")
    if adder in medians:
        rates["addersesr-m5 int8, the whole network"] = model(adder.network, "fp32").spec.parameters * size[0] * size[1] / medians[adder]
        lines += ["", f"| absolute differences of bytes | Gtap/s | of {SAD} |", "|---|---|---|"]
        lines += [f"| {name} | {rate / 1e9:.0f} | {rate / rates[SAD]:.0%} |" for name, rate in rates.items()]
    sys.stdout.write("\n".join(lines) + "\n")


def line(row: Row, medians: dict[Runner, float]) -> str:
    """One row of the Markdown table."""
    ours, theirs = medians[row.ours], medians[row.theirs]
    names = " | ".join(f"{runner.network} {runner.precision}, {runner.backend}" for runner in (row.ours, row.theirs))
    return f"| {names} | {ours * 1e3:.1f} | {theirs * 1e3:.1f} | **{theirs / ours:.2f}** | {row.target} |"


if __name__ == "__main__":
    main()
