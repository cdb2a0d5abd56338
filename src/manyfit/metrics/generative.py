"""How near generated samples are to real rows, and how much of them they cover, in any space of features.

Everything takes features ``(rows, columns)``: a classifier's last hidden layer for images, the coordinates
themselves where there are few. No figure here means much beside one of other features or of another number of
rows; the same figure of real rows against other real rows is the floor (``floor`` says how to get it).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from manyfit.errors import DataError

Floats = npt.NDArray[np.float64]


class Manifold(NamedTuple):
    """Shares of samples and of real rows that lie where the others are; each in [0, 1] but for ``density``."""

    precision: float
    """Samples within the reach of some real row."""
    recall: float
    """Real rows within the reach of some sample."""
    density: float
    """Real rows in whose reach a sample lies, over ``k``, on average; 1 is expected, more is possible."""
    coverage: float
    """Real rows with a sample within their reach."""


def frechet_distance(real: npt.ArrayLike, fake: npt.ArrayLike) -> float:
    """The Fréchet distance, squared, between Gaussians fitted to two sets of features.

    ``|m - n|^2 + tr(S + T - 2 (S T)^(1/2))``. Its expectation falls with the number of rows: compare equal numbers.
    Needs at least two rows each; with fewer rows than columns the covariances are singular and it is large.

    Source: Dowson & Landau (1982); Heusel et al. (2017), "GANs trained by a two time-scale update rule", equation 6.

    >>> frechet_distance([[0.0], [2.0]], [[3.0], [5.0]])
    9.0
    """
    x, y = _pair(real, fake, least=2)
    return frechet_between(x.mean(0), np.cov(x, rowvar=False), y.mean(0), np.cov(y, rowvar=False))


def frechet_between(
    mean_a: npt.ArrayLike, cov_a: npt.ArrayLike, mean_b: npt.ArrayLike, cov_b: npt.ArrayLike
) -> float:
    """The squared Fréchet distance between two Gaussians, means ``(d,)`` and covariances ``(d, d)``."""
    a, b = np.atleast_1d(np.asarray(mean_a, float)), np.atleast_1d(np.asarray(mean_b, float))
    s, t = np.atleast_2d(np.asarray(cov_a, float)), np.atleast_2d(np.asarray(cov_b, float))
    # the eigenvalues of S T are those of the symmetric S^(1/2) T S^(1/2)
    values, vectors = np.linalg.eigh(s)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    inner = np.linalg.eigvalsh(root @ t @ root)
    cross = np.sqrt(np.clip(inner, 0, None)).sum()
    return float(max(0.0, ((a - b) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * cross))


def kernel_distance(real: npt.ArrayLike, fake: npt.ArrayLike) -> float:
    """The squared maximum mean discrepancy under ``(x . y / d + 1)^3``, without bias: below 0 at times.

    Source: Bińkowski et al. (2018), "Demystifying MMD GANs", section 4 (there over blocks of rows, here over all).
    """
    x, y = _pair(real, fake, least=2)

    def kernel(a: Floats, b: Floats) -> Floats:
        found: Floats = (a @ b.T / a.shape[1] + 1.0) ** 3
        return found

    def within(a: Floats) -> float:
        k, n = kernel(a, a), len(a)
        return float((k.sum() - np.trace(k)) / (n * (n - 1)))

    return within(x) + within(y) - 2 * float(kernel(x, y).mean())


def manifold(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 5) -> Manifold:
    """Precision, recall, density and coverage; a row reaches as far as its ``k``-th nearest neighbour of its own set.

    Raises ``DataError`` for ``k`` or fewer rows in either set.

    Source: Kynkäänniemi et al. (2019), "Improved precision and recall metric for assessing generative models" (``k``
    3 there); Naeem et al. (2020), "Reliable fidelity and diversity metrics for generative models" (5).
    """
    x, y = _pair(real, fake, least=k + 1)
    between = distances(x, y)
    reach_real, reach_fake = _reach(x, k), _reach(y, k)
    inside = between <= reach_real[:, None]
    return Manifold(
        precision=float(inside.any(axis=0).mean()),
        recall=float((between <= reach_fake).any(axis=1).mean()),
        density=float(inside.sum(axis=0).mean() / k),
        coverage=float(inside.any(axis=1).mean()),
    )


def generative_scores(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 5) -> dict[str, float]:
    """Every figure by name; samples that are not finite make the distances NaN and cover nothing."""
    y = np.asarray(fake, float)
    names = ("frechet", "kernel", *Manifold._fields)
    if not np.isfinite(y).all():
        return {**dict.fromkeys(names[:2], float("nan")), **dict.fromkeys(names[2:], 0.0)}
    found = (frechet_distance(real, y), kernel_distance(real, y), *manifold(real, y, k))
    return dict(zip(names, found, strict=True))


def floor(real: npt.ArrayLike, other: npt.ArrayLike, rows: int, k: int = 5) -> dict[str, float]:
    """What real rows score against other real rows, ``rows`` of each: no generator can be expected to do better.

    Raises ``DataError`` where either set has fewer rows.
    """
    x, y = _pair(real, other, least=rows)
    return generative_scores(x[:rows], y[:rows], k)


def nearest(rows: npt.ArrayLike, to: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], Floats]:
    """For each of ``to`` the place of the nearest row, and how far it is: whether samples repeat training rows."""
    x, y = _pair(rows, to, least=1)
    found = distances(x, y)
    places = found.argmin(axis=0)
    return places, found[places, np.arange(len(y))]


def distances(a: Floats, b: Floats) -> Floats:
    """Euclidean, ``(a rows, b rows)``."""
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * (a @ b.T)
    return np.sqrt(np.clip(squared, 0, None))


def _reach(x: Floats, k: int) -> Floats:
    own = distances(x, x)
    np.fill_diagonal(own, -1.0)  # each row first, whatever rounding says
    found: Floats = np.partition(own, k, axis=1)[:, k]
    return found


def _pair(real: npt.ArrayLike, fake: npt.ArrayLike, least: int) -> tuple[Floats, Floats]:
    x, y = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    for name, one in (("real", x), ("generated", y)):
        if one.ndim != 2:
            raise DataError(f"{name} features have shape {one.shape}: give (rows, columns)")
        if len(one) < least:
            raise DataError(f"{len(one)} {name} rows are too few here: give at least {least}")
        if not np.isfinite(one).all():
            raise DataError(
                f"{name} features hold NaN or infinity in row {_first_bad(one)}: leave such rows out"
            )
    if x.shape[1] != y.shape[1]:
        raise DataError(f"real features have {x.shape[1]} columns and generated ones {y.shape[1]}")
    return x, y


def _first_bad(x: Floats) -> int:
    return int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
