"""Sound evaluation: cross-validation plans, and how sure a score is."""

from manyfit.evaluate.folds import Split, plan

__all__ = ["Split", "plan"]
