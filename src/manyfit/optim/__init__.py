"""Optimizers and schedules: descriptions whose every number may be searched, one entry a member."""

from manyfit.optim.optimizers import SGD, Adam, AdamW, Optimizer, named
from manyfit.optim.schedules import Constant, Cosine, Schedule

__all__ = ["SGD", "Adam", "AdamW", "Constant", "Cosine", "Optimizer", "Schedule", "named"]
