"""Recurrences that are linear in their state, all steps at once: a parallel scan in place of a loop.

``h_t = a_t h_(t-1) + b_t`` composes associatively, so that ``log2 T`` rounds over the whole sequence do what a loop
does in ``T`` steps. The gradient is such a recurrence too, backwards, and is written out.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from manyfit.errors import ConfigError
from manyfit.nn.dropout import Dropout, HyperParam

Array = jax.Array


def _combine(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    return first[0] * second[0], second[0] * first[1] + second[1]


@jax.custom_vjp
def linear_scan(a: Array, b: Array) -> Array:
    """``h`` of ``h_t = a_t h_(t-1) + b_t`` from ``h = 0``; all ``(T, ...)``, time first.

    Source: Blelloch (1990), "Prefix sums and their applications", section 1.4.

    >>> linear_scan(jnp.array([9.0, 2.0, 0.5]), jnp.array([1.0, 1.0, 1.0])).tolist()
    [1.0, 3.0, 2.5]
    """
    return lax.associative_scan(_combine, (a, b))[1]


def _forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
    h = linear_scan(a, b)
    return h, (a, h)


def _backward(kept: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    a, h = kept
    after = jnp.concatenate([a[1:], jnp.zeros_like(a[:1])])
    d = lax.associative_scan(_combine, (after, g), reverse=True)[1]
    before = jnp.concatenate([jnp.zeros_like(h[:1]), h[:-1]])
    return d * before, d


linear_scan.defvjp(_forward, _backward)


class MinGRU(nnx.Module):
    """A GRU whose gate and candidate hang on the input alone, so that its steps run in parallel.

    ``h_t = (1 - z_t) h_(t-1) + z_t n_t`` with ``z = sigmoid(W_z x + b_z)`` and ``n = W_n x + b_n``. Called, stacked
    and padded as ``GRU``; between layers stands a GELU, without which they would be one. Weights of place
    ``layer * directions + direction``: ``weight`` ``(in, 2 H)``, ``bias`` ``(2 H,)``, gate before candidate.

    Source: Feng et al. (2024), "Were RNNs all we needed?", section 3.1.

    >>> outputs, h = MinGRU(3, 8, bidirectional=True, rngs=nnx.Rngs(0))(jnp.ones((2, 5, 3)))
    >>> outputs.shape, h.shape
    ((2, 5, 16), (2, 2, 8))
    """

    def __init__(
        self,
        in_features: int,
        hidden: int,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float | Array | HyperParam = 0.0,
        rngs: nnx.Rngs,
    ) -> None:
        if in_features < 1 or hidden < 1 or layers < 1:
            raise ConfigError(
                f"MinGRU({in_features}, {hidden}, layers={layers}): give whole numbers of at least 1"
            )
        self.in_features, self.hidden, self.layers = in_features, hidden, layers
        self.directions = 2 if bidirectional else 1
        widths = [in_features] + [hidden * self.directions] * (layers - 1)
        each = [width for width in widths for _ in range(self.directions)]
        self.weight = nnx.List(
            [
                nnx.Param(jax.random.normal(rngs.params(), (width, 2 * hidden)) / math.sqrt(width))
                for width in each
            ]
        )
        self.bias = nnx.List([nnx.Param(jnp.zeros(2 * hidden)) for _ in each])
        self.dropout = Dropout(dropout if layers > 1 else 0.0, rngs=rngs)

    def __call__(
        self, x: Array, *, lengths: Array | None = None, initial: Array | None = None
    ) -> tuple[Array, Array]:
        """``(B, T, in_features)`` -> outputs ``(B, T, directions * hidden)`` and the final state; see ``GRU``."""
        if x.ndim != 3 or x.shape[2] != self.in_features:
            raise ConfigError(f"MinGRU takes sequences (B, T, {self.in_features}), got {x.shape}")
        shape = (self.layers * self.directions, x.shape[0], self.hidden)
        if initial is not None and initial.shape != shape:
            raise ConfigError(f"MinGRU: the initial state is {shape}, got {initial.shape}")
        starts = jnp.zeros(shape, x.dtype) if initial is None else initial.astype(x.dtype)
        real = None
        if lengths is not None:
            real = (jnp.arange(x.shape[1])[:, None] < lengths[None, :])[..., None]
        flow = x.swapaxes(0, 1)
        finals = []
        for layer in range(self.layers):
            if layer:
                flow = self.dropout(jax.nn.gelu(flow))
            outputs = []
            for direction in range(self.directions):
                place = layer * self.directions + direction
                out = self._one(place, flow, starts[place], real, backwards=direction == 1)
                finals.append(out[0] if direction else out[-1])
                outputs.append(out if real is None else jnp.where(real, out, 0))
            flow = outputs[0] if self.directions == 1 else jnp.concatenate(outputs, axis=-1)
        return flow.swapaxes(0, 1), jnp.stack(finals)

    def _one(self, place: int, flow: Array, start: Array, real: Array | None, backwards: bool) -> Array:
        """The states ``(T, B, H)`` of one layer and direction; through padding the state passes unchanged."""
        mixed = flow @ self.weight[place][...].astype(flow.dtype) + self.bias[place][...].astype(flow.dtype)
        gate, new = jnp.split(mixed, 2, axis=-1)
        keep, new = jax.nn.sigmoid(-gate), jax.nn.sigmoid(gate) * new
        if real is not None:
            keep, new = jnp.where(real, keep, 1), jnp.where(real, new, 0)
        if backwards:
            keep, new = keep[::-1], new[::-1]
        new = new.at[0].add(keep[0] * start)
        states = linear_scan(keep, new)
        return states[::-1] if backwards else states
