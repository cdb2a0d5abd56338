"""Folds in time: what is tested lies after what was trained on, or at a distance from it."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from manyfit.errors import DataError

Ints: TypeAlias = npt.NDArray[np.int64]
Times: TypeAlias = npt.NDArray[Any]


def latest(rows: Ints, share: float, times: Times, gap: Any) -> tuple[Ints, Ints]:
    """``rows`` in two: the older ones, and the latest ``share`` of them."""
    order = rows[np.argsort(times[rows], kind="stable")]
    start = times[order[-min(max(round(share * len(rows)), 1), len(rows))]]
    train, late = _older(order, times, start, gap), order[times[order] >= start]
    if not len(train):
        raise DataError(
            f"the {len(rows)} oldest rows hold too few distinct times to set the latest aside: "
            "use fewer folds, a smaller gap, or validation=0"
        )
    return train, late


def forward(times: Times, folds: int, gap: Any, window: Any) -> list[tuple[Ints, Ints]]:
    """Each block after the first is tested by what came before it, or by the latest ``window`` of that."""
    order = np.argsort(times, kind="stable")
    n = len(times)
    starts = [times[order[(i + 1) * n // (folds + 1)]] for i in range(folds)]
    pairs = []
    for i, start in enumerate(starts):
        test = order[times[order] >= start]
        if i + 1 < folds:
            test = test[times[test] < starts[i + 1]]
        train = _older(order, times, start, gap)
        if window is not None:
            train = train[times[train] >= start - window]
        pairs.append(_checked(i, folds, train, test, times))
    return pairs


def blocked(times: Times, folds: int, gap: Any, embargo: Any) -> list[tuple[Ints, Ints]]:
    """Each block is tested by all that lies ``gap`` before it or ``embargo`` after it."""
    order = np.argsort(times, kind="stable")
    n = len(times)
    starts = [times[order[i * n // folds]] for i in range(folds)]
    pairs = []
    for i, start in enumerate(starts):
        test = order[times[order] >= start]
        if i + 1 < folds:
            test = test[times[test] < starts[i + 1]]
        later = order[:0]
        if len(test):
            later = order[times[order] > times[test[-1]]]
            later = later[times[later] >= times[test[-1]] + embargo]
        train = np.concatenate([_older(order, times, start, gap), later])
        pairs.append(_checked(i, folds, train, test, times))
    return pairs


def _older(rows: Ints, times: Times, start: Any, gap: Any) -> Ints:
    """The rows before ``start`` by at least ``gap``."""
    before = rows[times[rows] < start]
    return before if gap is None else before[times[before] <= start - gap]


def _checked(fold: int, folds: int, train: Ints, test: Ints, times: Times) -> tuple[Ints, Ints]:
    if not len(train) or not len(test):
        raise DataError(
            f"fold {fold} of {folds} in time would have {len(train)} training and {len(test)} test rows "
            f"({len(np.unique(times))} distinct times): use fewer folds, a smaller gap or a longer window"
        )
    return train, test
