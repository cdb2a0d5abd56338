"""The sparse autoencoder: few of the code's numbers are used by any row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from manyfit.engine.objective import Array, Key
from manyfit.errors import ConfigError, nearest
from manyfit.losses.likelihoods import bernoulli_divergence
from manyfit.objectives.autoencoding.base import Autoencoding, Lost, Net
from manyfit.optim.numbers import number
from manyfit.space import Numeric

_PENALTIES = ("absolute", "divergence")


@dataclass(frozen=True)
class Sparse(Autoencoding):
    """Reproduce rows by a code that is mostly zero.

    - ``absolute``: rectified codes, and ``weight`` times the sum of them (L1; as in the sparse autoencoders
      of Bricken et al., 2023);
    - ``divergence``: codes within (0, 1), and ``weight`` times the divergence of each one's mean over the
      batch from ``target`` (Ng, 2011, "Sparse autoencoder", CS294A lecture notes).

    ``active`` reports the share of the code above 0.01.
    """

    weight: Numeric = 0.1
    penalty: Literal["absolute", "divergence"] = "absolute"
    target: Numeric = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.penalty, str) and self.penalty not in _PENALTIES:
            raise ConfigError(f"penalty={self.penalty!r}: {nearest(self.penalty, _PENALTIES)}")

    def codes(self, net: Net, values: Array) -> Array:
        """Codes of at least 0, ``(B, latent)``."""
        raw = net.encode(values)
        return jax.nn.sigmoid(raw) if self.penalty == "divergence" else jax.nn.relu(raw)

    def lost(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The distance, and the penalty on the code."""
        codes = self.codes(net, values)
        if self.penalty == "divergence":
            mean = jnp.clip(jnp.mean(codes, axis=0), 1e-6, 1 - 1e-6)
            penalty = jnp.sum(bernoulli_divergence(jnp.full_like(mean, number(self.target)), mean))
        else:
            penalty = jnp.sum(codes, axis=1)
        each = self.distance(net, net.decode(codes), values, observed)
        return Lost(each + number(self.weight) * penalty, {"active": self._active(codes)})

    def judged(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The distance, and how much of the code is used."""
        codes = self.codes(net, values)
        return Lost(self.distance(net, net.decode(codes), values, observed), {"active": self._active(codes)})

    def _active(self, codes: Array) -> Array:
        return jnp.mean((codes > 0.01).astype(jnp.float32), axis=1)
