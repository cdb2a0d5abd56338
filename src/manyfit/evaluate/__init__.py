"""Sound evaluation: cross-validation plans, and how sure a score is."""

from manyfit.evaluate.bootstrap import (
    bca_interval,
    bootstrap_632_plus,
    hierarchical_interval,
    no_information_error,
)
from manyfit.evaluate.calibration import Calibration, Isotonic, Temperature, cross_calibrated
from manyfit.evaluate.conformal import (
    conformal_interval,
    conformal_quantile,
    conformal_sets,
    cv_plus_interval,
    forecast_intervals,
)
from manyfit.evaluate.folds import Split, plan, repeats_of
from manyfit.evaluate.intervals import (
    Comparison,
    Interval,
    holm,
    paired_test,
    resampled_interval,
    row_interval,
)
from manyfit.evaluate.label_noise import Suspects, label_suspects
from manyfit.evaluate.nested import NestedPlan, nested_interval, nested_plan
from manyfit.evaluate.power_law import Extrapolation, PowerLaw, extrapolate, fit_power_law
from manyfit.evaluate.scored_rows import score_intervals
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
from manyfit.evaluate.twins import Twins, twins

__all__ = [
    "Calibration",
    "Comparison",
    "Discordance",
    "Extrapolation",
    "Interval",
    "Isotonic",
    "NestedPlan",
    "Posterior",
    "PowerLaw",
    "Ranking",
    "Split",
    "Spread",
    "Suspects",
    "Temperature",
    "Twins",
    "bca_interval",
    "bootstrap_632_plus",
    "chosen_fold_by_fold",
    "conformal_interval",
    "conformal_quantile",
    "conformal_sets",
    "correlated_t",
    "cross_calibrated",
    "cv_plus_interval",
    "delong",
    "extrapolate",
    "fit_power_law",
    "forecast_intervals",
    "friedman",
    "hierarchical_interval",
    "holm",
    "label_suspects",
    "mcnemar",
    "nested_interval",
    "nested_plan",
    "no_information_error",
    "others_of",
    "paired_test",
    "plan",
    "repeats_of",
    "resampled_interval",
    "row_interval",
    "score_intervals",
    "twins",
    "variance_components",
]
