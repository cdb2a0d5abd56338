"""scikit-learn estimators: ``fit(X, y)`` trains trials x seeds x folds as one population.

They follow scikit-learn's contract (``clone``, ``Pipeline``, ``GridSearchCV``,
``cross_val_score``); what they add is in ``result_``: the score with its
interval, every trial, every member.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from manyfit.data.image_preprocess import ImagePreprocess
from manyfit.data.preprocess import TablePreprocess
from manyfit.errors import ConfigError
from manyfit.experiment import Experiment, Predictor, Result
from manyfit.models import CNN, MLP
from manyfit.objectives import Supervised
from manyfit.optim import AdamW
from manyfit.space import loguniform, uniform
from manyfit.tasks.defaults import batch_size_for
from manyfit.tasks.task import Task, fingerprint


class _Estimator(BaseEstimator):
    """What the estimators share: an experiment on the rows handed in, its chosen trial as the model."""

    result_: Result
    n_features_in_: int

    def _run(self, task: Task, model: Any) -> None:
        given: Any = self
        searching = given.trials > 1
        optimizer = AdamW(
            learning_rate=given.learning_rate or (loguniform(3e-4, 1e-2) if searching else 2e-3),
            weight_decay=loguniform(1e-4, 3e-1)
            if given.weight_decay is None and searching
            else given.weight_decay or 0.0,
            clip=1.0,
        )
        seed = given.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31 - 1)
        smallest = task.rows
        if task.classes:
            smallest = int(np.bincount(task.data["target"], minlength=len(task.classes)).min())
        # a class with fewer rows than folds still trains: fewer folds, down to none held out
        folds = min(given.folds, smallest) if smallest >= 2 else 1
        alone = smallest < 2 or task.rows < 4
        result = Experiment(
            Supervised(model, optimizer=optimizer, balance=getattr(self, "class_weight", None) == "balanced"),
            task,
            trials=given.trials,
            seeds=given.seeds,
            folds=[_everything(task.rows)] if alone else folds,
            epochs=given.epochs,
            patience=None if alone else given.patience,
            batch_size=batch_size_for(task.rows) if given.batch_size == "auto" else given.batch_size,
            validation=0.0 if alone else given.validation,
            seed=int(seed),
        ).run()
        self.result_ = result
        self.best_ = result.best
        self.n_iter_ = max((int(row["epochs"]) for row in result.members), default=1)

    @property
    def _model(self) -> Predictor:
        check_is_fitted(self, "result_")
        return self.result_.best

    def _about(self, data: Mapping[str, Any], rows: int) -> dict[str, Any]:
        return {"source": "arrays", "kind": "table", "rows": rows, "columns": [], "warnings": [],
                "fingerprint": fingerprint(data)}  # fmt: skip


def _everything(rows: int) -> tuple[np.ndarray, np.ndarray]:
    index = np.arange(rows)
    return index, index


class _Classifier(ClassifierMixin, _Estimator):
    """Labels to class indices and back."""

    classes_: np.ndarray

    def _encode(self, y: Any) -> np.ndarray:
        check_classification_targets(y)
        self.classes_, encoded = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes in y, and all {len(encoded)} rows are of class "
                f"{self.classes_[0]!r}"
            )
        return encoded.astype(np.int32)

    def predict(self, X: Any) -> np.ndarray:
        """Class labels ``(rows,)``."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities ``(rows, classes)``, the mean over the chosen trial's networks."""
        check_is_fitted(self, "result_")
        found = self._model.prediction(self._inputs(X)).output
        return found / found.sum(axis=1, keepdims=True)

    def _inputs(self, X: Any) -> dict[str, np.ndarray]:
        raise NotImplementedError


