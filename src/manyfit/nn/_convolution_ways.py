"""The three products of a convolution, written in every way that is fast somewhere.

As XLA's convolution in the one layout that XLA:CPU runs fast (images NHWC, kernel HWIO, nothing reversed), by
Winograd's algorithm, as shifted slices and matrix products, and for one channel a group. ``_convolution.py`` chooses
among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

Array: TypeAlias = jax.Array
Pair: TypeAlias = tuple[int, int]

_LAYOUT = ("NHWC", "HWIO", "NHWC")


@dataclass(frozen=True)
class Geometry:
    """All that is static of one convolution, as (rows, columns)."""

    input: Pair
    kernel: Pair
    output: Pair
    stride: Pair
    pads: tuple[Pair, Pair]
    dilation: Pair = (1, 1)
    groups: int = 1


# As convolutions, NHWC and HWIO.


def _conv(
    x: Array,
    kernel: Array,
    stride: Pair,
    pads: Any,
    dilate_x: Pair = (1, 1),
    dilate_kernel: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    if dilate_x == (1, 1) and smaller(x.shape[1:3], kernel.shape[:2], dilate_kernel):
        # XLA would make a kernel of such an image, which ends in a slow loop: zeros that are there cost nothing
        whole = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((*ends, 0) for ends in pads), (0, 0, 0)])
        x, pads = lax.optimization_barrier(whole), ((0, 0), (0, 0))
    return lax.conv_general_dilated(
        x,
        kernel,
        stride,
        pads,
        dilate_x,
        dilate_kernel,
        dimension_numbers=_LAYOUT,
        feature_group_count=groups,
    )


def smaller(image: Any, kernel: Any, dilation: Pair) -> bool:
    """Whether an image has fewer rows or columns than a dilated kernel."""
    return any(n < (k - 1) * d + 1 for n, k, d in zip(image, kernel, dilation))


def _conv_output(x: Array, kernel: Array, geo: Geometry) -> Array:
    return _conv(x, kernel, geo.stride, geo.pads, dilate_kernel=geo.dilation, groups=geo.groups)


def _conv_input_gradient(g: Array, kernel: Array, geo: Geometry) -> Array:
    kh, kw, channels, _ = kernel.shape
    flipped = kernel[::-1, ::-1].reshape(kh, kw, channels, geo.groups, -1).transpose(0, 1, 4, 3, 2)
    flipped = flipped.reshape(kh, kw, -1, geo.groups * channels)
    pads = [
        ((k - 1) * d - low, n + low - 1 - (o - 1) * s)
        for n, k, o, s, d, (low, _) in zip(
            geo.input, geo.kernel, geo.output, geo.stride, geo.dilation, geo.pads
        )
    ]
    return _conv(g, flipped, (1, 1), pads, geo.stride, geo.dilation, geo.groups)


def _conv_kernel_gradient(x: Array, g: Array, geo: Geometry) -> Array:
    """Images and rows trade places: the batch is summed over as if it were the channels."""
    pads = [
        (low, (o - 1) * s + (k - 1) * d + 1 - n - low)
        for n, k, o, s, d, (low, _) in zip(
            geo.input, geo.kernel, geo.output, geo.stride, geo.dilation, geo.pads
        )
    ]
    if geo.groups > 1:
        each = lax.map if jax.default_backend() == "cpu" else _vmapped
        alone = replace(geo, groups=1)
        x, g = (jnp.moveaxis(a.reshape(*a.shape[:3], geo.groups, -1), 3, 0) for a in (x, g))
        parts = each(lambda pair: _conv_kernel_gradient(pair[0], pair[1], alone), (x, g))
        return jnp.moveaxis(parts, 0, 3).reshape(*geo.kernel, x.shape[4], -1)
    images, rows = x.transpose(3, 1, 2, 0), g.transpose(1, 2, 0, 3)
    return _conv(images, rows, geo.dilation, pads, dilate_kernel=geo.stride).transpose(1, 2, 0, 3)


def _vmapped(function: Callable[[Any], Array], arguments: Any) -> Array:
    return jax.vmap(function)(arguments)


# By Winograd's minimal filtering F(4, 3) along the columns (Lavin & Gray, 2016, "Fast algorithms for
# convolutional neural networks"): four neighbouring outputs of three taps in six multiplications
# instead of twelve. Its rounding error is about three times that of the direct sum.

_TO_TILES = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_TO_TAPS = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_TO_OUTPUTS = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)


def _winograd_output(x: Array, kernel: Array, geo: Geometry) -> Array:
    tiles = -(-geo.output[1] // 4)
    low, _ = geo.pads[1]
    # as wide as the tiles reach; what was padded for wider windows than these is cut off
    x = lax.pad(
        x,
        jnp.zeros((), x.dtype),
        [(0, 0, 0), (*geo.pads[0], 0), (low, 4 * tiles + 2 - low - geo.input[1], 0), (0, 0, 0)],
    )
    columns = [x[:, :, j : j + 4 * tiles - 3 : 4] for j in range(6)]  # each (B, H, tiles, Cin)
    taps = [kernel[:, j] for j in range(3)]  # each (kh, Cin, Cout)
    products = [
        _conv(_combined(to_tile, columns), _combined(to_tap, taps)[:, None], (1, 1), "VALID")
        for to_tile, to_tap in zip(_TO_TILES, _TO_TAPS)
    ]
    y = jnp.stack([_combined(row, products) for row in _TO_OUTPUTS], axis=3)
    return y.reshape(*y.shape[:2], 4 * tiles, -1)[:, :, : geo.output[1]]


def _winograd_input_gradient(g: Array, kernel: Array, geo: Geometry) -> Array:
    return _winograd_output(g, kernel[::-1, ::-1].transpose(0, 1, 3, 2), transposed(geo))


def _combined(weights: tuple[float, ...], parts: list[Array]) -> Array:
    """The weighted sum of the parts; zeros cost nothing."""
    terms = [part if w == 1 else part * w for w, part in zip(weights, parts) if w != 0]
    return sum(terms[1:], start=terms[0])


def transposed(geo: Geometry) -> Geometry:
    """The convolution, of stride 1, with which a flipped kernel gives the input gradient."""
    rows, columns = (
        ((k - 1) * d - low, n + low - o)
        for n, k, o, d, (low, _) in zip(geo.input, geo.kernel, geo.output, geo.dilation, geo.pads)
    )
    return replace(geo, input=geo.output, output=geo.input, pads=(rows, columns))


# As matrix products, one a group.


def _taps(geo: Geometry) -> list[Pair]:
    """Where the taps of the kernel lie, in pixels from its corner."""
    (kh, kw), (dh, dw) = geo.kernel, geo.dilation
    return [(i * dh, j * dw) for i in range(kh) for j in range(kw)]


def _views(x: Array, geo: Geometry) -> list[Array]:
    """Entry k is what tap k of the kernel sees: ``(B, Hout, Wout, C)``."""
    (oh, ow), (sh, sw) = geo.output, geo.stride
    if any(map(any, geo.pads)):
        x = jnp.pad(x, ((0, 0), *geo.pads, (0, 0)))
    return [x[:, i : i + (oh - 1) * sh + 1 : sh, j : j + (ow - 1) * sw + 1 : sw] for i, j in _taps(geo)]


def _spread(parts: list[Array], geo: Geometry) -> Array:
    """The transpose of ``_views``: every part added back to where it came from."""
    zero, batch, channels = jnp.zeros((), parts[0].dtype), parts[0].shape[0], parts[0].shape[3]
    total = jnp.zeros((batch, *geo.input, channels), parts[0].dtype)
    for tap, part in zip(_taps(geo), parts):
        widths = [
            (place - low, n + low - place - (o - 1) * s - 1, s - 1)
            for place, n, o, s, (low, _) in zip(tap, geo.input, geo.output, geo.stride, geo.pads)
        ]
        total += lax.pad(part, zero, [(0, 0, 0), *widths, (0, 0, 0)])
    return total


def _patches(x: Array, geo: Geometry) -> Array:
    """The receptive fields, ``(B * Hout * Wout, kh * kw * Cin)``."""
    return jnp.concatenate(_views(x, geo), axis=-1).reshape(-1, math.prod(geo.kernel) * x.shape[3])


def _matmul_output(x: Array, kernel: Array, geo: Geometry) -> Array:
    features, patches = kernel.shape[3], _patches(x, geo)
    if geo.groups == 1:
        flat = patches @ kernel.reshape(-1, features)
    else:
        flat = jnp.einsum("nkgc,kcgf->ngf", _by_group(patches, geo), _kernel_by_group(kernel, geo))
    return flat.reshape(x.shape[0], *geo.output, features)


def _matmul_input_gradient(g: Array, kernel: Array, geo: Geometry) -> Array:
    """Each output pixel's gradient, spread back over its receptive field."""
    (kh, kw, channels, features), rows = kernel.shape, g.reshape(-1, g.shape[3])
    if geo.groups == 1:
        flat = rows @ kernel.reshape(-1, features).T
    else:
        grouped = rows.reshape(len(rows), geo.groups, -1)
        flat = jnp.einsum("ngf,kcgf->nkgc", grouped, _kernel_by_group(kernel, geo))
    spread = flat.reshape(g.shape[0], *geo.output, kh * kw, channels * geo.groups)
    return _spread([spread[:, :, :, tap] for tap in range(kh * kw)], geo)


