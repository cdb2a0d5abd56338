"""PatchTST: a transformer over patches of each channel, all channels sharing its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.images import check_whole, resolved
from manyfit.models.linear_forecasters import Instance
from manyfit.nn.dropout import Dropout
from manyfit.nn.linear import Linear
from manyfit.nn.positions import LearnedPositions
from manyfit.nn.transformer import TransformerBlock
from manyfit.space import Numeric


@dataclass(frozen=True)
class PatchTransformer:
    """Patches of ``patch`` steps every ``stride`` steps are the tokens; one dense layer reads them all at the end.

    The last value is repeated for one patch more, as in the paper. Defaults are its small setting for ETTh.
    Source: Nie et al. (2023), "A time series is worth 64 words: long-term forecasting with transformers".
    """

    patch: int = 16
    stride: int = 8
    width: int = 16
    depth: int = 3
    heads: int = 4
    hidden: int = 128
    dropout: Numeric = 0.3
    instance: Instance = "standard"

    def __post_init__(self) -> None:
        check_whole(
            self,
            patch=self.patch,
            stride=self.stride,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            hidden=self.hidden,
        )

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``past`` ``(B, L, C)`` to ``(B, C, outputs)``."""
        lookback = inputs["past"].shape[1]
        if lookback < self.patch:
            raise ConfigError(f"patches of {self.patch} steps do not fit into a look-back of {lookback}")
        return PatchTransformerModule(self, lookback, outputs, rngs)


class PatchTransformerModule(nnx.Module):
    """The module that ``PatchTransformer`` describes."""

    def __init__(self, spec: PatchTransformer, lookback: int, outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "dropout")
        self.patch, self.stride = spec.patch, spec.stride
        self.tokens = (lookback - spec.patch) // spec.stride + 2
        self.embed = Linear(spec.patch, spec.width, rngs=rngs)
        self.positions = LearnedPositions(self.tokens, spec.width, rngs=rngs)
        self.dropout = Dropout(rate, rngs=rngs)
        self.blocks = nnx.List(
            [
                TransformerBlock(spec.width, spec.heads, hidden=spec.hidden, dropout=rate, rngs=rngs)
                for _ in range(spec.depth)
            ]
        )
        self.head = Linear(self.tokens * spec.width, outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, C, outputs)``."""
        x = features["past"].swapaxes(1, 2)
        batch, channels, _ = x.shape
        x = jnp.pad(x, ((0, 0), (0, 0), (0, self.stride)), mode="edge")
        places = self.stride * jnp.arange(self.tokens)[:, None] + jnp.arange(self.patch)
        x = self.embed(x[..., places]).reshape(batch * channels, self.tokens, -1)
        x = self.dropout(self.positions(x))
        for block in self.blocks:
            x = block(x)
        return self.head(x.reshape(batch, channels, -1))
