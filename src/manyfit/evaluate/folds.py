"""Cross-validation plans: which rows train, which decide when to stop, and which are tested."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, DataError
from manyfit.evaluate._fold_checks import check, check_classes, check_special
from manyfit.evaluate.time_folds import blocked, forward, latest

Rows: TypeAlias = npt.NDArray[np.int32]
Ints: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """The rows of one fold: three disjoint, sorted int32 arrays of row numbers.

    A row stands in ``train`` more than once where it was drawn so by a bootstrap.
    ``validation`` (early stopping, choice of the trial) may be empty. ``repeat``
    counts the repetitions of the plan, ``fold`` the folds within one.
    """

    train: Rows
    validation: Rows
    test: Rows
    repeat: int = 0
    fold: int = 0

    @cached_property
    def trained(self) -> int:
        """How many different rows train."""
        return len(np.unique(self.train))


def repeats_of(splits: Sequence[Split]) -> int:
    """How often folds that part the rows are repeated, one repeat after the other, whoever made them.

    1 where test parts are drawn one by one, as hold-outs and bootstraps are.
    """
    every = np.concatenate([split.test for split in splits])
    repeats, rest = divmod(len(every), max(1, len(np.unique(every))))
    each = len(splits) // max(1, repeats)
    if rest or repeats < 2 or each < 2 or each * repeats != len(splits):
        return 1
    for start in range(0, len(splits), each):
        tested = np.concatenate([split.test for split in splits[start : start + each]])
        if len(np.unique(tested)) != len(tested):
            return 1
    return repeats


def plan(
    n: int,
    *,
    folds: int | Literal["each"] | None = None,
    repeats: int = 1,
    bootstrap: bool = False,
    target: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
    time: npt.ArrayLike | None = None,
    gap: Any = None,
    window: Any = None,
    embargo: Any = None,
    validation: float = 0.2,
    holdout: float | None = None,
    splitter: Any = None,
    seed: int = 0,
    classes: Sequence[str] = (),
) -> list[Split]:
    """The folds of an experiment over ``n`` rows, the same ones for the same arguments.

    Args:
        n: number of rows.
        folds: 5 unless said. Each row is tested once a repeat. 1 is a single hold-out, repeated a shuffle
            split. ``"each"`` leaves one row out at a time, or one group.
        repeats: how many times the rows are shuffled and folded anew.
        bootstrap: in place of folds: each repeat trains on as many rows as there are, drawn with
            replacement (of each class, or of whole groups), and tests those that were not drawn, about 37 %.
        target: ``(n,)`` class indices: every fold then has each class in its share, to one
            row. Leave it out for numbers.
        groups: ``(n,)`` labels: rows of a group stay together, in every part.
        time: ``(n,)`` numbers or ``datetime64``: fold i is trained on what came before its test
            rows. The oldest block is never tested; equal times stay together; ``target`` is ignored.
        gap: with ``time``, in its units: rows less than ``gap`` older than the oldest row
            of the next part are left out.
        window: with ``time``: only rows at most ``window`` older than the test rows are trained on.
        embargo: with ``time``: later rows are trained on too, from ``embargo`` after the test rows on, and
            every block is tested. For data where the order in time is not what is to be predicted.
        validation: the share of each fold's training rows that is set aside by the same rules
            (each class, whole groups, the latest); 0 for none.
        holdout: the share of rows in the test part of a single hold-out (0.2 unless said).
        splitter: instead of all that: a scikit-learn splitter, or pairs ``(train, test)`` or
            triples ``(train, validation, test)`` of row numbers.
        seed: what the shuffles derive from.
        classes: the names of the classes, for messages.

    Raises:
        ConfigError: settings that are out of range or contradict each other.
        DataError: too few rows, groups, times or rows of a class for such a plan.

    >>> split = plan(100, folds=5)[0]
    >>> len(split.train), len(split.validation), len(split.test)
    (64, 16, 20)
    """
    labels, members = _classes(n, target), _groups(n, groups)
    times = None if time is None else _per_row("time", n, time)
    if folds == "each":
        if repeats > 1:
            raise ConfigError("each row or group is left out once: repeats would leave out the same again")
        folds, labels = n if members is None else int(members.max()) + 1, None
    elif isinstance(folds, str):
        raise ConfigError(
            f"folds={folds!r}: give a number, or 'each' to leave out one row or group at a time"
        )
    folds = (5 if holdout is None and not bootstrap else 1) if folds is None else folds
    check(n, folds, repeats, validation, holdout, splitter, members, times, gap)
    check_special(folds, bootstrap, window, embargo, holdout, splitter, times)

    def part(rows: Ints, share: float, rng: np.random.Generator, least: int) -> tuple[Ints, Ints]:
        """``rows`` in two: what stays, and the ``share`` that is set aside."""
        if times is not None:
            return latest(rows, share, times, gap)
        if members is not None:
            return _some_groups(rows, share, members, labels, rng)
        return _some_rows(rows, share, labels, rng, least)

    everything = np.arange(n)
    tests: list[tuple[int, int, Ints, Ints | None, Ints]] = []
    if splitter is not None:
        tests = [(0, i, *parts) for i, parts in enumerate(_given(splitter, n, labels, members))]
    elif times is not None and folds > 1:
        ahead = embargo is None
        pairs = forward(times, folds, gap, window) if ahead else blocked(times, folds, gap, embargo)
        tests = [(0, i, a, None, b) for i, (a, b) in enumerate(pairs)]
    elif bootstrap:
        for repeat in range(repeats):
            drawn = _drawn(n, labels, members, np.random.default_rng([seed, repeat]))
            tests.append((repeat, 0, drawn, None, np.setdiff1d(everything, drawn)))
    else:
        if times is None:
            check_classes(labels, members, folds, classes)
        for repeat in range(repeats):
            rng = np.random.default_rng([seed, repeat])
            if folds == 1:
                kept, test = part(everything, 0.2 if holdout is None else holdout, rng, 1)
                tests.append((repeat, 0, kept, None, test))
            else:
                fold_of = _fold_of(n, folds, labels, members, rng)
                for fold in range(folds):
                    tests.append(
                        (repeat, fold, np.flatnonzero(fold_of != fold), None, np.flatnonzero(fold_of == fold))
                    )
    splits = []
    for repeat, fold, train, inner, test in tests:
        if inner is None:
            inner = np.empty(0, np.int64)
            if validation > 0:
                rng = np.random.default_rng([seed, repeat, fold, 1])
                kept, inner = part(np.unique(train), validation, rng, 0)
                train = train[np.isin(train, kept)]
        splits.append(Split(_sorted(train), _sorted(inner), _sorted(test), repeat, fold))
    return splits


def _sorted(rows: Ints) -> Rows:
    return np.sort(rows).astype(np.int32)


def _drawn(n: int, labels: Ints | None, members: Ints | None, rng: np.random.Generator) -> Ints:
    """Rows drawn with replacement: as many of each class as there are, or as many groups.

    Drawn anew where nothing is left out to test, or a single group would be left to train on.
    """
    if members is not None:
        count = int(members.max()) + 1
        for _ in range(100):
            groups = rng.integers(0, count, count)
            if 1 < len(np.unique(groups)) < count:
                return np.concatenate([np.flatnonzero(members == group) for group in groups])
        raise DataError(f"bootstraps of {count} groups leave none out, or a single one to train on: too few")
    parts = [np.arange(n)] if labels is None else [np.flatnonzero(labels == k) for k in np.unique(labels)]
    drawn = np.concatenate([rng.choice(part, len(part)) for part in parts])
    if len(np.unique(drawn)) == n:
        raise DataError(f"a bootstrap of {n} rows left none out to test: there are too few")
    return drawn


def _fold_of(n: int, folds: int, labels: Ints | None, members: Ints | None, rng: np.random.Generator) -> Ints:
    """The fold that tests each row, ``(n,)``."""
    names = rng.permutation(folds)
    if members is not None:
        return names[_deal_groups(members, labels, np.full(folds, 1 / folds), rng)]
    order = rng.permutation(n)
    if labels is not None:
        # Class after class, dealt in turn: folds differ by one row at most, overall and in each class.
        order = order[np.argsort(labels[order], kind="stable")]
    fold_of = np.empty(n, np.int64)
    fold_of[order] = names[np.arange(n) % folds]
    return fold_of


def _some_rows(
    rows: Ints, share: float, labels: Ints | None, rng: np.random.Generator, least: int
) -> tuple[Ints, Ints]:
    """Rows drawn at random, each class in its share.

    Of every class with at least two rows one stays, and ``least`` are set aside.
    """
    if len(rows) < 2:
        raise DataError(f"{len(rows)} row(s) cannot be divided in two: use validation=0, or more rows")
    wanted = min(max(round(share * len(rows)), 1), len(rows) - 1)
    rows = rng.permutation(rows)
    if labels is None:
        return rows[wanted:], rows[:wanted]
    _, index, count = np.unique(labels[rows], return_inverse=True, return_counts=True)
    low = np.where(count >= 2, least, 0)
    high = np.maximum(count - 1, 0)
    ideal = wanted * count / len(rows)
    take = np.clip(np.floor(ideal).astype(np.int64), low, high)
    for k in np.argsort(take - ideal, kind="stable"):  # the largest remainders first
        take[k] += int(take.sum() < wanted and take[k] < high[k])
    order = np.argsort(index, kind="stable")
    place = np.empty(len(rows), np.int64)  # of each row among those of its class
    place[order] = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    chosen = place < take[index]
    if not chosen.any():  # every class has a single row
        chosen[:wanted] = True
    return rows[~chosen], rows[chosen]


def _some_groups(
    rows: Ints, share: float, members: Ints, labels: Ints | None, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Whole groups whose rows come near to the share, overall and of each class."""
    inner = members[rows]
    if len(np.unique(inner)) < 2:
        raise DataError(
            "the rows that are left for training lie in a single group, so that no validation part can be "
            "set aside: use fewer folds, or validation=0"
        )
    aside = _deal_groups(inner, None if labels is None else labels[rows], np.array([1 - share, share]), rng)
    return rows[aside == 0], rows[aside == 1]


