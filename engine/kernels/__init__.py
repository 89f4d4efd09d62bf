"""Halide kernels: each file is one layer and its schedule, `machine` and `objects` run what they compile to."""
