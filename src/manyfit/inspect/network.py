"""A network looked at layer by layer: sizes, costs, activations, gradients, graph, verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from manyfit.engine.devices import quickly
from manyfit.errors import ConfigError
from manyfit.inspect.measure import measure, sizes
from manyfit.inspect.verdict import Verdict, verdicts
from manyfit.trace import ACTIVATIONS, Graph, Naming, Program, count_flops, trace

DEAD = 1e-6
"""A unit is dead that never rises above this share of the greatest activation of its layer."""
STUCK = 0.99
"""A unit is saturated that stays near an end of its range on at least this share of the data."""


@dataclass(frozen=True)
class LayerReport:
    """One layer or activation function. Measured values are ``(members,)`` arrays, NaN where they do not apply."""

    path: str
    kind: str
    shape: tuple[int, ...]
    """Of the output, batch axis first; empty for a layer whose output could not be seen."""
    parameters: int
    """Trained values, those of layers inside it included."""
    forward_flops: float
    """Operations a row, those of layers inside it included; see ``manyfit.trace.count_flops``."""
    backward_flops: float
    activation: bool
    leaf: bool
    units: int
    mean: np.ndarray
    std: np.ndarray
    norm: np.ndarray
    """Mean over the rows of the output's Euclidean norm."""
    zeros: np.ndarray
    """Share of outputs that are exactly 0."""
    dead: np.ndarray
    """Units that are never active over the data (activation functions only)."""
    saturated: np.ndarray
    """Units at an end of their range nearly always (bounded activation functions only)."""
    gradient: np.ndarray
    """Euclidean norm of the loss's gradient by the output, over all rows."""
    weight_norm: np.ndarray
    weight_gradient: np.ndarray
    """Euclidean norm of the loss's gradient by the layer's own parameters."""
    update_ratio: np.ndarray
    """Norm of one optimizer step over the norm of the parameters that it changes."""


@dataclass(frozen=True)
class NetworkReport:
    """What ``inspect_network`` found; ``layers`` in the order in which they end."""

    name: str
    layers: Sequence[LayerReport]
    graph: Graph
    rows: int
    members: int
    loss: np.ndarray
    """Of each member on the rows, ``(members,)``."""

    @property
    def parameters(self) -> int:
        """Trained values of one member."""
        return self["" if "" in self._places else self.layers[0].path].parameters

    @property
    def forward_flops(self) -> float:
        """Operations a row, forward."""
        return self[""].forward_flops

    @property
    def backward_flops(self) -> float:
        """Operations a row, backward: all that the gradient by the parameters needs beyond the forward pass."""
        return self[""].backward_flops

    @cached_property
    def _places(self) -> dict[str, int]:
        return {layer.path: i for i, layer in enumerate(self.layers)}

    def __getitem__(self, path: str) -> LayerReport:
        """The layer of that path; raises ``KeyError``."""
        return self.layers[self._places[path]]

    @cached_property
    def verdicts(self) -> Sequence[Verdict]:
        """What the measurements say of the gradients and the units; empty where nothing is wrong."""
        return verdicts(self.layers)

    def text(self) -> str:
        """The layers as a tree with their numbers, and the verdicts."""
        from manyfit.inspect.show import text

        return text(self)

    def __str__(self) -> str:
        return self.text()

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values: NaN and infinity as None, measured values as lists over the members."""
        from manyfit.inspect.export import to_json

        return to_json(self)

    def dot(self) -> str:
        """The graph in Graphviz's language."""
        from manyfit.inspect.export import dot

        return dot(self)

    def svg(self) -> str:
        """The graph as a drawing that stands alone."""
        from manyfit.inspect.drawing import svg

        return svg(self)

    def html(self) -> str:
        """Graph, table and verdicts as one page that needs nothing else."""
        from manyfit.inspect.drawing import html

        return html(self)


def inspect_network(
    network: nnx.Module,
    inputs: Any,
    *,
    loss: Callable[[Any], jax.Array] | None = None,
    optimizer: Any = None,
    train: bool = True,
    stacked: bool = False,
) -> NetworkReport:
    """Look into any NNX module, layer by layer, on some rows.

    Args:
        network: the module; it is left as it is.
        inputs: what it is called with, batch axis first (a tuple for several arguments).
        loss: from its outputs to a scalar; without one, half the mean square of the outputs.
        optimizer: an Optax transformation or one of ``manyfit.optim``, for the size of its first step.
        train: whether dropout and batch normalisation work as in training.
        stacked: whether every parameter has a leading axis of members, as a vmapped construction gives.

    Raises:
        ConfigError: it is no module, or cannot be called with these inputs.

    >>> report = inspect_network(nnx.Linear(3, 4, rngs=nnx.Rngs(0)), jnp.ones((2, 3)))
    >>> report.parameters, report.forward_flops
    (16, 28.0)
    """
    if not isinstance(network, nnx.Module):
        raise ConfigError(f"inspect_network takes an nnx.Module, got {type(network).__name__}")
    graph, *split = nnx.split(network, nnx.Param, ...)
    params, rest = split
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    kept = nnx.to_pure_dict(params), nnx.to_pure_dict(rest)

    def call(naming: Naming, weights: Any, arguments: Any) -> Any:
        states = nnx.clone(params), nnx.clone(rest)
        for state, values in zip(states, weights):
            nnx.replace_by_pure_dict(state, values)
        module = nnx.merge(graph, *states, copy=True)
        module.train() if train else module.eval()
        with naming(module):
            return module(*arguments)

    one = kept if stacked else jax.tree.map(lambda leaf: leaf[None], kept)
    judge = loss or _half_square
    return inspect_member(
        call,
        lambda outputs, _: judge(outputs),
        one,
        arguments,
        name=type(network).__name__,
        optimizer=optimizer,
    )


