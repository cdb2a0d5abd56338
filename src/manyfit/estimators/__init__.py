"""scikit-learn estimators: ``fit(X, y)`` trains trials x seeds x folds as one population.

They follow scikit-learn's contract (``clone``, ``Pipeline``, ``GridSearchCV``,
``cross_val_score``; the autoencoders are transformers); what they add is in ``result_``: the score with its
interval, every trial, every member.
"""

from __future__ import annotations

from manyfit.estimators.cnn import CNNClassifier
from manyfit.estimators.coding import VAE, Autoencoder
from manyfit.estimators.mlp import MLPClassifier, MLPRegressor

__all__ = ["VAE", "Autoencoder", "CNNClassifier", "MLPClassifier", "MLPRegressor"]
