"""Multilayer perceptrons under scikit-learn's contract: tables in, classes or values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import narwhals as nw
import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import (
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from manyfit.data.schema import Schema
from manyfit.errors import ConfigError
from manyfit.estimators.base import Classifier, Estimator
from manyfit.estimators.rows import arrays_of, frame_of, table_of_array, table_of_frame
from manyfit.models import MLP
from manyfit.space import uniform
from manyfit.tasks.tables import table_task
from manyfit.tasks.task import Task


class Tabular(Estimator):
    """Rows of numbers and categories; what is missing is imputed from each fold's training rows."""

    schema_: Schema

    def __init__(
        self,
        hidden: Sequence[int] = (128, 128),
        *,
        dropout: float | None = None,
        activation: str = "relu",
        embedding: str = "none",
        scaling: str = "auto",
        optimizer: Any = "adamw",
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        trials: int = 1,
        seeds: int = 1,
        folds: int = 5,
        epochs: int = 200,
        patience: int | None = 30,
        batch_size: int | str = "auto",
        validation: float = 0.2,
        random_state: Any = 0,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.activation = activation
        self.embedding = embedding
        self.scaling = scaling
        self.optimizer = optimizer
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
            dropout = uniform(0.0, 0.5) if self.trials > 1 else 0.2
        embedding: Any = self.embedding  # MLP itself refuses an unknown name
        return MLP(
            hidden=tuple(self.hidden),
            dropout=dropout,
            activation=self.activation,
            embedding=embedding,
        )

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, *, numeric: bool
    ) -> tuple[np.ndarray | nw.DataFrame[Any], np.ndarray, np.ndarray | None]:
        """Rows, target and weights that fit together, without the rows of weight 0."""
        frame = frame_of(X)
        rows: Any
        if frame is None:
            rows, y = validate_data(
                self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", y_numeric=numeric
            )
        else:
            rows = frame
            validate_data(self, X, y, skip_check_array=True)
            y = column_or_1d(y, warn=True)
            check_consistent_length(X, y)
            assert_all_finite(y, input_name="y")
        if numeric:
            y = np.asarray(y, np.float64)
            if (np.abs(y) > np.finfo(np.float32).max).any():
                raise ValueError("y holds a value too large for float32")
        if sample_weight is None:
            return rows, y, None
        weight = np.asarray(sample_weight, np.float64)
        if weight.shape != y.shape or not np.isfinite(weight).all() or (weight < 0).any():
            raise ValueError(
                f"sample_weight, of shape {weight.shape}, needs one number of at least 0 for each of {len(y)} rows"
            )
        used = weight > 0
        if not used.any():
            raise ValueError("sample_weight: every weight is zero, at least one has to be above")
        rows = rows[used] if frame is None else frame.filter(used.tolist())
        return rows, y[used], weight[used].astype(np.float32)

    def _task(
        self,
        rows: np.ndarray | nw.DataFrame[Any],
        target: np.ndarray,
        weight: np.ndarray | None,
        kind: Any,
        classes: tuple[str, ...] = (),
    ) -> Task:
        if isinstance(rows, nw.DataFrame):
            table = table_of_frame(rows, target, classification=bool(classes))
        else:
            names = [str(name) for name in getattr(self, "feature_names_in_", range(rows.shape[1]))]
            table = table_of_array(
                rows, names if hasattr(self, "feature_names_in_") else [f"x{n}" for n in names]
            )
        schema = replace(table.schema, task=kind, classes=classes)
        self.schema_ = schema
        self._numbers = not isinstance(rows, nw.DataFrame)
        table = replace(table, schema=schema, target=target, weight=weight)
        bins = 32 if self.embedding == "piecewise" else 0
        return table_task(table, scaling=self.scaling, bins=bins)

    def _inputs(self, X: Any) -> dict[str, np.ndarray]:
        if self._numbers:
            X = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
            return arrays_of(X, self.schema_)
        validate_data(self, X, reset=False, skip_check_array=True)
        return self.schema_.encode(X)


