"""Adversarial learning: a generator against a discriminator."""

from manyfit.objectives.adversarial.distance import energy_distance
from manyfit.objectives.adversarial.gan import GAN
from manyfit.objectives.adversarial.health import verdict, verdicts
from manyfit.objectives.adversarial.losses import (
    LOSSES,
    AdversarialHinge,
    AdversarialLoss,
    NonSaturating,
    Relativistic,
    Wasserstein,
)
from manyfit.objectives.adversarial.penalties import PENALTIES, R1, R2, GradientPenalty, Penalty

PARTS = (GAN, *LOSSES.values(), *PENALTIES.values())
"""What a run folder may name."""

__all__ = [
    "GAN",
    "LOSSES",
    "PARTS",
    "PENALTIES",
    "R1",
    "R2",
    "AdversarialHinge",
    "AdversarialLoss",
    "GradientPenalty",
    "NonSaturating",
    "Penalty",
    "Relativistic",
    "Wasserstein",
    "energy_distance",
    "verdict",
    "verdicts",
]
