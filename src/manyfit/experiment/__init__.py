"""From an objective and data to a result: folds x seeds x trials, trained, scored, chosen, kept."""

from manyfit.experiment.experiment import Experiment, Status
from manyfit.experiment.predictor import Prediction, Predictor
from manyfit.experiment.rates import learning_rate_range
from manyfit.experiment.result import Result, TrialScore

__all__ = ["Experiment", "Prediction", "Predictor", "Result", "Status", "TrialScore", "learning_rate_range"]
