"""Recurrences that are linear in their state, all steps at once: a parallel scan in place of a loop.

``h_t = a_t h_(t-1) + b_t`` composes associatively, so that ``log2 T`` rounds over the whole sequence do what a loop
does in ``T`` steps. The gradient is such a recurrence too, backwards, and is written out.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from manyfit.errors import ConfigError
from manyfit.nn.dropout import Dropout, HyperParam

Array = jax.Array


def _wide(x: Array) -> Array:
    """float32, or wider where it is."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


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


class _Parallel(nnx.Module):
    """What the parallel recurrences share: stacking, directions, lengths; called as ``GRU``.

    Between layers stands a GELU, without which they would be one.
    """

    carried: ClassVar[int] = 1
    """Numbers of state a unit."""

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
                f"{type(self).__name__}({in_features}, {hidden}, layers={layers}): give whole numbers of at least 1"
            )
        self.in_features, self.hidden, self.layers = in_features, hidden, layers
        self.directions = 2 if bidirectional else 1
        self.dropout = Dropout(dropout if layers > 1 else 0.0, rngs=rngs)

    def __call__(
        self,
        x: Array,
        *,
        lengths: Array | None = None,
        initial: Array | None = None,
        fresh: Array | None = None,
    ) -> tuple[Array, Array]:
        """``(B, T, in_features)`` -> outputs ``(B, T, directions * hidden)`` and the final state; see ``GRU``."""
        name = type(self).__name__
        if x.ndim != 3 or x.shape[2] != self.in_features:
            raise ConfigError(f"{name} takes sequences (B, T, {self.in_features}), got {x.shape}")
        if fresh is not None and self.directions > 1:
            raise ConfigError(f"{name}: fresh is for one direction, and this reads in both")
        starts = self.empty(x.shape[0])
        if initial is not None:
            if initial.shape != starts.shape:
                raise ConfigError(f"{name}: the initial state is {starts.shape}, got {initial.shape}")
            starts = initial
        real = None
        if lengths is not None:
            real = (jnp.arange(x.shape[1])[:, None] < lengths[None, :])[..., None]
        begun = None if fresh is None else fresh.swapaxes(0, 1)[..., None]
        flow = x.swapaxes(0, 1)
        finals = []
        for layer in range(self.layers):
            if layer:
                flow = self.dropout(jax.nn.gelu(flow))
            outputs = []
            for direction in range(self.directions):
                place = layer * self.directions + direction
                out, final = self._one(place, flow, starts[place], real, begun, backwards=direction == 1)
                finals.append(final)
                outputs.append(out if real is None else jnp.where(real, out, 0))
            flow = outputs[0] if self.directions == 1 else jnp.concatenate(outputs, axis=-1)
        return flow.swapaxes(0, 1), jnp.stack(finals)

    def empty(self, batch: int) -> Array:
        """The state before anything was read."""
        return jnp.zeros((self.layers * self.directions, batch, self.carried * self.hidden))

    def _widths(self) -> list[int]:
        """Features that the layer of each place reads."""
        widths = [self.in_features] + [self.hidden * self.directions] * (self.layers - 1)
        return [width for width in widths for _ in range(self.directions)]

    def _one(
        self, place: int, flow: Array, start: Array, real: Array | None, fresh: Array | None, backwards: bool
    ) -> tuple[Array, Array]:
        """Outputs ``(T, B, H)`` and last state of one place; through padding the state passes unchanged."""
        keep, new = self._step(place, flow)
        if real is not None:
            keep, new = jnp.where(real, keep, 1), jnp.where(real, new, 0)
        if fresh is not None:
            keep = jnp.where(fresh, 0, keep)
        if backwards:
            keep, new = keep[::-1], new[::-1]
        new = new.at[0].add((keep[0] * self._inward(start)).astype(new.dtype))
        states = linear_scan(keep, new)
        final = self._outward(states[-1]).astype(flow.dtype)
        return self._read(place, states[::-1] if backwards else states, flow), final

    @abstractmethod
    def _step(self, place: int, flow: Array) -> tuple[Array, Array]:
        """``a`` and ``b`` of ``linear_scan``, each ``(T, B, H)``."""

    def _read(self, place: int, states: Array, flow: Array) -> Array:
        """Outputs by the states; the states themselves unless a layer says otherwise."""
        del place, flow
        return states

    def _inward(self, state: Array) -> Array:
        """The state ``(B, carried * H)`` that is passed between calls as the scan has it, ``(B, H)``."""
        return state

    def _outward(self, state: Array) -> Array:
        """The other way about."""
        return state


