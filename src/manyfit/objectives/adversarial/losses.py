"""What the discriminator and the generator of an adversarial game each minimise, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import jax

Array = jax.Array


class AdversarialLoss(Protocol):
    """Two losses of a pair of logits ``(rows,)``: of real rows, and of samples."""

    paired: ClassVar[bool]
    """Whether the generator's loss looks at the real rows too."""

    def discriminator(self, real: Array, fake: Array) -> Array:
        """``(rows,)``, for the discriminator to minimise."""
        ...

    def generator(self, real: Array, fake: Array) -> Array:
        """``(rows,)``, for the generator to minimise; ``real`` is ``fake`` where it is not ``paired``."""
        ...


@dataclass(frozen=True)
class NonSaturating:
    """The original game, with the generator's loss that does not vanish while the discriminator wins.

    Source: Goodfellow et al. (2014), "Generative adversarial nets", section 3.

    >>> import jax.numpy as jnp
    >>> float(NonSaturating().generator(jnp.zeros(1), jnp.zeros(1))[0].round(4))
    0.6931
    """

    paired: ClassVar[bool] = False

    def discriminator(self, real: Array, fake: Array) -> Array:
        """-log D(x) - log(1 - D(G(z))) of logits."""
        return jax.nn.softplus(-real) + jax.nn.softplus(fake)

    def generator(self, real: Array, fake: Array) -> Array:
        """-log D(G(z))."""
        del real
        return jax.nn.softplus(-fake)


@dataclass(frozen=True)
class Wasserstein:
    """The difference of mean scores, an estimate of the Wasserstein-1 distance while the critic is 1-Lipschitz:
    give it a ``GradientPenalty`` or spectral normalisation.

    Source: Arjovsky, Chintala & Bottou (2017), "Wasserstein GAN".
    """

    paired: ClassVar[bool] = False

    def discriminator(self, real: Array, fake: Array) -> Array:
        """f(G(z)) - f(x)."""
        return fake - real

    def generator(self, real: Array, fake: Array) -> Array:
        """-f(G(z))."""
        del real
        return -fake


@dataclass(frozen=True)
class AdversarialHinge:
    """Margins of 1 for the discriminator, the bare score for the generator.

    Source: Lim & Ye (2017), "Geometric GAN"; Miyato et al. (2018), equations 16 and 17.
    """

    paired: ClassVar[bool] = False

    def discriminator(self, real: Array, fake: Array) -> Array:
        """max(0, 1 - f(x)) + max(0, 1 + f(G(z)))."""
        return jax.nn.relu(1.0 - real) + jax.nn.relu(1.0 + fake)

    def generator(self, real: Array, fake: Array) -> Array:
        """-f(G(z))."""
        del real
        return -fake


@dataclass(frozen=True)
class Relativistic:
    """Each sample is judged against a real row: how much more real is one than the other.

    Its landscape has no bad minima where modes are dropped (Sun et al., 2020); with ``R1`` and ``R2`` it is R3GAN.

    Source: Jolicoeur-Martineau (2019), "The relativistic discriminator"; Huang et al. (2024), "The GAN is dead;
    long live the GAN!", arXiv 2501.05441, equation 2.
    """

    paired: ClassVar[bool] = True

    def discriminator(self, real: Array, fake: Array) -> Array:
        """-log sigmoid(D(x) - D(G(z)))."""
        return jax.nn.softplus(fake - real)

    def generator(self, real: Array, fake: Array) -> Array:
        """-log sigmoid(D(G(z)) - D(x))."""
        return jax.nn.softplus(real - fake)


LOSSES: dict[str, type] = {
    "non_saturating": NonSaturating,
    "wasserstein": Wasserstein,
    "hinge": AdversarialHinge,
    "relativistic": Relativistic,
}
