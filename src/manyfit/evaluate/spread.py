"""Where the spread of a score comes from, and what would make its interval narrower."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from manyfit.errors import DataError
from manyfit.evaluate.intervals import fold_factor, student_t_quantile

MOST = 64
"""Seeds or repeats beyond which nobody is advised to go."""


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a score between folds and between seeds of the same fold."""

    fold: float
    """Of folds, as if each had infinitely many seeds: the luck of the split."""
    seed: float
    """Of seeds within a fold: the luck of initial weights and of the order of rows. NaN for a single seed."""
    seeds: int
    folds: int
    """Of all repeats."""
    repeats: int = 1

    @property
    def seed_share(self) -> float:
        """The part of a single network's variance that is the seed's; NaN where it cannot be told."""
        total = self.fold**2 + self.seed**2
        return self.seed**2 / total if total > 0 else math.nan

    def half_width(
        self,
        n_train: float,
        n_test: float,
        *,
        seeds: int | None = None,
        repeats: int = 1,
        level: float = 0.95,
    ) -> float:
        """Half the expected width of ``resampled_interval`` with so many seeds, and repeats of what there is."""
        seed = 0.0 if math.isnan(self.seed) else self.seed
        variance = self.fold**2 + seed**2 / (seeds or self.seeds)
        factor, df = fold_factor(self.folds / self.repeats, n_test / n_train, self.repeats * repeats)
        return student_t_quantile(0.5 + level / 2.0, df) * math.sqrt(factor * variance)

    def seeds_to(self, share: float, n_train: float, n_test: float) -> int | None:
        """The seeds a fold that narrow the interval to ``share`` of its width; None where no number of them does."""
        return self._least(share, n_train, n_test, lambda count: {"seeds": count}, self.seeds)

    def repeats_to(self, share: float, n_train: float, n_test: float) -> int | None:
        """The repeats of the folds that do; None where no number of them does.

        Repeated folds test the same rows again: the interval cannot become much narrower by them.
        """
        return self._least(share, n_train, n_test, lambda count: {"repeats": count}, 1)

    def _least(
        self, share: float, n_train: float, n_test: float, more: Callable[[int], dict[str, int]], first: int
    ) -> int | None:
        now = self.half_width(n_train, n_test)
        for count in range(first, MOST + 1):
            if self.half_width(n_train, n_test, **more(count)) <= share * now:
                return count
        return None


def variance_components(scores: npt.ArrayLike, *, repeats: int = 1) -> Spread:
    """The spread of a score's table ``(seeds, folds)``, by the analysis of variance of random effects.

    ``repeats`` says of how many repeats the folds are.
    NaN scores are left out with their fold's other seeds where a fold has fewer than the others.

    Raises:
        DataError: fewer than two complete folds.

    Source: Searle, Casella and McCulloch (1992), "Variance components", section 3.6.

    >>> found = variance_components([[0.90, 0.80, 0.85], [0.92, 0.82, 0.87]])
    >>> round(found.fold, 3), round(found.seed, 3)
    (0.049, 0.014)
    """
    table = np.asarray(scores, np.float64)
    table = table[None] if table.ndim == 1 else table
    if table.ndim != 2:
        raise DataError(f"scores have shape {table.shape}: give (seeds, folds)")
    table = table[:, np.isfinite(table).all(axis=0)]
    seeds, folds = table.shape
    if folds < 2 or seeds < 1:
        raise DataError(f"{folds} complete fold(s): a spread needs at least two")
    means = table.mean(axis=0)
    if folds % repeats:  # some are missing: which of them belong together is not known here
        repeats = 1
    between = float(means.reshape(repeats, -1).var(axis=1, ddof=1).mean())
    if seeds == 1:
        return Spread(math.sqrt(between), math.nan, seeds, folds, repeats)
    within = float(table.var(axis=0, ddof=1).mean())
    return Spread(math.sqrt(max(0.0, between - within / seeds)), math.sqrt(within), seeds, folds, repeats)
