"""What a search has learned of its hyper-parameters: which matter, how, together with which, and how surely."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from manyfit.errors import DataError

Kind: TypeAlias = Literal["linear", "log", "choice"]
Floats: TypeAlias = npt.NDArray[np.float64]

FEWEST = 12
"""Trials below which nothing can be said."""
POINTS = 15
BACKGROUND = 128


@dataclass(frozen=True)
class Importance:
    """How much of the variance of the score over the search space one hyper-parameter explains, by itself.

    ``low`` and ``high`` hold 95 % of what resamples of the trials say.
    """

    name: str
    share: float
    low: float
    high: float
    permutation: float
    """The loss of R² on trials left out when the hyper-parameter's values are shuffled among them."""


@dataclass(frozen=True)
class Dependence:
    """The expected score by one hyper-parameter's value, averaged over all the others, with a 95 % band."""

    values: Sequence[Any]
    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Surface:
    """The expected score by the values of two hyper-parameters, averaged over all the others."""

    values: tuple[Sequence[Any], Sequence[Any]]
    """Of the first and of the second."""
    mean: Floats
    """``(values of the second, values of the first)``."""
    sd: Floats
    """Of the same shape: how far resamples of the trials disagree."""


@dataclass(frozen=True)
class Understanding:
    """What the trials tell of the search space."""

    importances: Sequence[Importance]
    """The most important first."""
    pairs: Sequence[tuple[str, str, float]]
    """Two hyper-parameters and the share that only both together explain; the largest first."""
    dependence: Mapping[str, Dependence]
    surfaces: Mapping[tuple[str, str], Surface]
    """Of every pair, the largest share first."""
    r2: float
    """Of predictions for trials left out: at 0 or below, nothing here means anything."""


def understand(
    trials: Sequence[Mapping[str, Any]],
    scores: Sequence[float],
    kinds: Mapping[str, Kind],
    *,
    resamples: int = 20,
    seed: int = 0,
) -> Understanding:
    """Importance, interactions and partial dependence of hyper-parameters, by forests over the trials.

    Args:
        trials: name -> value; a number that a trial lacks counts as one below all others.
        scores: one for each trial; those that are not finite are left out with their trials.
        kinds: how each name's values are to be taken.
        resamples: bootstrap samples of the trials, a forest each: the spread of what they say is the band.
        seed: of the resamples and the forests.

    Shares are those of functional analysis of variance over the box that the trials span, by sampling.

    Raises:
        DataError: fewer than 12 trials with a score, or nothing that varies.

    Source: Hutter, Hoos and Leyton-Brown (2014), "An efficient approach for assessing hyperparameter importance";
    Moosbauer et al. (2021), "Explaining hyperparameter optimization via partial dependence plots"; Breiman (2001),
    "Random forests", for importance by permutation.
    """
    from sklearn.ensemble import RandomForestRegressor

    worth = np.asarray(scores, np.float64)
    kept = [i for i in range(len(worth)) if math.isfinite(worth[i])]
    if len(kept) < FEWEST:
        raise DataError(f"{len(kept)} trials with a score: at least {FEWEST} are needed to tell what matters")
    columns = {name: _Column.of([trials[i].get(name) for i in kept], kind) for name, kind in kinds.items()}
    columns = {name: column for name, column in columns.items() if len(np.unique(column.codes)) > 1}
    if not columns:
        raise DataError("no hyper-parameter differs between the trials")
    names, y = list(columns), worth[kept]
    x = np.stack([columns[name].codes for name in names], axis=1)
    rng = np.random.default_rng(seed)
    background = np.stack([columns[name].drawn(BACKGROUND, rng) for name in names], axis=1)
    grids = [columns[name].grid() for name in names]
    looks = []
    for resample in range(resamples):
        inside = rng.integers(len(y), size=len(y))
        outside = np.setdiff1d(np.arange(len(y)), inside)
        forest = RandomForestRegressor(40, min_samples_leaf=2, random_state=seed * 1000 + resample)
        forest.fit(x[inside], y[inside])
        looks.append(_Look.of(forest, background, grids, x[outside], y[outside], rng))
    share = np.stack([look.shares for look in looks])
    permuted = np.stack([look.permuted for look in looks])
    order = np.argsort(-share.mean(axis=0), kind="stable")
    low, high = np.quantile(share, [0.025, 0.975], axis=0)
    dependence = {}
    for j, name in enumerate(names):
        curves = np.stack([look.curves[j] for look in looks])
        below, above = np.quantile(curves, [0.025, 0.975], axis=0)
        dependence[name] = Dependence(columns[name].values(grids[j]), curves.mean(axis=0), below, above)
    places = list(itertools.combinations(range(len(names)), 2))
    together = np.stack([look.pairs for look in looks]).mean(axis=0) if places else np.zeros(0)
    pairs = [(names[a], names[b], float(together[i])) for i, (a, b) in enumerate(places)]
    surfaces = {}
    for i in np.argsort(-together, kind="stable"):
        a, b = places[i]
        both = np.stack([look.surfaces[i] for look in looks])
        values = (columns[names[a]].values(_coarse(grids[a])), columns[names[b]].values(_coarse(grids[b])))
        surfaces[names[a], names[b]] = Surface(values, both.mean(axis=0), both.std(axis=0))
    return Understanding(
        [
            Importance(
                names[j], *(float(v[j]) for v in (share.mean(axis=0), low, high, permuted.mean(axis=0)))
            )
            for j in order
        ],
        sorted(pairs, key=lambda pair: -pair[2]),
        dependence,
        surfaces,
        float(np.mean([look.r2 for look in looks])),
    )


