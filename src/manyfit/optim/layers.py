"""Some layers learn at another rate than others, or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import jax
import optax

from manyfit.errors import ConfigError
from manyfit.optim.numbers import number
from manyfit.optim.optimizer import LossFunction, Wrapper
from manyfit.optim.paths import check, chosen, matches, path_of, paths
from manyfit.space import Numeric


@dataclass(frozen=True)
class Rate:
    """A factor of the learning rate for the parameters whose path the pattern covers."""

    pattern: str
    factor: Numeric = 1.0


@dataclass(frozen=True)
class LayerRates(Wrapper):
    """Learning rates by parameter path; the last pattern that covers a parameter decides, others keep theirs.

    The decay that is relative to the learning rate follows. For rates that are 0 for good, ``Freeze``
    saves their gradient too.

    Raises ``ConfigError`` for a pattern that covers no parameter.

    >>> from manyfit.optim import AdamW
    >>> optimizer = LayerRates(AdamW(), (Rate("layers.*", 0.1), Rate("layers.0.*", 0.01)))
    """

    rates: tuple[Rate, ...] = ()

    def transform(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs:
        """The inner optimizer's step times the factors."""
        return _scaled(self.inside(total_steps), self._factors)

    def _factors(self, params: Any) -> dict[str, Any]:
        check(params, tuple(rate.pattern for rate in self.rates))
        return {p: r.factor for p in paths(params) for r in self.rates if matches(p, r.pattern)}


@dataclass(frozen=True)
class LayerDecay(Wrapper):
    """Learning rates that fall from the output to the input: times ``factor`` for every layer on the way.

    ``order`` are patterns of parameter paths from the input to the output; the last that covers a
    parameter decides, and within a pattern the numbers in the path do (``layers.0``, ``layers.1``).
    By default whatever has no number (a stem, embeddings) comes first, ``head`` last.

    Source: Howard & Ruder (2018), "Universal language model fine-tuning for text classification".

    >>> from manyfit.optim import AdamW
    >>> optimizer = LayerDecay(AdamW(), factor=0.75)
    """

    factor: Numeric = 0.75
    order: tuple[str, ...] = ("*", "head.*")

    def transform(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs:
        """The inner optimizer's step times ``factor`` to the layer's distance from the output."""
        return _scaled(
            self.inside(total_steps),
            lambda params: {p: number(self.factor) ** n for p, n in self.depths(params).items()},
        )

    def depths(self, params: Any) -> dict[str, int]:
        """Path -> how many layers lie between it and the output; 0 is the last."""
        places = {}
        for path in paths(params):
            covering = [i for i, pattern in enumerate(self.order) if matches(path, pattern)]
            if not covering:
                raise ConfigError(
                    f"LayerDecay(order={self.order}): no pattern covers {path!r}; add one, '*' for all others"
                )
            numbers = tuple(int(n) for n in re.findall(r"(?<=\.)\d+(?=\.|$)", "." + path))
            places[path] = (covering[-1], numbers)
        layers = sorted(set(places.values()))
        return {path: len(layers) - 1 - layers.index(place) for path, place in places.items()}


@dataclass(frozen=True)
class Freeze(Wrapper):
    """The parameters whose path a pattern covers stay as they are: no step, no decay, no moments, no gradient.

    Batch statistics inside frozen layers still follow the data.

    Raises ``ConfigError`` for a pattern that covers no parameter.

    >>> from manyfit.optim import AdamW
    >>> optimizer = Freeze(AdamW(), ("front.*", "layers.0.*"))
    """

    patterns: tuple[str, ...] = ()

    def gradient(self, loss: LossFunction, params: Any) -> tuple[tuple[jax.Array, Any], Any]:
        """The inner optimizer's, with nothing flowing to what is frozen."""
        frozen = chosen(params, self.patterns)

        def stopped(at: Any) -> tuple[jax.Array, Any]:
            return loss(jax.tree.map(lambda p, f: jax.lax.stop_gradient(p) if f else p, at, frozen))

        return self.optimizer.gradient(stopped, params)

    def transform(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs:
        """The inner optimizer on the other parameters alone."""
        inner = self.inside(total_steps)

        def init(params: Any) -> Any:
            return inner.init(self._moving(params))

        def update(gradient: Any, state: Any, params: Any, **extra: Any) -> tuple[Any, Any]:
            change, state = inner.update(self._moving(gradient), state, self._moving(params), **extra)
            return _filled(change, optax.tree.zeros_like(params)), state

        return optax.GradientTransformationExtraArgs(init, update)

    def weights(self, state: Any, params: Any) -> Any:
        """The inner optimizer's, and what is frozen."""
        return _filled(self.optimizer.weights(state, self._moving(params)), params)

    def _moving(self, params: Any) -> Any:
        frozen = chosen(params, self.patterns)
        return jax.tree.map(lambda leaf, f: optax.MaskedNode() if f else leaf, params, frozen)


def _filled(some: Any, whole: Any) -> Any:
    """``some``, with the leaves of ``whole`` where it has none."""

    def absent(node: Any) -> bool:
        return isinstance(node, optax.MaskedNode)

    return jax.tree.map(lambda a, b: b if absent(a) else a, some, whole, is_leaf=absent)


def _scaled(inner: optax.GradientTransformationExtraArgs, factors: Any) -> Any:
    """``inner`` with its steps times ``factors(params)``, by path; a path that is not there keeps its step."""

    def update(gradient: Any, state: Any, params: Any, **extra: Any) -> tuple[Any, Any]:
        change, state = inner.update(gradient, state, params, **extra)
        by_path = factors(params)

        def one(keys: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
            return (by_path.get(path_of(keys), 1.0) * leaf).astype(leaf.dtype)

        return jax.tree_util.tree_map_with_path(one, change), state

    return optax.GradientTransformationExtraArgs(inner.init, update)
