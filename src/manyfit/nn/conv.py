"""Convolutions in one, two and three dimensions, strided, dilated, grouped, depthwise and transposed.

All of them are built from one two-dimensional primitive (``_convolution.py``) that stays fast in a
population and in a loop: a sequence is an image of one row, a volume's depth is folded into the
channels, and a transposed convolution is the gradient of a convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.nn import _convolution
from manyfit.nn._convolution import Geometry as _Geometry
from manyfit.nn._reductions import add_bias
from manyfit.nn._windows import Padding, Size, pads_of, sizes, windows

_HE = nnx.initializers.he_normal()
_ZEROS = nnx.initializers.zeros_init()


def convolution(
    x: jax.Array,
    kernel: jax.Array,
    stride: Size = 1,
    padding: Padding = "SAME",
    dilation: Size = 1,
    groups: int = 1,
) -> jax.Array:
    """Cross-correlation with a kernel, what the field calls a convolution.

    ``x`` is ``(B, *spatial, Cin)`` with one to three spatial dimensions, ``kernel``
    ``(*window, Cin / groups, Cout)``; the result is ``(B, *spatial_out, Cout)`` with
    out = floor((n + padding - dilation (k - 1) - 1) / stride) + 1, equal to
    ``jax.lax.conv_general_dilated``. Output channels ``[i Cout / groups, (i + 1) Cout / groups)`` see
    the i-th group of input channels. Reverse-mode gradients of any order; no forward mode.
    Raises ``ConfigError`` for shapes that do not fit.

    >>> convolution(jnp.ones((2, 5, 5, 3)), jnp.ones((3, 3, 3, 8)), stride=2).shape
    (2, 3, 3, 8)
    """
    dims = _check_shapes(x, kernel, groups)
    x, kernel = _promote(x, kernel)
    strides, dilations = sizes(stride, dims, "stride"), sizes(dilation, dims, "dilation")
    if dims == 1:  # an image of one row
        pads = pads_of(x.shape[1:2], kernel.shape[:1], strides, dilations, padding)
        y = convolution(x[:, None], kernel[None], (1, *strides), ((0, 0), *pads), (1, *dilations), groups)
        return y[:, 0]
    if dims == 3:
        pads = pads_of(x.shape[1:4], kernel.shape[:3], strides, dilations, padding)
        return _conv3d(x, kernel, strides, pads, dilations, groups)
    if groups > 1 and kernel.shape[2] == 1:  # depthwise: one output a channel, each channel as often as asked
        x, groups = jnp.repeat(x, kernel.shape[3] // groups, axis=3), kernel.shape[3]
    geometry = _geometry(x.shape, kernel.shape, strides, padding, dilations, groups)
    return _convolution.output(x, kernel, geometry)


def transposed_convolution(
    x: jax.Array,
    kernel: jax.Array,
    stride: Size = 1,
    padding: Padding = "SAME",
    dilation: Size = 1,
    groups: int = 1,
    output_padding: Size = 0,
) -> jax.Array:
    """The transpose of ``convolution``: the gradient of its input, with ``x`` in the place of its output's.

    ``x`` is ``(B, *spatial, Cin)``, ``kernel`` ``(*window, Cout / groups, Cin)``, that of the
    convolution which it transposes. Out = stride n with ``"SAME"``, else
    stride (n - 1) + dilation (k - 1) + 1 - padding + ``output_padding``, as in PyTorch (Dumoulin & Visin,
    2016, "A guide to convolution arithmetic"). Raises ``ConfigError`` for shapes that do not fit.

    >>> transposed_convolution(jnp.ones((2, 5, 5, 8)), jnp.ones((3, 3, 3, 8)), stride=2).shape
    (2, 10, 10, 3)
    """
    dims = x.ndim - 2
    if not 1 <= dims <= 3 or kernel.ndim != x.ndim:
        raise ConfigError(_SHAPES.format("transposed_convolution", x.shape, kernel.shape))
    if x.shape[-1] != kernel.shape[-1]:
        raise ConfigError(
            f"transposed_convolution: the input has {x.shape[-1]} channels and the kernel is for {kernel.shape[-1]}"
        )
    x, kernel = _promote(x, kernel)
    strides, dilations = sizes(stride, dims, "stride"), sizes(dilation, dims, "dilation")
    extra = sizes(output_padding, dims, "output_padding", least=0)
    extents = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilations)]
    if isinstance(padding, str) and padding.upper() == "SAME":
        size = [n * s + e for n, s, e in zip(x.shape[1:-1], strides, extra)]
        if any(extra):
            raise ConfigError(
                "output_padding has no meaning with padding='SAME': the output is stride x input"
            )
        pads = pads_of(size, kernel.shape[:dims], strides, dilations, "SAME")
    else:
        # how far the pads reach does not depend on the size, unless it is 'SAME'
        pads = pads_of([10**6] * dims, kernel.shape[:dims], strides, dilations, padding)
        size = [
            (n - 1) * s + w - low - high + e
            for n, s, w, (low, high), e in zip(x.shape[1:-1], strides, extents, pads, extra)
        ]
    if min(size) < 1:
        raise ConfigError(f"transposed_convolution: nothing is left of {x.shape} with padding {padding!r}")
    outcome = jax.ShapeDtypeStruct((x.shape[0], *size, kernel.shape[-2] * groups), x.dtype)
    zeros = jnp.zeros(outcome.shape, outcome.dtype)
    y, pull = jax.vjp(lambda z: convolution(z, kernel, strides, pads, dilations, groups), zeros)
    if y.shape != x.shape:
        raise ConfigError(f"output_padding={output_padding!r}: give less than the stride {strides}")
    return pull(x)[0]


class _Conv(nnx.Module):
    """A convolution with a bias; the subclasses say over how many dimensions."""

    dims = 2

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Size = 3,
        *,
        stride: Size = 1,
        padding: Padding = "SAME",
        dilation: Size = 1,
        groups: int = 1,
        use_bias: bool = True,
        kernel_init: Callable[..., jax.Array] = _HE,
        bias_init: Callable[..., jax.Array] = _ZEROS,
        rngs: nnx.Rngs,
    ) -> None:
        name = type(self).__name__
        if in_features < 1 or out_features < 1:
            raise ConfigError(f"{name}({in_features}, {out_features}): give at least one channel in and out")
        if groups < 1 or in_features % groups or out_features % groups:
            raise ConfigError(
                f"{name}({in_features}, {out_features}, groups={groups}): give a number that divides both"
            )
        self.kernel_size = sizes(kernel_size, self.dims, "kernel_size")
        self.stride = sizes(stride, self.dims, "stride")
        self.dilation = sizes(dilation, self.dims, "dilation")
        self.padding = padding
        self.groups = groups
        shape = (*self.kernel_size, *self._channels(in_features, out_features))
        self.kernel = nnx.Param(kernel_init(rngs.params(), shape, jnp.float32))
        self.bias = nnx.Param(bias_init(rngs.params(), (out_features,), jnp.float32)) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        """``(B, *spatial, in_features)`` -> ``(B, *spatial_out, out_features)``, of the input's dtype."""
        if x.ndim != self.dims + 2:
            raise ConfigError(
                f"{type(self).__name__} takes inputs of {self.dims + 2} dimensions (batch, space, channels), "
                f"got {x.shape}"
            )
        y = self._apply(x, self.kernel[...].astype(x.dtype))
        return y if self.bias is None else add_bias(y, self.bias[...].astype(y.dtype))

    def _channels(self, in_features: int, out_features: int) -> tuple[int, int]:
        return in_features // self.groups, out_features

    def _apply(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        return convolution(x, kernel, self.stride, self.padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """Convolution of sequences: ``(B, L, in_features)`` -> ``(B, Lout, out_features)``; see ``Conv2d``.

    ``padding="CAUSAL"`` pads on the left alone, so that no output sees what comes after it.

    >>> Conv1d(3, 8, dilation=2, padding="CAUSAL", rngs=nnx.Rngs(0))(jnp.ones((2, 9, 3))).shape
    (2, 9, 8)
    """

    dims = 1


class Conv2d(_Conv):
    """Convolution of images: ``(B, H, W, in_features)`` -> ``(B, Hout, Wout, out_features)``.

    Parameters: ``kernel`` ``(kh, kw, in_features / groups, out_features)``, drawn from a truncated
    normal of variance 2 / fan_in (He et al., 2015, equation 10), and ``bias`` ``(out_features,)``, zeros.
    ``groups=in_features`` is a depthwise convolution. Raises ``ConfigError`` for sizes that do not fit.

    >>> layer = Conv2d(3, 8, rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((2, 5, 5, 3))).shape
    (2, 5, 5, 8)
    """

    dims = 2


class Conv3d(_Conv):
    """Convolution of volumes: ``(B, D, H, W, in_features)`` -> ``(B, …, out_features)``; see ``Conv2d``.

    >>> Conv3d(1, 4, stride=2, rngs=nnx.Rngs(0))(jnp.ones((2, 6, 6, 6, 1))).shape
    (2, 3, 3, 3, 4)
    """

    dims = 3


class _ConvTranspose(_Conv):
    def __init__(self, *features: Any, output_padding: Size = 0, **options: Any) -> None:
        super().__init__(*features, **options)
        self.output_padding = sizes(output_padding, self.dims, "output_padding", least=0)

    def _channels(self, in_features: int, out_features: int) -> tuple[int, int]:
        return out_features // self.groups, in_features

    def _apply(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        return transposed_convolution(
            x, kernel, self.stride, self.padding, self.dilation, self.groups, self.output_padding
        )


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution of sequences; see ``ConvTranspose2d``.

    >>> ConvTranspose1d(3, 8, stride=2, rngs=nnx.Rngs(0))(jnp.ones((2, 9, 3))).shape
    (2, 18, 8)
    """

    dims = 1


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution, which makes images larger: ``(B, H, W, in)`` -> ``(B, stride H, stride W, out)``.

    The options of ``Conv2d``, and ``output_padding``; the arithmetic of ``transposed_convolution``. ``kernel`` is
    ``(kh, kw, out_features / groups, in_features)``.

    >>> ConvTranspose2d(8, 3, 4, stride=2, rngs=nnx.Rngs(0))(jnp.ones((2, 7, 7, 8))).shape
    (2, 14, 14, 3)
    """

    dims = 2


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution of volumes; see ``ConvTranspose2d``.

    >>> ConvTranspose3d(2, 1, stride=2, rngs=nnx.Rngs(0))(jnp.ones((1, 3, 3, 3, 2))).shape
    (1, 6, 6, 6, 1)
    """

    dims = 3


def _conv3d(
    x: jax.Array,
    kernel: jax.Array,
    stride: tuple[int, ...],
    pads: Sequence[tuple[int, int]],
    dilation: tuple[int, ...],
    groups: int,
) -> jax.Array:
    """Every output slice sees its input slices as channels of one image."""
    depth, height, width, channels, features = kernel.shape
    padded = jnp.pad(x, ((0, 0), pads[0], (0, 0), (0, 0), (0, 0)))
    out = (padded.shape[1] - (depth - 1) * dilation[0] - 1) // stride[0] + 1
    if out < 1:
        raise ConfigError(f"a kernel {kernel.shape[:3]} does not fit into volumes of {x.shape[1:4]}")
    slices = [
        padded[:, i * dilation[0] : i * dilation[0] + (out - 1) * stride[0] + 1 : stride[0]]
        for i in range(depth)
    ]  # each (B, out, H, W, C)
    parts = [s.reshape(x.shape[0] * out, *x.shape[2:4], groups, channels) for s in slices]
    images = jnp.stack(parts, axis=4).reshape(x.shape[0] * out, *x.shape[2:4], groups * depth * channels)
    flat = kernel.transpose(1, 2, 0, 3, 4).reshape(height, width, depth * channels, features)
    y = convolution(images, flat, stride[1:], pads[1:], dilation[1:], groups)
    return y.reshape(x.shape[0], out, *y.shape[1:])


_SHAPES = "{} takes (B, *spatial, channels) and a kernel (*window, channels, features), got {} and {}"


def _check_shapes(x: jax.Array, kernel: jax.Array, groups: int) -> int:
    """The number of spatial dimensions, if the shapes fit together."""
    if not 3 <= x.ndim <= 5 or kernel.ndim != x.ndim:
        raise ConfigError(_SHAPES.format("convolution", x.shape, kernel.shape))
    if groups < 1 or kernel.shape[-1] % groups:
        raise ConfigError(f"convolution: groups={groups} does not divide the {kernel.shape[-1]} outputs")
    if x.shape[-1] != kernel.shape[-2] * groups:
        raise ConfigError(
            f"convolution: the input has {x.shape[-1]} channels and the kernel is for {kernel.shape[-2] * groups}"
        )
    return x.ndim - 2


def _promote(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
    dtype = jnp.promote_types(x.dtype, kernel.dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ConfigError(
            f"convolution works on floating-point inputs, got {x.dtype} and a kernel of {kernel.dtype}"
        )
    return x.astype(dtype), kernel.astype(dtype)


def _geometry(
    image: Sequence[int],
    kernel: Sequence[int],
    stride: tuple[int, ...],
    padding: Padding,
    dilation: tuple[int, ...] = (1, 1),
    groups: int = 1,
) -> _Geometry:
    found = windows(image[1:3], kernel[:2], stride, padding, dilation, "kernel")
    spots = (found.input, found.window, found.output, found.stride, found.dilation)
    size, window, output, step, spread = ((rows, columns) for rows, columns in spots)
    return _Geometry(size, window, output, step, (found.pads[0], found.pads[1]), spread, groups)


def _pair(value: Size, name: str) -> tuple[int, int]:
    rows, columns = sizes(value, 2, name)
    return rows, columns
