"""Metrics that arrive in batches: sums that add up to what the whole data set gives.

A stream is fed by ``update``, joined to another by ``merge`` and read by ``value``; any partition of the rows
gives the same value, to rounding, and rows of weight 0 do not exist.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, nearest

Floats: TypeAlias = npt.NDArray[np.float64]

BINS = 15


class ClassStream:
    """Classification: ``update`` takes ``target`` ``(n,)``, probabilities ``(n, classes)`` and a weight ``(n,)``."""

    names = (
        "accuracy",
        "balanced_accuracy",
        "f1_macro",
        "f1_weighted",
        "iou",
        "mcc",
        "log_loss",
        "perplexity",
        "brier",
        "ece",
    )

    def __init__(self, classes: int) -> None:
        self.table: Floats = np.zeros((classes, classes))
        """Weight of each (target, predicted) pair."""
        self.losses: Floats = np.zeros(2)
        """Sums of the log loss and of the squared errors."""
        self.gaps: Floats = np.zeros(BINS)
        """Sums of right minus confidence, by confidence."""

    def update(
        self, target: npt.ArrayLike, output: npt.ArrayLike, weight: npt.ArrayLike | None = None
    ) -> None:
        """Count a batch."""
        from manyfit.metrics.classification import _confusion

        t, p, w = _rows(target, output, weight)
        classes = len(self.table)
        t = t.astype(np.int64)
        self.table += _confusion(t, p, w)
        eps = np.finfo(np.float64).eps
        own = np.clip((p / p.sum(axis=1, keepdims=True))[np.arange(len(t)), t], eps, 1 - eps)
        squares = np.sum(np.square(p - np.eye(classes)[t]), axis=1)
        self.losses += [np.sum(-w * np.log(own)), np.sum(w * squares)]
        confidence = p.max(axis=1)
        index = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
        gap = w * ((np.argmax(p, axis=1) == t) - confidence)
        self.gaps += np.bincount(index, weights=gap, minlength=BINS)

    def merge(self, other: ClassStream) -> None:
        """Add what another stream has counted."""
        for name in ("table", "losses", "gaps"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def value(self, name: str) -> float:
        """One metric of all rows so far; NaN if there are none. Raises ``ConfigError`` for another name."""
        from manyfit.metrics import predictions

        if name not in self.names:
            raise ConfigError(f"{name!r} does not add up over batches: {nearest(name, self.names)}")
        total = self.table.sum()
        if not total > 0:
            return float("nan")
        if name in ("log_loss", "perplexity"):
            loss = float(self.losses[0] / total)
            return loss if name == "log_loss" else float(np.exp(loss))
        if name == "brier":
            return float(self.losses[1] / total / (2 if len(self.table) == 2 else 1))
        if name == "ece":
            return float(np.abs(self.gaps).sum() / total)
        # the rest follow from the table: one row a cell, of the cell's weight
        cells = np.array([(i, j) for i in range(len(self.table)) for j in range(len(self.table))])
        there = self.table.ravel() > 0
        target, predicted = cells[there].T
        function = predictions.METRICS[name].function
        return float(function(target, np.eye(len(self.table))[predicted], self.table.ravel()[there]))


class ValueStream:
    """Regression: ``update`` takes ``target``, values and a weight, all ``(n,)``."""

    names = ("rmse", "mae", "r2")

    def __init__(self) -> None:
        self.rows = 0
        self.weight = self.mean = self.scatter = self.squares = self.absolute = 0.0

    def update(
        self, target: npt.ArrayLike, output: npt.ArrayLike, weight: npt.ArrayLike | None = None
    ) -> None:
        """Count a batch."""
        t, o, w = _rows(target, output, weight)
        if not len(t):
            return
        batch = ValueStream()
        batch.rows, batch.weight = len(t), float(w.sum())
        batch.mean = float(np.sum(w * t) / batch.weight)
        batch.scatter = float(np.sum(w * np.square(t - batch.mean)))
        batch.squares, batch.absolute = float(np.sum(w * (t - o) ** 2)), float(np.sum(w * np.abs(t - o)))
        self.merge(batch)

    def merge(self, other: ValueStream) -> None:
        """Add another stream; deviations are taken about the joint mean (Chan et al., 1979)."""
        if not other.rows:
            return
        total, apart = self.weight + other.weight, other.mean - self.mean
        self.scatter += other.scatter + apart * apart * self.weight * other.weight / total
        self.mean += apart * other.weight / total
        self.rows, self.weight = self.rows + other.rows, total
        self.squares, self.absolute = self.squares + other.squares, self.absolute + other.absolute

    def value(self, name: str) -> float:
        """One metric of all rows so far; NaN where it is not defined. Raises ``ConfigError`` for another name."""
        if name not in self.names:
            raise ConfigError(f"{name!r} does not add up over batches: {nearest(name, self.names)}")
        if not self.rows or (name == "r2" and (self.rows < 2 or not self.scatter > 0)):
            return float("nan")
        if name == "r2":
            return 1.0 - self.squares / self.scatter
        return self.absolute / self.weight if name == "mae" else float(np.sqrt(self.squares / self.weight))


def _rows(target: Any, output: Any, weight: Any) -> tuple[Any, Floats, Floats]:
    """Arrays without the rows of weight 0."""
    t, o = np.asarray(target), np.asarray(output, np.float64)
    w = np.ones(len(t)) if weight is None else np.asarray(weight, np.float64)
    there = w > 0
    return t[there], o[there], w[there]
