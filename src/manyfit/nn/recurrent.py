"""Recurrent layers: Elman's RNN, GRU and LSTM over whole sequences, stacked and in both directions.

The inputs of all time steps go through one matrix product before the loop. The
gradient is written out: the loop backwards keeps what each step's gates got,
and one matrix product after it gives the weights their gradient, which JAX's
own derivative of a scan would add up step by step.

The gates have PyTorch's order: LSTM input, forget, cell, output; GRU reset,
update, new, the reset gate acting after the product. Weights are its
matrices, transposed: ``(in, gates)``, as in ``Linear``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from manyfit.errors import ConfigError
from manyfit.nn.dropout import Dropout, HyperParam
from manyfit.nn.fusion import materialised

Array = jax.Array
State: TypeAlias = tuple[Array, ...]
"""What a cell carries from step to step, each ``(B, H)``: ``(h,)``, or ``(h, c)`` of an LSTM."""


class _Cell(NamedTuple):
    """One step and its gradient, both without the products with the weights."""

    gates: int
    forward: Callable[[Array, Array, State], tuple[State, State]]
    """(from the input, from the state before, the state before) -> the state, what the gradient needs."""
    backward: Callable[[State, State, State], tuple[Array, Array, State]]
    """(kept, the state before, its successor's gradient) -> gradients of the three of ``forward``."""


def _sigmoid(x: Array) -> Array:
    return 0.5 * jnp.tanh(0.5 * x) + 0.5


def _tanh_forward(x: Array, r: Array, state: State) -> tuple[State, State]:
    h = jnp.tanh(x + r)
    return (h,), (h,)


def _tanh_backward(kept: State, state: State, g: State) -> tuple[Array, Array, State]:
    d = g[0] * (1 - kept[0] ** 2)
    return d, d, (jnp.zeros_like(d),)


def _relu_forward(x: Array, r: Array, state: State) -> tuple[State, State]:
    h = jnp.maximum(x + r, 0)
    return (h,), (h,)


def _relu_backward(kept: State, state: State, g: State) -> tuple[Array, Array, State]:
    d = jnp.where(kept[0] > 0, g[0], 0)
    return d, d, (jnp.zeros_like(d),)


def _lstm_forward(x: Array, r: Array, state: State) -> tuple[State, State]:
    i, f, g, o = jnp.split(x + r, 4, axis=-1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), jnp.tanh(g), _sigmoid(o)
    c = f * state[1] + i * g
    tanh_c = jnp.tanh(c)
    return (o * tanh_c, c), (i, f, g, o, tanh_c)


def _lstm_backward(kept: State, state: State, gradient: State) -> tuple[Array, Array, State]:
    i, f, g, o, tanh_c = kept
    dh, dc = gradient
    dc = dc + dh * o * (1 - tanh_c**2)
    d = jnp.concatenate(
        [
            dc * g * i * (1 - i),
            dc * state[1] * f * (1 - f),
            dc * i * (1 - g**2),
            dh * tanh_c * o * (1 - o),
        ],
        axis=-1,
    )
    return d, d, (jnp.zeros_like(dh), dc * f)


def _gru_forward(x: Array, r: Array, state: State) -> tuple[State, State]:
    (xr, xz, xn), (hr, hz, hn) = jnp.split(x, 3, axis=-1), jnp.split(r, 3, axis=-1)
    reset, update = _sigmoid(xr + hr), _sigmoid(xz + hz)
    new = jnp.tanh(xn + reset * hn)
    return (new + update * (state[0] - new),), (reset, update, new, hn)


def _gru_backward(kept: State, state: State, g: State) -> tuple[Array, Array, State]:
    reset, update, new, hn = kept
    d_new = g[0] * (1 - update) * (1 - new**2)
    d_update = g[0] * (state[0] - new) * update * (1 - update)
    d_reset = d_new * hn * reset * (1 - reset)
    d_input = jnp.concatenate([d_reset, d_update, d_new], axis=-1)
    d_state = jnp.concatenate([d_reset, d_update, d_new * reset], axis=-1)
    return d_input, d_state, (g[0] * update,)


_CELLS = {
    "tanh": _Cell(1, _tanh_forward, _tanh_backward),
    "relu": _Cell(1, _relu_forward, _relu_backward),
    "lstm": _Cell(4, _lstm_forward, _lstm_backward),
    "gru": _Cell(3, _gru_forward, _gru_backward),
}


class _Weights(NamedTuple):
    """Of one layer and direction: ``(in, G H)``, ``(H, G H)`` and two ``(G H,)``."""

    of_input: Array
    of_state: Array
    input_bias: Array
    state_bias: Array


class _Marks(NamedTuple):
    """What is special about steps, bool ``(T, B)`` where anything is."""

    real: Array | None
    """Steps that are no padding: through padding the state passes unchanged."""
    fresh: Array | None
    """Steps before which the state is put to 0."""


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _recur(
    kind: str, reverse: bool, x: Array, weights: _Weights, start: State, marks: _Marks
) -> tuple[Array, State]:
    """Run a cell over ``x`` ``(T, B, in)``: its outputs ``(T, B, H)``, and its last state."""
    outputs, last, _ = _loop(kind, reverse, x, weights, start, marks)
    return outputs, last


def _loop(
    kind: str, reverse: bool, x: Array, weights: _Weights, start: State, marks: _Marks
) -> tuple[Array, State, tuple[State, State]]:
    """Outputs, last state, and of each step: the state before it, and what its cell kept."""
    cell = _CELLS[kind]

    def step(state: State, at: Any) -> tuple[State, tuple[Array, State, State]]:
        from_input, mark = at
        if mark.fresh is not None:
            state = tuple(jnp.where(mark.fresh[:, None], 0, s) for s in state)
        new, kept = cell.forward(from_input, state[0] @ weights.of_state + weights.state_bias, state)
        if mark.real is not None:
            new = tuple(jnp.where(mark.real[:, None], n, s) for n, s in zip(new, state))
        return new, (new[0], state, kept)

    inputs = x @ weights.of_input + weights.input_bias
    last, (outputs, before, kept) = lax.scan(step, start, (inputs, marks), reverse=reverse)
    return outputs, last, (before, kept)


def _recur_forward(
    kind: str, reverse: bool, x: Array, weights: _Weights, start: State, marks: _Marks
) -> tuple[tuple[Array, State], Any]:
    outputs, last, steps = _loop(kind, reverse, x, weights, start, marks)
    return (outputs, last), (steps, x, weights, marks)


def _recur_backward(kind: str, reverse: bool, residual: Any, gradient: tuple[Array, State]) -> Any:
    (before, kept), x, weights, marks = residual
    from_outputs, from_last = gradient
    back = materialised(weights.of_state.T)  # or XLA:CPU turns it over at every step

    def step(carry: State, at: Any) -> tuple[State, tuple[Array, Array | None]]:
        outer, kept, before, mark = at
        carry = (carry[0] + outer, *carry[1:])
        new = carry
        if mark.real is not None:
            new = tuple(jnp.where(mark.real[:, None], c, 0) for c in carry)
        d_input, d_state, direct = _CELLS[kind].backward(kept, before, new)
        out = (direct[0] + d_state @ back, *direct[1:])
        if mark.real is not None:
            out = tuple(jnp.where(mark.real[:, None], o, c) for o, c in zip(out, carry))
        if mark.fresh is not None:
            out = tuple(jnp.where(mark.fresh[:, None], 0, o) for o in out)
        return out, (d_input, d_state if kind == "gru" else None)

    d_start, (d_inputs, d_states) = lax.scan(
        step, from_last, (from_outputs, kept, before, marks), reverse=not reverse
    )
    d_states = d_inputs if d_states is None else d_states
    d_weights = _Weights(
        jnp.einsum("tbi,tbg->ig", x, d_inputs),
        jnp.einsum("tbh,tbg->hg", before[0], d_states),
        d_inputs.sum((0, 1)),
        d_states.sum((0, 1)),
    )
    return d_inputs @ weights.of_input.T, d_weights, d_start, None


_recur.defvjp(_recur_forward, _recur_backward)


class _Recurrent(nnx.Module):
    """What the three layers share: stacking, directions, lengths."""

    kind: ClassVar[str]
    carries: ClassVar[int] = 1

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
        gates = _CELLS[self.kind].gates * hidden
        bound = 1 / math.sqrt(hidden)

        def uniform(*shape: int) -> nnx.Param:
            return nnx.Param(jax.random.uniform(rngs.params(), shape, jnp.float32, -bound, bound))

        widths = [in_features] + [hidden * self.directions] * (layers - 1)
        each = [width for width in widths for _ in range(self.directions)]
        self.input_weight = nnx.List([uniform(width, gates) for width in each])
        self.hidden_weight = nnx.List([uniform(hidden, gates) for _ in each])
        self.input_bias = nnx.List([uniform(gates) for _ in each])
        self.hidden_bias = nnx.List([uniform(gates) for _ in each])
        self.dropout = Dropout(dropout if layers > 1 else 0.0, rngs=rngs)

    def __call__(
        self,
        x: Array,
        *,
        lengths: Array | None = None,
        initial: Any = None,
        fresh: Array | None = None,
    ) -> tuple[Array, Any]:
        """``(B, T, in_features)`` -> outputs ``(B, T, directions * hidden)`` and the final state.

        The state is ``(layers * directions, B, hidden)``, layer by layer, forward before backward;
        of an LSTM the pair ``(h, c)`` of such. ``initial`` is one like it, zeros where left out.
        ``lengths`` ``(B,)`` counts the real steps of each row: outputs after them are 0, the final
        state is that of the last real step, and the backward direction starts there. ``fresh``
        bool ``(B, T)`` marks steps that begin a sequence of their own: they find the state at 0, of
        which no gradient passes. It is for one direction.
        """
        if x.ndim != 3 or x.shape[2] != self.in_features:
            raise ConfigError(
                f"{type(self).__name__} takes sequences (B, T, {self.in_features}), got {x.shape}"
            )
        if fresh is not None and self.directions > 1:
            raise ConfigError(f"{type(self).__name__}: fresh is for one direction, and this reads in both")
        batch, time, _ = x.shape
        starts = self._starts(initial, batch, x.dtype)
        real = None if lengths is None else jnp.arange(time)[:, None] < lengths[None, :]
        marks = _Marks(real, None if fresh is None else fresh.swapaxes(0, 1))
        flow = x.swapaxes(0, 1)  # (T, B, features): a step is then one block of memory
        finals: list[State] = []
        for layer in range(self.layers):
            if layer:
                flow = self.dropout(flow)
            outputs = []
            for direction in range(self.directions):
                place = layer * self.directions + direction
                out, last = self._one(place, flow, starts[place], marks, reverse=direction == 1)
                outputs.append(out)
                finals.append(last)
            flow = outputs[0] if self.directions == 1 else jnp.concatenate(outputs, axis=-1)
        final = tuple(jnp.stack(parts) for parts in zip(*finals))
        return flow.swapaxes(0, 1), final if self.carries > 1 else final[0]

    def empty(self, batch: int) -> Any:
        """The state before anything was read."""
        zeros = jnp.zeros((self.layers * self.directions, batch, self.hidden))
        return (zeros,) * self.carries if self.carries > 1 else zeros

    def _one(
        self, place: int, flow: Array, start: State, marks: _Marks, reverse: bool
    ) -> tuple[Array, State]:
        groups = (self.input_weight, self.hidden_weight, self.input_bias, self.hidden_bias)
        weights = _Weights(*(group[place][...].astype(flow.dtype) for group in groups))
        out, last = _recur(self.kind, reverse, flow, weights, start, marks)
        return (out if marks.real is None else jnp.where(marks.real[:, :, None], out, 0)), last

    def _starts(self, initial: Any, batch: int, dtype: Any) -> list[State]:
        count = self.layers * self.directions
        shape = (count, batch, self.hidden)
        if initial is None:
            return [tuple(jnp.zeros(shape[1:], dtype) for _ in range(self.carries))] * count
        parts = tuple(initial) if self.carries > 1 else (initial,)
        if len(parts) != self.carries or any(part.shape != shape for part in parts):
            raise ConfigError(
                f"{type(self).__name__}: the initial state is {self.carries} of {shape}, "
                f"got {[part.shape for part in parts]}"
            )
        return [tuple(part[i].astype(dtype) for part in parts) for i in range(count)]


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate of Gers et al., 2000).

    ``layers`` are stacked, ``dropout`` (a traced rate) stands between them. Weights of place
    ``layer * directions + direction``: ``input_weight`` ``(in, 4 H)``, ``hidden_weight``
    ``(H, 4 H)``, ``input_bias`` and ``hidden_bias`` ``(4 H,)``, gates in the order input, forget,
    cell, output; PyTorch's ``weight_ih_l0`` and so on, transposed. Drawn uniformly within 1 / sqrt(H).

    >>> layer = LSTM(3, 8, rngs=nnx.Rngs(0))
    >>> outputs, (h, c) = layer(jnp.ones((2, 5, 3)), lengths=jnp.array([5, 2]))
    >>> outputs.shape, h.shape
    ((2, 5, 8), (1, 2, 8))
    """

    kind = "lstm"
    carries = 2


class GRU(_Recurrent):
    """Gated recurrent unit (Cho et al., 2014), with the reset gate after the product, as in cuDNN.

    Like ``LSTM`` with three gates: reset, update, new; its state is ``h`` alone.

    >>> outputs, h = GRU(3, 8, bidirectional=True, rngs=nnx.Rngs(0))(jnp.ones((2, 5, 3)))
    >>> outputs.shape, h.shape
    ((2, 5, 16), (2, 2, 8))
    """

    kind = "gru"


class RNN(_Recurrent):
    """Elman's network (1990): ``h = tanh(W x + U h + b)``, like ``LSTM`` without gates.

    >>> outputs, h = RNN(3, 8, rngs=nnx.Rngs(0))(jnp.ones((2, 5, 3)))
    >>> outputs.shape
    (2, 5, 8)
    """

    kind = "tanh"


class ReluRNN(_Recurrent):
    """Elman's network with a rectifier in place of tanh (Le et al., 2015)."""

    kind = "relu"
