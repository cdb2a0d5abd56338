"""A recurrent forecaster: it reads the past of all channels and tells every step to come at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.models.architecture import Inputs
from manyfit.models.cells import CELLS, Cell, check_cell
from manyfit.models.images import check_whole, resolved
from manyfit.models.linear_forecasters import Instance
from manyfit.nn.dropout import Dropout
from manyfit.nn.linear import Linear
from manyfit.space import Numeric


@dataclass(frozen=True)
class RecurrentForecaster:
    """A recurrent layer (``models.cells``) over the past, then one dense layer.

    What is known of past and future steps (``known``) is read beside the past values, and its future part enters
    the dense layer.
    """

    cell: Cell = "lstm"
    hidden: int = 64
    layers: int = 1
    dropout: Numeric = 0.0
    instance: Instance = "standard"
    reads_known: ClassVar[bool] = True
    reads_channels: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole(self, hidden=self.hidden, layers=self.layers)
        check_cell(self, self.cell)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``past`` ``(B, L, C)`` to ``(B, C, outputs)``."""
        return RecurrentForecasterModule(self, inputs, outputs, rngs)


class RecurrentForecasterModule(nnx.Module):
    """The module that ``RecurrentForecaster`` describes."""

    def __init__(self, spec: RecurrentForecaster, inputs: Inputs, outputs: int, rngs: nnx.Rngs) -> None:
        _, lookback, self.channels = inputs["past"].shape
        self.known = "known" in inputs
        known = inputs["known"].shape[2] if self.known else 0
        ahead = (inputs["known"].shape[1] - lookback) * known if self.known else 0
        rate = resolved(spec, "dropout")
        self.recurrent = CELLS[spec.cell](
            self.channels + known, spec.hidden, layers=spec.layers, dropout=rate, rngs=rngs
        )
        self.dropout = Dropout(rate, rngs=rngs)
        self.head = Linear(spec.hidden + ahead, self.channels * outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, C, outputs)``."""
        x = features["past"]
        lookback = x.shape[1]
        if self.known:
            x = jnp.concatenate([x, features["known"][:, :lookback].astype(x.dtype)], axis=-1)
        outputs, _ = self.recurrent(x)
        h = self.dropout(outputs[:, -1])
        if self.known:
            future = features["known"][:, lookback:].reshape(h.shape[0], -1)
            h = jnp.concatenate([h, future.astype(h.dtype)], axis=-1)
        return self.head(h).reshape(h.shape[0], self.channels, -1)
