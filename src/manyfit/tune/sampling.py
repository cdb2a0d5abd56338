"""Which settings to try: quasi-random, random, or on a grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, nearest
from manyfit.space import Choice, Distribution

Words: TypeAlias = npt.NDArray[np.uint32]
_METHODS = ("sobol", "random")

# A primitive polynomial (its coefficients as bits) and the first direction numbers, of dimension
# 2 and on: Joe and Kuo (2008), "Constructing Sobol sequences with better two-dimensional projections".
_DIRECTIONS: tuple[tuple[int, tuple[int, ...]], ...] = (
    (3, (1,)),
    (7, (1, 3)),
    (11, (1, 3, 1)),
    (13, (1, 1, 1)),
    (19, (1, 1, 3, 3)),
    (25, (1, 3, 5, 13)),
    (37, (1, 1, 5, 5, 17)),
    (41, (1, 1, 5, 5, 5)),
    (47, (1, 1, 7, 11, 19)),
    (55, (1, 1, 5, 1, 1)),
    (59, (1, 1, 1, 3, 11)),
    (61, (1, 3, 5, 5, 31)),
    (67, (1, 3, 3, 9, 7, 49)),
    (91, (1, 1, 1, 15, 21, 21)),
    (97, (1, 3, 1, 13, 27, 49)),
    (103, (1, 1, 1, 15, 7, 5)),
    (109, (1, 3, 1, 15, 13, 25)),
    (115, (1, 1, 5, 5, 19, 61)),
    (131, (1, 3, 7, 11, 23, 15, 103)),
    (137, (1, 3, 7, 13, 13, 15, 69)),
    (143, (1, 1, 3, 13, 7, 35, 63)),
    (145, (1, 3, 5, 9, 1, 25, 53)),
    (157, (1, 3, 1, 13, 9, 35, 107)),
    (167, (1, 3, 1, 5, 27, 61, 31)),
    (171, (1, 1, 5, 11, 19, 41, 61)),
    (185, (1, 3, 5, 3, 3, 13, 69)),
    (191, (1, 1, 7, 13, 1, 19, 1)),
    (193, (1, 3, 7, 5, 13, 19, 59)),
    (203, (1, 1, 3, 9, 25, 29, 41)),
    (211, (1, 3, 5, 13, 23, 1, 55)),
    (213, (1, 3, 7, 3, 13, 59, 17)),
)


def draw(
    space: Mapping[str, Distribution],
    trials: int,
    seed: int = 0,
    *,
    method: Literal["sobol", "random"] = "sobol",
    defaults: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The hyper-parameters of ``trials`` trials: dotted path -> value, for ``manyfit.space.resolve``.

    Asked for more trials, the first ones stay the same.

    Args:
        space: what ``manyfit.space.collect`` found.
        trials: how many, at least 1; at most 1 if the space is empty.
        seed: the same seed draws the same trials.
        method: ``"sobol"`` spreads them evenly over the whole space; ``"random"`` draws each alone.
        defaults: values of some or all paths for the first trial, a setting known to be sensible.

    Raises:
        ConfigError: fewer than 1 trial, an unknown method, a default of an unknown path, or
            several trials of a space in which there is nothing to search.

    Why Sobol' points: of n trials, each hyper-parameter alone takes n well-spread values, as in
    random search and unlike a grid, and pairs of them are spread better than at random.
    The Owen scrambling keeps that, for any number of trials, without the lattice of R_d sequences.
    There are points for 32 dimensions; further ones (in order of path) are random.

    Source: Bergstra and Bengio (2012), "Random search for hyper-parameter optimization";
    Bousquet et al. (2017), "Critical hyper-parameters: no random, no cry".

    >>> draw({"width": Choice((32, 64))}, trials=2) == draw({"width": Choice((32, 64))}, trials=4)[:2]
    True
    """
    if trials < 1:
        raise ConfigError(f"trials={trials}: give at least 1")
    if method not in _METHODS:
        raise ConfigError(f"unknown method {method!r}: {nearest(method, _METHODS)}")
    if not space and trials > 1:
        raise ConfigError(
            f"trials={trials}, but nothing is to be searched: put a distribution such as "
            "loguniform(1e-4, 1e-1) in the place of a value, or ask for one trial"
        )
    for path in defaults or {}:
        if path not in space:
            raise ConfigError(f"a default for {path!r}, which is not searched: {nearest(path, space)}")
    paths = sorted(space)
    points = sobol(trials, len(paths), seed) if method == "sobol" else _random(trials, len(paths), seed)
    drawn = [{path: space[path].at(float(u)) for path, u in zip(paths, point)} for point in points]
    if defaults:
        first = {**drawn[0], **defaults}
        drawn = [first, *drawn[: trials - 1]]
    return drawn


