"""Metrics of final predictions: exact, weighted, in float64 NumPy.

Classification metrics take ``target`` (``(n,)`` class indices) and probabilities
(``(n, classes)``), regression metrics ``target`` and values (both ``(n,)``); every
one takes ``weight`` (``(n,)``, at least 0, ``None`` for ones). Class 1 is the
positive class of a binary task. Definitions and tie rules are scikit-learn's.

A metric that the rows do not define (the ranking metrics when a class is absent,
``r2`` of fewer than two rows or of a constant target, anything of no rows) is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, DataError, nearest
from manyfit.metrics._sums import Floats
from manyfit.metrics.classification import (
    accuracy,
    auroc,
    average_precision,
    balanced_accuracy,
    brier,
    ece,
    f1,
    f1_macro,
    f1_weighted,
    iou,
    log_loss,
    mcc,
    perplexity,
    precision,
    precision_macro,
    recall,
    recall_macro,
    top_k,
)
from manyfit.metrics.regression import mae, median_absolute_error, r2, rmse

Function: TypeAlias = Callable[[npt.NDArray[Any], Floats, Floats], float]
_CLASSES = ("binary", "multiclass")


@dataclass(frozen=True)
class Metric:
    """One figure for predictions.

    ``function(target, output, weight)`` computes it, ``direction`` says which way
    is better, ``kinds`` the tasks it is defined for, and ``needs`` what of the
    output it reads: ``"labels"`` (the largest probability), ``"probabilities"`` or ``"values"``.
    """

    name: str
    function: Function
    direction: Literal["maximize", "minimize"]
    kinds: tuple[str, ...]
    needs: Literal["labels", "probabilities", "values"]
    bounds: tuple[float, float] = (-np.inf, np.inf)
    """The values that it can take; an interval ends there too."""

    def better(self, a: float, b: float) -> bool:
        """Whether ``a`` beats ``b``; NaN never does, and is beaten by any number."""
        if np.isnan(a) or np.isnan(b):
            return not np.isnan(a) and bool(np.isnan(b))
        return a > b if self.direction == "maximize" else a < b


def score(
    task_kind: str,
    target: npt.ArrayLike,
    output: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    metrics: Iterable[str] | None = None,
) -> dict[str, float]:
    """The metrics of one set of predictions, by name.

    Args:
        task_kind: ``"binary"``, ``"multiclass"`` or ``"regression"``.
        target: ``(n,)`` class indices, or values.
        output: probabilities ``(n, classes)`` (binary also: ``(n,)``, of class 1), or values ``(n,)``.
        weight: ``(n,)``; rows of weight 0 do not exist.
        metrics: names in ``METRICS``; ``DEFAULTS[task_kind]`` if ``None``.

    Every metric is NaN if the output of some row is not finite (a model that diverged).

    Raises:
        ConfigError: an unknown task kind or metric, or a metric of another task kind.
        DataError: arrays that do not fit together, or a target that is not finite.

    >>> score("binary", [0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], metrics=["accuracy", "auroc"])
    {'accuracy': 0.6666666666666666, 'auroc': 1.0}
    """
    if task_kind not in DEFAULTS:
        raise ConfigError(f"unknown kind of task {task_kind!r}: {nearest(task_kind, DEFAULTS)}")
    chosen = [metric(name, task_kind) for name in (DEFAULTS[task_kind] if metrics is None else metrics)]
    t, o, w = _arrays(task_kind, target, output, weight)
    if len(t) == 0 or not np.isfinite(o).all():
        return {m.name: float("nan") for m in chosen}
    return {m.name: float(m.function(t, o, w)) for m in chosen}


def metric(name: str, task_kind: str | None = None) -> Metric:
    """The metric of that name, if it is defined for the task.

    Raises ``ConfigError`` for an unknown name, and for a metric of another kind of task.
    """
    known = [m.name for m in METRICS.values() if task_kind is None or task_kind in m.kinds]
    if name not in METRICS:
        raise ConfigError(f"unknown metric {name!r}: {nearest(name, known)}")
    if name not in known:
        raise ConfigError(f"{name!r} is no metric of a {task_kind} task: choose among {', '.join(known)}")
    return METRICS[name]


def _arrays(
    task_kind: str, target: npt.ArrayLike, output: npt.ArrayLike, weight: npt.ArrayLike | None
) -> tuple[npt.NDArray[Any], Floats, Floats]:
    t, o = np.asarray(target), np.asarray(output, dtype=np.float64)
    w = np.ones(len(t)) if weight is None else np.asarray(weight, dtype=np.float64)
    if task_kind == "regression":
        t = t.astype(np.float64)
        o = o[:, 0] if o.ndim == 2 and o.shape[1] == 1 else o
    else:
        o = np.stack([1.0 - o, o], axis=1) if o.ndim == 1 and task_kind == "binary" else o
        if o.ndim != 2 or o.shape[1] < 2 or (task_kind == "binary" and o.shape[1] != 2):
            raise DataError(f"a {task_kind} task is scored by probabilities (n, classes), not {o.shape}")
        if len(t) and (t.dtype.kind not in "biu" or t.min() < 0 or t.max() >= o.shape[1]):
            raise DataError(f"the target holds something else than class indices 0 to {o.shape[1] - 1}")
        t = t.astype(np.int64)
    if t.ndim != 1 or len(o) != len(t) or w.shape != t.shape or (task_kind == "regression" and o.ndim != 1):
        raise DataError(f"target {t.shape}, output {o.shape} and weight {w.shape} do not fit together")
    if not (np.isfinite(w).all() and (w >= 0).all()):
        raise DataError("weights are finite and at least 0")
    kept = w > 0
    t, o, w = t[kept], o[kept], w[kept]
    if not np.isfinite(t.astype(np.float64)).all():
        raise DataError("the target holds values that are not finite: leave those rows out")
    return t, o, w


METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric("accuracy", accuracy, "maximize", _CLASSES, "labels", (0, 1)),
        Metric("balanced_accuracy", balanced_accuracy, "maximize", _CLASSES, "labels", (0, 1)),
        Metric("log_loss", log_loss, "minimize", _CLASSES, "probabilities", (0, np.inf)),
        Metric("auroc", auroc, "maximize", _CLASSES, "probabilities", (0, 1)),
        Metric("average_precision", average_precision, "maximize", _CLASSES, "probabilities", (0, 1)),
        Metric("f1", f1, "maximize", ("binary",), "labels", (0, 1)),
        Metric("f1_macro", f1_macro, "maximize", _CLASSES, "labels", (0, 1)),
        Metric("f1_weighted", f1_weighted, "maximize", _CLASSES, "labels", (0, 1)),
        Metric("precision", precision, "maximize", ("binary",), "labels", (0, 1)),
        Metric("precision_macro", precision_macro, "maximize", _CLASSES, "labels", (0, 1)),
        Metric("recall", recall, "maximize", ("binary",), "labels", (0, 1)),
        Metric("recall_macro", recall_macro, "maximize", _CLASSES, "labels", (0, 1)),
        Metric("top_5", top_k, "maximize", ("multiclass",), "probabilities", (0, 1)),
        Metric("iou", iou, "maximize", _CLASSES, "labels", (0, 1)),
        Metric("perplexity", perplexity, "minimize", _CLASSES, "probabilities", (1, np.inf)),
        Metric("mcc", mcc, "maximize", _CLASSES, "labels", (-1, 1)),
        Metric("brier", brier, "minimize", _CLASSES, "probabilities", (0, 2)),
        Metric("ece", ece, "minimize", _CLASSES, "probabilities", (0, 1)),
        Metric("rmse", rmse, "minimize", ("regression",), "values", (0, np.inf)),
        Metric("mae", mae, "minimize", ("regression",), "values", (0, np.inf)),
        Metric("r2", r2, "maximize", ("regression",), "values", (-np.inf, 1)),
        Metric(
            "median_absolute_error", median_absolute_error, "minimize", ("regression",), "values", (0, np.inf)
        ),
    )
}
"""Every metric by name."""

ROW_MEANS = ("accuracy", "top_5", "log_loss", "brier", "mae")
"""Metrics that are means over rows: of a single row too they are what they are of many."""

DEFAULTS: dict[str, tuple[str, ...]] = {
    "binary": ("accuracy", "balanced_accuracy", "auroc", "log_loss", "brier", "f1"),
    "multiclass": ("accuracy", "balanced_accuracy", "log_loss", "f1_macro"),
    "regression": ("rmse", "mae", "r2"),
}
"""What is reported for each kind of task; the first is what trials are compared by."""
