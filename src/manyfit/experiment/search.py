"""The trials of an experiment, batch after batch: each batch may know how the ones before it fared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from manyfit.errors import ConfigError, nearest
from manyfit.experiment.trials import BATCH_SIZE, Trial, space_of, trial_of
from manyfit.space import Distribution, labels_of, settle
from manyfit.tune import METHODS, Method, Pruner, Told, suggest

LEARNED_BATCH = 16
"""Trials suggested at once by a search that learns: enough to fill two cores with networks of a few folds."""

PRUNED_BATCH = 64
"""Trials that pause together: those that wait lie in memory."""


@dataclass(frozen=True)
class Search:
    """Suggests the trials of an experiment.

    ``first`` holds settings to begin with (dotted path -> value, what they leave open being filled in);
    ``given`` those to try instead of any search. ``bind`` makes a trial ready for the task.
    """

    objective: Any
    batch_size: int | Distribution
    count: int
    seed: int = 0
    method: Method = "sobol"
    batch: int | None = None
    pruner: Pruner | None = None
    first: Sequence[Mapping[str, Any]] = ()
    given: Sequence[Mapping[str, Any]] | None = None
    bind: Callable[[Trial], Trial] = field(default=lambda trial: trial)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"unknown search {self.method!r}: {nearest(self.method, METHODS)}")
        if self.batch is not None and self.batch < 1:
            raise ConfigError(f"batch={self.batch}: give the number of trials suggested at once, at least 1")
        if self.given is None and self.count > 1 and not self.space:
            raise ConfigError(
                f"{self.count} trials were asked for, but no hyper-parameter is open: put a distribution "
                "(uniform, loguniform, choice …; --learning-rate LOW:HIGH) where a value stands, or ask for 1 trial"
            )
        for values in self.first:
            for path, value in values.items():
                if path not in self.space:
                    raise ConfigError(
                        f"a first trial sets {path!r}, which is not searched: {nearest(path, self.space)}"
                    )
                if not self.space[path].holds(value):
                    raise ConfigError(
                        f"a first trial sets {path!r} to {value!r}, outside of what is searched ({self.space[path]})"
                    )

    @property
    def space(self) -> dict[str, Distribution]:
        """What is searched, by label."""
        return space_of(self.objective, self.batch_size)

    @property
    def trials(self) -> int:
        """How many there will be."""
        return self.count if self.given is None else len(self.given)

    @property
    def at_once(self) -> int:
        """Trials of a full batch."""
        if self.batch is not None:
            return self.batch
        if self.method in ("tpe", "cmaes"):
            return LEARNED_BATCH
        return self.trials if self.pruner is None else PRUNED_BATCH

    def size(self, done: int) -> int:
        """How many trials come next when ``done`` are there: what fits a batch."""
        left = self.trials - done
        if self.given is not None or not self.space:
            return left
        if done == 0 and self.first and self.method == "cmaes":
            return min(left, len(self.first))  # its own batches come after these
        return min(left, self.at_once)

    def next(self, told: Sequence[Told]) -> list[Trial]:
        """The next batch, after what became of every trial so far; empty at the end."""
        done = len(told)
        count = self.size(done)
        if self.given is not None:
            found = [dict(values) for values in self.given[done : done + count]]
        elif not self.space:
            found = [{} for _ in range(count)]
        else:
            found = self._suggested(told, count)
        return [self.trial(done + i, values) for i, values in enumerate(found)]

    def trial(self, index: int, values: Mapping[str, Any]) -> Trial:
        """The trial of a number with these settings, ready for the task."""
        return self.bind(trial_of(index, self.objective, self.batch_size, values))

    def told(self, trial: Trial, loss: float, epoch: int | None) -> Told:
        """What became of a trial, as the next batch hears it."""
        values = labels_of(self.objective, trial.values)
        if BATCH_SIZE in trial.values:
            values[BATCH_SIZE] = trial.values[BATCH_SIZE]
        return Told(values, loss, epoch)

    def _suggested(self, told: Sequence[Told], count: int) -> list[dict[str, Any]]:
        space = self.space
        known = told[len(self.first) :] if self.method == "cmaes" else told
        # CMA-ES has not begun where the first trials are tried: what they leave open is spread evenly
        begun = self.method != "cmaes" or len(told) >= len(self.first)
        method = self.method if begun else "sobol"
        picks = suggest(space, known, count, method=method, batch=self.at_once, seed=self.seed)
        found = []
        for place, pick in enumerate(picks, start=len(told)):
            given = self.first[place] if place < len(self.first) else {}

            def taken(label: str, kind: Distribution, given: Any = given, pick: Any = pick) -> Any:
                return given[label] if label in given else pick(label, kind)

            values = settle(self.objective, taken)
            if isinstance(self.batch_size, Distribution):
                values[BATCH_SIZE] = taken(BATCH_SIZE, self.batch_size)
            found.append(values)
        return found
