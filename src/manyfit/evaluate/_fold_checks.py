"""What a cross-validation plan is refused for, before any row is dealt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, DataError

Ints: TypeAlias = npt.NDArray[np.int64]


def check(
    n: int,
    folds: int,
    repeats: int,
    validation: float,
    holdout: float | None,
    splitter: Any,
    members: Ints | None,
    times: npt.NDArray[Any] | None,
    gap: Any,
) -> None:
    """Refuse folds that cannot be made; arguments as ``plan`` has them, groups and times as arrays."""
    if folds < 1 or repeats < 1:
        raise ConfigError(f"folds={folds}, repeats={repeats}: give at least 1 of each")
    if not 0.0 <= validation < 1.0:
        raise ConfigError(f"validation={validation}: give the share of training rows to set aside, in [0, 1)")
    if holdout is not None and not 0.0 < holdout < 1.0:
        raise ConfigError(f"holdout={holdout}: give the share of rows to test, between 0 and 1")
    if holdout is not None and folds > 1:
        raise ConfigError(f"holdout={holdout} and folds={folds} contradict each other: give one of them")
    if times is not None and members is not None:
        raise ConfigError("time and groups cannot both rule the folds: give one, or your own splitter")
    if gap is not None and times is None:
        raise ConfigError("gap is counted in units of time: give time as well")
    if repeats > 1 and (times is not None or splitter is not None):
        raise ConfigError(
            "repeats > 1 would repeat the same folds: time and a splitter leave nothing to shuffle"
        )
    if n < 2:
        raise DataError(f"{n} row(s) cannot be trained on and tested: give at least 2")
    if splitter is None and members is None and n < folds:
        raise DataError(f"{n} rows cannot make {folds} folds: use folds={n} (--folds {n}) or fewer")
    if splitter is None and members is not None and (have := int(members.max()) + 1) < max(folds, 2):
        raise DataError(
            f"{have} group(s) cannot make {folds} fold(s) with whole groups: use fewer, or no groups"
        )


def check_special(
    folds: int,
    bootstrap: bool,
    window: Any,
    embargo: Any,
    holdout: float | None,
    splitter: Any,
    times: npt.NDArray[Any] | None,
) -> None:
    """Refuse what windows, embargoes and bootstraps do not go with; arguments as ``plan`` has them."""
    for name, value in (("window", window), ("embargo", embargo)):
        if value is not None and (times is None or folds == 1 or splitter is not None):
            raise ConfigError(f"{name} is about folds in time: give time and at least 2 folds as well")
        if value is not None and not value >= 0 * value:
            raise ConfigError(f"{name}={value}: give a span of time, not below 0")
    if window is not None and embargo is not None:
        raise ConfigError("window trains on the past alone, and embargo on later rows too: give one of them")
    if bootstrap and (folds != 1 or holdout is not None or splitter is not None or times is not None):
        raise ConfigError("bootstrap stands in place of folds, holdout, time and a splitter: leave them out")


def check_classes(labels: Ints | None, members: Ints | None, folds: int, names: Sequence[str]) -> None:
    """Each class must be there to be tested in every fold and trained on whenever it is tested."""
    if labels is None:
        return
    if members is None:
        unit, needed, have = "row", max(folds, 2), np.bincount(labels - labels.min())
    else:
        pairs = np.unique(np.stack([labels, members]), axis=1)
        unit, needed, have = "group", 2, np.bincount(pairs[0] - labels.min())
    few = [(k + labels.min(), have[k]) for k in range(len(have)) if 0 < have[k] < needed]
    if few:
        called = {k: repr(names[k]) if 0 <= k < len(names) else k for k, _ in few}
        named = ", ".join(f"class {called[k]} has {count} {unit}(s)" for k, count in few[:5])
        least = min(count for _, count in few)
        mend = f"use folds={least} (--folds {least}), " if unit == "row" and least > 1 else ""
        raise DataError(
            f"{named}, and {folds} fold(s) need at least {needed} of each class: {mend}merge or leave out "
            "the rare classes, or do not stratify (no target)"
        )
