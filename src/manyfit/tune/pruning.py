"""Which trials to give up before they are trained to their end.

All networks of a trial advance together and are looked at together, at a few *rungs*: epochs at which
they pause. What is compared is each network's lowest validation loss up to that rung, ``(seeds, folds)``
a trial; a network that has stopped early keeps its value, one that diverged is worth infinity.

A trial is compared with every trial that came to the same rung before it or together with it, in the order in
which they were suggested. So what is given up does not depend on the machine, and a search that was
killed goes on as if it had not been.
"""

from __future__ import annotations

import bisect
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, nearest
from manyfit.evaluate import paired_test

Losses = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Standing:
    """Where a trial stands among those that it is compared with."""

    losses: Losses
    """Its own."""
    mean: float
    ranked: Sequence[float]
    """The mean losses of all of them, its own too, rising."""
    best: Losses
    """Those of the best other one."""
    best_mean: float


@dataclass(frozen=True)
class Pruner(ABC):
    """Looks at trials after ``first`` epochs, and again each time they have trained ``factor`` times as long."""

    first: int = 3
    factor: int = 3

    def __post_init__(self) -> None:
        if self.first < 1 or self.factor < 2:
            raise ConfigError(
                f"first={self.first}, factor={self.factor}: give at least 1 epoch, and a factor of at least 2"
            )

    def rungs(self, epochs: int) -> list[int]:
        """Epochs below ``epochs`` at which somebody is looked at, rising."""
        found, rung = [], self.first
        while rung < epochs:
            found.append(rung)
            rung *= self.factor
        return found

    def looks(self, trial: int, rung: int, epochs: int) -> bool:
        """Whether this trial is looked at on this rung."""
        return True

    def bracket(self, trial: int, epochs: int) -> int:
        """Trials of one bracket are compared with one another."""
        return 0

    def losers(
        self,
        here: Mapping[int, Losses],
        before: Mapping[int, Losses],
        *,
        rung: int,
        epochs: int,
        sizes: tuple[float, float, int],
    ) -> set[int]:
        """The trials of ``here`` to give up.

        Args:
            here: trial -> losses ``(seeds, folds)`` at this rung, of trials that are still in training.
            before: the same of the trials that came to this rung before.
            rung: epochs trained.
            epochs: the most epochs of the experiment.
            sizes: training and test rows of a fold and repeats of the folds, for tests over folds.
        """
        everyone = {**before, **here}
        means = {trial: _mean(losses) for trial, losses in everyone.items()}
        gone: set[int] = set()
        brackets: dict[int, list[int]] = {}
        for trial in everyone:
            brackets.setdefault(self.bracket(trial, epochs), []).append(trial)
        for peers in brackets.values():
            if len(peers) < 2:
                continue
            first, second = sorted(peers, key=lambda peer: means[peer])[:2]
            ranked = sorted(means[peer] for peer in peers)
            for trial in peers:
                if trial not in here or not self.looks(trial, rung, epochs):
                    continue
                best = second if trial == first else first
                standing = Standing(everyone[trial], means[trial], ranked, everyone[best], means[best])
                if self.loses(standing, sizes):
                    gone.add(trial)
        return gone

    @abstractmethod
    def loses(self, standing: Standing, sizes: tuple[float, float, int]) -> bool:
        """Whether a trial that stands so is given up; ``sizes`` are training and test rows of a fold, and repeats."""


@dataclass(frozen=True)
class Halving(Pruner):
    """Successive halving: on each rung the best ``1 / factor`` of the trials by mean loss go on.

    In batches this is the stopping rule of ASHA: whoever is not among the best of those that have
    come so far is given up.

    Source: Jamieson and Talwalkar (2016), "Non-stochastic best arm identification and hyperparameter
    optimization"; Li et al. (2020), "A system for massively parallel hyperparameter tuning".
    """

    def loses(self, standing: Standing, sizes: tuple[float, float, int]) -> bool:
        ahead = bisect.bisect_left(standing.ranked, standing.mean)
        return ahead >= math.ceil(len(standing.ranked) / self.factor)


@dataclass(frozen=True)
class Hyperband(Halving):
    """Successive halving from several first rungs at once, trial after trial: some are given more time.

    Trial ``i`` belongs to bracket ``i mod brackets`` and is first looked at on that rung; it is compared
    within its bracket.

    Source: Li et al. (2018), "Hyperband: a novel bandit-based approach to hyperparameter optimization".
    """

    def looks(self, trial: int, rung: int, epochs: int) -> bool:
        return rung >= self.first * self.factor ** self.bracket(trial, epochs)

    def bracket(self, trial: int, epochs: int) -> int:
        return trial % max(1, len(self.rungs(epochs)))


@dataclass(frozen=True)
class Racing(Pruner):
    """A trial is given up when it is significantly worse than the best one, fold by fold.

    By the corrected paired test over folds (``manyfit.evaluate.paired_test``), at level ``alpha``, one-sided.
    Needs at least two folds, and has little power below five. What is tested is the difference at that
    rung: a rate that learns fast and ends badly wins early races, so do not begin with the first epochs.
    Levels are a trial's and a rung's own: over many of both, some good trial will be lost.

    Source: Maron and Moore (1994), "Hoeffding races"; Birattari et al. (2002), "A racing algorithm for
    configuring metaheuristics".
    """

    first: int = 10
    factor: int = 2
    alpha: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.alpha < 0.5:
            raise ConfigError(f"alpha={self.alpha}: give a level between 0 and 0.5")

    def loses(self, standing: Standing, sizes: tuple[float, float, int]) -> bool:
        if not standing.best_mean < standing.mean:
            return False
        if not np.isfinite(standing.mean):
            return True
        p = paired_test(standing.losses, standing.best, sizes[0], sizes[1], repeats=sizes[2]).p
        return bool(p / 2 < self.alpha)


PRUNERS: dict[str, type[Pruner]] = {"halving": Halving, "hyperband": Hyperband, "racing": Racing}


def named_pruner(name: str) -> Pruner:
    """The pruner of a name; raises ``ConfigError`` for an unknown one."""
    if name not in PRUNERS:
        raise ConfigError(f"unknown pruning {name!r}: {nearest(name, PRUNERS)}")
    return PRUNERS[name]()


def _mean(losses: Losses) -> float:
    """The mean over seeds and folds; infinite where one of them diverged."""
    return float(np.mean(losses)) if np.isfinite(losses).all() else math.inf
