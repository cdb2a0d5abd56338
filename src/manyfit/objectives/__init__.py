"""What one member learns."""

from manyfit.objectives.language import NextToken
from manyfit.objectives.module import Functional, Weights
from manyfit.objectives.supervised import Identity, Supervised
from manyfit.objectives.tagging import Tagging

__all__ = ["Functional", "Identity", "NextToken", "Supervised", "Tagging", "Weights"]
