"""Temporal convolutional networks: dilated causal convolutions, as a forecaster and as a classifier of series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.models.architecture import Inputs
from manyfit.models.images import check_whole, resolved
from manyfit.models.linear_forecasters import Instance
from manyfit.models.series_classifiers import channels_of
from manyfit.models.texts import pooled
from manyfit.nn.conv import Conv1d
from manyfit.nn.dropout import Dropout
from manyfit.nn.linear import Linear
from manyfit.space import Numeric


class CausalBlock(nnx.Module):
    """Two dilated causal convolutions around a shortcut: ``(B, T, in)`` -> ``(B, T, out)``, no step seeing later ones.

    Weights are drawn so that a block begins near its shortcut, in place of the paper's weight normalisation.
    """

    def __init__(self, into: int, out: int, size: int, dilation: int, rate: Any, rngs: nnx.Rngs) -> None:
        options: dict[str, Any] = {"dilation": dilation, "padding": "CAUSAL", "rngs": rngs}
        self.first, self.second = Conv1d(into, out, size, **options), Conv1d(out, out, size, **options)
        self.dropout = Dropout(rate, rngs=rngs)
        self.shortcut = Linear(into, out, rngs=rngs) if into != out else nnx.data(None)
        self.scale = nnx.Param(jnp.full(out, 0.1))

    def __call__(self, x: jax.Array) -> jax.Array:
        y = self.dropout(jax.nn.relu(self.first(x)))
        y = self.dropout(jax.nn.relu(self.second(y)))
        return y * self.scale[...].astype(y.dtype) + (x if self.shortcut is None else self.shortcut(x))


def _blocks(into: int, widths: tuple[int, ...], size: int, rate: Any, rngs: nnx.Rngs) -> nnx.List:
    """A block for each width, its dilation twice that of the one before."""
    ins = (into, *widths[:-1])
    return nnx.List(
        [CausalBlock(a, b, size, 2**place, rate, rngs) for place, (a, b) in enumerate(zip(ins, widths))]
    )


@dataclass(frozen=True)
class TCN:
    """A forecaster: the last step of the convolutions, which have seen ``1 + 2 (size - 1) (2^blocks - 1)`` steps.

    ``known`` is read beside the past, and its future part enters the dense layer. Source: Bai, Kolter, Koltun (2018),
    "An empirical evaluation of generic convolutional and recurrent networks for sequence modeling".
    """

    widths: tuple[int, ...] = (32, 32, 32, 32, 32)
    size: int = 3
    dropout: Numeric = 0.1
    instance: Instance = "standard"
    reads_known: ClassVar[bool] = True
    reads_channels: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole(self, widths=self.widths, size=self.size)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``past`` ``(B, L, C)`` to ``(B, C, outputs)``."""
        return TCNModule(self, inputs, outputs, rngs)


class TCNModule(nnx.Module):
    """The module that ``TCN`` describes."""

    def __init__(self, spec: TCN, inputs: Inputs, outputs: int, rngs: nnx.Rngs) -> None:
        _, lookback, self.channels = inputs["past"].shape
        known = inputs["known"].shape[2] if "known" in inputs else 0
        ahead = (inputs["known"].shape[1] - lookback) * known if known else 0
        self.blocks = _blocks(self.channels + known, spec.widths, spec.size, resolved(spec, "dropout"), rngs)
        self.head = Linear(spec.widths[-1] + ahead, self.channels * outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, C, outputs)``."""
        x = features["past"]
        lookback = x.shape[1]
        known = features["known"].astype(x.dtype) if "known" in features else None
        if known is not None:
            x = jnp.concatenate([x, known[:, :lookback]], axis=-1)
        for block in self.blocks:
            x = block(x)
        h = x[:, -1]
        if known is not None:
            h = jnp.concatenate([h, known[:, lookback:].reshape(len(h), -1)], axis=-1)
        return self.head(h).reshape(len(h), self.channels, -1)


@dataclass(frozen=True)
class SeriesTCN:
    """A classifier of series: the same convolutions, the mean over the steps that a series has, a linear layer.

    As no step sees later ones, what lies after a series' end has no way in.
    """

    widths: tuple[int, ...] = (32, 32, 32, 32, 32)
    size: int = 5
    dropout: Numeric = 0.1

    def __post_init__(self) -> None:
        check_whole(self, widths=self.widths, size=self.size)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``steps`` ``(B, T, C)`` and ``lengths`` ``(B,)`` to ``(B, outputs)``."""
        return SeriesTCNModule(self, channels_of(inputs, self), outputs, rngs)


class SeriesTCNModule(nnx.Module):
    """The module that ``SeriesTCN`` describes."""

    def __init__(self, spec: SeriesTCN, channels: int, outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "dropout")
        self.blocks = _blocks(channels, spec.widths, spec.size, rate, rngs)
        self.head = Linear(spec.widths[-1], outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x = features["steps"]
        for block in self.blocks:
            x = block(x)
        return self.head(pooled(x, features["lengths"], "mean"))