@dataclass(frozen=True)
class _Column:
    """One hyper-parameter's values as numbers for a forest."""

    codes: Floats
    options: Sequence[Any]
    kind: Kind
    least: float = 0.0
    """The smallest value that is one."""

    @classmethod
    def of(cls, values: Sequence[Any], kind: Kind) -> _Column:
        there = [v for v in values if v is not None]
        real = bool(there) and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in there)
        if kind == "choice" or not real:
            options = sorted({str(v) for v in values})
            return cls(np.array([float(options.index(str(v))) for v in values]), options, "choice")
        numbers = np.array(there, np.float64)
        log = kind == "log" and numbers.min() > 0
        numbers = np.log(numbers) if log else numbers
        # what a trial has not got lies below everything, where a forest can tell it apart
        low = numbers.min() - 0.1 * (np.ptp(numbers) or 1.0)
        codes = np.full(len(values), low)
        codes[[v is not None for v in values]] = numbers
        return cls(codes, (), "log" if log else "linear", numbers.min())

    def drawn(self, count: int, rng: np.random.Generator) -> Floats:
        if self.kind == "choice":
            return rng.integers(len(self.options), size=count).astype(np.float64)
        return rng.uniform(self.least, self.codes.max(), count)

    def grid(self) -> Floats:
        if self.kind == "choice":
            return np.arange(len(self.options), dtype=np.float64)
        return np.linspace(self.least, self.codes.max(), POINTS)

    def values(self, grid: Floats) -> list[Any]:
        if self.kind == "choice":
            return list(self.options)
        return [float(v) for v in (np.exp(grid) if self.kind == "log" else grid)]


def _coarse(grid: Floats) -> Floats:
    """Every second point of a long grid: pairs have its square."""
    return grid if len(grid) < POINTS else grid[::2]


@dataclass(frozen=True)
class _Look:
    """What one forest says."""

    curves: list[Floats]
    shares: Floats
    pairs: Floats
    surfaces: list[Floats]
    permuted: Floats
    r2: float

    @classmethod
    def of(
        cls,
        forest: Any,
        background: Floats,
        grids: Sequence[Floats],
        x: Floats,
        y: Floats,
        rng: np.random.Generator,
    ) -> _Look:
        whole = float(forest.predict(background).var())
        count = len(grids)

        def mean_at(fixed: Mapping[int, Floats]) -> Floats:
            """The mean prediction with some columns fixed, for each of their values."""
            length = len(next(iter(fixed.values())))
            rows = np.repeat(background[None], length, axis=0)
            for j, values in fixed.items():
                rows[:, :, j] = values[:, None]
            return np.asarray(forest.predict(rows.reshape(-1, count))).reshape(length, -1).mean(axis=1)

        curves = [mean_at({j: grid}) for j, grid in enumerate(grids)]
        shares = np.array([curve.var() / whole if whole > 0 else 0.0 for curve in curves])
        pairs, surfaces = [], []
        for a, b in itertools.combinations(range(count), 2):
            coarse = [_coarse(g) for g in (grids[a], grids[b])]
            first, second = (g.ravel() for g in np.meshgrid(*coarse))
            both = mean_at({a: first, b: second}).reshape(len(coarse[1]), len(coarse[0]))
            surfaces.append(both)
            alone = both.mean(axis=0)[None] + both.mean(axis=1)[:, None] - both.mean()
            pairs.append(float((both - alone).var() / whole) if whole > 0 else 0.0)
        spread = float(y.var()) if len(y) > 1 else 0.0
        if spread == 0.0:
            return cls(curves, shares, np.array(pairs), surfaces, np.zeros(count), 0.0)
        r2 = 1.0 - float(np.mean((forest.predict(x) - y) ** 2)) / spread
        permuted = []
        for j in range(count):
            shuffled = x.copy()
            shuffled[:, j] = rng.permutation(x[:, j])
            permuted.append(r2 - (1.0 - float(np.mean((forest.predict(shuffled) - y) ** 2)) / spread))
        return cls(curves, shares, np.array(pairs), surfaces, np.array(permuted), r2)
