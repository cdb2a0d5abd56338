"""Two-dimensional convolution that stays fast in a population and in a loop.

XLA:CPU runs a convolution fast in one layout only (images NHWC, kernel HWIO,
one group, nothing reversed), and brings the others into it only outside of
loops; JAX's own gradients and a vmapped convolution (which becomes a grouped
one) are of the others, and many times slower in a training scan. Here the
three products of a convolution - output, input gradient, kernel gradient - are
each written either as a convolution in that layout, one member after the
other, or as shifted slices and one matrix product. They are each other's
derivatives, so that every order of reverse-mode gradient stays fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from manyfit.errors import ConfigError

Padding: TypeAlias = str | int | tuple[tuple[int, int], tuple[int, int]]
"""``"SAME"``, ``"VALID"``, pixels on every side, or ``((top, bottom), (left, right))``."""

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_HE = nnx.initializers.he_normal()
_ZEROS = nnx.initializers.zeros_init()


def conv2d(
    x: jax.Array, kernel: jax.Array, stride: int | tuple[int, int] = 1, padding: Padding = "SAME"
) -> jax.Array:
    """Cross-correlation of images with a kernel, what the field calls a convolution.

    ``x`` is ``(B, H, W, Cin)``, ``kernel`` ``(kh, kw, Cin, Cout)``; the result is
    ``(B, Hout, Wout, Cout)`` with Hout = floor((H + padding - kh) / stride) + 1,
    equal to ``jax.lax.conv_general_dilated``. Reverse-mode gradients of any
    order; no forward mode. Raises ``ConfigError`` for shapes that do not fit.

    >>> conv2d(jnp.ones((2, 5, 5, 3)), jnp.ones((3, 3, 3, 8)), stride=2).shape
    (2, 3, 3, 8)
    """
    if x.ndim != 4 or kernel.ndim != 4:
        raise ConfigError(
            f"conv2d takes images (B, H, W, C) and a kernel (kh, kw, Cin, Cout), got {x.shape} and {kernel.shape}"
        )
    if x.shape[3] != kernel.shape[2]:
        raise ConfigError(
            f"conv2d: the images have {x.shape[3]} channels and the kernel is for {kernel.shape[2]}"
        )
    x, kernel = _promote(x, kernel)
    geometry = _geometry(x.shape, kernel.shape, _pair(stride, "stride"), padding)
    return _output(x, kernel, geometry)


class Conv2d(nnx.Module):
    """A convolution with a bias: ``(B, H, W, in_features)`` -> ``(B, Hout, Wout, out_features)``.

    Parameters: ``kernel`` ``(kh, kw, in_features, out_features)``, drawn from
    a truncated normal of variance 2 / fan_in (He et al., 2015, equation 10), and ``bias`` ``(out_features,)``,
    zeros. Raises ``ConfigError`` for sizes below 1.

    >>> layer = Conv2d(3, 8, rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((2, 5, 5, 3))).shape
    (2, 5, 5, 8)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int | tuple[int, int] = 3,
        *,
        stride: int | tuple[int, int] = 1,
        padding: Padding = "SAME",
        use_bias: bool = True,
        kernel_init: Callable[..., jax.Array] = _HE,
        bias_init: Callable[..., jax.Array] = _ZEROS,
        rngs: nnx.Rngs,
    ) -> None:
        if in_features < 1 or out_features < 1:
            raise ConfigError(f"Conv2d({in_features}, {out_features}): give at least one channel in and out")
        self.kernel_size = _pair(kernel_size, "kernel_size")
        self.stride = _pair(stride, "stride")
        self.padding = padding
        shape = (*self.kernel_size, in_features, out_features)
        self.kernel = nnx.Param(kernel_init(rngs.params(), shape, jnp.float32))
        self.bias = nnx.Param(bias_init(rngs.params(), (out_features,), jnp.float32)) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.kernel[...].astype(x.dtype)
        y = conv2d(x, kernel, self.stride, self.padding)
        return y if self.bias is None else y + self.bias[...].astype(y.dtype)


@dataclass(frozen=True)
class _Geometry:
    """All that is static of one convolution."""

    input: tuple[int, int]
    kernel: tuple[int, int]
    output: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[tuple[int, int], tuple[int, int]]


