"""The layers of an NNX module, and how their calls are marked while it is traced."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
from flax import nnx
from jax.ad_checkpoint import checkpoint_name

_NAME = re.compile(r"manyfit-layer-(\d+)$")
_SCOPE = re.compile(r"~(\d+)~")


@dataclass(frozen=True)
class Layer:
    """One module inside a module: its dotted path (empty for the whole) and the name of its class."""

    path: str
    kind: str


class Naming:
    """Marks what each layer of a module computes, for as long as a module is traced inside it.

    While ``with naming(module):`` is open, a call of any module in ``module``
    runs under a named scope of its own, which every equation keeps, also those
    that differentiation makes of it, and its output is given a name. Nothing
    else changes. Afterwards ``layers`` lists the modules.

    Only ``__call__`` is marked. What runs inside ``nnx.scan`` or ``nnx.remat``
    counts to the layer that runs it.
    """

    def __init__(self) -> None:
        self.layers: list[Layer] = []

    @contextlib.contextmanager
    def __call__(self, module: nnx.Module) -> Iterator[None]:
        found = [(".".join(map(str, path)), part) for path, part in nnx.iter_modules(module)]
        found.sort(key=lambda item: item[0].count(".") + bool(item[0]))
        self.layers = [Layer(path, type(part).__name__) for path, part in found]
        places = {id(part): i for i, (_, part) in enumerate(found)}
        running: list[int] = []

        def marked(call: Callable[..., Any]) -> Callable[..., Any]:
            def called(self: Any, *args: Any, **kwargs: Any) -> Any:
                place = places.get(id(self))
                if place is None or (running and running[-1] == place):  # a parent class's part of the call
                    return call(self, *args, **kwargs)
                running.append(place)
                try:
                    with jax.named_scope(f"~{place}~"):
                        return _named(call(self, *args, **kwargs), place)
                finally:
                    running.pop()

            return called

        kinds = {type(part) for _, part in found if "__call__" in dir(type(part))}
        own = {kind: vars(kind).get("__call__") for kind in kinds}
        calls = {kind: kind.__call__ for kind in kinds}
        try:
            for kind in kinds:
                setattr(kind, "__call__", marked(calls[kind]))  # noqa: B010
            yield
        finally:
            for kind, before in own.items():
                if before is None:
                    del kind.__call__
                else:
                    setattr(kind, "__call__", before)  # noqa: B010


def _named(output: Any, place: int) -> Any:
    """The output with its name on the largest array, the last of several: of a cell's carry and output the output, of a
    recurrent layer's outputs and last state the outputs."""
    leaves, tree = jax.tree.flatten(output)
    arrays = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array)]
    if arrays:
        i = max(arrays, key=lambda i: (leaves[i].size, i))
        leaves[i] = checkpoint_name(leaves[i], f"manyfit-layer-{place}")
    return jax.tree.unflatten(tree, leaves)


def layer_named(name: object) -> int | None:
    """The layer whose output has this name."""
    found = _NAME.match(str(name))
    return int(found[1]) if found else None


def layer_of(scopes: str, otherwise: int = 0) -> int:
    """The innermost layer of a name stack's text."""
    found = _SCOPE.findall(scopes)
    return int(found[-1]) if found else otherwise


def owner(path: Sequence[Any], paths: Sequence[str]) -> str:
    """The path of the layer that a parameter belongs to: the longest one that its own begins with."""
    parts = [str(part) for part in path]
    known = set(paths)
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in known:
            return ".".join(parts[:length])
    return ""
