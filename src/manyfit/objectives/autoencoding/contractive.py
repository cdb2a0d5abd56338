"""The contractive autoencoder: a code that small changes of a row leave alone."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from manyfit.engine.objective import Array, Key
from manyfit.objectives.autoencoding.base import Autoencoding, Lost, Net
from manyfit.optim.numbers import number
from manyfit.space import Numeric


@dataclass(frozen=True)
class Contractive(Autoencoding):
    """Reproduce rows while the encoder's Jacobian is kept small: ``weight`` times its squared Frobenius norm.

    Exact, by one backward pass of the encoder for each number of the code, all abreast.

    Source: Rifai et al. (2011), "Contractive auto-encoders: explicit invariance during feature extraction", eq. 1.
    """

    weight: Numeric = 0.1

    def lost(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The distance and the penalty."""
        del key
        codes, penalty = self.jacobian_norm(net, values)
        each = self.distance(net, net.decode(codes), values, observed)
        return Lost(each + number(self.weight) * penalty, {"jacobian": penalty})

    def jacobian_norm(self, net: Net, values: Array) -> tuple[Array, Array]:
        """Codes ``(B, latent)`` and the squared norm of each row's Jacobian ``(B,)``."""
        codes, pull = jax.vjp(net.encode, values)
        # a row's code depends on that row alone: one cotangent asks all rows at once
        ones = jnp.broadcast_to(jnp.eye(self.latent)[:, None, :], (self.latent, *codes.shape))
        (rows,) = jax.vmap(pull)(ones)  # (latent, B, ...)
        return codes, jnp.sum(rows**2, axis=(0, *range(2, rows.ndim)))