class MLPClassifier(Classifier, Tabular):
    """A multilayer perceptron for classes, with its hyper-parameters searched when ``trials`` is above 1.

    ``fit`` trains ``trials x seeds x folds`` networks as one population, chooses
    the trial by its validation rows and predicts with that trial's networks
    together. ``result_`` holds the cross-validated score with its interval.

    ``X`` is ``(rows, features)`` of numbers, NaN where missing, or a pandas,
    polars or pyarrow frame, whose columns may also hold categories, texts,
    booleans and dates, and missing cells. A category that training did not
    hold is a value of its own at prediction ("unknown"). ``y`` ``(rows,)`` are
    labels of any kind. Rows of a class that has fewer rows than ``folds`` are
    always trained on, never tested.

    Args:
        hidden: widths of the hidden layers.
        dropout, learning_rate, weight_decay: None searches them (with one trial: 0.2, 1e-3, 1e-2).
        activation: ``relu``, ``gelu``, ``silu``, ``tanh``, ``elu``, ``selu`` or ``identity``.
        embedding: how numbers enter: ``none``, ``piecewise`` or ``periodic`` (see ``models.MLP``).
        scaling: ``auto`` (standard, by rank where a column has a long tail), ``standard``, ``robust``,
            ``quantile`` or ``none``, learned from each fold's training rows.
        optimizer: a name (``sgd``, ``muon`` …), or one of ``manyfit.optim`` with its own rate and decay.
        class_weight: ``"balanced"`` weighs every class the same in training; ``{label: weight}`` is a
            ``sample_weight`` by label.
        trials, seeds, folds: what is trained; ``folds=1`` is a single hold-out.
        epochs, patience: training ends after ``patience`` epochs without a better validation loss.
        batch_size: rows a step; ``"auto"`` goes by the number of rows.
        validation: the share of each fold's training rows that decides when to stop.
        random_state: a whole number, a ``RandomState``, or None for another result each time.

    Of scikit-learn's estimator checks one is expected to fail:
    ``check_sample_weight_equivalence_on_dense_data`` (a row of weight 2 is not a
    row given twice: folds and minibatches are drawn from rows).

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> MLPClassifier(epochs=30).fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        hidden: Sequence[int] = (128, 128),
        *,
        dropout: float | None = None,
        activation: str = "relu",
        embedding: str = "none",
        scaling: str = "auto",
        optimizer: Any = "adamw",
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        class_weight: Any = None,
        trials: int = 1,
        seeds: int = 1,
        folds: int = 5,
        epochs: int = 200,
        patience: int | None = 30,
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
            optimizer=optimizer,
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
        """Train on rows ``X`` and their labels ``y`` ``(rows,)``; ``sample_weight`` ``(rows,)`` at least 0.

        Raises ``ValueError`` for fewer than 2 classes or 4 rows, infinite
        values, and shapes that do not fit; ``ConfigError``, a ``ValueError``
        too, for settings out of range.
        """
        by_class = isinstance(self.class_weight, Mapping)
        if not by_class and self.class_weight not in (None, "balanced"):
            raise ConfigError(f"class_weight={self.class_weight!r}: give None, 'balanced' or label: weight")
        rows, y, weight = self._checked(X, y, sample_weight, numeric=False)
        encoded = self._encode(y)
        if by_class:
            each = compute_sample_weight(self.class_weight, y).astype(np.float32)
            weight = each if weight is None else weight * each
        self._run(self._task(rows, encoded, weight, self._kind, self._names), self._architecture())
        return self


class MLPRegressor(RegressorMixin, Tabular):
    """A multilayer perceptron for values; ``X`` and settings as in ``MLPClassifier``.

    ``y`` ``(rows,)`` are finite numbers; they are standardised inside, per fold.

    Of scikit-learn's estimator checks one is expected to fail:
    ``check_sample_weight_equivalence_on_dense_data`` (a row of weight 2 is not a
    row given twice: folds and minibatches are drawn from rows).

    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> MLPRegressor(epochs=30).fit(X, y).score(X, y) > 0.4
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows ``X`` and their values ``y`` ``(rows,)``; ``sample_weight`` ``(rows,)`` at least 0.

        Raises as ``MLPClassifier.fit`` does.
        """
        rows, y, weight = self._checked(X, y, sample_weight, numeric=True)
        self._run(self._task(rows, y.astype(np.float32), weight, "regression"), self._architecture())
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Values float64 ``(rows,)``, the mean over the chosen trial's networks."""
        check_is_fitted(self, "result_")
        return self._model.prediction(self._inputs(X)).output
