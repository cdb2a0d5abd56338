"""Tuning: which settings to try, and which to give up early."""

from manyfit.tune.evolution import Evolution, Heir
from manyfit.tune.pareto import pareto_front
from manyfit.tune.pruning import PRUNERS, Halving, Hyperband, Pruner, Racing, named_pruner
from manyfit.tune.sampling import draw, grid, sobol
from manyfit.tune.storage import Storage, stored_settings
from manyfit.tune.suggestions import METHODS, Method, Told, suggest
from manyfit.tune.understanding import (
    FEWEST,
    Dependence,
    Importance,
    Kind,
    Surface,
    Understanding,
    understand,
)

__all__ = [
    "FEWEST",
    "METHODS",
    "PRUNERS",
    "Dependence",
    "Evolution",
    "Halving",
    "Heir",
    "Hyperband",
    "Importance",
    "Kind",
    "Method",
    "Pruner",
    "Racing",
    "Storage",
    "Surface",
    "Told",
    "Understanding",
    "draw",
    "grid",
    "named_pruner",
    "pareto_front",
    "sobol",
    "stored_settings",
    "suggest",
    "understand",
]
