"""Tuning: which settings to try, and which to give up early."""

from manyfit.tune.pruning import PRUNERS, Halving, Hyperband, Pruner, Racing, named_pruner
from manyfit.tune.sampling import draw, grid, sobol
from manyfit.tune.suggestions import METHODS, Method, Told, suggest

__all__ = [
    "METHODS",
    "PRUNERS",
    "Halving",
    "Hyperband",
    "Method",
    "Pruner",
    "Racing",
    "Told",
    "draw",
    "grid",
    "named_pruner",
    "sobol",
    "suggest",
]
