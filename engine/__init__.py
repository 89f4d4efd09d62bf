"""Inference: networks as data, their cost, their files, and the back ends that run them. Knows neither Qt nor torch."""
