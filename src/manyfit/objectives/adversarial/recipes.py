"""Games by the names that the field gives them, with the settings of their papers where these hold at a small size."""

from __future__ import annotations

import dataclasses
from typing import Any

from manyfit.errors import ConfigError, nearest
from manyfit.models.gan import (
    DCGANDiscriminator,
    DCGANGenerator,
    DenseDiscriminator,
    DenseGenerator,
    ResidualDiscriminator,
    ResidualGenerator,
)
from manyfit.objectives.adversarial.gan import GAN
from manyfit.objectives.adversarial.losses import AdversarialHinge, NonSaturating, Relativistic, Wasserstein
from manyfit.objectives.adversarial.penalties import R1, R2, GradientPenalty
from manyfit.optim import EMA, Adam, Constant, Schedule

RECIPES: dict[str, dict[str, Any]] = {
    # Mescheder et al. (2018): R1 on the original game
    "gan": {"loss": NonSaturating(), "penalties": (R1(1.0),), "betas": (0.0, 0.99), "rates": (2e-4, 2e-4)},
    # Gulrajani et al. (2017), algorithm 1
    "wgan-gp": {
        "loss": Wasserstein(),
        "penalties": (GradientPenalty(10.0),),
        "discriminator_steps": 5,
        "betas": (0.0, 0.9),
        "rates": (1e-4, 1e-4),
    },
    # Miyato et al. (2018) with the two rates of Zhang et al. (2019)
    "hinge-gan": {
        "loss": AdversarialHinge(),
        "spectral_normalisation": True,
        "betas": (0.0, 0.9),
        "rates": (1e-4, 4e-4),
    },
    # Huang et al. (2024)
    "r3gan": {
        "loss": Relativistic(),
        "penalties": (R1(1.0), R2(1.0)),
        "betas": (0.0, 0.99),
        "rates": (2e-4, 2e-4),
    },
}


def named(
    name: str,
    *,
    images: bool = False,
    learning_rate: Any = None,
    schedule: Schedule | None = None,
    decay: float = 0.999,
    **other: Any,
) -> GAN:
    """The game of that name with networks for vectors or for ``images``.

    ``learning_rate`` is the generator's, the discriminator's keeps its ratio to it; ``schedule`` is of both,
    ``decay`` of the generator's average. ``other`` replaces fields of the ``GAN``. Raises ``ConfigError`` with the
    nearest name.

    >>> named("wgan-gp").discriminator_steps
    5
    """
    if name not in RECIPES:
        raise ConfigError(f"unknown adversarial model {name!r}: {nearest(name, RECIPES)}")
    recipe = dict(RECIPES[name])
    (b1, b2), (generator, discriminator) = recipe.pop("betas"), recipe.pop("rates")
    rates = (generator, discriminator)
    if learning_rate is not None:
        rates = (learning_rate, learning_rate * (discriminator / generator))
    shape = schedule or Constant()
    first, second = (Adam(learning_rate=rate, b1=b1, b2=b2, schedule=shape) for rate in rates)
    networks: tuple[Any, Any] = (DenseGenerator(), DenseDiscriminator())
    if images:
        residual = name == "r3gan"
        networks = (
            (ResidualGenerator(), ResidualDiscriminator())
            if residual
            else (DCGANGenerator(), DCGANDiscriminator())
        )
    found = GAN(
        *networks,
        generator_optimizer=EMA(first, decay=decay),
        discriminator_optimizer=second,
        **recipe,
    )
    return dataclasses.replace(found, **other)
