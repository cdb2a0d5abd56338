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

Floats: TypeAlias = npt.NDArray[np.float64]
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


def accuracy(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The share of rows whose most probable class is the target (the lower class of a tie)."""
    return _ratio(np.sum(weight * (np.argmax(output, axis=1) == target)), np.sum(weight))


def balanced_accuracy(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The recall of each class that is present, averaged."""
    table = _confusion(target, output, weight)
    support = table.sum(axis=1)
    present = support > 0
    return float(np.mean(np.diag(table)[present] / support[present])) if present.any() else float("nan")


def log_loss(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """``-log`` of the target's probability, in nats; rows are normalised, then clipped by 2.2e-16."""
    p = output / np.sum(output, axis=1, keepdims=True)
    eps = np.finfo(np.float64).eps
    p = np.clip(p[np.arange(len(target)), target], eps, 1.0 - eps)
    return _ratio(np.sum(-weight * np.log(p)), np.sum(weight))


def auroc(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The area under the ROC curve: the chance that a positive row outranks a negative, a tie counting half.

    More than two classes: each against the rest, averaged. NaN if a class is absent.

    Source: Hanley and McNeil (1982).
    """
    return _one_vs_rest(_auroc, target, output, weight)


def average_precision(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """``sum_k (R_k - R_{k-1}) P_k`` over the distinct scores: the area under precision and recall.

    More than two classes: each against the rest, averaged. NaN if a class has no row.
    """
    return _one_vs_rest(_average_precision, target, output, weight)


def f1(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The harmonic mean of precision and recall of class 1; 0 where both are 0 / 0 but a row is there."""
    return float(_f1(_confusion(target, output, weight))[1])


def f1_macro(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """F1 of each class that is a target or a prediction of some row, averaged."""
    table = _confusion(target, output, weight)
    return _averaged(_f1(table), table, "macro", target, output)


def f1_weighted(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """F1 of each class, averaged by the weight of its rows."""
    return f_beta(target, output, weight, 1.0, "weighted")


def f_beta(
    target: npt.NDArray[Any],
    output: Floats,
    weight: Floats,
    beta: float = 1.0,
    average: Literal["binary", "macro", "micro", "weighted"] = "binary",
) -> float:
    """``(1 + b^2) P R / (b^2 P + R)``: recall counts ``beta`` times as much as precision.

    ``binary`` is that of class 1, ``macro`` the mean over classes, ``weighted`` by their rows, ``micro`` of all
    decisions together (which is the accuracy). 0 where nothing is there to find.
    """
    table = _confusion(target, output, weight)
    right, found, true = np.diag(table), table.sum(axis=0), table.sum(axis=1)
    if average == "micro":
        return _ratio(right.sum(), true.sum())
    below = beta * beta * true + found
    each = np.divide((1 + beta * beta) * right, below, out=np.zeros(len(table)), where=below > 0)
    return _averaged(each, table, average, target, output)


def precision(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """Of the rows taken for class 1, the share that is; 0 where none is taken for it."""
    return float(_found(_confusion(target, output, weight), axis=0)[1])


def precision_macro(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """Precision of each class that is a target or a prediction of some row, averaged."""
    table = _confusion(target, output, weight)
    return _averaged(_found(table, axis=0), table, "macro", target, output)


def recall(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """Of the rows of class 1, the share that is taken for it; 0 where there is none."""
    return float(_found(_confusion(target, output, weight), axis=1)[1])


def recall_macro(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """Recall of each class that is a target or a prediction of some row, averaged."""
    table = _confusion(target, output, weight)
    return _averaged(_found(table, axis=1), table, "macro", target, output)


def top_k(target: npt.NDArray[Any], output: Floats, weight: Floats, k: int = 5) -> float:
    """The share of rows whose target is among the ``k`` most probable classes; of equals the higher class counts first.

    The rule for ties is scikit-learn's.
    """
    first = np.argsort(output, axis=1, kind="stable")[:, ::-1][:, :k]
    return _ratio(np.sum(weight * np.any(first == target[:, None], axis=1)), np.sum(weight))


def iou(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """Intersection over union of each class that is a target or a prediction of some row, averaged (Jaccard, 1901)."""
    table = _confusion(target, output, weight)
    union = table.sum(axis=0) + table.sum(axis=1) - np.diag(table)
    each = np.divide(np.diag(table), union, out=np.zeros(len(table)), where=union > 0)
    return _averaged(each, table, "macro", target, output)


def perplexity(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The exponential of ``log_loss``: how many equally likely classes would be as hard to guess."""
    return float(np.exp(log_loss(target, output, weight)))


def mcc(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """Matthews' correlation of target and prediction, 0 if either is constant.

    Source: Gorodkin (2004), "Comparing two K-category assignments by a K-category correlation coefficient".
    """
    table = _confusion(target, output, weight)
    true, predicted, n = table.sum(axis=1), table.sum(axis=0), table.sum()
    if min(np.count_nonzero(true), np.count_nonzero(predicted)) < 2:
        return 0.0
    both = (n * n - true @ true) * (n * n - predicted @ predicted)
    return float((np.trace(table) * n - true @ predicted) / np.sqrt(both))


def brier(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The squared error of the probabilities: of class 1 if there are two classes, else summed over classes.

    Source: Brier (1950); for two classes the usual half of it.
    """
    squares = np.sum(np.square(output - np.eye(output.shape[1])[target]), axis=1)
    return _ratio(np.sum(weight * squares), np.sum(weight)) / (2.0 if output.shape[1] == 2 else 1.0)


def ece(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """Expected calibration error of the top class: ``sum_b w_b |accuracy_b - confidence_b|``, 15 equal bins.

    Bin b is (b/15, (b+1)/15]. Source: Guo et al. (2017), "On calibration of modern neural networks".
    """
    bins = 15
    confidence = np.max(output, axis=1)
    gap = weight * ((np.argmax(output, axis=1) == target) - confidence)
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return _ratio(np.sum(np.abs(np.bincount(index, weights=gap, minlength=bins))), np.sum(weight))


def rmse(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The root of the mean squared error, in units of the target."""
    return float(np.sqrt(_ratio(np.sum(weight * np.square(target - output)), np.sum(weight))))


def mae(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The mean absolute error, in units of the target."""
    return _ratio(np.sum(weight * np.abs(target - output)), np.sum(weight))


def r2(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """``1 - residual / total`` sum of squares: 1 is perfect, 0 the mean of these rows, below 0 worse."""
    total = np.sum(weight * np.square(target - _ratio(np.sum(weight * target), np.sum(weight))))
    if len(target) < 2 or not total > 0:
        return float("nan")
    return float(1.0 - np.sum(weight * np.square(target - output)) / total)


def median_absolute_error(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The weighted median of the absolute errors: the middle of the two middle ones if between them."""
    errors = np.abs(target - output)
    order = np.argsort(errors, kind="stable")
    errors, share = errors[order], np.cumsum(weight[order])
    half = share[-1] / 2.0
    low = int(np.searchsorted(share, half * (1 - 1e-12)))
    high = int(np.searchsorted(share, half * (1 + 1e-12), side="right"))
    return float((errors[low] + errors[min(high, len(errors) - 1)]) / 2.0)


def _ratio(total: Any, count: Any) -> float:
    return float(total / count) if count > 0 else float("nan")


def _confusion(target: npt.NDArray[Any], output: Floats, weight: Floats) -> Floats:
    """Weight of the rows of each (target, predicted) pair of classes."""
    k = output.shape[1]
    cell = target * k + np.argmax(output, axis=1)
    table: Floats = np.bincount(cell, weights=weight, minlength=k * k).astype(np.float64)
    return table.reshape(k, k)


def _f1(table: Floats) -> Floats:
    both = table.sum(axis=0) + table.sum(axis=1)
    return np.divide(2.0 * np.diag(table), both, out=np.zeros(len(table)), where=both > 0)


def _found(table: Floats, axis: int) -> Floats:
    """The right ones over the sums of the table along ``axis``, 0 where there are none."""
    total = table.sum(axis=axis)
    return np.divide(np.diag(table), total, out=np.zeros(len(table)), where=total > 0)


def _averaged(each: Floats, table: Floats, average: str, target: npt.NDArray[Any], output: Floats) -> float:
    if average == "binary":
        return float(each[1])
    if average == "weighted":
        return _ratio(np.sum(each * table.sum(axis=1)), table.sum())
    seen = np.bincount(target, minlength=len(table)) + np.bincount(np.argmax(output, 1), minlength=len(table))
    return float(np.mean(each[seen > 0]))


def _one_vs_rest(
    function: Callable[[Any, Floats, Floats], float], target: npt.NDArray[Any], output: Floats, weight: Floats
) -> float:
    classes = [1] if output.shape[1] == 2 else range(output.shape[1])
    return float(np.mean([function(target == k, output[:, k], weight) for k in classes]))


def _curve(positive: npt.NDArray[Any], scores: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weight of the positive and negative rows at or above each distinct score, the highest first."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum((weight * positive)[order])[last]
    return hits, np.cumsum((weight * ~positive)[order])[last]


def _auroc(positive: npt.NDArray[Any], scores: Floats, weight: Floats) -> float:
    hits, misses = _curve(positive, scores, weight)
    if not (hits[-1] > 0 and misses[-1] > 0):
        return float("nan")
    hits, misses = np.append(0.0, hits), np.append(0.0, misses)
    return float(np.sum(np.diff(misses) * (hits[1:] + hits[:-1])) / (2.0 * hits[-1] * misses[-1]))


def _average_precision(positive: npt.NDArray[Any], scores: Floats, weight: Floats) -> float:
    hits, misses = _curve(positive, scores, weight)
    if not hits[-1] > 0:
        return float("nan")
    counted = hits + misses
    precision = np.divide(hits, counted, out=np.zeros_like(hits), where=counted > 0)
    return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])


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

DEFAULTS: dict[str, tuple[str, ...]] = {
    "binary": ("accuracy", "balanced_accuracy", "auroc", "log_loss", "brier", "f1"),
    "multiclass": ("accuracy", "balanced_accuracy", "log_loss", "f1_macro"),
    "regression": ("rmse", "mae", "r2"),
}
"""What is reported for each kind of task; the first is what trials are compared by."""