def grid(space: Mapping[str, Distribution], points: int | Mapping[str, int] = 3) -> list[dict[str, Any]]:
    """Every combination: all options of a choice, and ``points`` values of everything else, ends included.

    Values are evenly spaced in the distribution's own measure (loguniform: in the logarithm);
    an integer yields each value once. ``points`` may differ by path; 1 is the middle.
    The last path, in alphabetical order, changes fastest.

    Raises:
        ConfigError: fewer than 1 point, or points of an unknown path.
    """
    if isinstance(points, Mapping):
        for path in points:
            if path not in space:
                raise ConfigError(f"points for {path!r}, which is not searched: {nearest(path, space)}")
    axes = []
    for path in sorted(space):
        count = points.get(path, 3) if isinstance(points, Mapping) else points
        if count < 1:
            raise ConfigError(f"{count} points of {path!r}: give at least 1")
        axes.append(_values(space[path], count))
    return [dict(zip(sorted(space), values)) for values in itertools.product(*axes)]


def _values(distribution: Distribution, count: int) -> list[Any]:
    if isinstance(distribution, Choice):
        return list(distribution.options)
    units = [0.5] if count == 1 else [i / (count - 1) for i in range(count)]
    return list(dict.fromkeys(distribution.at(unit) for unit in units))


def sobol(n: int, dimensions: int, seed: int) -> npt.NDArray[np.float64]:
    """The first ``n`` Owen-scrambled Sobol' points, ``(n, dimensions)``, within (0, 1).

    Of every aligned block of ``2^m`` points, each of the ``2^m`` equal intervals of each
    dimension holds exactly one.

    Source: Sobol' (1967); Owen (1995); the scrambling by hash: Burley (2020), "Practical hash-based Owen
    scrambling", Journal of Computer Graphics Techniques 9.
    """
    own = min(dimensions, len(_DIRECTIONS) + 1)
    seeds = np.random.SeedSequence([seed, 0]).generate_state(max(own, 1))
    index = np.arange(n, dtype=np.uint32)
    columns = [_unit(_scramble(_sobol_words(index, d), seeds[d])) for d in range(own)]
    rest = _random(n, dimensions, seed)[:, own:]
    return np.concatenate([np.stack(columns, axis=1) if own else np.zeros((n, 0)), rest], axis=1)


def _sobol_words(index: Words, dimension: int) -> Words:
    """Coordinate of the points as 32-bit fractions: the XOR of a direction for each bit of the index."""
    words = np.zeros_like(index)
    for bit, direction in enumerate(_direction_words(dimension)):
        words ^= np.where((index >> np.uint32(bit)) & np.uint32(1), np.uint32(direction), np.uint32(0))
    return words


def _direction_words(dimension: int) -> list[int]:
    if dimension == 0:
        return [1 << (31 - k) for k in range(32)]
    polynomial, numbers = _DIRECTIONS[dimension - 1]
    degree = polynomial.bit_length() - 1
    words = [m << (31 - k) for k, m in enumerate(numbers)]
    for k in range(degree, 32):
        word = words[k - degree] ^ (words[k - degree] >> degree)
        for j in range(1, degree):
            if (polynomial >> (degree - j)) & 1:
                word ^= words[k - j]
        words.append(word)
    return words


def _scramble(words: Words, seed: np.uint32) -> Words:
    """Each bit flipped or not by a hash of the higher ones: multipliers are even, so that a bit of the
    reversed word sees lower ones only (Laine and Karras, 2011)."""
    x = _reversed(words) + seed
    for factor in (0x6C50B47C, 0xB82F1E52, 0xC7AFE638, 0x8D22F6E6):
        x = x ^ (x * np.uint32(factor))
    return _reversed(x)


def _reversed(words: Words) -> Words:
    """The bits of each word in reversed order."""
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF), (16, 0x0000FFFF)):
        m, s = np.uint32(mask), np.uint32(shift)
        words = ((words >> s) & m) | ((words & m) << s)
    return words


def _unit(words: Words) -> npt.NDArray[np.float64]:
    return (words.astype(np.float64) + 0.5) / math.ldexp(1.0, 32)


def _random(n: int, dimensions: int, seed: int) -> npt.NDArray[np.float64]:
    """Independent uniform points; row by row, so that more rows leave the first as they were."""
    return np.random.default_rng([seed, 1]).random((n, dimensions))
