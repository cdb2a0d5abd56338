"""The multilayer perceptron, for tables and for anything that lies in one row."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs, activation
from manyfit.nn.dropout import Dropout
from manyfit.nn.embeddings import CategoryEmbedding, PeriodicEmbedding, PiecewiseLinearEmbedding
from manyfit.space import Numeric

Embedding = Literal["none", "piecewise", "periodic"]


class Embedded(Protocol):
    """A description that says how numbers enter; see ``MLP``."""

    @property
    def embedding(self) -> Embedding: ...
    @property
    def embedding_width(self) -> int: ...
    @property
    def frequencies(self) -> int: ...
    @property
    def sigma(self) -> float: ...


NARROW = 0.3
"""``input_gain`` of a table: columns that say little begin quiet, in place of noise that training never takes back.

Pixels say what their neighbours say, and lose by it. ``benchmarks/input_gain.py`` is what it was chosen by.
"""


@dataclass(frozen=True)
class MLP:
    """Dense layers with an activation and dropout after each hidden one.

    ``embedding`` says how numbers enter: ``none`` as one value each,
    ``piecewise`` through a learned piecewise-linear function of
    ``embedding_width`` outputs, ``periodic`` through learned sines and cosines
    (Gorishniy et al. 2022, "On Embeddings for Numerical Features in Tabular
    Deep Learning"). ``sigma`` is the spread of the initial frequencies.

    Weights begin normal, of deviation ``gain / sqrt(inputs)``: a gain of ``sqrt(2)`` for relu and its kin
    (He et al. 2015), 1 for others. ``input_gain`` is that of the first layer, by default 0.3 for a table's
    columns (``NARROW``) and that of the other layers for pixels.
    """

    hidden: tuple[int, ...] = (128, 128)
    dropout: Numeric = 0.0
    activation: str = "relu"
    embedding: Embedding = "none"
    embedding_width: int = 8
    frequencies: int = 16
    sigma: float = 0.1
    input_gain: Numeric | None = None

    def __post_init__(self) -> None:
        activation(self.activation) if isinstance(self.activation, str) else None
        if isinstance(self.hidden, tuple) and any(not isinstance(w, int) or w < 1 for w in self.hidden):
            raise ConfigError(f"MLP(hidden={self.hidden}): widths are whole numbers of at least 1")
        if isinstance(self.input_gain, (int, float)) and not 0 < self.input_gain < math.inf:
            raise ConfigError(f"MLP(input_gain={self.input_gain}): give a number above 0")

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps features to ``(batch, outputs)``."""
        return MLPModule(self, inputs, outputs, rngs)


class MLPModule(nnx.Module):
    """The module that ``MLP`` describes; features by name, batch axis first."""

    def __init__(self, spec: MLP, inputs: Inputs, outputs: int, rngs: nnx.Rngs) -> None:
        self.front = Front(spec, inputs, rngs)
        widths = (self.front.width, *spec.hidden)
        inner: Numeric = math.sqrt(2.0) if spec.activation in ("relu", "gelu", "silu", "elu") else 1.0
        first = spec.input_gain if spec.input_gain is not None else inner if self.front.pixels else NARROW
        gains = [first] + [inner] * (len(spec.hidden) - 1)
        self.layers = nnx.List(
            [
                nnx.Linear(a, b, kernel_init=_normal(gain), rngs=rngs)
                for (a, b), gain in zip(itertools.pairwise(widths), gains)
            ]
        )
        rate: Any = spec.dropout
        self.dropouts = nnx.List([Dropout(rate, rngs=rngs) for _ in spec.hidden])
        self.head = nnx.Linear(widths[-1], outputs, kernel_init=nnx.initializers.lecun_normal(), rngs=rngs)
        self.activation = activation(spec.activation)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(batch, outputs)``."""
        x = self.front(features)
        for layer, dropout in zip(self.layers, self.dropouts):
            x = dropout(self.activation(layer(x)))
        return self.head(x)


class Front(nnx.Module):
    """Every feature of a row, side by side: numbers (embedded or not), what is missing, categories, pixels."""

    def __init__(self, spec: Embedded, inputs: Inputs, rngs: nnx.Rngs) -> None:
        numbers = inputs["numeric"].shape[1] if "numeric" in inputs else 0
        self.numbers = numbers > 0
        self.missing = "missing" in inputs and inputs["missing"].shape[1] > 0
        self.embedding = _embedding(spec, inputs, numbers, rngs)
        self.categories = CategoryEmbedding(inputs.cardinalities, rngs=rngs) if inputs.cardinalities else None
        self.width = numbers if self.embedding is None else numbers * spec.embedding_width
        if self.missing:
            self.width += inputs["missing"].shape[1]
        if self.categories is not None:
            self.width += self.categories.width
        self.pixels = "pixels" in inputs
        if self.pixels:
            self.width += math.prod(inputs["pixels"].shape[1:])
        if not self.width:
            raise ConfigError(
                f"the rows have no feature that an MLP takes: numeric, category or pixels, but {sorted(inputs.shapes)}"
            )

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        parts = []
        if self.numbers:
            x = features["numeric"]
            if isinstance(self.embedding, PiecewiseLinearEmbedding):
                x = self.embedding(x, features["piecewise"])
            elif self.embedding is not None:
                x = self.embedding(x)
            parts.append(x.reshape(x.shape[0], -1))
        if self.missing:
            parts.append(features["missing"])
        if self.categories is not None:
            parts.append(self.categories(features["category"]))
        if self.pixels:
            parts.append(features["pixels"].reshape(len(features["pixels"]), -1))
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=1)


def _normal(gain: Any) -> nnx.Initializer:
    """Kernels of deviation ``gain / sqrt(inputs)``; the gain may be a member's own."""

    def start(key: jax.Array, shape: Sequence[int], *options: Any) -> jax.Array:
        return jax.random.normal(key, shape, *options) * (gain / math.sqrt(shape[0]))

    return start


def _embedding(
    spec: Embedded, inputs: Inputs, numbers: int, rngs: nnx.Rngs
) -> PiecewiseLinearEmbedding | PeriodicEmbedding | None:
    if not numbers or spec.embedding == "none":
        return None
    if spec.embedding == "periodic":
        return PeriodicEmbedding(numbers, spec.frequencies, spec.embedding_width, spec.sigma, rngs=rngs)
    if "piecewise" not in inputs:
        raise ConfigError("embedding='piecewise' needs preprocessing with bins: bins=32, say")
    return PiecewiseLinearEmbedding(numbers, inputs["piecewise"].shape[2], spec.embedding_width, rngs=rngs)
