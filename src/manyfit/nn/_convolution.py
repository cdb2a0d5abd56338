"""The three products of a two-dimensional convolution, each fast in a population and in a loop.

XLA:CPU runs a convolution fast in one layout only (images NHWC, kernel HWIO, one group, nothing
reversed), and brings the others into it only outside of loops; JAX's own gradients and a vmapped
convolution (which becomes a grouped one) are of the others, and many times slower in a training scan.
Here output, input gradient and kernel gradient are each written as a convolution in that layout, one
member after the other, by Winograd's algorithm, or as shifted slices and matrix products. They are each other's
derivatives, so that every order of reverse-mode gradient stays fast. ``_convolution_ways.py`` has the ways.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from manyfit.nn._convolution_ways import (
    CONVOLUTIONS,
    DEPTHWISE,
    MATMULS,
    WINOGRAD,
    Array,
    Geometry,
    Pair,
    smaller,
    transposed,
)

# Each product is linear in both arguments, and the gradients of each are the other two.


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def output(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """``(B, Hout, Wout, Cout)`` of images ``(B, H, W, Cin)`` and a kernel ``(kh, kw, Cin / groups, Cout)``."""
    return run("output", x, kernel, geometry)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def input_gradient(g: Array, kernel: Array, geometry: Geometry) -> Array:
    """``(B, H, W, Cin)`` of an output gradient ``(B, Hout, Wout, Cout)`` and the kernel."""
    return run("input_gradient", g, kernel, geometry)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def kernel_gradient(x: Array, g: Array, geometry: Geometry) -> Array:
    """``(kh, kw, Cin / groups, Cout)`` of the images and the output gradient."""
    return run("kernel_gradient", x, g, geometry)


def _keep(product: Callable[..., Array]) -> Callable[..., Any]:
    return lambda a, b, geometry: (product(a, b, geometry), (a, b))


output.defvjp(
    _keep(output),
    lambda geo, kept, g: (input_gradient(g, kept[1], geo), kernel_gradient(kept[0], g, geo)),
)
input_gradient.defvjp(
    _keep(input_gradient),
    lambda geo, kept, h: (output(h, kept[1], geo), kernel_gradient(h, kept[0], geo)),
)
kernel_gradient.defvjp(
    _keep(kernel_gradient),
    lambda geo, kept, v: (input_gradient(kept[1], v, geo), output(kept[0], v, geo)),
)


def run(product: str, a: Array, b: Array, geo: Geometry) -> Array:
    """Compute a product in the way that was measured to be fast, chosen by backend, dtype and shape alone."""
    channels, features = _widths(product, a, b, geo)
    if geo.groups > 1 and geo.groups == channels == features:
        return DEPTHWISE[product](a, b, geo)
    if jax.default_backend() != "cpu":
        return CONVOLUTIONS[product](a, b, geo)
    if _by_matrix_product(product, a.dtype, channels, features, geo):
        return MATMULS[product](a, b, geo)
    table = WINOGRAD if _by_winograd(product, channels, features, geo) else CONVOLUTIONS
    return _one_by_one(table[product], geo)(a, b)


def _widths(product: str, a: Array, b: Array, geo: Geometry) -> Pair:
    """Channels of the images, and of the output."""
    if product == "kernel_gradient":
        return a.shape[3], b.shape[3]
    return b.shape[2] * geo.groups, b.shape[3]


def _by_matrix_product(product: str, dtype: Any, channels: int, features: int, geo: Geometry) -> bool:
    """Whether slices and a matrix product beat XLA:CPU's convolution (``benchmarks/convolution.py``).

    That convolution exists in float32 only and without dilation. It takes twice its time for fewer
    than 16 outputs, and fills what a stride leaves out with zeros that are then multiplied. Of an image smaller
    than the kernel XLA makes the kernel, which ends in a slow loop.
    """
    if (
        smaller(geo.input, geo.kernel, geo.dilation)
        or dtype != jnp.float32
        or geo.dilation != (1, 1)
        or geo.kernel == (1, 1)
    ):
        return True
    if geo.groups > 1:
        return False
    if product == "output":
        return channels <= 4 and features <= 16
    if product == "input_gradient":
        strided, small = geo.stride != (1, 1), math.prod(geo.input) <= 16
        return strided or small or channels <= 8
    return channels == 1 and features >= 16


def _by_winograd(product: str, channels: int, features: int, geo: Geometry) -> bool:
    """Whether halving the multiplications pays for the additions (``benchmarks/convolution.py``)."""
    plain = geo.groups == 1 and geo.stride == (1, 1) and geo.kernel[1] == 3
    if product not in WINOGRAD or not plain or min(channels, features) < 64:
        return False
    backwards = product == "input_gradient"
    wide = (geo.input if backwards else geo.output)[1] >= 7
    return wide and not (backwards and min(map(min, transposed(geo).pads)) < 0)


def _one_by_one(product: Callable[..., Array], geo: Geometry) -> Callable[..., Array]:
    """The product, mapped over members in sequence when vmapped, never as a grouped convolution."""
    return jax.custom_batching.sequential_vmap(lambda a, b: product(a, b, geo))
