"""Metrics of classes and their probabilities, weighted, in float64 NumPy; ``predictions`` has table and rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from manyfit.metrics._sums import Floats, ratio


def accuracy(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The share of rows whose most probable class is the target (the lower class of a tie)."""
    return ratio(np.sum(weight * (np.argmax(output, axis=1) == target)), np.sum(weight))


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
    return ratio(np.sum(-weight * np.log(p)), np.sum(weight))


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
        return ratio(right.sum(), true.sum())
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
    return ratio(np.sum(weight * np.any(first == target[:, None], axis=1)), np.sum(weight))


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
    return ratio(np.sum(weight * squares), np.sum(weight)) / (2.0 if output.shape[1] == 2 else 1.0)


def ece(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """Expected calibration error of the top class: ``sum_b w_b |accuracy_b - confidence_b|``, 15 equal bins.

    Bin b is (b/15, (b+1)/15]. Source: Guo et al. (2017), "On calibration of modern neural networks".
    """
    bins = 15
    confidence = np.max(output, axis=1)
    gap = weight * ((np.argmax(output, axis=1) == target) - confidence)
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return ratio(np.sum(np.abs(np.bincount(index, weights=gap, minlength=bins))), np.sum(weight))


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
        return ratio(np.sum(each * table.sum(axis=1)), table.sum())
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
