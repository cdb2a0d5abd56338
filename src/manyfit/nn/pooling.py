"""Pooling of sequences, images and volumes, fast in a population and in a loop.

``lax.reduce_window`` has a gradient (select-and-scatter) that XLA:CPU runs one
element at a time; here it is comparisons over whole arrays, many times faster.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from manyfit.errors import ConfigError
from manyfit.nn._windows import Padding, Size, Windows, sizes, windows


def max_pool(
    x: jax.Array,
    window: Size = 2,
    stride: Size | None = None,
    padding: Padding = "VALID",
    dilation: Size = 1,
) -> jax.Array:
    """The greatest value of every window: ``(B, *spatial, C)`` -> ``(B, *spatial_out, C)``.

    One, two or three spatial dimensions. ``stride`` defaults to the window. Where values tie, the first
    of the window, row by row, takes the whole gradient, as in ``lax.reduce_window`` and PyTorch. NaN wins
    and passes no gradient. Raises ``ConfigError`` for a window that does not fit.

    >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1)).ravel().tolist()
    [5.0, 7.0, 13.0, 15.0]
    """
    return _max_pool(x, _plan(x, window, stride, padding, dilation))


def avg_pool(
    x: jax.Array,
    window: Size = 2,
    stride: Size | None = None,
    padding: Padding = "VALID",
    count_include_pad: bool = False,
) -> jax.Array:
    """The mean of every window: ``(B, *spatial, C)`` -> ``(B, *spatial_out, C)``.

    One, two or three spatial dimensions. ``stride`` defaults to the window. Padding is left out of the
    mean, unless ``count_include_pad`` (PyTorch's default) takes it for zeros. Raises ``ConfigError`` for
    a window that does not fit.

    >>> avg_pool(jnp.arange(16.0).reshape(1, 4, 4, 1)).ravel().tolist()
    [2.5, 4.5, 10.5, 12.5]
    """
    plan = _plan(x, window, stride, padding, 1)
    total = _sum(_views(x, plan, 0.0))
    if count_include_pad or not plan.padded:
        return total / math.prod(plan.window)
    return total / _sum(_views(jnp.ones((1, *plan.input, 1), x.dtype), plan, 0.0))


def global_avg_pool(x: jax.Array) -> jax.Array:
    """The mean over all places: ``(B, *spatial, C)`` -> ``(B, C)`` (Lin et al., 2014, "Network in network").

    >>> global_avg_pool(jnp.ones((2, 4, 4, 3))).shape
    (2, 3)
    """
    return jnp.mean(x, axis=tuple(range(1, _dims(x) + 1)))


def global_max_pool(x: jax.Array) -> jax.Array:
    """The greatest value over all places: ``(B, *spatial, C)`` -> ``(B, C)``; ties and NaN as in ``max_pool``.

    >>> global_max_pool(jnp.arange(8.0).reshape(1, 2, 2, 2)).tolist()
    [[6.0, 7.0]]
    """
    _dims(x)
    return _greatest(x.reshape(x.shape[0], -1, x.shape[-1]), 1)[:, 0]


def adaptive_avg_pool(x: jax.Array, output: Size = 1) -> jax.Array:
    """The means of ``output`` bins a dimension: ``(B, *spatial, C)`` -> ``(B, *output, C)``.

    Bin i of m over n places is ``[floor(i n / m), ceil((i + 1) n / m))``, as in PyTorch: neighbours may
    overlap by one place.

    >>> adaptive_avg_pool(jnp.arange(5.0).reshape(1, 5, 1), 2).ravel().tolist()
    [1.0, 3.0]
    """
    bins = _bins(x, output)
    if all(n % len(each) == 0 for n, each in zip(x.shape[1:], bins)):
        return avg_pool(x, tuple(n // len(each) for n, each in zip(x.shape[1:], bins)))
    for axis, each in enumerate(bins, start=1):
        n = x.shape[axis]
        share = [[(low <= i < high) / (high - low) for i in range(n)] for low, high in each]
        mixed = jnp.einsum("a...c,oa->o...c", jnp.moveaxis(x, axis, 0), np.array(share, x.dtype))
        x = jnp.moveaxis(mixed, 0, axis)
    return x


def adaptive_max_pool(x: jax.Array, output: Size = 1) -> jax.Array:
    """The greatest values of ``output`` bins a dimension, those of ``adaptive_avg_pool``; ties as in ``max_pool``.

    >>> adaptive_max_pool(jnp.arange(5.0).reshape(1, 5, 1), 2).ravel().tolist()
    [2.0, 4.0]
    """
    bins = _bins(x, output)
    if all(n % len(each) == 0 for n, each in zip(x.shape[1:], bins)):
        return max_pool(x, tuple(n // len(each) for n, each in zip(x.shape[1:], bins)))
    # the last dimension first: then the first row that ties wins, and in it the first column
    for axis in range(len(bins), 0, -1):
        parts = [_greatest(lax.slice_in_dim(x, low, high, axis=axis), axis) for low, high in bins[axis - 1]]
        x = jnp.concatenate(parts, axis=axis)
    return x


def _dims(x: jax.Array) -> int:
    """The number of spatial dimensions."""
    if not 3 <= x.ndim <= 5:
        raise ConfigError(
            f"pooling takes (B, *spatial, C) with one to three spatial dimensions, "
            f"for images (B, H, W, C); got {x.shape}"
        )
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ConfigError(f"pooling works on floating-point inputs, got {x.dtype}")
    return x.ndim - 2


def _plan(x: jax.Array, window: Size, stride: Size | None, padding: Padding, dilation: Size) -> Windows:
    dims = _dims(x)
    size = sizes(window, dims, "window")
    steps = size if stride is None else sizes(stride, dims, "stride")
    plan = windows(x.shape[1:-1], size, steps, padding, sizes(dilation, dims, "dilation"))
    reach = [(k - 1) * d + 1 for k, d in zip(plan.window, plan.dilation)]
    if any(side >= k for k, sides in zip(reach, plan.pads) for side in sides):
        raise ConfigError(
            f"padding={padding!r} is not smaller than the window {size}: some windows are empty"
        )
    return plan


def _bins(x: jax.Array, output: Size) -> list[list[tuple[int, int]]]:
    """(first, one past the last) place of each bin, a dimension."""
    counts = sizes(output, _dims(x), "output")
    return [[(i * n // m, -(-(i + 1) * n // m)) for i in range(m)] for n, m in zip(x.shape[1:-1], counts)]


def _views(x: jax.Array, plan: Windows, fill: float) -> list[jax.Array]:
    """Entry k holds the k-th place of every window, row by row: ``(B, *spatial_out, C)``."""
    if plan.tiled:
        tiles = [side for pair in zip(plan.output, plan.window) for side in pair]
        x = x.reshape(x.shape[0], *tiles, x.shape[-1])
        return [x[(slice(None), *(part for i in tap for part in (slice(None), i)))] for tap in plan.taps]
    if plan.padded:
        x = jnp.pad(x, ((0, 0), *plan.pads, (0, 0)), constant_values=fill)
    return [
        x[
            (
                slice(None),
                *(slice(i, i + (o - 1) * s + 1, s) for i, o, s in zip(tap, plan.output, plan.stride)),
            )
        ]
        for tap in plan.taps
    ]


def _sum(parts: list[jax.Array]) -> jax.Array:
    return functools.reduce(jnp.add, parts)


def _unviews(parts: Sequence[jax.Array], plan: Windows) -> jax.Array:
    """The transpose of ``_views``: every part added back where it came from."""
    batch, channels = parts[0].shape[0], parts[0].shape[-1]
    if plan.tiled:
        for axis in reversed(range(len(plan.window))):
            k = plan.window[axis]
            parts = [jnp.stack(parts[i : i + k], axis=axis + 2) for i in range(0, len(parts), k)]
        return parts[0].reshape(batch, *plan.input, channels)
    zero = jnp.zeros((), parts[0].dtype)
    total = jnp.zeros((batch, *plan.input, channels), parts[0].dtype)
    for tap, part in zip(plan.taps, parts, strict=True):
        widths = [
            (place - low, n + low - place - (o - 1) * s - 1, s - 1)
            for place, n, o, s, (low, _) in zip(tap, plan.input, plan.output, plan.stride, plan.pads)
        ]
        total += lax.pad(part, zero, [(0, 0, 0), *widths, (0, 0, 0)])
    return total


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_pool(x: jax.Array, plan: Windows) -> jax.Array:
    return functools.reduce(jnp.maximum, _views(x, plan, -jnp.inf))


def _max_pool_backward(plan: Windows, kept: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array]:
    x, y = kept
    free = jnp.ones(y.shape, bool)
    parts = []
    for view in _views(x, plan, -jnp.inf):
        wins = free & (view == y)
        free &= ~wins
        parts.append(jnp.where(wins, g, 0))
    return (_unviews(parts, plan),)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _greatest(x: jax.Array, axis: int) -> jax.Array:
    """The maximum along one axis, which is kept; the first of equals takes the gradient."""
    return jnp.max(x, axis=axis, keepdims=True)


def _greatest_backward(axis: int, kept: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array]:
    x, y = kept
    place = lax.broadcasted_iota(jnp.int32, x.shape, axis)
    first = jnp.min(jnp.where(x == y, place, x.shape[axis]), axis=axis, keepdims=True)
    return (jnp.where(place == first, g, 0),)


def _keep(
    function: Callable[..., jax.Array],
) -> Callable[..., tuple[jax.Array, tuple[jax.Array, jax.Array]]]:
    def forward(x: jax.Array, static: Windows | int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        y = function(x, static)
        return y, (x, y)

    return forward


_max_pool.defvjp(_keep(_max_pool), _max_pool_backward)
_greatest.defvjp(_keep(_greatest), _greatest_backward)
