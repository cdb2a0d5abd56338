"""Finite scalar quantisation: each number of the code on a few levels, no codebook."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from manyfit.engine.objective import Array, Key
from manyfit.errors import ConfigError
from manyfit.objectives.autoencoding.base import Autoencoding, Lost, Net
from manyfit.objectives.autoencoding.quantised import straight_through
from manyfit.space import Distribution


@dataclass(frozen=True)
class FSQ(Autoencoding):
    """Reproduce rows from a code whose i-th number takes one of ``levels[i]`` values in [-1, 1].

    ``levels`` repeats until the code is full. The gradient goes straight through the rounding.

    Source: Mentzer et al. (2024), "Finite scalar quantization: VQ-VAE made simple", section 3.1.
    """

    levels: tuple[int, ...] = (8, 5, 5, 5)

    def __post_init__(self) -> None:
        super().__post_init__()
        whole = all(isinstance(n, Distribution) or (isinstance(n, int) and n >= 2) for n in self.levels)
        if not self.levels or not whole:
            raise ConfigError(f"levels={self.levels!r}: give whole numbers of at least 2")

    def codes(self, net: Net, values: Array) -> Array:
        """The rounded code, ``(B, latent)``."""
        return finite_scalar(net.encode(values), self._levels)

    def lost(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The distance of a row to its reconstruction."""
        return self.judged(net, values, observed, key)

    @property
    def _levels(self) -> np.ndarray:
        return np.resize(np.array(self.levels, np.float32), self.latent)


def finite_scalar(z: Array, levels: np.ndarray) -> Array:
    """``z`` ``(..., d)`` bounded and rounded to ``levels`` ``(d,)`` values of each axis, straight through.

    An odd number of levels holds 0; an even one lies half a step beside it. In units of half the range.
    """
    half = (levels - 1) * (1 - 1e-3) / 2
    offset = np.where(levels % 2 == 0, 0.5, 0.0)
    shift = np.arctanh(offset / half)
    bounded = jnp.tanh(z + shift) * half - offset
    return straight_through(bounded, jnp.round(bounded)) / (levels // 2)
