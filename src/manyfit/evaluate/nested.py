"""The nested cross-validation interval: how far cross-validation is off, measured rather than assumed."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, DataError
from manyfit.evaluate.folds import Split
from manyfit.evaluate.intervals import Interval, student_t_quantile

Ints: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NestedPlan:
    """Every network that the interval needs, a split each, and which folds it has not seen.

    ``left_out[i]`` holds the one or two folds that split ``i`` did not train on; ``fold`` ``(repeats, rows)``
    says which fold a row is in.
    """

    splits: list[Split]
    left_out: list[tuple[int, ...]]
    fold: Ints


def nested_plan(n: int, *, folds: int = 10, repeats: int = 10, seed: int = 0) -> NestedPlan:
    """The splits of ``repeats`` nested cross-validations of ``n`` rows.

    A repeat takes ``folds`` networks without one fold and ``folds (folds - 1) / 2`` without two of them, each
    tested on all that it did not train on. They train as any other members do: give ``splits`` as ``folds``
    of an experiment with ``validation=0``, and the losses of its test rows to ``nested_interval``.

    Raises:
        ConfigError: fewer than 3 folds, more folds than rows, or no repeat.
    """
    if not 3 <= folds <= n or repeats < 1:
        raise ConfigError(f"folds={folds}, repeats={repeats} of {n} rows: give 3 folds or more and a repeat")
    splits, left_out, fold_of = [], [], []
    none = np.empty(0, np.int32)
    alone: list[tuple[int, ...]] = [(k,) for k in range(folds)]
    every = alone + list(itertools.combinations(range(folds), 2))
    for repeat in range(repeats):
        order = np.random.default_rng([seed, repeat]).permutation(n)
        fold = np.empty(n, np.int64)
        fold[order] = np.arange(n) % folds
        fold_of.append(fold)
        for place, parts in enumerate(every):
            out = np.isin(fold, parts)
            train, test = (np.flatnonzero(some).astype(np.int32) for some in (~out, out))
            splits.append(Split(train, none, test, repeat, place))
            left_out.append(parts)
    return NestedPlan(splits, left_out, np.stack(fold_of))


def nested_interval(
    losses: list[npt.NDArray[np.float64]], plan: NestedPlan, *, level: float = 0.95
) -> Interval:
    """The interval of a cross-validated loss whose width rests on a measured error of cross-validation.

    Within the rows outside a fold, cross-validation is done again, and compared with how its learner
    fares on that fold, which nobody trained on: the mean squared difference, less what the fold's own size
    explains, is the squared error of cross-validation at this size. No independence of folds is assumed.
    It costs ``folds / 2`` times what cross-validation does, and many repeats to be steady.

    Args:
        losses: for each split of ``plan`` the loss of each of its test rows, in their order.
        plan: of ``nested_plan``.
        level: the confidence level.

    Returns:
        An ``Interval`` around the estimate corrected for the inner networks' smaller training sets; ``sd``
        is the root of the estimated squared error times the root of the rows.

    Raises:
        DataError: losses that do not belong to the plan.

    Source: Bates, Hastie and Tibshirani (2023), "Cross-validation: what does it estimate and how well does it
    do it?", algorithm 1 and section 4.3.
    """
    if len(losses) != len(plan.splits):
        raise DataError(f"{len(losses)} arrays of losses for a plan of {len(plan.splits)} networks")
    repeats, n = plan.fold.shape
    folds = int(plan.fold.max()) + 1
    each = len(plan.splits) // repeats
    outer_all, inner_all, squares, noise = [], [], [], []
    for repeat in range(repeats):
        fold = plan.fold[repeat]
        by_parts = {}
        for i in range(repeat * each, (repeat + 1) * each):
            rows, values = plan.splits[i].test, np.asarray(losses[i], np.float64)
            if values.shape != rows.shape:
                raise DataError(f"split {i} tests {len(rows)} rows and has losses of shape {values.shape}")
            whole = np.full(n, np.nan)
            whole[rows] = values
            by_parts[plan.left_out[i]] = whole
        for k in range(folds):
            out = by_parts[(k,)][fold == k]
            pairs = [(min(j, k), max(j, k), j) for j in range(folds) if j != k]
            inside = np.concatenate([by_parts[(a, b)][fold == j] for a, b, j in pairs])
            outer_all.append(out)
            inner_all.append(inside)
            squares.append((inside.mean() - out.mean()) ** 2)
            noise.append(out.var(ddof=1) / len(out) if len(out) > 1 else 0.0)
    outer = np.concatenate(outer_all)
    inner = np.concatenate(inner_all)
    naive = outer.std(ddof=1) / math.sqrt(n)
    error = (folds - 1) / folds * (np.mean(squares) - np.mean(noise))
    # measured error is noisy: not below what independent rows would give, not above what one fold would
    root = float(np.clip(math.sqrt(max(error, 0.0)), naive, naive * math.sqrt(folds)))
    bias = (1.0 + (folds - 2) / folds) * (inner.mean() - outer.mean())
    mean = float(inner.mean() - bias)
    half = student_t_quantile(0.5 + level / 2, math.inf) * root
    return Interval(mean, mean - half, mean + half, root * math.sqrt(n), n, "rows")
