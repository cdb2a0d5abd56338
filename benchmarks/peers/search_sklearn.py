"""The search of ``benchmarks/search.py`` over scikit-learn's MLP, driven by Optuna."""

import numpy as np
from search_optuna import search
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier, MLPRegressor


def make(rate: float, decay: float, classes: int, inputs: int) -> MLPClassifier | MLPRegressor:
    kind = MLPClassifier if classes else MLPRegressor
    model = kind(hidden_layer_sizes=(64, 64), batch_size=128, learning_rate_init=rate, alpha=decay)
    model.every_class = np.arange(classes)
    return model


def epoch(model: MLPClassifier | MLPRegressor, x: np.ndarray, y: np.ndarray) -> None:
    if isinstance(model, MLPClassifier):
        model.partial_fit(x, y, classes=model.every_class)
    else:
        model.partial_fit(x, y)


def loss(model: MLPClassifier | MLPRegressor, x: np.ndarray, y: np.ndarray) -> float:
    if isinstance(model, MLPClassifier):
        return float(log_loss(y, model.predict_proba(x), labels=model.every_class))
    return float(np.mean((model.predict(x) - y) ** 2))


if __name__ == "__main__":
    search(make, epoch, loss)
