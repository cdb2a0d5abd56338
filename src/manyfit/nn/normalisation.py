"""Batch, layer, group, instance and root-mean-square normalisation.

All compute in float32 at least, give the input's dtype, take their variance about the mean (no
difference of squares, which a large mean would drown) and accept a traced ``epsilon``.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from manyfit.errors import ConfigError
from manyfit.nn._moments import gradient_sums, moments
from manyfit.nn.dropout import HyperParam

Number: TypeAlias = float | jax.Array | HyperParam

_ONES = nnx.initializers.ones_init()
_ZEROS = nnx.initializers.zeros_init()


class BatchNorm(nnx.Module):
    """Each channel with mean 0 and variance 1 over the batch and all places, then ``scale`` and ``bias``.

    ``(B, …, C)`` -> the same shape and dtype. In training mode the batch's own statistics are used, and
    running ones (``mean``, ``var``: ``nnx.BatchStat``, float32) move towards them by ``1 - momentum``;
    after ``model.eval()`` the running ones are used. ``momentum`` 0.9 is PyTorch's 0.1. The running
    variance is the biased one, as in Flax, Keras and the paper; PyTorch multiplies it by n / (n - 1).
    No gradient flows to the running statistics.

    ``momentum`` and ``epsilon`` may be traced scalars, one a member; they are kept as ``HyperParam``.
    Python numbers are constants of the program.

    A call may bring ``weight`` ``(B,)``: rows of weight 0 (those that fill up a last batch) are normalised
    and leave no trace in the statistics; if all are 0, the running statistics stay.

    Raises ``ConfigError`` for another number of channels. Second derivatives are exact, and slower.

    Source: Ioffe & Szegedy (2015), "Batch normalization", algorithm 1.

    >>> layer = BatchNorm(3, rngs=nnx.Rngs(0))
    >>> layer(jnp.arange(24.0).reshape(8, 3)).mean(0).round(3).tolist()
    [0.0, 0.0, 0.0]
    """

    def __init__(
        self,
        num_features: int,
        *,
        momentum: Number = 0.9,
        epsilon: Number = 1e-5,
        use_running_average: bool | None = False,
        use_scale: bool = True,
        use_bias: bool = True,
        scale_init: nnx.initializers.Initializer = _ONES,
        bias_init: nnx.initializers.Initializer = _ZEROS,
        rngs: nnx.Rngs,
    ) -> None:
        if num_features < 1:
            raise ConfigError(f"BatchNorm({num_features}): give the number of channels, at least 1")
        self.num_features = num_features
        self.momentum = _number(momentum)
        self.epsilon = _number(epsilon)
        self.use_running_average = use_running_average
        shape = (num_features,)
        self.mean = nnx.BatchStat(jnp.zeros(shape, jnp.float32))
        self.var = nnx.BatchStat(jnp.ones(shape, jnp.float32))
        self.scale = nnx.Param(scale_init(rngs.params(), shape, jnp.float32)) if use_scale else None
        self.bias = nnx.Param(bias_init(rngs.params(), shape, jnp.float32)) if use_bias else None

    def __call__(
        self, x: jax.Array, use_running_average: bool | None = None, *, weight: jax.Array | None = None
    ) -> jax.Array:
        """The normalised batch; in training mode the running statistics move."""
        if x.ndim < 2 or x.shape[-1] != self.num_features:
            raise ConfigError(
                f"BatchNorm({self.num_features}) takes (B, …, {self.num_features}), got {x.shape}"
            )
        wide = jnp.promote_types(x.dtype, jnp.float32)
        scale = jnp.ones(self.num_features, wide) if self.scale is None else self.scale[...].astype(wide)
        bias = jnp.zeros(self.num_features, wide) if self.bias is None else self.bias[...].astype(wide)
        epsilon = jnp.asarray(_value(self.epsilon), wide)
        running = self.use_running_average if use_running_average is None else use_running_average
        if running:
            return _affine(x, self.mean[...].astype(wide), lax.rsqrt(self.var[...] + epsilon) * scale, bias)
        rows = x.reshape(-1, x.shape[-1])
        if weight is not None:
            if weight.shape != x.shape[:1]:
                raise ConfigError(
                    f"BatchNorm: weight is {weight.shape}, give one number a row, {x.shape[:1]}"
                )
            weight = lax.stop_gradient(jnp.repeat(weight, rows.shape[0] // x.shape[0]))
        y, mean, var, count = _batch_norm(rows, weight, scale, bias, epsilon)
        self._remember(lax.stop_gradient(mean), lax.stop_gradient(var), lax.stop_gradient(count))
        return y.reshape(x.shape)

    def set_view(self, use_running_average: bool | None = None) -> None:
        """What ``nnx.view`` may change."""
        if use_running_average is not None:
            self.use_running_average = use_running_average

    def _remember(self, mean: jax.Array, var: jax.Array, count: jax.Array) -> None:
        share = jnp.where(count > 0, 1.0 - jnp.asarray(_value(self.momentum), jnp.float32), 0.0)
        for kept, now in ((self.mean, mean), (self.var, var)):
            kept[...] += (share * (now - kept[...])).astype(kept[...].dtype)


class LayerNorm(nnx.LayerNorm):
    """Each row with mean 0 and variance 1 over its features, then ``scale`` and ``bias``.

    Flax's ``nnx.LayerNorm`` with what this file's head says, and its options. ``epsilon`` is 1e-5, as in
    PyTorch. Source: Ba, Kiros, Hinton (2016), "Layer normalization".

    >>> LayerNorm(4, rngs=nnx.Rngs(0))(jnp.arange(8.0).reshape(2, 4)).mean(1).round(3).tolist()
    [0.0, 0.0]
    """

    def __init__(
        self, num_features: int, *, epsilon: Number = 1e-5, use_fast_variance: bool = False, **options: Any
    ) -> None:
        super().__init__(num_features, use_fast_variance=use_fast_variance, **options)
        self.epsilon = _number(epsilon)

    def __call__(self, x: jax.Array, *, mask: jax.Array | None = None) -> jax.Array:
        """The normalised rows, of the input's dtype unless the layer has one."""
        if mask is None and _ordinary(self):
            return _row_norm(True, x, self.scale, self.bias, self.epsilon)
        return super().__call__(x, mask=mask).astype(self.dtype or x.dtype)


