"""scikit-learn estimators: ``fit(X, y)`` trains trials x seeds x folds as one population.

They follow scikit-learn's contract (``clone``, ``Pipeline``, ``GridSearchCV``,
``cross_val_score``); what they add is in ``result_``: the score with its
interval, every trial, every member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import narwhals as nw
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from manyfit.data import ImagePreprocess, Table, read_table
from manyfit.data.schema import ColumnSchema, Schema
from manyfit.errors import ConfigError, RunError
from manyfit.experiment import Experiment, Predictor, Result
from manyfit.models import CNN, MLP
from manyfit.objectives import Supervised
from manyfit.optim import AdamW
from manyfit.space import loguniform, uniform
from manyfit.tasks.defaults import batch_size_for
from manyfit.tasks.tables import table_task
from manyfit.tasks.task import Task, fingerprint

_FEWEST = 4
"""Rows that training, stopping and testing need at least."""


class _Estimator(BaseEstimator):
    """What the estimators share: an experiment on the rows handed in, its chosen trial as the model."""

    result_: Result
    n_features_in_: int
    n_iter_: int

    def _inputs(self, X: Any) -> dict[str, np.ndarray]:
        """What the networks read of ``X``."""
        raise NotImplementedError

    def _run(self, task: Task, model: Any) -> None:
        given: Any = self
        searching = given.trials > 1
        learning_rate, weight_decay = given.learning_rate, given.weight_decay
        if learning_rate is None:
            learning_rate = loguniform(3e-4, 1e-2) if searching else 1e-3
        if weight_decay is None:
            weight_decay = loguniform(1e-4, 3e-1) if searching else 1e-2
        seed = given.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31 - 1)
        result = Experiment(
            Supervised(
                model,
                optimizer=AdamW(learning_rate=learning_rate, weight_decay=weight_decay, clip=1.0),
                balance=getattr(self, "class_weight", None) == "balanced",
            ),
            task,
            trials=given.trials,
            seeds=given.seeds,
            folds=_folds(task, given.folds, int(seed)),
            epochs=given.epochs,
            patience=given.patience,
            batch_size=batch_size_for(task.rows) if given.batch_size == "auto" else given.batch_size,
            validation=given.validation,
            seed=int(seed),
        ).run()
        if result.predictor is None:
            raise RunError(f"{type(self).__name__} has no model to predict with: {result.why}")
        self.result_ = result
        # reads what _inputs makes of X; result_.best reads tables
        self._model: Predictor = replace(result.best, encoder=None)
        self.n_iter_ = max(int(row["epochs"]) for row in result.members)


def _folds(task: Task, folds: Any, seed: int) -> Any:
    """The folds of the experiment: fewer for few rows, and rare classes left out of the tests.

    Rows of a class that has not one row for every fold are always trained on.
    """
    if not isinstance(folds, (int, np.integer)) or folds < 1:
        raise ConfigError(f"folds={folds!r}: give a whole number of at least 1")
    if task.rows < _FEWEST:
        raise ValueError(
            f"n_samples={task.rows}: training, stopping and testing need at least {_FEWEST} rows (samples)"
        )
    labels = task.labels
    if labels is None:
        return min(int(folds), task.rows)
    counts = np.bincount(labels)
    if counts.max() < 2:
        raise ValueError(
            f"every class has a single row ({task.rows} classes in {task.rows} rows): nothing can be held out"
        )
    if counts[counts > 0].min() >= max(folds, 2):
        return int(folds)
    parts = min(int(folds) if folds > 1 else 5, int(counts.max()))
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(counts[labels] >= parts))
    rows = rows[np.argsort(labels[rows], kind="stable")]
    part = np.full(task.rows, -1)
    part[rows] = np.arange(len(rows)) % parts
    return [(np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(parts if folds > 1 else 1)]


class _Classifier(ClassifierMixin, _Estimator):
    """Labels to class indices and back."""

    classes_: np.ndarray

    def _encode(self, y: np.ndarray) -> np.ndarray:
        check_classification_targets(y)
        self.classes_, encoded = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes in y, and all {len(encoded)} rows are of one "
                f"class, {self.classes_[0]!r}"
            )
        return encoded.astype(np.int32)

    @property
    def _names(self) -> tuple[str, ...]:
        names = tuple(map(str, self.classes_.tolist()))
        return names if len(set(names)) == len(names) else tuple(map(repr, self.classes_.tolist()))

    @property
    def _kind(self) -> Any:
        return "binary" if len(self.classes_) == 2 else "multiclass"

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row, ``(rows,)``."""
        found = self.predict_proba(X).argmax(axis=1)
        return self.classes_[found]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities float64 ``(rows, classes)``, columns as ``classes_``.

        The mean over the chosen trial's networks; a row's do not depend on the other rows.
        """
        check_is_fitted(self, "result_")
        found = self._model.prediction(self._inputs(X)).output
        return found / found.sum(axis=1, keepdims=True)


class _Tabular(_Estimator):
    """Rows of numbers and categories; what is missing is imputed from each fold's training rows."""

    schema_: Schema

    def __init__(
        self,
        hidden: Sequence[int] = (128, 128),
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
        return MLP(
            hidden=tuple(self.hidden),
            dropout=dropout,
            activation=self.activation,
            embedding=self.embedding,  # type: ignore[arg-type]
        )

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, *, numeric: bool
    ) -> tuple[np.ndarray | nw.DataFrame[Any], np.ndarray, np.ndarray | None]:
        """Rows, target and weights that fit together, without the rows of weight 0."""
        frame = _frame(X)
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
            table = _read(rows, target, classification=bool(classes))
        else:
            names = [str(name) for name in getattr(self, "feature_names_in_", range(rows.shape[1]))]
            table = _table(rows, names if hasattr(self, "feature_names_in_") else [f"x{n}" for n in names])
        schema = replace(table.schema, task=kind, classes=classes)
        self.schema_ = schema
        self._numbers = not isinstance(rows, nw.DataFrame)
        table = replace(table, schema=schema, target=target, weight=weight)
        bins = 32 if self.embedding == "piecewise" else 0
        return table_task(table, scaling=self.scaling, bins=bins)

    def _inputs(self, X: Any) -> dict[str, np.ndarray]:
        if self._numbers:
            X = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
            return _arrays(X, self.schema_)
        validate_data(self, X, reset=False, skip_check_array=True)
        return self.schema_.encode(X)


