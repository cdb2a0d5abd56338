"""Generators and discriminators, by what they write and read."""

from manyfit.models.gan.architecture import DiscriminatorArchitecture, GeneratorArchitecture
from manyfit.models.gan.dcgan import DCGANDiscriminator, DCGANGenerator
from manyfit.models.gan.dense import DenseDiscriminator, DenseGenerator
from manyfit.models.gan.residual import ResidualDiscriminator, ResidualGenerator

PARTS = (
    DCGANDiscriminator,
    DCGANGenerator,
    DenseDiscriminator,
    DenseGenerator,
    ResidualDiscriminator,
    ResidualGenerator,
)
"""What a run folder may name."""

__all__ = [
    "PARTS",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DenseDiscriminator",
    "DenseGenerator",
    "DiscriminatorArchitecture",
    "GeneratorArchitecture",
    "ResidualDiscriminator",
    "ResidualGenerator",
]
