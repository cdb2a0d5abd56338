"""Sound evaluation: cross-validation plans, and how sure a score is."""

from manyfit.evaluate.bootstrap import bca_interval, hierarchical_interval
from manyfit.evaluate.calibration import Isotonic, Temperature
from manyfit.evaluate.conformal import (
    conformal_interval,
    conformal_quantile,
    conformal_sets,
    cv_plus_interval,
)
from manyfit.evaluate.folds import Split, plan
from manyfit.evaluate.intervals import (
    Comparison,
    Interval,
    holm,
    paired_test,
    resampled_interval,
    row_interval,
)
from manyfit.evaluate.significance import (
    Discordance,
    Posterior,
    Ranking,
    correlated_t,
    delong,
    friedman,
    mcnemar,
)

__all__ = [
    "Comparison",
    "Discordance",
    "Interval",
    "Isotonic",
    "Posterior",
    "Ranking",
    "Split",
    "Temperature",
    "bca_interval",
    "conformal_interval",
    "conformal_quantile",
    "conformal_sets",
    "correlated_t",
    "cv_plus_interval",
    "delong",
    "friedman",
    "hierarchical_interval",
    "holm",
    "mcnemar",
    "paired_test",
    "plan",
    "resampled_interval",
    "row_interval",
]
