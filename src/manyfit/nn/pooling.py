"""Pooling of images by shifted slices, which stays fast in a population and in a loop.

``lax.reduce_window`` has a gradient (select-and-scatter) that XLA:CPU runs one
element at a time; here it is comparisons over whole arrays, many times faster.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.errors import ConfigError
from manyfit.nn.conv import Padding, _Geometry, _geometry, _pair

Size = int | tuple[int, int]


def max_pool(
    x: jax.Array, window: Size = 2, stride: Size | None = None, padding: Padding = "VALID"
) -> jax.Array:
    """The greatest value of every window: ``(B, H, W, C)`` -> ``(B, Hout, Wout, C)``.

    ``stride`` defaults to the window. Where values tie, the first of the
    window, row by row, takes the whole gradient, as in ``lax.reduce_window``
    and PyTorch. NaN wins and passes no gradient. Raises ``ConfigError`` for a
    window that does not fit.

    >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1)).ravel().tolist()
    [5.0, 7.0, 13.0, 15.0]
    """
    return _max_pool(x, _plan(x, window, stride, padding))


def avg_pool(
    x: jax.Array, window: Size = 2, stride: Size | None = None, padding: Padding = "VALID"
) -> jax.Array:
    """The mean of every window: ``(B, H, W, C)`` -> ``(B, Hout, Wout, C)``.

    ``stride`` defaults to the window. Padding is left out of the mean. Raises
    ``ConfigError`` for a window that does not fit.

    >>> avg_pool(jnp.arange(16.0).reshape(1, 4, 4, 1)).ravel().tolist()
    [2.5, 4.5, 10.5, 12.5]
    """
    geo = _plan(x, window, stride, padding)
    total = _sum(_views(x, geo, 0.0))
    if not any(map(any, geo.pads)):
        return total / math.prod(geo.kernel)
    return total / _sum(_views(jnp.ones((1, *geo.input, 1), x.dtype), geo, 0.0))


def global_avg_pool(x: jax.Array) -> jax.Array:
    """The mean over all pixels: ``(B, H, W, C)`` -> ``(B, C)`` (Lin et al., 2014).

    >>> global_avg_pool(jnp.ones((2, 4, 4, 3))).shape
    (2, 3)
    """
    if x.ndim != 4:
        raise ConfigError(f"pooling takes images (B, H, W, C), got {x.shape}")
    return jnp.mean(x, axis=(1, 2))


def _plan(x: jax.Array, window: Size, stride: Size | None, padding: Padding) -> _Geometry:
    if x.ndim != 4:
        raise ConfigError(f"pooling takes images (B, H, W, C), got {x.shape}")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ConfigError(f"pooling works on floating-point images, got {x.dtype}")
    size = _pair(window, "window")
    geo = _geometry(x.shape, size, size if stride is None else _pair(stride, "stride"), padding)
    if any(side >= k for k, sides in zip(geo.kernel, geo.pads) for side in sides):
        raise ConfigError(
            f"padding={padding!r} is not smaller than the window {size}: some windows are empty"
        )
    return geo


def _tiled(geo: _Geometry) -> bool:
    """Whether the windows tile the image without overlap, padding or remainder."""
    whole = all(o * k == n for o, k, n in zip(geo.output, geo.kernel, geo.input))
    return whole and geo.kernel == geo.stride


def _views(x: jax.Array, geo: _Geometry, fill: float) -> list[jax.Array]:
    """Entry k holds the k-th pixel of every window, row by row: ``(B, Hout, Wout, C)``."""
    (kh, kw), (oh, ow), (sh, sw) = geo.kernel, geo.output, geo.stride
    if _tiled(geo):
        tiles = x.reshape(x.shape[0], oh, kh, ow, kw, x.shape[3])
        return [tiles[:, :, i, :, j] for i in range(kh) for j in range(kw)]
    if any(map(any, geo.pads)):
        x = jnp.pad(x, ((0, 0), *geo.pads, (0, 0)), constant_values=fill)
    return [
        x[:, i : i + (oh - 1) * sh + 1 : sh, j : j + (ow - 1) * sw + 1 : sw]
        for i in range(kh)
        for j in range(kw)
    ]


def _sum(parts: list[jax.Array]) -> jax.Array:
    return functools.reduce(jnp.add, parts)


def _unviews(parts: list[jax.Array], geo: _Geometry) -> jax.Array:
    """The transpose of ``_views``: every part added back where it came from."""
    (kh, kw), (batch, _, _, channels) = geo.kernel, parts[0].shape
    if _tiled(geo):
        rows = [jnp.stack(parts[i * kw : (i + 1) * kw], axis=3) for i in range(kh)]
        return jnp.stack(rows, axis=2).reshape(batch, *geo.input, channels)
    zero = jnp.zeros((), parts[0].dtype)
    total = jnp.zeros((batch, *geo.input, channels), parts[0].dtype)
    for position, part in enumerate(parts):
        widths = [
            (offset - low, n + low - offset - (o - 1) * s - 1, s - 1)
            for offset, n, o, s, (low, _) in zip(
                divmod(position, kw), geo.input, geo.output, geo.stride, geo.pads
            )
        ]
        total += lax.pad(part, zero, [(0, 0, 0), *widths, (0, 0, 0)])
    return total


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_pool(x: jax.Array, geo: _Geometry) -> jax.Array:
    first, *others = _views(x, geo, -jnp.inf)
    for view in others:
        first = jnp.maximum(first, view)
    return first


def _max_pool_forward(x: jax.Array, geo: _Geometry) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    y = _max_pool(x, geo)
    return y, (x, y)


def _max_pool_backward(geo: _Geometry, kept: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array]:
    x, y = kept
    free = jnp.ones(y.shape, bool)
    parts = []
    for view in _views(x, geo, -jnp.inf):
        wins = free & (view == y)
        free &= ~wins
        parts.append(jnp.where(wins, g, 0))
    return (_unviews(parts, geo),)


_max_pool.defvjp(_max_pool_forward, _max_pool_backward)
