"""Autoencoders: what a row is, from a code of few numbers. One kind a file."""

from manyfit.objectives.autoencoding.base import Autoencoding, Lost, Net
from manyfit.objectives.autoencoding.contractive import Contractive
from manyfit.objectives.autoencoding.denoising import Denoising
from manyfit.objectives.autoencoding.finite import FSQ, finite_scalar
from manyfit.objectives.autoencoding.masked import Masked
from manyfit.objectives.autoencoding.plain import Autoencoder
from manyfit.objectives.autoencoding.quantised import VQVAE, straight_through
from manyfit.objectives.autoencoding.sparse import Sparse
from manyfit.objectives.autoencoding.variational import IWAE, VAE, Variational

PARTS = (Autoencoder, Denoising, Sparse, Contractive, VAE, IWAE, VQVAE, FSQ, Masked)
"""What a run folder may name."""

__all__ = [
    "FSQ",
    "IWAE",
    "PARTS",
    "VAE",
    "VQVAE",
    "Autoencoder",
    "Autoencoding",
    "Contractive",
    "Denoising",
    "Lost",
    "Masked",
    "Net",
    "Sparse",
    "Variational",
    "finite_scalar",
    "straight_through",
]
