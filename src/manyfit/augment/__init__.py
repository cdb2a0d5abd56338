"""Image augmentation inside the training program: every image and every member draws its own."""

from manyfit.augment.images import Affine, Augmentation, Colour, Crop, Cutout, Flip
from manyfit.augment.mixing import CutMix, Mixup
from manyfit.augment.names import NAMES, named
from manyfit.augment.pipeline import VIEWS, Mixed, Views, augmented, views
from manyfit.augment.policy import RandAugment

PARTS = (Affine, Colour, Crop, CutMix, Cutout, Flip, Mixup, RandAugment)
"""What a run folder may name."""

__all__ = [
    "NAMES",
    "PARTS",
    "VIEWS",
    "Affine",
    "Augmentation",
    "Colour",
    "Crop",
    "CutMix",
    "Cutout",
    "Flip",
    "Mixed",
    "Mixup",
    "RandAugment",
    "Views",
    "augmented",
    "named",
    "views",
]
