"""Sound evaluation: cross-validation plans, and how sure a score is."""

from manyfit.evaluate.folds import Split, plan
from manyfit.evaluate.intervals import (
    Comparison,
    Interval,
    holm,
    paired_test,
    resampled_interval,
    row_interval,
)

__all__ = [
    "Comparison",
    "Interval",
    "Split",
    "holm",
    "paired_test",
    "plan",
    "resampled_interval",
    "row_interval",
]