class RMSNorm(nnx.RMSNorm):
    """Each row divided by the root of its mean square, then ``scale``.

    Flax's ``nnx.RMSNorm`` with what this file's head says, and its options. Source: Zhang & Sennrich
    (2019), "Root mean square layer normalization".

    >>> RMSNorm(2, rngs=nnx.Rngs(0))(jnp.asarray([[3.0, 3.0]])).round(3).tolist()
    [[1.0, 1.0]]
    """

    def __init__(self, num_features: int, *, epsilon: Number = 1e-6, **options: Any) -> None:
        super().__init__(num_features, **options)
        self.epsilon = _number(epsilon)

    def __call__(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """The normalised rows, of the input's dtype unless the layer has one."""
        if mask is None and _ordinary(self):
            return _row_norm(False, x, self.scale, None, self.epsilon)
        return super().__call__(x, mask=mask).astype(self.dtype or x.dtype)


class GroupNorm(nnx.GroupNorm):
    """Each row's groups of neighbouring channels with mean 0 and variance 1 over all places.

    Flax's ``nnx.GroupNorm`` with what this file's head says, and its options: ``num_groups`` or
    ``group_size``. ``(B, …, C)``. Source: Wu & He (2018), "Group normalization".

    >>> GroupNorm(4, num_groups=2, rngs=nnx.Rngs(0))(jnp.ones((2, 3, 3, 4))).shape
    (2, 3, 3, 4)
    """

    def __init__(
        self,
        num_features: int,
        num_groups: int | None = 32,
        group_size: int | None = None,
        *,
        epsilon: Number = 1e-5,
        use_fast_variance: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(num_features, num_groups, group_size, use_fast_variance=use_fast_variance, **options)
        self.epsilon = _number(epsilon)

    def __call__(self, x: jax.Array, *, mask: jax.Array | None = None) -> jax.Array:
        """The normalised rows, of the input's dtype unless the layer has one."""
        return super().__call__(x, mask=mask).astype(self.dtype or x.dtype)


class InstanceNorm(nnx.InstanceNorm):
    """Each row's channels with mean 0 and variance 1 over all places, then ``scale`` and ``bias``.

    Flax's ``nnx.InstanceNorm`` with what this file's head says, and its options. ``(B, …, C)``.
    Source: Ulyanov, Vedaldi, Lempitsky (2016), "Instance normalization".

    >>> InstanceNorm(4, rngs=nnx.Rngs(0))(jnp.ones((2, 3, 3, 4))).shape
    (2, 3, 3, 4)
    """

    def __init__(
        self, num_features: int, *, epsilon: Number = 1e-5, use_fast_variance: bool = False, **options: Any
    ) -> None:
        super().__init__(num_features, use_fast_variance=use_fast_variance, **options)
        self.epsilon = _number(epsilon)

    def __call__(self, x: jax.Array, *, mask: jax.Array | None = None) -> jax.Array:
        """The normalised rows, of the input's dtype unless the layer has one."""
        return super().__call__(x, mask=mask).astype(self.dtype or x.dtype)


def _number(value: Number) -> Any:
    """A Python number as it is; what may be traced in a variable that rides through ``vmap``."""
    if isinstance(value, (int, float)):
        return value
    return nnx.data(value if isinstance(value, HyperParam) else HyperParam(jnp.asarray(value, jnp.float32)))


def _value(number: Any) -> Any:
    return number[...] if isinstance(number, HyperParam) else number


def _affine(x: jax.Array, mean: jax.Array, factor: jax.Array, bias: jax.Array) -> jax.Array:
    """``(x - mean) factor + bias`` of the input's dtype; the mean goes first, so that a large one costs no digits."""
    return ((x.astype(mean.dtype) - mean) * factor + bias).astype(x.dtype)


@jax.custom_vjp
def _batch_norm(
    x: jax.Array, weight: jax.Array | None, scale: jax.Array, bias: jax.Array, epsilon: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The normalised rows ``(N, C)``, and the mean, variance and weight they were normalised by."""
    return _batch_norm_forward(x, weight, scale, bias, epsilon)[0]


def _batch_norm_forward(
    x: jax.Array, weight: jax.Array | None, scale: jax.Array, bias: jax.Array, epsilon: jax.Array
) -> Any:
    mean, var, count = moments(x, weight)
    inverse = lax.rsqrt(var + epsilon)
    y = _affine(x, mean, inverse * scale, bias)
    return (y, mean, var, count), (x, weight, scale, mean, inverse, count)


def _batch_norm_backward(kept: Any, gradients: Any) -> Any:
    """Of ``y`` alone: the statistics leave through ``stop_gradient``."""
    x, weight, scale, mean, inverse, count = kept
    g = gradients[0]
    total, along = gradient_sums(x, g, mean)
    factor = scale * inverse
    share = jnp.ones((), mean.dtype) if weight is None else weight.astype(mean.dtype)[:, None]
    share = share / jnp.maximum(count, 1e-30)
    back = (factor * inverse**2 * along) * (x.astype(mean.dtype) - mean) + factor * total
    gx = (factor * g.astype(mean.dtype) - share * back).astype(x.dtype)
    of_epsilon = -0.5 * jnp.sum(along * scale * inverse**3)
    return gx, None if weight is None else jnp.zeros_like(weight), along * inverse, total, of_epsilon


_batch_norm.defvjp(_batch_norm_forward, _batch_norm_backward)


def _ordinary(layer: Any) -> bool:
    """Whether it normalises and scales the last axis, of the input's dtype: what ``_row_norm`` does."""
    return (
        layer.reduction_axes == -1
        and layer.feature_axes == -1
        and layer.axis_name is None
        and layer.dtype is None
        and not getattr(layer, "use_fast_variance", False)
    )


def _row_norm(centred: bool, x: jax.Array, scale: Any, bias: Any, epsilon: Any) -> jax.Array:
    wide = jnp.promote_types(x.dtype, jnp.float32)
    ones, zeros = jnp.ones(x.shape[-1], wide), jnp.zeros(x.shape[-1], wide)
    factor = ones if scale is None else scale[...].astype(wide)
    shift = zeros if bias is None else bias[...].astype(wide)
    return _norm_of_rows(centred, x, factor, shift, jnp.asarray(_value(epsilon), wide))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _norm_of_rows(
    centred: bool, x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: jax.Array
) -> jax.Array:
    """Rows ``(…, C)`` divided by their deviation (``centred``) or root mean square; float32 at least inside."""
    return _norm_of_rows_forward(centred, x, scale, bias, epsilon)[0]


def _norm_of_rows_forward(
    centred: bool, x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: jax.Array
) -> Any:
    wide = x.astype(scale.dtype)
    mean = jnp.mean(wide, axis=-1, keepdims=True) if centred else jnp.zeros((), wide.dtype)
    inverse = lax.rsqrt(jnp.mean((wide - mean) ** 2, axis=-1, keepdims=True) + epsilon)
    y = (wide - mean) * inverse * scale + bias
    return y.astype(x.dtype), (x, scale, mean, inverse)


def _norm_of_rows_backward(centred: bool, kept: Any, gradient: jax.Array) -> Any:
    x, scale, mean, inverse = kept
    g = gradient.astype(scale.dtype)
    unit = (x.astype(scale.dtype) - mean) * inverse
    scaled = g * scale
    along = jnp.mean(scaled * unit, axis=-1, keepdims=True)
    level = jnp.mean(scaled, axis=-1, keepdims=True) if centred else 0.0
    gx = ((scaled - level - unit * along) * inverse).astype(x.dtype)
    of_epsilon = -0.5 * x.shape[-1] * jnp.sum(along * inverse**2)
    rows = tuple(range(g.ndim - 1))
    return gx, jnp.sum(g * unit, rows), jnp.sum(g, rows), of_epsilon


_norm_of_rows.defvjp(_norm_of_rows_forward, _norm_of_rows_backward)
