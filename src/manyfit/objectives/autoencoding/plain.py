"""The plain autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

from manyfit.engine.objective import Array, Key
from manyfit.objectives.autoencoding.base import Autoencoding, Lost, Net


@dataclass(frozen=True)
class Autoencoder(Autoencoding):
    """Reproduce each row from its code (Hinton & Salakhutdinov, 2006)."""

    def lost(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The distance of a row to its reconstruction."""
        return self.judged(net, values, observed, key)