def _promote(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
    dtype = jnp.promote_types(x.dtype, kernel.dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ConfigError(
            f"conv2d works on floating-point images, got {x.dtype} and a kernel of {kernel.dtype}"
        )
    return x.astype(dtype), kernel.astype(dtype)


def _pair(value: int | tuple[int, int], name: str) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or min(pair) < 1:
        raise ConfigError(f"{name}={value!r}: give a whole number above 0, or two of them (rows, columns)")
    return int(pair[0]), int(pair[1])


def _geometry(
    image: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, int], padding: Padding
) -> _Geometry:
    size, window = (image[1], image[2]), (kernel[0], kernel[1])
    if isinstance(padding, int) and not isinstance(padding, bool) and padding >= 0:
        pads = [(padding, padding)] * 2
    elif isinstance(padding, str) and padding.upper() in ("SAME", "VALID"):
        pads = list(lax.padtype_to_pads(size, window, stride, padding.upper()))
    elif isinstance(padding, (tuple, list)) and [len(side) for side in padding] == [2, 2]:
        pads = [(int(low), int(high)) for low, high in padding]
    else:
        raise ConfigError(
            f"padding={padding!r}: give 'SAME', 'VALID', a number of pixels or ((top, bottom), (left, right))"
        )
    output = [(n + low + high - k) // s + 1 for n, (low, high), k, s in zip(size, pads, window, stride)]
    if min(output) < 1:
        raise ConfigError(f"a {window} kernel does not fit into images of {size} with padding {padding!r}")
    (top, bottom), (left, right) = pads
    return _Geometry(
        size, window, (output[0], output[1]), stride, ((int(top), int(bottom)), (int(left), int(right)))
    )


# The three products. Each is linear in both arguments, and the gradients of
# each are the other two.


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _output(x: jax.Array, kernel: jax.Array, geometry: _Geometry) -> jax.Array:
    return _run("output", x, kernel, geometry)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _input_gradient(g: jax.Array, kernel: jax.Array, geometry: _Geometry) -> jax.Array:
    return _run("input_gradient", g, kernel, geometry)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _kernel_gradient(x: jax.Array, g: jax.Array, geometry: _Geometry) -> jax.Array:
    return _run("kernel_gradient", x, g, geometry)


def _keep(product: Callable[..., jax.Array]) -> Callable[..., Any]:
    return lambda a, b, geometry: (product(a, b, geometry), (a, b))


_output.defvjp(
    _keep(_output),
    lambda geo, kept, g: (_input_gradient(g, kept[1], geo), _kernel_gradient(kept[0], g, geo)),
)
_input_gradient.defvjp(
    _keep(_input_gradient),
    lambda geo, kept, h: (_output(h, kept[1], geo), _kernel_gradient(h, kept[0], geo)),
)
_kernel_gradient.defvjp(
    _keep(_kernel_gradient),
    lambda geo, kept, v: (_input_gradient(kept[1], v, geo), _output(kept[0], v, geo)),
)


def _run(product: str, a: jax.Array, b: jax.Array, geometry: _Geometry) -> jax.Array:
    """Pick how to compute a product: by backend, dtype and shape, never by the population.

    On CPU a matrix product of slices wins where a pixel has few channels (an
    image) and for 1x1 kernels; a convolution in the fast layout wins elsewhere,
    and exists in float32 only. On an accelerator JAX's own convolution is right.
    """
    channels = b.shape[2] if product != "kernel_gradient" else a.shape[3]
    if jax.default_backend() != "cpu":
        return _CONVOLUTIONS[product](a, b, geometry)
    if a.dtype != jnp.float32 or channels <= 4 or geometry.kernel == (1, 1):
        return _MATMULS[product](a, b, geometry)
    return _one_by_one(_CONVOLUTIONS[product], geometry)(a, b)


def _one_by_one(product: Callable[..., jax.Array], geometry: _Geometry) -> Callable[..., jax.Array]:
    """The product, mapped over members in sequence when vmapped, never as a grouped convolution."""
    return jax.custom_batching.sequential_vmap(lambda a, b: product(a, b, geometry))


# As convolutions, NHWC and HWIO.


def _conv(
    x: jax.Array,
    kernel: jax.Array,
    stride: tuple[int, int],
    pads: Any,
    dilate_x: tuple[int, int] = (1, 1),
    dilate_kernel: tuple[int, int] = (1, 1),
) -> jax.Array:
    return lax.conv_general_dilated(
        x, kernel, stride, pads, dilate_x, dilate_kernel, dimension_numbers=_LAYOUT
    )


def _conv_output(x: jax.Array, kernel: jax.Array, geo: _Geometry) -> jax.Array:
    return _conv(x, kernel, geo.stride, geo.pads)


def _conv_input_gradient(g: jax.Array, kernel: jax.Array, geo: _Geometry) -> jax.Array:
    flipped = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    pads = [
        (k - 1 - low, n + low - 1 - (o - 1) * s)
        for n, k, o, s, (low, _) in zip(geo.input, geo.kernel, geo.output, geo.stride, geo.pads)
    ]
    return _conv(g, flipped, (1, 1), pads, dilate_x=geo.stride)


def _conv_kernel_gradient(x: jax.Array, g: jax.Array, geo: _Geometry) -> jax.Array:
    """Images and rows trade places: the batch is summed over as if it were the channels."""
    pads = [
        (low, (o - 1) * s + k - n - low)
        for n, k, o, s, (low, _) in zip(geo.input, geo.kernel, geo.output, geo.stride, geo.pads)
    ]
    out = _conv(x.transpose(3, 1, 2, 0), g.transpose(1, 2, 0, 3), (1, 1), pads, dilate_kernel=geo.stride)
    return out.transpose(1, 2, 0, 3)


# As matrix products.


def _patches(x: jax.Array, geo: _Geometry) -> jax.Array:
    """The receptive fields, ``(B * Hout * Wout, kh * kw * Cin)``."""
    batch, _, _, channels = x.shape
    (kh, kw), (oh, ow), (sh, sw) = geo.kernel, geo.output, geo.stride
    x = jnp.pad(x, ((0, 0), *geo.pads, (0, 0)))
    shifted = [
        x[:, i : i + (oh - 1) * sh + 1 : sh, j : j + (ow - 1) * sw + 1 : sw]
        for i in range(kh)
        for j in range(kw)
    ]
    return jnp.concatenate(shifted, axis=-1).reshape(batch * oh * ow, kh * kw * channels)


def _matmul_output(x: jax.Array, kernel: jax.Array, geo: _Geometry) -> jax.Array:
    features = kernel.shape[3]
    flat = _patches(x, geo) @ kernel.reshape(-1, features)
    return flat.reshape(x.shape[0], *geo.output, features)


def _matmul_input_gradient(g: jax.Array, kernel: jax.Array, geo: _Geometry) -> jax.Array:
    """Each output pixel's gradient, spread back over its receptive field."""
    (kh, kw, channels, features), batch = kernel.shape, g.shape[0]
    spread = (g.reshape(-1, features) @ kernel.reshape(-1, features).T).reshape(
        batch, *geo.output, kh * kw, channels
    )
    total = jnp.zeros((batch, *geo.input, channels), g.dtype)
    for i in range(kh):
        for j in range(kw):
            widths = [
                (offset - low, n + low - offset - (o - 1) * s - 1, s - 1)
                for offset, n, o, s, (low, _) in zip((i, j), geo.input, geo.output, geo.stride, geo.pads)
            ]
            part = spread[:, :, :, i * kw + j]
            total += lax.pad(part, jnp.zeros((), g.dtype), [(0, 0, 0), *widths, (0, 0, 0)])
    return total


def _matmul_kernel_gradient(x: jax.Array, g: jax.Array, geo: _Geometry) -> jax.Array:
    features = g.shape[3]
    return (_patches(x, geo).T @ g.reshape(-1, features)).reshape(*geo.kernel, x.shape[3], features)


_CONVOLUTIONS: dict[str, Callable[..., jax.Array]] = {
    "output": _conv_output,
    "input_gradient": _conv_input_gradient,
    "kernel_gradient": _conv_kernel_gradient,
}
_MATMULS: dict[str, Callable[..., jax.Array]] = {
    "output": _matmul_output,
    "input_gradient": _matmul_input_gradient,
    "kernel_gradient": _matmul_kernel_gradient,
}
