"""One network traced to a program whose intermediate values can be read and pushed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Literal

from manyfit.trace.activations import activation_ends
from manyfit.trace.graph import Edge, Graph, Node
from manyfit.trace.layers import Layer, Naming, layer_named, layer_of


@dataclass(frozen=True)
class Tap:
    """A value that can be read: a layer's output, or an activation function's."""

    path: str
    """The layer's path, with ``:relu`` and the like behind it for an activation function."""
    kind: str
    shape: tuple[int, ...]
    dtype: Any
    activation: bool
    leaf: bool
    """Whether no layer inside it has a tap of its own."""
    call: int = 0
    """Which call of the layer it is: a layer may be used several times."""


@dataclass(frozen=True)
class Program:
    """A traced network: ``taps`` in the order in which they run, ``layers`` the modules it is made of."""

    jaxpr: ClosedJaxpr
    layers: Sequence[Layer]
    taps: Sequence[Tap]
    graph: Graph
    _tree: Any = field(repr=False)

    def run(self, *arguments: Any, push: Sequence[Any] | None = None) -> tuple[Any, list[Any]]:
        """The network's output and the value at every tap.

        ``push[i]`` is added to the value at tap i, None leaves it: the gradient
        by a push at 0 is the gradient by the value (what ``nnx.Module.perturb``
        does for one value at a time).
        """
        values: list[Any] = []

        def equation(eqn: Any, inputs: list[Any], activation: str | None) -> list[Any]:
            with eqn.ctx.manager:
                out = eqn.primitive.bind(*inputs, **eqn.primitive.get_bind_params(eqn.params))
            outs = list(out) if eqn.primitive.multiple_results else [out]
            if _tapped(eqn, activation):
                more = None if push is None else push[len(values)]
                outs[0] = outs[0] if more is None else outs[0] + more
                values.append(outs[0])
            return outs

        flat = jax.tree.leaves(arguments)
        outputs = _interpret(self.jaxpr.jaxpr, self.jaxpr.consts, flat, equation, lambda value: value)
        return jax.tree.unflatten(self._tree, outputs), values

    def zeros(self) -> list[jax.Array]:
        """A push of 0 for every tap."""
        return [jnp.zeros(tap.shape, tap.dtype) for tap in self.taps]


def trace(function: Callable[..., Any], weights: Any, *inputs: Any) -> Program:
    """The program of ``function(naming, weights, *inputs)``, which enters ``naming(module)`` around the call.

    ``weights`` and ``inputs`` are pytrees of arrays or of their shapes; the graph begins at the
    inputs. Nothing is computed.
    """
    naming, tree = Naming(), None

    def flat(*arguments: Any) -> Any:
        nonlocal tree
        leaves, tree = jax.tree.flatten(function(naming, *arguments))
        return leaves

    jaxpr = jax.make_jaxpr(flat)(weights, *inputs)
    paths = jax.tree_util.tree_leaves_with_path(inputs[0] if len(inputs) == 1 else inputs)
    names = ["input" + (f" {_words(path)}" if path else "") for path, _ in paths]
    taps, graph = _analyse(jaxpr, naming.layers, names)
    return Program(jaxpr, tuple(naming.layers), tuple(taps), graph, tree)


def _words(path: Any) -> str:
    return ".".join(
        str(getattr(part, "key", getattr(part, "idx", getattr(part, "name", part)))) for part in path
    )


Step: TypeAlias = Callable[[Any, list[Any], str | None], list[Any]]


def _interpret(
    jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any], equation: Step, literal: Callable[[Any], Any]
) -> list[Any]:
    """Every equation in turn, over whatever ``equation`` makes of values; jitted functions are opened."""
    known: dict[Any, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments]))
    for eqn, activation in zip(jaxpr.eqns, activation_ends(jaxpr.eqns)):
        inputs = [literal(v.val) if isinstance(v, Literal) else known[v] for v in eqn.invars]
        if eqn.primitive.name in ("jit", "pjit") and activation is None:
            inner = eqn.params["jaxpr"]
            outs = _interpret(inner.jaxpr, [literal(c) for c in inner.consts], inputs, equation, literal)
        else:
            outs = equation(eqn, inputs, activation)
        known.update(zip(eqn.outvars, outs))
    return [literal(v.val) if isinstance(v, Literal) else known[v] for v in jaxpr.outvars]


