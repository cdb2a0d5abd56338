"""What the estimators share: an experiment on the rows handed in, class labels to indices and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from manyfit.errors import ConfigError, RunError
from manyfit.experiment import Experiment, Predictor, Result
from manyfit.objectives import Supervised
from manyfit.optim import Optimizer, named
from manyfit.space import loguniform
from manyfit.tasks.defaults import batch_size_for
from manyfit.tasks.task import Task

FEWEST = 4
"""Rows that training, stopping and testing need at least."""


class Estimator(BaseEstimator, ABC):
    """What the estimators share: an experiment on the rows handed in, its chosen trial as the model.

    Every estimator spells out all of its settings: scikit-learn reads them from
    the signature of the class's own ``__init__``, inherited or shared ones it does not see.
    """

    result_: Result
    n_features_in_: int
    n_iter_: int

    @abstractmethod
    def _inputs(self, X: Any) -> dict[str, np.ndarray]:
        """What the networks read of ``X``."""

    def _optimizer(self) -> Optimizer:
        """``optimizer`` itself, or the rule of that name with the rate and decay that are given or searched."""
        given: Any = self
        learning_rate, weight_decay = given.learning_rate, given.weight_decay
        if isinstance(given.optimizer, Optimizer):
            if learning_rate is not None or weight_decay is not None:
                raise ConfigError(
                    "learning_rate and weight_decay belong to the optimizer that is given: set them there"
                )
            return given.optimizer
        if not isinstance(given.optimizer, str):
            raise ConfigError(f"optimizer={given.optimizer!r}: give a name, or one of manyfit.optim")
        rule, searching = named(given.optimizer), given.trials > 1
        if learning_rate is None:
            learning_rate = loguniform(*rule.search) if searching else rule().learning_rate
        if weight_decay is None:
            weight_decay = loguniform(1e-4, 3e-1) if searching else 1e-2
        return rule(learning_rate=learning_rate, weight_decay=weight_decay, clip=1.0)

    def _run(self, task: Task, model: Any, augment: tuple[Any, ...] = (), views: Any = "one") -> None:
        balance = getattr(self, "class_weight", None) == "balanced"
        self._train(
            task,
            Supervised(model, optimizer=self._optimizer(), balance=balance, augment=augment, views=views),
        )

    def _train(self, task: Task, objective: Any, metric: str | None = None) -> None:
        given: Any = self
        seed = given.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31 - 1)
        result = Experiment(
            objective,
            task,
            trials=given.trials,
            seeds=given.seeds,
            folds=_folds(task, given.folds, int(seed)),
            epochs=given.epochs,
            patience=given.patience,
            batch_size=batch_size_for(task.rows) if given.batch_size == "auto" else given.batch_size,
            validation=given.validation,
            seed=int(seed),
            metric=metric,
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
    if task.rows < FEWEST:
        raise ValueError(
            f"n_samples={task.rows}: training, stopping and testing need at least {FEWEST} rows (samples)"
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


class Classifier(ClassifierMixin, Estimator):
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
