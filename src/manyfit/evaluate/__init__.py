"""Sound evaluation: cross-validation plans, and how sure a score is."""

from manyfit.evaluate.bootstrap import (
    bca_interval,
    bootstrap_632_plus,
    hierarchical_interval,
    no_information_error,
)
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
from manyfit.evaluate.selection import chosen_fold_by_fold, others_of
from manyfit.evaluate.significance import (
    Discordance,
    Posterior,
    Ranking,
    correlated_t,
    delong,
    friedman,
    mcnemar,
)
from manyfit.evaluate.spread import Spread, variance_components

__all__ = [
    "Comparison",
    "Discordance",
    "Interval",
    "Isotonic",
    "Posterior",
    "Ranking",
    "Split",
    "Spread",
    "Temperature",
    "bca_interval",
    "bootstrap_632_plus",
    "chosen_fold_by_fold",
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
    "no_information_error",
    "others_of",
    "paired_test",
    "plan",
    "resampled_interval",
    "row_interval",
    "variance_components",
]