def _tapped(eqn: Any, activation: str | None) -> bool:
    return activation is not None or (
        eqn.primitive.name == "name" and layer_named(eqn.params["name"]) is not None
    )


Sources: TypeAlias = frozenset[int]
_NOTHING: Sources = frozenset()


def _analyse(jaxpr: ClosedJaxpr, layers: Sequence[Layer], names: Sequence[str]) -> tuple[list[Tap], Graph]:
    """The taps and the graph: a value stands for the nodes that it comes from, straight or through equations."""
    leaves = _called_leaves(jaxpr, layers)
    taps: list[Tap] = []
    nodes: list[Node] = []
    edges: list[Edge] = []
    hosts: list[str] = []
    calls: Counter[str] = Counter()

    def add(
        name: str, kind: str, aval: Any, role: str, sources: Sources = _NOTHING, host: str = ""
    ) -> Sources:
        edges.extend(Edge(source, len(nodes), nodes[source].shape) for source in sorted(sources))
        nodes.append(Node(name, kind, tuple(aval.shape), str(aval.dtype), role))
        hosts.append(host)
        return frozenset([len(nodes) - 1])

    def tap(path: str, kind: str, aval: Any, activation: bool, leaf: bool) -> str:
        taps.append(Tap(path, kind, tuple(aval.shape), aval.dtype, activation, leaf, calls[path]))
        calls[path] += 1
        return path if calls[path] == 1 else f"{path} (call {calls[path]})"

    def equation(eqn: Any, inputs: list[Sources], activation: str | None) -> list[Sources]:
        sources = _NOTHING.union(*inputs)
        aval = eqn.outvars[0].aval if eqn.outvars else None
        here = layer_of(str(eqn.source_info.name_stack))
        around = layers[here].path if layers else ""
        others = [sources] * (len(eqn.outvars) - 1)
        if activation is not None:
            before = {hosts[source] for source in sources}
            host = before.pop() if len(before) == 1 and "" not in before else around
            name = tap(f"{host}:{activation}", activation, aval, True, True)
            return [add(name, activation, aval, "activation", sources, host), *others]
        place = layer_named(eqn.params["name"]) if eqn.primitive.name == "name" else None
        if place is not None:
            path, kind, leaf = layers[place].path, layers[place].kind, place in leaves
            name = tap(path, kind, aval, False, leaf)
            return [add(name or kind, kind, aval, "layer", sources, path) if leaf else sources]
        if len(sources) > 1 and here not in leaves and hasattr(aval, "shape"):
            kind = eqn.primitive.name
            calls[f"/{kind}"] += 1
            sources = add(f"{kind} {calls[f'/{kind}']}", kind, aval, "merge", sources)
        return [sources] * len(eqn.outvars)

    invars = jaxpr.jaxpr.invars
    first = len(invars) - len(names)
    given = [add(name, "input", var.aval, "input") for name, var in zip(names, invars[first:])]
    starts = [_NOTHING] * first + given
    outs = _interpret(jaxpr.jaxpr, [_NOTHING] * len(jaxpr.consts), starts, equation, lambda _: _NOTHING)
    for i, (var, sources) in enumerate(zip(jaxpr.jaxpr.outvars, outs)):
        add("output" if i == 0 else f"output {i + 1}", "output", var.aval, "output", sources)
    return taps, Graph(tuple(nodes), tuple(edges))


def _called_leaves(jaxpr: ClosedJaxpr, layers: Sequence[Layer]) -> set[int]:
    """Layers that were called and have no called layer inside."""
    called: set[int] = set()

    def equation(eqn: Any, inputs: list[Any], activation: str | None) -> list[Any]:
        place = layer_named(eqn.params["name"]) if eqn.primitive.name == "name" else None
        if place is not None:
            called.add(place)
        return [None] * len(eqn.outvars)

    _interpret(
        jaxpr.jaxpr, [None] * len(jaxpr.consts), [None] * len(jaxpr.jaxpr.invars), equation, lambda _: None
    )
    paths = {layers[i].path for i in called}

    def inside(path: str) -> bool:
        return any(other != path and (not path or other.startswith(f"{path}.")) for other in paths)

    return {i for i in called if not inside(layers[i].path)}