class _Tabular(_Estimator):
    """Rows of numbers; missing ones (NaN) are imputed from each fold's training rows."""

    def __init__(
        self,
        hidden: tuple[int, ...] = (128, 128),
        *,
        dropout: float | None = None,
        activation: str = "relu",
        embedding: str = "none",
        scaling: str = "quantile",
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        trials: int = 1,
        seeds: int = 1,
        folds: int = 5,
        epochs: int = 200,
        patience: int = 20,
        batch_size: int | str = "auto",
        validation: float = 0.2,
        random_state: Any = 0,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.activation = activation
        self.embedding = embedding
        self.scaling = scaling
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.trials = trials
        self.seeds = seeds
        self.folds = folds
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.validation = validation
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _architecture(self) -> MLP:
        dropout: Any = self.dropout
        if dropout is None:
            dropout = uniform(0.0, 0.5) if self.trials > 1 else 0.0
        return MLP(
            hidden=tuple(self.hidden),
            dropout=dropout,
            activation=self.activation,
            embedding=self.embedding,  # type: ignore[arg-type]
        )

    def _task(self, X: np.ndarray, target: np.ndarray, kind: Any, classes: int, weight: Any) -> Task:
        data: dict[str, Any] = {"inputs": _numbers(X), "target": target}
        if weight is not None:
            weight = np.asarray(weight, np.float32)
            if weight.shape != target.shape or not np.isfinite(weight).all() or (weight < 0).any():
                raise ValueError(
                    f"sample_weight needs one number of at least 0 for each of the {len(target)} rows"
                )
            data["weight"] = weight
        bins = 32 if self.embedding == "piecewise" else 0
        return Task(
            kind=kind,
            data=data,
            rows=len(X),
            classes=tuple(str(i) for i in range(classes)),
            preprocess=TablePreprocess(scaling=self.scaling, bins=bins, cardinalities=()),  # type: ignore[arg-type]
            about=self._about(data, len(X)),
        )

    def _inputs(self, X: Any) -> dict[str, np.ndarray]:
        X = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        return _numbers(X)


def _numbers(X: np.ndarray) -> dict[str, np.ndarray]:
    with np.errstate(over="ignore"):
        numeric = np.ascontiguousarray(X, dtype=np.float32)
    if np.isinf(numeric).any():
        raise ValueError("X holds infinity or a value too large for float32")
    return {"numeric": numeric, "category": np.zeros((len(X), 0), np.int32)}


class MLPClassifier(_Tabular, _Classifier):
    """A multilayer perceptron for classes, with its hyper-parameters searched when ``trials`` is above 1.

    ``fit`` trains ``trials x seeds x folds`` networks as one population, chooses
    the trial by its validation rows and predicts with that trial's networks
    together. ``result_`` holds the cross-validated score with its interval.
    ``learning_rate``, ``weight_decay`` and ``dropout`` left at None are searched
    (with one trial: sensible values). ``class_weight="balanced"`` weighs every
    class the same.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> MLPClassifier(epochs=30).fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (128, 128),
        *,
        dropout: float | None = None,
        activation: str = "relu",
        embedding: str = "none",
        scaling: str = "quantile",
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        class_weight: str | None = None,
        trials: int = 1,
        seeds: int = 1,
        folds: int = 5,
        epochs: int = 200,
        patience: int = 20,
        batch_size: int | str = "auto",
        validation: float = 0.2,
        random_state: Any = 0,
    ) -> None:
        super().__init__(
            hidden,
            dropout=dropout,
            activation=activation,
            embedding=embedding,
            scaling=scaling,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            trials=trials,
            seeds=seeds,
            folds=folds,
            epochs=epochs,
            patience=patience,
            batch_size=batch_size,
            validation=validation,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train; ``X`` ``(rows, features)`` numbers, NaN where missing, ``y`` ``(rows,)`` labels.

        Raises ``ValueError`` for a single class, infinite values or shapes that do not fit.
        """
        if self.class_weight not in (None, "balanced"):
            raise ConfigError(f"class_weight={self.class_weight!r}: give None or 'balanced'")
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        encoded = self._encode(y)
        kind = "binary" if len(self.classes_) == 2 else "multiclass"
        self._run(self._task(X, encoded, kind, len(self.classes_), sample_weight), self._architecture())
        return self


class MLPRegressor(_Tabular, RegressorMixin):
    """A multilayer perceptron for values; see ``MLPClassifier``."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train; ``X`` ``(rows, features)`` numbers, NaN where missing, ``y`` ``(rows,)`` values."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", y_numeric=True)
        self._run(
            self._task(X, np.asarray(y, np.float32), "regression", 0, sample_weight), self._architecture()
        )
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Values ``(rows,)``, the mean over the chosen trial's networks."""
        check_is_fitted(self, "result_")
        return self._model.prediction(self._inputs(X)).output


class CNNClassifier(_Classifier):
    """A small convolutional network for images.

    ``X`` is ``(rows, height, width)`` or ``(rows, height, width, channels)``, or
    ``(rows, features)`` with ``image_shape`` (height, width) or (height, width,
    channels) given; without it a row of n features is a square image where n is
    a square, else one column of n pixels. Pixels are uint8 or any numbers.
    """

    def __init__(
        self,
        channels: tuple[int, ...] = (32, 64),
        hidden: int = 128,
        *,
        image_shape: tuple[int, ...] | None = None,
        dropout: float = 0.25,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        trials: int = 1,
        seeds: int = 1,
        folds: int = 5,
        epochs: int = 40,
        patience: int = 8,
        batch_size: int | str = "auto",
        validation: float = 0.2,
        random_state: Any = 0,
    ) -> None:
        self.channels = channels
        self.hidden = hidden
        self.image_shape = image_shape
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.trials = trials
        self.seeds = seeds
        self.folds = folds
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.validation = validation
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Train on images and their labels ``(rows,)``."""
        X, y = validate_data(self, X, y, allow_nd=True, dtype="numeric")
        encoded = self._encode(y)
        self.image_shape_ = self._shape(X)
        data = {"inputs": self._pixels(X), "target": encoded}
        task = Task(
            kind="binary" if len(self.classes_) == 2 else "multiclass",
            data=data,
            rows=len(X),
            classes=tuple(str(i) for i in range(len(self.classes_))),
            preprocess=ImagePreprocess(),
            about=self._about(data, len(X)),
        )
        model = CNN(channels=tuple(self.channels), hidden=self.hidden, dropout=self.dropout)
        self._run(task, model)
        return self

    def _inputs(self, X: Any) -> dict[str, np.ndarray]:
        return self._pixels(validate_data(self, X, reset=False, allow_nd=True, dtype="numeric"))

    def _shape(self, X: np.ndarray) -> tuple[int, int, int]:
        if X.ndim == 4:
            return X.shape[1:]  # type: ignore[return-value]
        if X.ndim == 3:
            return (*X.shape[1:], 1)  # type: ignore[return-value]
        if X.ndim != 2:
            raise ValueError(
                f"X has shape {X.shape}: give (rows, height, width), with channels last if there are any"
            )
        if self.image_shape is not None:
            shape = (*self.image_shape, 1)[:3]
            if int(np.prod(shape)) != X.shape[1]:
                raise ValueError(
                    f"image_shape={self.image_shape} has {np.prod(shape)} pixels, X has {X.shape[1]} features"
                )
            return shape  # type: ignore[return-value]
        side = round(X.shape[1] ** 0.5)
        return (side, side, 1) if side * side == X.shape[1] else (X.shape[1], 1, 1)

    def _pixels(self, X: np.ndarray) -> dict[str, np.ndarray]:
        if X.ndim != 2 and (*X.shape[1:], 1)[:3] != tuple(self.image_shape_):
            raise ValueError(
                f"X holds images of shape {X.shape[1:]}, the model was trained on {self.image_shape_}"
            )
        pixels = X.reshape(len(X), *self.image_shape_)
        return {"pixels": pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32)}