def _half_square(outputs: Any) -> jax.Array:
    leaves = [leaf.astype(jnp.float32) for leaf in jax.tree.leaves(outputs)]
    return 0.5 * sum(jnp.sum(leaf**2) for leaf in leaves) / sum(leaf.size for leaf in leaves)


def inspect_member(
    call: Callable[[Naming, Any, Any], Any],
    loss: Callable[[Any, Any], jax.Array],
    weights: tuple[Any, Any],
    inputs: Any,
    *,
    own: Any = None,
    name: str = "network",
    optimizer: Any = None,
) -> NetworkReport:
    """The core of ``inspect_network``: ``call(naming, (params, rest), inputs)`` and ``loss(outputs, own)``.

    ``weights`` has leaves ``(members, ...)``. ``inputs`` are ``(rows, ...)``, the same for all members;
    where ``own`` is given, what the loss needs of each member, ``(members, ...)``, so are they
    ``(members, rows, ...)``.
    """
    axis = None if own is None else 0
    first = _one(weights)
    example = inputs if own is None else _one(inputs)
    try:
        program = trace(call, first, example)
    except (TypeError, ValueError, KeyError) as error:
        shapes = jax.tree.map(lambda leaf: f"{leaf.dtype}{list(leaf.shape)}", example)
        raise ConfigError(f"the network cannot be called with {shapes}: {error}") from error
    update = None if optimizer is None else _first_step(optimizer)

    def one(weights: Any, inputs: Any, own: Any) -> Any:
        return measure(program, weights, inputs, lambda outputs: loss(outputs, own), update)

    look = jax.jit(jax.vmap(one, (0, axis, axis)), compiler_options=quickly())
    total, seen, held = jax.device_get(look(weights, inputs, own))

    def gradient(weights: Any, inputs: Any, own: Any) -> Any:
        params, rest = weights
        return jax.value_and_grad(lambda params: loss(call(Naming(), (params, rest), inputs), own))(params)

    whole = jax.make_jaxpr(gradient)(first, example, _one(own))
    paths = [layer.path for layer in program.layers]
    counts = (sizes(first[0], paths), count_flops(program.jaxpr), count_flops(whole))
    rows = len(jax.tree.leaves(example)[0])
    layers = _reports(program, seen, held, counts, rows, len(total))
    return NetworkReport(name, tuple(layers), program.graph, rows, len(total), np.asarray(total))


def _one(stacked: Any) -> Any:
    """The shapes of one member's part."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), stacked)


def _first_step(optimizer: Any) -> Callable[[Any, Any], Any]:
    """The change that an optimizer's first step makes."""
    rule = optimizer.transform(jnp.float32(1)) if hasattr(optimizer, "transform") else optimizer
    return lambda gradient, params: rule.update(gradient, rule.init(params), params)[0]


def _reports(
    program: Program,
    seen: Mapping[str, Mapping[str, np.ndarray]],
    held: Mapping[str, Mapping[str, np.ndarray]],
    counts: tuple[Mapping[str, int], Mapping[int, int], Mapping[int, int]],
    rows: int,
    members: int,
) -> list[LayerReport]:
    held_by, forward, whole = counts
    by_path = {layer.path: i for i, layer in enumerate(program.layers)}
    inside = {path: [p for p in by_path if _within(p, path)] for path in by_path}
    taps = {tap.path: tap for tap in program.taps}
    kinds = {layer.path: layer.kind for layer in program.layers}
    hidden = [path for path in by_path if path not in taps and held_by.get(path)]
    nan = np.full(members, np.nan)
    found = []
    for path in [*hidden, *taps]:
        tap = taps.get(path)
        here = seen.get(path)
        activation = tap is not None and tap.activation
        part = inside.get(path, [])
        ahead = sum(forward.get(by_path[p], 0) for p in part) / rows
        params = held.get(path, {})
        weight = params.get("weight", nan)
        values = _numbers(here, tap.kind if activation and tap else "") if here is not None else {}
        found.append(
            LayerReport(
                path=path,
                kind=tap.kind if tap else kinds[path],
                shape=tap.shape if tap else (),
                parameters=sum(held_by.get(p, 0) for p in part),
                forward_flops=ahead,
                backward_flops=sum(whole.get(by_path[p], 0) for p in part) / rows - ahead,
                activation=activation,
                leaf=tap.leaf if tap else True,
                units=here["peak"].shape[1] if here is not None else 0,
                weight_norm=weight,
                weight_gradient=params.get("gradient", nan),
                update_ratio=np.divide(
                    params.get("change", nan), weight, out=nan.copy(), where=np.asarray(weight) > 0
                ),
                **{name: values.get(name, nan) for name in _MEASURED},
            )
        )
    return found


_MEASURED = ("mean", "std", "norm", "zeros", "dead", "saturated", "gradient")


def _numbers(here: Mapping[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    mean = here["sum"] / here["count"]
    variance = np.maximum(here["squares"] / here["count"] - mean**2, 0.0)
    numbers = {
        "mean": mean,
        "std": np.sqrt(variance),
        "norm": here["norm"] / here["calls"],
        "zeros": here["zeros"] / here["count"],
        "gradient": here["gradient"],
    }
    if kind:
        top = here["peak"].max(axis=1, keepdims=True)
        numbers["dead"] = np.sum(here["peak"] <= DEAD * top, axis=1).astype(float)
    if None not in ACTIVATIONS.get(kind, (None, None)):
        numbers["saturated"] = np.sum(here["flat"] >= STUCK, axis=1).astype(float)
    return numbers


def _within(path: str, outer: str) -> bool:
    return not outer or path == outer or path.startswith(f"{outer}.")
