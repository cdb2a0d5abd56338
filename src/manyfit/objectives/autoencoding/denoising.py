"""The denoising autoencoder: rows from what noise left of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import jax

from manyfit.engine.objective import Array, Key
from manyfit.errors import ConfigError, nearest
from manyfit.objectives.autoencoding.base import Autoencoding, Lost, Net
from manyfit.optim.numbers import number
from manyfit.space import Numeric

_KINDS = ("gaussian", "masking")


@dataclass(frozen=True)
class Denoising(Autoencoding):
    """Reproduce clean rows from corrupted ones.

    ``gaussian`` corruption adds normal noise of deviation ``noise``, in units of the values; ``masking``
    sets each value to 0 with probability ``noise``. Evaluation and codes are of clean rows.

    Source: Vincent et al. (2010), "Stacked denoising autoencoders".
    """

    noise: Numeric = 0.3
    corruption: Literal["gaussian", "masking"] = "gaussian"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.corruption, str) and self.corruption not in _KINDS:
            raise ConfigError(f"corruption={self.corruption!r}: {nearest(self.corruption, _KINDS)}")

    def lost(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The distance of clean rows to reconstructions of corrupted ones."""
        if self.corruption == "masking":
            corrupted = values * (jax.random.uniform(key, values.shape) >= number(self.noise))
        else:
            corrupted = values + number(self.noise) * jax.random.normal(key, values.shape)
        return Lost(self.distance(net, net.decode(net.encode(corrupted)), values, observed), {})
