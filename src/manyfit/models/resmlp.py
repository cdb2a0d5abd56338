"""The residual multilayer perceptron, for tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
from flax import nnx

from manyfit.models.architecture import Inputs
from manyfit.models.images import check_whole, resolved
from manyfit.models.mlp import Embedding, Front
from manyfit.nn.dropout import Dropout
from manyfit.nn.normalisation import LayerNorm
from manyfit.space import Numeric

_HE = nnx.initializers.he_normal()


@dataclass(frozen=True)
class ResMLP:
    """Blocks ``x + dropout(linear(dropout(relu(linear(norm(x))))))`` of one width, the inner layer wider.

    ``embedding`` and what belongs to it as in ``MLP``. Layer normalisation stands where the source
    has that of batches: a row's output then depends on no other row.

    Source: Gorishniy et al. (2021), "Revisiting deep learning models for tabular data", section 3.3.
    """

    width: int = 128
    depth: int = 3
    widen: int = 2
    dropout: Numeric = 0.0
    embedding: Embedding = "none"
    embedding_width: int = 8
    frequencies: int = 16
    sigma: float = 0.1

    def __post_init__(self) -> None:
        check_whole(self, width=self.width, depth=self.depth, widen=self.widen)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps features to ``(batch, outputs)``."""
        return ResMLPModule(self, inputs, outputs, rngs)


class ResMLPModule(nnx.Module):
    """The module that ``ResMLP`` describes."""

    def __init__(self, spec: ResMLP, inputs: Inputs, outputs: int, rngs: nnx.Rngs) -> None:
        rate, width, inner = resolved(spec, "dropout"), spec.width, spec.widen * spec.width
        self.front = Front(spec, inputs, rngs)
        self.enter = nnx.Linear(self.front.width, width, rngs=rngs)
        self.norms = nnx.List([LayerNorm(width, epsilon=1e-6, rngs=rngs) for _ in range(spec.depth + 1)])
        self.widen = nnx.List(
            [nnx.Linear(width, inner, kernel_init=_HE, rngs=rngs) for _ in range(spec.depth)]
        )
        self.narrow = nnx.List([nnx.Linear(inner, width, rngs=rngs) for _ in range(spec.depth)])
        self.dropouts = nnx.List([Dropout(rate, rngs=rngs) for _ in range(2 * spec.depth)])
        self.head = nnx.Linear(width, outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(batch, outputs)``."""
        x = self.enter(self.front(features))
        for i, (widen, narrow) in enumerate(zip(self.widen, self.narrow)):
            y = self.dropouts[2 * i](jax.nn.relu(widen(self.norms[i](x))))
            x = x + self.dropouts[2 * i + 1](narrow(y))
        return self.head(jax.nn.relu(self.norms[-1](x)))
