"""Where the windows of a convolution or a pooling lie, in any number of spatial dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from jax import lax

from manyfit.errors import ConfigError

Size: TypeAlias = int | Sequence[int]
"""One whole number for every dimension, or one each."""
Padding: TypeAlias = str | int | Sequence[tuple[int, int]]
"""``"SAME"``, ``"VALID"``, ``"CAUSAL"`` (one dimension: only the past is seen), places on every side,
or ``((low, high), …)`` a dimension."""


@dataclass(frozen=True)
class Windows:
    """All that is static of windows over an input; one entry a spatial dimension."""

    input: tuple[int, ...]
    window: tuple[int, ...]
    output: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @property
    def padded(self) -> bool:
        """Whether any window may reach outside the input."""
        return any(map(any, self.pads))

    @property
    def tiled(self) -> bool:
        """Whether the windows tile the input without overlap, padding or remainder."""
        whole = all(o * k == n for o, k, n in zip(self.output, self.window, self.input))
        dense = all(k == 1 or d == 1 for k, d in zip(self.window, self.dilation))
        return whole and dense and self.window == self.stride and not self.padded

    @property
    def taps(self) -> list[tuple[int, ...]]:
        """Where the places of a window lie from its corner, row by row."""
        return [
            tuple(place * d for place, d in zip(places, self.dilation))
            for places in product(*map(range, self.window))
        ]


def windows(
    size: Sequence[int],
    window: Sequence[int],
    stride: Sequence[int],
    padding: Padding,
    dilation: Sequence[int],
    noun: str = "window",
) -> Windows:
    """The windows over an input of ``size``; raises ``ConfigError``, which calls them ``noun``, if none fits."""
    pads = pads_of(size, window, stride, dilation, padding)
    output = tuple(
        (n + low + high - (k - 1) * d - 1) // s + 1
        for n, (low, high), k, s, d in zip(size, pads, window, stride, dilation)
    )
    if min(output) < 1:
        raise ConfigError(
            f"a {tuple(window)} {noun} does not fit into inputs of {tuple(size)} with padding {padding!r}"
        )
    return Windows(tuple(size), tuple(window), output, tuple(stride), tuple(dilation), tuple(pads))


def sizes(value: Size, dims: int, name: str, least: int = 1) -> tuple[int, ...]:
    """``value`` as one whole number a dimension; raises ``ConfigError`` below ``least``."""
    found = (value,) * dims if isinstance(value, int) else tuple(value)
    if len(found) != dims or min(found) < least:
        many = "" if dims == 1 else f", or {dims} of them"
        raise ConfigError(f"{name}={value!r}: give a whole number of at least {least}{many}")
    return tuple(int(size) for size in found)


def pads_of(
    size: Sequence[int],
    window: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    padding: Padding,
) -> list[tuple[int, int]]:
    """Places to add before and after, a dimension."""
    dims = len(size)
    wide = [(k - 1) * d + 1 for k, d in zip(window, dilation)]
    if isinstance(padding, int) and not isinstance(padding, bool) and padding >= 0:
        return [(padding, padding)] * dims
    if isinstance(padding, str) and padding.upper() in ("SAME", "VALID"):
        found = lax.padtype_to_pads(tuple(size), tuple(wide), tuple(stride), padding.upper())
        return [(int(low), int(high)) for low, high in found]
    if isinstance(padding, str) and padding.upper() == "CAUSAL" and dims == 1:
        return [(wide[0] - 1, 0)]
    if isinstance(padding, (tuple, list)) and [len(side) for side in padding] == [2] * dims:
        return [(int(low), int(high)) for low, high in padding]
    raise ConfigError(
        f"padding={padding!r}: give 'SAME', 'VALID', {repr('CAUSAL') + ', ' if dims == 1 else ''}"
        "a number of places or (low, high) for each dimension"
    )
