"""From an objective and data to a result: folds x seeds x trials, trained, scored, chosen, kept."""

from manyfit.experiment.experiment import Experiment, Status
from manyfit.experiment.growth import LearningCurve, learning_curve
from manyfit.experiment.predictor import Prediction, Predictor
from manyfit.experiment.rates import learning_rate_range
from manyfit.experiment.result import PrunedTrial, Result, TrialScore

__all__ = [
    "Experiment",
    "LearningCurve",
    "Prediction",
    "Predictor",
    "PrunedTrial",
    "Result",
    "Status",
    "TrialScore",
    "learning_curve",
    "learning_rate_range",
]
