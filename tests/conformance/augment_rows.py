"""Every augmentation of ``manyfit.augment``: its strengths, a second value for each, and what leaves images alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from manyfit import augment


@dataclass(frozen=True)
class Row:
    """An augmentation, other values of its traced strengths, and the settings at which it does nothing."""

    part: Any
    others: dict[str, float]
    nothing: dict[str, float]

    @property
    def name(self) -> str:
        return type(self.part).__name__


ROWS = [
    Row(augment.Crop(0.25), {}, {"margin": 0.0}),
    Row(augment.Flip(0.5, 0.5), {"horizontal": 0.0, "vertical": 0.0}, {"horizontal": 0.0, "vertical": 0.0}),
    Row(
        augment.Colour(),
        {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5},
        {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0},
    ),
    Row(augment.Cutout(), {"size": 0.9}, {"size": 0.0}),
    Row(
        augment.Affine(10.0, 0.1, 0.1, 0.1),
        {"rotate": 45.0, "shift": 0.4, "scale": 0.5, "shear": 0.4},
        {"rotate": 0.0, "shift": 0.0, "scale": 0.0, "shear": 0.0},
    ),
    Row(augment.RandAugment(3, 0.5), {"magnitude": 1.0}, {"magnitude": 0.0}),
    Row(augment.Mixup(1.0), {"alpha": 0.3}, {"alpha": 0.0}),
    Row(augment.CutMix(1.0), {"alpha": 0.3}, {"alpha": 0.0}),
]
