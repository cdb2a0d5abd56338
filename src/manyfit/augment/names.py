"""Augmentations by name, for the command line and configurations."""

from __future__ import annotations

from typing import Any

from manyfit.augment.images import Affine, Colour, Crop, Cutout, Flip
from manyfit.augment.mixing import CutMix, Mixup
from manyfit.augment.policy import RandAugment
from manyfit.errors import ConfigError, nearest

STANDARD = (Crop(), Flip())

NAMES: dict[str, tuple[Any, ...]] = {
    "standard": STANDARD,
    "digits": (Affine(rotate=10.0, shift=0.08, scale=0.1, shear=0.1),),
    "colour": (*STANDARD, Colour()),
    "cutout": (*STANDARD, Cutout()),
    "mixup": (*STANDARD, Mixup()),
    "cutmix": (*STANDARD, CutMix()),
    "strong": (*STANDARD, RandAugment(), Cutout(0.25)),
}
"""``standard`` is what CIFAR's papers use; ``digits`` is for what has a right way round."""


def named(name: str) -> tuple[Any, ...]:
    """The augmentations of that name; raises ``ConfigError`` with the nearest one.

    >>> named("standard")[1]
    Flip(horizontal=0.5, vertical=0.0)
    """
    if name not in NAMES:
        raise ConfigError(f"unknown augmentation {name!r}: {nearest(name, NAMES)}")
    return NAMES[name]