def _matmul_kernel_gradient(x: Array, g: Array, geo: Geometry) -> Array:
    features, patches, rows = g.shape[3], _patches(x, geo), g.reshape(-1, g.shape[3])
    if geo.groups == 1:
        flat = patches.T @ rows
    else:
        grouped = rows.reshape(len(rows), geo.groups, -1)
        flat = jnp.einsum("nkgc,ngf->kcgf", _by_group(patches, geo), grouped)
    return flat.reshape(*geo.kernel, x.shape[3] // geo.groups, features)


def _by_group(patches: Array, geo: Geometry) -> Array:
    """``(rows, taps, groups, channels of a group)``."""
    return patches.reshape(len(patches), math.prod(geo.kernel), geo.groups, -1)


def _kernel_by_group(kernel: Array, geo: Geometry) -> Array:
    """``(taps, channels of a group, groups, features of a group)``."""
    return kernel.reshape(math.prod(geo.kernel), kernel.shape[2], geo.groups, -1)


# One channel a group: nothing to multiply as matrices.


def _depthwise_output(x: Array, kernel: Array, geo: Geometry) -> Array:
    first, *others = [view * tap for view, tap in zip(_views(x, geo), kernel.reshape(-1, kernel.shape[3]))]
    return sum(others, start=first)


def _depthwise_input_gradient(g: Array, kernel: Array, geo: Geometry) -> Array:
    back = transposed(geo)
    if geo.stride == (1, 1) and min(map(min, back.pads)) >= 0:
        return _depthwise_output(g, kernel[::-1, ::-1], back)
    return _spread([g * tap for tap in kernel.reshape(-1, kernel.shape[3])], geo)


def _depthwise_kernel_gradient(x: Array, g: Array, geo: Geometry) -> Array:
    if jax.default_backend() != "cpu":
        taps = jnp.stack([jnp.sum(view * g, axis=(0, 1, 2)) for view in _views(x, geo)])
        return taps.reshape(*geo.kernel, 1, x.shape[3])
    (kh, kw), (dh, dw), (sh, sw), (oh, ow) = geo.kernel, geo.dilation, geo.stride, geo.output
    padded = jnp.pad(x, ((0, 0), *geo.pads, (0, 0)))

    # A row of pixels at a time, summed place by place in the cache: XLA:CPU sums over pixels slowly.
    def image(total: Array, pair: tuple[Array, Array]) -> tuple[Array, None]:
        pixels, slope = pair

        def row(h: Array, total: Array) -> Array:
            seen = lax.dynamic_slice_in_dim(pixels, h * sh, (kh - 1) * dh + 1)
            views = [
                seen[i * dh, j * dw : j * dw + (ow - 1) * sw + 1 : sw] for i in range(kh) for j in range(kw)
            ]
            return total + jnp.stack(views) * slope[h]

        return lax.fori_loop(0, oh, row, total), None

    start = jnp.zeros((kh * kw, ow, x.shape[3]), x.dtype)
    return lax.scan(image, start, (padded, g))[0].sum(axis=1).reshape(*geo.kernel, 1, x.shape[3])


Products: TypeAlias = dict[str, Callable[..., Array]]
CONVOLUTIONS: Products = {
    "output": _conv_output,
    "input_gradient": _conv_input_gradient,
    "kernel_gradient": _conv_kernel_gradient,
}
WINOGRAD: Products = {"output": _winograd_output, "input_gradient": _winograd_input_gradient}
MATMULS: Products = {
    "output": _matmul_output,
    "input_gradient": _matmul_input_gradient,
    "kernel_gradient": _matmul_kernel_gradient,
}
DEPTHWISE: Products = {
    "output": _depthwise_output,
    "input_gradient": _depthwise_input_gradient,
    "kernel_gradient": _depthwise_kernel_gradient,
}
