"""Architectures."""

from manyfit.models.architecture import Architecture, Custom, Inputs
from manyfit.models.cnn import CNN
from manyfit.models.mlp import MLP

__all__ = ["CNN", "MLP", "Architecture", "Custom", "Inputs"]