def _frame(X: Any) -> nw.DataFrame[Any] | None:
    """A data frame that holds more than numbers; None for everything else, which scikit-learn reads."""
    found = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(found, nw.DataFrame):
        return None
    plain = all(dtype.is_numeric() or dtype == nw.Boolean for dtype in found.schema.values())
    return None if plain else found


def _read(frame: nw.DataFrame[Any], target: np.ndarray, *, classification: bool) -> Table:
    """The columns of a frame, understood as ``manyfit fit`` does; what is a number in the frame stays one."""
    name = "target"
    while name in frame.columns:
        name += "_"
    kinds = {str(column): "number" for column, dtype in frame.schema.items() if dtype.is_numeric()}
    column = nw.new_series(name, target, backend=frame.implementation)
    return read_table(
        frame.with_columns(column).to_native(),
        name,
        task="classification" if classification else "regression",
        kinds=kinds,
    )


def _table(X: np.ndarray, names: Sequence[str]) -> Table:
    """Every column of ``X`` float64 ``(rows, features)`` as a number, NaN where missing."""
    columns = tuple(ColumnSchema(n, "number", offset=o) for n, o in zip(names, _offsets(X), strict=True))
    schema = Schema(columns, tuple(names), "target", "regression", header=False)
    inputs = _arrays(X, schema)
    entries = tuple({"name": name, "kind": "number", "note": ""} for name in names)
    return Table(
        schema, inputs, np.zeros(len(X)), source="arrays", fingerprint=fingerprint(inputs), columns=entries
    )


def _offsets(X: np.ndarray) -> list[float]:
    """What to subtract from each column so that float32 tells its values apart: 0 wherever it does as they are."""
    known = np.where(np.isnan(X), 0.0, X)
    largest = np.abs(known).max(axis=0)
    unit = np.where(largest > 0, largest, 1.0)
    present = ~np.isnan(X)
    count = np.maximum(present.sum(axis=0), 1)
    middle = (known / unit).sum(axis=0) / count
    spread = np.sqrt((np.where(present, known / unit - middle, 0.0) ** 2).sum(axis=0) / count) * unit
    far = (largest > 1e4 * spread) & (spread > 0)
    return np.where(far, np.round(middle * unit), 0.0).tolist()


def _arrays(X: np.ndarray, schema: Schema) -> dict[str, np.ndarray]:
    with np.errstate(over="ignore"):
        numeric = (X - np.array([c.offset for c in schema.columns])).astype(np.float32)
    if np.isinf(numeric).any():
        raise ValueError("X holds infinity or a value too large for dtype('float32')")
    return {"numeric": np.ascontiguousarray(numeric), "category": np.zeros((len(X), 0), np.int32)}