class MinGRU(_Parallel):
    """A GRU whose gate and candidate hang on the input alone, so that its steps run in parallel.

    ``h_t = (1 - z_t) h_(t-1) + z_t n_t`` with ``z = sigmoid(W_z x + b_z)`` and ``n = W_n x + b_n``. Weights of place
    ``layer * directions + direction``: ``weight`` ``(in, 2 H)``, ``bias`` ``(2 H,)``, gate before candidate.

    Source: Feng et al. (2024), "Were RNNs all we needed?", section 3.1.

    >>> outputs, h = MinGRU(3, 8, bidirectional=True, rngs=nnx.Rngs(0))(jnp.ones((2, 5, 3)))
    >>> outputs.shape, h.shape
    ((2, 5, 16), (2, 2, 8))
    """

    def __init__(self, in_features: int, hidden: int, *, rngs: nnx.Rngs, **options: Any) -> None:
        """As ``GRU``."""
        super().__init__(in_features, hidden, rngs=rngs, **options)
        each = self._widths()
        self.weight = nnx.List(
            [
                nnx.Param(jax.random.normal(rngs.params(), (width, 2 * hidden)) / math.sqrt(width))
                for width in each
            ]
        )
        self.bias = nnx.List([nnx.Param(jnp.zeros(2 * hidden)) for _ in each])

    def _step(self, place: int, flow: Array) -> tuple[Array, Array]:
        mixed = flow @ self.weight[place][...].astype(flow.dtype) + self.bias[place][...].astype(flow.dtype)
        gate, new = jnp.split(mixed, 2, axis=-1)
        return jax.nn.sigmoid(-gate), jax.nn.sigmoid(gate) * new


class LRU(_Parallel):
    """Linear recurrent units: complex numbers that turn and fade at rates of their own, read out by a product.

    ``h_t = lambda h_(t-1) + gamma B x_t`` and ``y_t = Re(C h_t) + D x_t``, with
    ``lambda = exp(-exp(decay) + i exp(phase))`` of size below 1 whatever is learned, and ``gamma = exp(gain)``, which
    starts where inputs of variance 1 keep the state near it. Sizes of ``lambda`` start uniformly over the disk's area
    up to ``longest``. Weights of place ``layer * directions + direction``: ``decay``, ``phase`` and ``gain`` ``(H,)``,
    ``input_weight`` ``(in, 2 H)`` and ``output_weight`` ``(2 H, H)`` (real parts before imaginary ones), ``skip``
    ``(in, H)``. The state passed between calls is ``(places, B, 2 H)``; inside it is float32 or wider.

    Source: Orvieto et al. (2023), "Resurrecting recurrent neural networks for long sequences", sections 3 and 4.

    >>> outputs, h = LRU(3, 8, rngs=nnx.Rngs(0))(jnp.ones((2, 5, 3)))
    >>> outputs.shape, h.shape
    ((2, 5, 8), (1, 2, 16))
    """

    carried = 2

    def __init__(
        self, in_features: int, hidden: int, *, longest: float = 0.999, rngs: nnx.Rngs, **options: Any
    ) -> None:
        """As ``GRU``; ``longest`` in (0, 1) is the greatest size of ``lambda`` at the start."""
        super().__init__(in_features, hidden, rngs=rngs, **options)
        if not 0 < longest < 1:
            raise ConfigError(f"LRU(longest={longest}): give a size between 0 and 1")
        each = self._widths()

        def normal(rows: int, columns: int, spread: float) -> nnx.Param:
            return nnx.Param(spread * jax.random.normal(rngs.params(), (rows, columns)))

        def uniform() -> Array:
            return jax.random.uniform(rngs.params(), (hidden,), minval=1e-3)

        sizes = [longest * jnp.sqrt(uniform()) for _ in each]
        self.decay = nnx.List([nnx.Param(jnp.log(-jnp.log(size))) for size in sizes])
        self.phase = nnx.List([nnx.Param(jnp.log(2 * math.pi * uniform())) for _ in each])
        self.gain = nnx.List([nnx.Param(0.5 * jnp.log1p(-(size**2))) for size in sizes])
        self.input_weight = nnx.List([normal(width, 2 * hidden, 1 / math.sqrt(2 * width)) for width in each])
        self.output_weight = nnx.List([normal(2 * hidden, hidden, 1 / math.sqrt(hidden)) for _ in each])
        self.skip = nnx.List([normal(width, hidden, 1 / math.sqrt(width)) for width in each])

    def _step(self, place: int, flow: Array) -> tuple[Array, Array]:
        size = jnp.exp(-jnp.exp(_wide(self.decay[place][...])))
        turn = jnp.exp(_wide(self.phase[place][...]))
        gain = jnp.exp(_wide(self.gain[place][...]))
        new = self._inward(flow @ self.input_weight[place][...].astype(flow.dtype)) * gain
        return jnp.broadcast_to(lax.complex(size * jnp.cos(turn), size * jnp.sin(turn)), new.shape), new

    def _read(self, place: int, states: Array, flow: Array) -> Array:
        told = jnp.concatenate([states.real, -states.imag], axis=-1).astype(flow.dtype)
        read = told @ self.output_weight[place][...].astype(flow.dtype)
        return read + flow @ self.skip[place][...].astype(flow.dtype)

    def _inward(self, state: Array) -> Array:
        return lax.complex(*jnp.split(_wide(state), 2, axis=-1))

    def _outward(self, state: Array) -> Array:
        return jnp.concatenate([state.real, state.imag], axis=-1)