def _deal_groups(
    members: Ints, labels: Ints | None, shares: npt.NDArray[np.float64], rng: np.random.Generator
) -> Ints:
    """The part ``(n,)`` of each row, groups whole: the largest first, each to where it is wanted most.

    Greedy descent on ``sum over parts and classes of (share of the class in the part)^2 / share of the
    part``, which is least when every class is spread as the parts are; the total size counts as
    one more class, so that an empty part always comes first.
    """
    _, member = np.unique(members, return_inverse=True)
    kinds = np.zeros(len(member), np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    table = np.zeros((member.max() + 1, kinds.max() + 2))
    np.add.at(table, (member, kinds), 1.0)
    table[:, -1] = table[:, :-1].sum(axis=1)
    shared = table / table.sum(axis=0)
    order = rng.permutation(len(table))
    order = order[np.argsort(-table[order, -1], kind="stable")]
    filled = np.zeros((len(shares), table.shape[1]))
    part_of = np.empty(len(table), np.int64)
    for place, group in enumerate(order):
        cost = (filled @ shared[group] + 0.5 * shared[group] @ shared[group]) / shares
        empty = filled[:, -1] == 0
        if len(order) - place <= empty.sum():  # no part may stay empty
            cost = np.where(empty, cost, np.inf)
        part = int(np.argmin(cost))
        part_of[group] = part
        filled[part] += shared[group]
    return part_of[member]


def _given(
    splitter: Any, n: int, labels: Ints | None, members: Ints | None
) -> Iterable[tuple[Ints, Ints | None, Ints]]:
    """What the user's splitter says, checked: train, validation if given, test."""
    split: Callable[..., Any] | None = getattr(splitter, "split", None)
    found = list(splitter if split is None else split(np.zeros((n, 1)), labels, members))
    if not found:
        raise ConfigError("the splitter gives no fold at all")
    for i, parts in enumerate(found):
        if len(parts) not in (2, 3):
            raise ConfigError(f"fold {i} of the splitter has {len(parts)} parts: give train and test rows")
        arrays = [_row_numbers(rows, n, i) for rows in parts]
        if not len(arrays[0]) or not len(arrays[-1]):
            raise ConfigError(f"fold {i} of the splitter has no rows to train on, or none to test")
        joined = np.concatenate(arrays)
        if len(np.unique(joined)) < len(joined):
            values, counts = np.unique(joined, return_counts=True)
            raise ConfigError(
                f"fold {i} of the splitter names {np.sum(counts > 1)} row(s) twice, {values[counts > 1][0]} "
                "for one: train, validation and test may not overlap"
            )
        yield arrays[0], arrays[1] if len(arrays) == 3 else None, arrays[-1]


def _row_numbers(rows: Any, n: int, fold: int) -> Ints:
    array = np.asarray(rows)
    if array.dtype == bool and array.shape == (n,):
        array = np.flatnonzero(array)
    if array.ndim != 1 or (len(array) and array.dtype.kind not in "iu"):
        raise ConfigError(f"fold {fold} of the splitter: give one-dimensional arrays of row numbers")
    if len(array) and not (array.min() >= 0 and array.max() < n):
        worst = array.min() if array.min() < 0 else array.max()
        raise ConfigError(f"fold {fold} of the splitter names row {worst}, there are rows 0 to {n - 1}")
    return array.astype(np.int64)


def _per_row(name: str, n: int, values: npt.ArrayLike) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.shape != (n,):
        raise DataError(f"{name} has shape {array.shape} where {n} rows need ({n},)")
    missing = array != array  # NaN and NaT alone differ from themselves
    if np.any(missing):
        raise DataError(
            f"{name} is missing in {int(np.sum(missing))} row(s), row {int(np.argmax(missing))} first"
        )
    return array


def _classes(n: int, target: npt.ArrayLike | None) -> Ints | None:
    if target is None:
        return None
    array = _per_row("target", n, target)
    if array.dtype.kind not in "biu":
        raise DataError(f"folds are stratified by class indices, the target is {array.dtype}: leave it out")
    return array.astype(np.int64)


def _groups(n: int, groups: npt.ArrayLike | None) -> Ints | None:
    if groups is None:
        return None
    return np.unique(_per_row("groups", n, groups), return_inverse=True)[1].astype(np.int64)
