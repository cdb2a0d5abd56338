"""What one member learns."""

from manyfit.objectives.module import Functional, Weights
from manyfit.objectives.supervised import Identity, Supervised

__all__ = ["Functional", "Identity", "Supervised", "Weights"]
