"""The thin adapter between Flax NNX modules and the engine's plain pytrees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.engine.keys import key_of
from manyfit.engine.objective import Key, PyTree
from manyfit.errors import ConfigError


class Weights(NamedTuple):
    """A module's arrays: what is trained, and what is not (batch statistics, hyper-parameters)."""

    params: PyTree
    rest: PyTree


def _called(module: Any, inputs: tuple[Any, ...]) -> Any:
    """What the module gives; a feature that it asks for by a wrong name is said with the names that there are."""
    try:
        return module(*inputs)
    except KeyError as error:
        features, name = inputs[0], error.args[0] if error.args else None
        if not isinstance(features, Mapping) or not isinstance(name, str) or name in features:
            raise
        shapes = {key: ", ".join(["B", *map(str, leaf.shape[1:])]) for key, leaf in features.items()}
        there = ", ".join(f"{key!r} ({shape})" for key, shape in shapes.items())
        raise ConfigError(f"the network reads features[{name!r}]; these data have {there}") from error


class Functional:
    """An NNX module as pure functions of its weights.

    ``build(rngs)`` makes the module; it may close over traced values, which
    the module then has to keep in variables (``manyfit.nn.HyperParam``), not
    in plain attributes. Random streams are not part of the weights: they
    start anew from the key of every call.
    """

    def __init__(self, build: Callable[[nnx.Rngs], nnx.Module]) -> None:
        self._build = build

    def init(self, key: Key) -> Weights:
        """Fresh weights."""
        _, params, _, rest = self._split(self._build(nnx.Rngs(key)))
        return Weights(nnx.to_pure_dict(params), nnx.to_pure_dict(rest))

    def apply(
        self,
        weights: Weights,
        *inputs: Any,
        train: bool,
        key: Key | None = None,
        around: Callable[[nnx.Module], AbstractContextManager[Any]] = nullcontext,
    ) -> tuple[Any, PyTree]:
        """The module's output and its new untrained arrays; ``key`` is needed in training only.

        ``around`` is entered with the module for the time of its call (``manyfit.trace.Naming``).
        """
        module = self._merge(weights, key if key is not None else key_of(0))
        module.train() if train else module.eval()
        with around(module):
            outputs = _called(module, inputs)
        if not train:
            return outputs, weights.rest
        _, _, _, rest = self._split(module)
        return outputs, nnx.to_pure_dict(rest)

    def use(self, weights: Weights, do: Callable[[Any], Any]) -> Any:
        """What ``do`` makes of the module with these weights, as it is after training."""
        module = self._merge(weights, key_of(0))
        module.eval()
        return do(module)

    @staticmethod
    def _split(module: nnx.Module) -> Any:
        return nnx.split(module, nnx.Param, nnx.RngState, ...)

    def _merge(self, weights: Weights, key: Key) -> nnx.Module:
        graph, params, random, rest = self._skeleton()
        nnx.replace_by_pure_dict(params, weights.params)
        nnx.replace_by_pure_dict(rest, weights.rest)
        streams = nnx.to_pure_dict(random)
        leaves, tree = jax.tree.flatten(streams)
        anew = [
            jax.random.fold_in(key, i)
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            else jnp.zeros(leaf.shape, leaf.dtype)
            for i, leaf in enumerate(leaves)
        ]
        nnx.replace_by_pure_dict(random, jax.tree.unflatten(tree, anew))
        return nnx.merge(graph, params, random, rest)

    def _skeleton(self) -> Any:
        """Graph and abstract states; nothing is computed."""
        return self._split(nnx.eval_shape(lambda: self._build(nnx.Rngs(0))))
