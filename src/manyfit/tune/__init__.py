"""Tuning: which settings to try."""

from manyfit.tune.sampling import draw, grid, sobol

__all__ = ["draw", "grid", "sobol"]
