"""manyfit trains many deep networks as one.

Every cross-validation fold, seed and hyper-parameter trial of an experiment is
a member of a population that trains inside one compiled JAX program.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from manyfit._environment import one_device_a_core
from manyfit._version import __version__

one_device_a_core()

_NAMES = {
    "Experiment": "manyfit.experiment",
    "Result": "manyfit.experiment",
    "Predictor": "manyfit.experiment",
    "Supervised": "manyfit.objectives",
    "GAN": "manyfit.objectives.adversarial",
    "learning_curve": "manyfit.experiment",
    "learning_rate_range": "manyfit.experiment",
    "MLPClassifier": "manyfit.estimators",
    "MLPRegressor": "manyfit.estimators",
    "CNNClassifier": "manyfit.estimators",
    "Autoencoder": "manyfit.estimators",
    "VAE": "manyfit.estimators",
    "inspect_network": "manyfit.inspect",
    "Numeric": "manyfit.space",
    "uniform": "manyfit.space",
    "loguniform": "manyfit.space",
    "integer": "manyfit.space",
    "choice": "manyfit.space",
}
_ROOMS = {
    "augment",
    "data",
    "engine",
    "evaluate",
    "inspect",
    "losses",
    "metrics",
    "models",
    "nn",
    "objectives",
    "optim",
    "report",
    "tasks",
    "tune",
}

if TYPE_CHECKING:
    from manyfit.estimators import VAE, Autoencoder, CNNClassifier, MLPClassifier, MLPRegressor
    from manyfit.experiment import Experiment, Predictor, Result, learning_curve, learning_rate_range
    from manyfit.inspect import inspect_network
    from manyfit.objectives import Supervised
    from manyfit.objectives.adversarial import GAN
    from manyfit.space import Numeric, choice, integer, loguniform, uniform


def load(run: str | os.PathLike[str], objective: Any = None) -> Any:
    """The model of a run folder, ready to predict; see ``Predictor.load``."""
    from manyfit.experiment import Predictor

    return Predictor.load(os.fspath(run), objective)


def __getattr__(name: str) -> Any:
    # names come when they are used: importing manyfit for one thing does not pay for the others
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"manyfit.{name}")
    raise AttributeError(f"module 'manyfit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *_ROOMS})


__all__ = [
    "GAN",
    "VAE",
    "Autoencoder",
    "CNNClassifier",
    "Experiment",
    "MLPClassifier",
    "MLPRegressor",
    "Numeric",
    "Predictor",
    "Result",
    "Supervised",
    "__version__",
    "choice",
    "inspect_network",
    "integer",
    "learning_curve",
    "learning_rate_range",
    "load",
    "loguniform",
    "uniform",
]
