"""From a table's raw columns to features: imputation, scaling, bins and categories, learned per fold.

Everything is pure JAX on float32, so that it runs inside ``jit``, ``vmap`` and
every training step. Only rows of weight above 0 are learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.errors import ConfigError, nearest

Array: TypeAlias = jax.Array
Stats: TypeAlias = dict[str, Any]
Scaling: TypeAlias = Literal["auto", "standard", "robust", "quantile", "none"]

SCALINGS = ("auto", "standard", "robust", "quantile", "none")
LIMIT = 10.0
"""Standard and robust scores end at plus and minus this."""
KNOTS = 128
"""Points of the quantile transform; a power of two."""
_TINY = float(np.finfo(np.float32).tiny)
_HUGE = 1e38
"""Numbers end here, so that no difference of two of them leaves float32."""


@dataclass(frozen=True)
class TablePreprocess:
    """What is learned from the training rows of a table, and how a batch becomes features.

    ``scaling`` of numbers, from the *observed* training values alone:

    - ``standard``: (x - mean) / standard deviation, held within +-10;
    - ``robust``: (x - median) / interquartile range (the deviation where that is 0), held within +-10;
    - ``quantile``: the normal score of the value's mid-rank in the training rows, by linear
      interpolation between 128 quantiles. A value that many rows share gets the middle of its ranks,
      so that a column of mostly zeros keeps its zeros near the centre (scikit-learn's
      ``QuantileTransformer`` puts ties at the ends to +-5.2). Held at the scores of the extremes;
    - ``auto``: ``standard`` keeps a straight line straight, ``quantile`` withstands any tail: a column
      with a training value beyond 10 standard deviations gets the second, all others the first;
    - ``none``: as it is; infinities become the extremes of the training rows.

    A missing number becomes the training median before it is scaled. ``bins`` above 0 adds the
    piecewise-linear encoding in that many quantile bins (Gorishniy et al. 2022, "On Embeddings for
    Numerical Features in Tabular Deep Learning", eq. 1), held within [0, 1]; a bin of no width stays 0.

    ``cardinalities``: for each column of ``category``, how many codes its list has. A code that no
    training row holds is treated exactly as one that was never heard of, and so is "missing" where
    no training row misses anything.

    ``gaps``: the numeric columns that tell the network where a number is missing; None means all. A
    column without a gap in the whole data set needs no such feature: it could only ever be 0.

    Raises ``ConfigError`` for an unknown scaling and negative numbers.

    >>> preprocess = TablePreprocess("standard")
    >>> stats = preprocess.fit({"numeric": jnp.array([[1.0], [3.0]])}, jnp.ones(2))
    >>> preprocess.apply(stats, {"numeric": jnp.array([[5.0]])})["numeric"]
    Array([[3.]], dtype=float32)
    """

    scaling: Scaling | str = "auto"
    bins: int = 0
    cardinalities: tuple[int, ...] = ()
    gaps: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.scaling not in SCALINGS:
            raise ConfigError(f"unknown scaling {self.scaling!r}: {nearest(str(self.scaling), SCALINGS)}")
        if self.bins < 0 or any(c < 0 for c in self.cardinalities):
            raise ConfigError("TablePreprocess: bins and cardinalities are whole numbers of at least 0")
        if self.gaps is not None and any(column < 0 for column in self.gaps):
            raise ConfigError("TablePreprocess: gaps are places of numeric columns, counted from 0")

    def fit(self, inputs: Mapping[str, Any], weight: Any) -> Stats:
        """Statistics of the rows whose ``weight`` ``(rows,)`` is above 0; how far above does not matter.

        ``inputs``: ``numeric`` ``(rows, Fn)``, NaN where missing, and ``category`` ``(rows, Fc)``
        codes, -1 where missing; either may be absent.
        """
        numbers, codes = _parts(inputs)
        real = jnp.asarray(weight) > 0
        observed = real[:, None] & jnp.isfinite(numbers)
        count = jnp.sum(observed, axis=0)
        numbers = jnp.clip(numbers, -_HUGE, _HUGE)
        ranked = jnp.sort(jnp.where(observed, numbers, jnp.inf), axis=0)
        median = _quantiles(ranked, count, 2)[1]
        stats: Stats = {
            "median": median,
            "misses": jnp.any(real[:, None] & jnp.isnan(numbers), axis=0).astype(jnp.float32),
            "codes": self._known_codes(codes, real),
        }
        if self.scaling in ("quantile", "auto"):
            stats["quantile"] = _quantile_scores(ranked, count)
        if self.scaling in ("standard", "robust", "auto"):
            linear = _centre_and_scale(numbers, observed, ranked, count, self.scaling == "robust")
            stats["linear"] = linear
        if self.scaling == "auto":
            stats["tailed"] = jnp.any(observed & (jnp.abs(_linear_score(linear, numbers)) > LIMIT), axis=0)
        if self.scaling == "none":
            extremes = _quantiles(ranked, count, 1)
            stats["extremes"] = {"low": extremes[0], "high": extremes[1]}
        if self.bins:
            edges = _quantiles(ranked, count, self.bins)
            width = jnp.diff(edges, axis=0)
            wide = width > _TINY
            inverse = jnp.where(wide, 1.0 / jnp.where(wide, width, 1.0), 0.0)
            stats["bins"] = {"low": edges[:-1].T, "inverse": inverse.T}  # (Fn, bins)
        return stats

    def apply(self, stats: Stats, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """Features of a batch, of inputs as in ``fit``: ``encode``, then ``features``.

        ``numeric`` float32 ``(batch, Fn)``, finite; ``missing`` float32 ``(batch, gaps)``, 1 where a
        number is missing (0 throughout in a column that never missed one in training); ``category``
        int32 ``(batch, Fc)``: 0 unknown, 1 missing, 2.. the codes; with bins ``piecewise`` float32
        ``(batch, Fn, bins)``.
        """
        return self.features(stats, self.encode(stats, inputs))

    def encode(self, stats: Stats, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """The part of ``apply`` that is worth doing once for all rows: no wider than the inputs.

        With bins also ``filled`` ``(rows, Fn)``: the numbers in their own units, none missing.
        """
        numbers, codes = _parts(inputs)
        missing = jnp.isnan(numbers)
        x = jnp.clip(jnp.where(missing, stats["median"], numbers), -_HUGE, _HUGE)
        told = (missing.astype(jnp.float32) * stats["misses"])[:, np.array(self._gaps(x.shape[1]), np.int32)]
        encoded = {
            "numeric": self._scaled(stats, x),
            "missing": told,
            "category": stats["codes"][self._places(codes)],
        }
        return {**encoded, "filled": x} if self.bins else encoded

    def features(self, stats: Stats, encoded: Mapping[str, Array]) -> dict[str, Array]:
        """The features of encoded rows."""
        features = dict(encoded)
        if self.bins:
            bins, x = stats["bins"], features.pop("filled")
            features["piecewise"] = jnp.clip((x[:, :, None] - bins["low"]) * bins["inverse"], 0.0, 1.0)
        return features

    def _gaps(self, columns: int) -> tuple[int, ...]:
        return tuple(range(columns)) if self.gaps is None else self.gaps

    def _scaled(self, stats: Stats, x: Array) -> Array:
        if self.scaling == "none":
            extremes = stats["extremes"]
            return jnp.where(jnp.abs(x) == _HUGE, jnp.clip(x, extremes["low"], extremes["high"]), x)
        if self.scaling == "quantile":
            return _normal_score(stats["quantile"], x)
        linear = jnp.clip(_linear_score(stats["linear"], x), -LIMIT, LIMIT)
        if self.scaling == "auto":
            return jnp.where(stats["tailed"], _normal_score(stats["quantile"], x), linear)
        return linear

    def _places(self, codes: Array) -> Array:
        """Where each cell's code stands in the concatenated table of all columns, ``(batch, Fc)``."""
        sizes = np.array(self.cardinalities, np.int32)
        if codes.shape[1] != len(sizes):
            raise ConfigError(
                f"the table has {codes.shape[1]} category columns, TablePreprocess {len(sizes)} cardinalities"
            )
        starts = np.concatenate([[0], np.cumsum(sizes + 2)[:-1]]).astype(np.int32)[: len(sizes)]
        within = jnp.where((codes >= -1) & (codes < sizes), codes + 2, 0)
        return within + starts

    def _known_codes(self, codes: Array, real: Array) -> Array:
        """Feature code of every place: itself where a real row holds it, otherwise 0."""
        within = np.concatenate([np.zeros(0), *(np.arange(c + 2) for c in self.cardinalities)])
        seen = jnp.zeros(within.size, bool)
        seen = seen.at[self._places(codes)].max(jnp.broadcast_to(real[:, None], codes.shape))
        return jnp.where(seen, within.astype(np.int32), 0)


def _parts(inputs: Mapping[str, Any]) -> tuple[Array, Array]:
    """Numbers ``(rows, Fn)`` and codes ``(rows, Fc)``, of no columns where absent."""
    numbers, codes = inputs.get("numeric"), inputs.get("category")
    if numbers is None:
        if codes is None:
            raise ConfigError("a table's inputs are named 'numeric' and 'category'; there is neither")
        numbers = jnp.zeros((codes.shape[0], 0))
    if codes is None:
        codes = jnp.zeros((numbers.shape[0], 0), jnp.int32)
    return jnp.asarray(numbers, jnp.float32), jnp.asarray(codes, jnp.int32)


def _quantiles(ranked: Array, count: Array, parts: int) -> Array:
    """``parts + 1`` evenly spaced quantiles ``(parts + 1, F)`` of sorted columns, linear between ranks.

    ``ranked`` ``(rows, F)`` holds ``count`` ``(F,)`` values, then infinities. Zeros where there is no value.
    """
    steps = jnp.arange(parts + 1, dtype=jnp.int32)[:, None]
    last = jnp.maximum(count - 1, 0).astype(jnp.int32)
    whole, rest = last // parts, last % parts  # whole numbers: exact for any number of rows
    low = steps * whole + steps * rest // parts
    part = (steps * rest % parts).astype(jnp.float32) / parts
    a = jnp.take_along_axis(ranked, low, axis=0)
    b = jnp.take_along_axis(ranked, jnp.minimum(low + 1, last), axis=0)
    between = jnp.where((a == b) | (part == 0), a, a * (1 - part) + b * part)
    return jnp.where(count > 0, between, 0.0)


def _centre_and_scale(x: Array, observed: Array, ranked: Array, count: Array, robust: bool) -> Stats:
    quartiles = _quantiles(ranked, count, 4)
    median = quartiles[2]
    total = jnp.maximum(count, 1)
    offset = jnp.where(observed, x - median, 0.0)
    # In units of the largest offset, so that no square leaves float32.
    unit = jnp.max(jnp.abs(offset), axis=0, initial=0.0)
    unit = jnp.where((unit > _TINY) & jnp.isfinite(unit), unit, 1.0)
    offset = offset / unit
    mean = jnp.sum(offset, axis=0) / total
    variance = jnp.sum(jnp.where(observed, (offset - mean) ** 2, 0.0), axis=0) / total
    deviation = jnp.sqrt(variance) * unit
    centre, scale = median + mean * unit, deviation
    if robust:
        spread = quartiles[3] - quartiles[1]
        centre, scale = median, jnp.where(spread > 0, spread, deviation)
    # A column of one value: what rounding leaves of its deviation is no scale.
    usable = (ranked[0] < _quantiles(ranked, count, 1)[1]) & (scale > _TINY) & jnp.isfinite(scale)
    return {"centre": centre, "scale": jnp.where(usable, scale, 1.0)}


def _linear_score(linear: Stats, x: Array) -> Array:
    return (x - linear["centre"]) / linear["scale"]


def _quantile_scores(ranked: Array, count: Array) -> Stats:
    """Knots of the quantile transform: at each the value, the normal score of its mid-rank, the slope after it."""
    knots = _quantiles(ranked, count, KNOTS - 1)

    def ranks(side: str) -> Array:
        found = jax.vmap(lambda a, v: jnp.searchsorted(a, v, side=side), in_axes=1, out_axes=1)(ranked, knots)
        return jnp.minimum(found, count)

    # 2 * (mid-rank / count) - 1, rounded once
    centred = (ranks("left") + ranks("right") - count).astype(jnp.float32) / jnp.maximum(count, 1)
    end = 1.0 - 1.0 / jnp.maximum(count, 1).astype(jnp.float32)
    score = np.sqrt(2.0).astype(np.float32) * jax.lax.erf_inv(jnp.clip(centred, -end, end))
    width, rise = jnp.diff(knots, axis=0), jnp.diff(score, axis=0)
    wide = width > _TINY
    slope = jnp.where(wide, rise / jnp.where(wide, width, 1.0), 0.0)
    return {"knots": knots, "score": score, "slope": slope}


def _normal_score(scores: Stats, x: Array) -> Array:
    """The score of ``x`` ``(batch, F)``, linear between knots ``(KNOTS, F)``.

    Bisection by hand: on a CPU half the time of a sum over all slopes, and an eighth of
    ``jnp.searchsorted`` by sorting; ``tests/data/test_preprocess.py`` checks it against a plain loop.
    """
    knots, score, slope = scores["knots"], scores["score"], scores["slope"]
    x = jnp.clip(x, knots[0], knots[-1])
    place = jnp.zeros(x.shape, jnp.int32)
    step = KNOTS // 2
    while step:  # the last knot that is not above x
        here = jnp.take_along_axis(knots, place + step, axis=0, mode="clip")
        place = jnp.where(here <= x, place + step, place)
        step //= 2
    place = jnp.minimum(place, KNOTS - 2)
    low, base, rise = (jnp.take_along_axis(a, place, axis=0, mode="clip") for a in (knots, score, slope))
    return base + (x - low) * rise