class MLPClassifier(_Classifier, _Tabular):
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
        scaling: ``quantile``, ``standard``, ``robust`` or ``none``, learned from each fold's training rows.
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
        scaling: str = "quantile",
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


class MLPRegressor(RegressorMixin, _Tabular):
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


class CNNClassifier(_Classifier):
    """A small convolutional network for images.

    ``X`` is ``(rows, height, width)`` or ``(rows, height, width, channels)``; or
    ``(rows, features)``, each row an image of ``image_shape`` (height, width) or
    (height, width, channels) with channels last. Where that is not given, a row
    is a square of one channel if its length is a square number, else a single
    column of pixels. Pixels are uint8 or any finite numbers, in any unit: every
    channel is standardised by each fold's training images. ``y`` ``(rows,)``
    are labels of any kind. ``fit`` and the other settings are as in ``MLPClassifier``.

    Every check of scikit-learn's for estimators passes.

    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> model = CNNClassifier(channels=(16,), epochs=4, folds=2).fit(digits.images, digits.target)
    >>> model.score(digits.images, digits.target) > 0.8
    True
    """

    image_shape_: tuple[int, int, int]

    def __init__(
        self,
        channels: Sequence[int] = (32, 64),
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
        patience: int | None = 8,
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Train on images ``X`` and their labels ``y`` ``(rows,)``.

        Raises ``ValueError`` for fewer than 2 classes or 4 rows, pixels that are not
        finite, and shapes that do not fit; ``ConfigError``, a ``ValueError`` too,
        for settings out of range.
        """
        shape = _image(X)
        X, y = validate_data(self, _rows(X), y, dtype="numeric")
        encoded = self._encode(y)
        self.image_shape_ = self._shape(X.shape[1], shape)
        data = {"inputs": self._pixels(X), "target": encoded}
        task = Task(
            kind=self._kind,
            data=data,
            rows=len(X),
            classes=self._names,
            preprocess=ImagePreprocess(),
            about={
                "source": "arrays",
                "kind": "images",
                "rows": len(X),
                "fingerprint": fingerprint(data),
                "columns": [],
                "warnings": [],
            },
        )
        model = CNN(channels=tuple(self.channels), hidden=self.hidden, dropout=self.dropout)
        self._run(task, model)
        return self

    def _inputs(self, X: Any) -> dict[str, np.ndarray]:
        shape = _image(X)
        if shape is not None and shape != self.image_shape_:
            raise ValueError(f"X holds images of shape {shape}, the model was trained on {self.image_shape_}")
        return self._pixels(validate_data(self, _rows(X), reset=False, dtype="numeric"))

    def _shape(self, features: int, image: tuple[int, int, int] | None) -> tuple[int, int, int]:
        given = None if self.image_shape is None else tuple(self.image_shape)
        if given is not None and (len(given) not in (2, 3) or min(given) < 1):
            raise ConfigError(f"image_shape={given}: give (height, width) or (height, width, channels)")
        if given is not None:
            height, width, channels = (*given, 1)[:3]
            if height * width * channels != features:
                raise ValueError(
                    f"image_shape={given} has {height * width * channels} pixels, X has {features} features"
                )
            if image is not None and image != (height, width, channels):
                raise ValueError(f"X holds images of shape {image}, image_shape is {given}")
            return height, width, channels
        if image is not None:
            return image
        side = round(features**0.5)
        return (side, side, 1) if side * side == features else (features, 1, 1)

    def _pixels(self, X: np.ndarray) -> dict[str, np.ndarray]:
        if X.dtype != np.uint8:
            with np.errstate(over="ignore"):
                X = X.astype(np.float32)
            if np.isinf(X).any():
                raise ValueError("X holds a value too large for dtype('float32')")
        return {"pixels": X.reshape(len(X), *self.image_shape_)}


def _image(X: Any) -> tuple[int, int, int] | None:
    """(height, width, channels) of an array of images; None for rows of pixels, and for what is no array."""
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if len(shape) == 4:
        return shape[1], shape[2], shape[3]
    if len(shape) == 3:
        return shape[1], shape[2], 1
    if len(shape) > 4:
        raise ValueError(
            f"X has shape {shape}: give (rows, height, width), with channels last if there are any"
        )
    return None


def _rows(X: Any) -> Any:
    """Images as rows of pixels, all else as it is."""
    return X if _image(X) is None else np.asarray(X).reshape(len(X), -1)
