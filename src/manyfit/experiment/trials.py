"""From an objective with open hyper-parameters to trials, and from trials to populations."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manyfit.engine import Member
from manyfit.errors import ConfigError
from manyfit.space import Distribution, labelled, numeric_paths, resolve

BATCH_SIZE = "batch_size"


@dataclass(frozen=True)
class Trial:
    """One setting of the hyper-parameters.

    ``values`` are the searched ones; ``hyper`` the numeric ones (searched or
    not) that ride in the population; ``objective`` has every value in place.
    """

    index: int
    values: dict[str, Any]
    objective: Any
    hyper: dict[str, float]
    batch_size: int

    @property
    def shown(self) -> dict[str, Any]:
        """The searched values as plain ones, for people and for JSON."""
        return {path: _plain(value) for path, value in self.values.items()}


@dataclass(frozen=True)
class Bucket:
    """Trials that share one program: they differ in numeric hyper-parameters only."""

    objective: Any
    batch_size: int
    trials: tuple[Trial, ...]

    def members(self, seeds: int, folds: int) -> list[Member]:
        """Every (trial, seed, fold), trial by trial."""
        return [
            Member(trial.index, seed, fold, trial.hyper)
            for trial in self.trials
            for seed in range(seeds)
            for fold in range(folds)
        ]


def space_of(objective: Any, batch_size: int | Distribution) -> dict[str, Distribution]:
    """What is searched, by label (``manyfit.space.labelled``)."""
    space = labelled(objective)
    if isinstance(batch_size, Distribution):
        space[BATCH_SIZE] = batch_size
    return space


def buckets_of(trials: Sequence[Trial]) -> list[Bucket]:
    """The trials by the program they need, in the order of their first trial."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        paths = numeric_paths(trial.objective)
        structural = {k: repr(v) for k, v in trial.values.items() if k not in paths}
        key = json.dumps([structural, trial.batch_size, sorted(trial.hyper)], sort_keys=True)
        found.setdefault(key, []).append(trial)
    return [Bucket(some[0].objective, some[0].batch_size, tuple(some)) for some in found.values()]


def trial_of(index: int, objective: Any, batch_size: Any, values: Mapping[str, Any]) -> Trial:
    """The trial with these values; raises ``ConfigError`` where they cannot be put in place."""
    values = dict(values)
    here = {k: v for k, v in values.items() if k != BATCH_SIZE}
    settled = resolve(objective, here)
    size = int(values.get(BATCH_SIZE, batch_size))
    if size < 1:
        raise ConfigError(f"batch_size={size}: give a whole number of at least 1")
    hyper = {}
    for path, value in numeric_paths(settled).items():
        if isinstance(value, Distribution):
            raise ConfigError(f"{path!r} is still open after the trial's values were set")
        # what is off (exactly 0) is left out of the program instead of multiplied by 0
        if value != 0 or path in values:
            hyper[path] = float(value)
    return Trial(index, values, settled, hyper, size)


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return repr(value)
    # by what sets it apart; what is searched inside it has a line of its own
    told = []
    for field in dataclasses.fields(value):
        here = getattr(value, field.name)
        if field.init and here != field.default and not isinstance(here, Distribution):
            told.append(f"{field.name}={_plain(here)}")
    return f"{type(value).__name__}({', '.join(told)})"
