"""Every autoencoder at a tiny size: one row each, which ``test_autoencoders.py`` checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from manyfit.models.autoencoders import ConvCoder, DenseCoder
from manyfit.objectives import autoencoding as ae
from manyfit.optim import AdamW

CONV = {"coder": ConvCoder((3,), 6), "likelihood": "bernoulli", "binarise": True}
FAST = {"latent": 4, "coder": DenseCoder((8,)), "optimizer": AdamW(learning_rate=1e-2)}


@dataclass(frozen=True)
class Row:
    """An autoencoder, and its traced numbers with another value each."""

    objective: Any
    others: dict[str, float] = field(default_factory=dict)
    pixels: bool = False
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or type(self.objective).__name__


ROWS = [
    Row(ae.Autoencoder(**FAST), {"optimizer.learning_rate": 2e-2}),
    Row(ae.Denoising(**FAST), {"noise": 0.6}),
    Row(ae.Sparse(**FAST), {"weight": 1.0}),
    Row(ae.Sparse(**FAST, penalty="divergence"), {"target": 0.2}, label="Sparse by divergence"),
    Row(ae.Contractive(**FAST), {"weight": 1.0}),
    Row(ae.VAE(**FAST), {"beta": 4.0, "free_bits": 0.5}),
    Row(
        ae.VAE(**FAST | {"coder": ConvCoder((3,), 6)}, likelihood="bernoulli", binarise=True),
        {"beta": 4.0},
        True,
        "ConvVAE",
    ),
    Row(ae.IWAE(**FAST, samples=3)),
    Row(ae.VQVAE(**FAST, words=8, width=2), {"commitment": 1.0, "decay": 0.8}),
    Row(
        ae.VQVAE(**FAST, words=8, width=2, learned="gradient"), {"commitment": 1.0}, label="VQVAE by gradient"
    ),
    Row(ae.FSQ(**FAST, levels=(4, 3))),
    Row(ae.Masked(**FAST), {"share": 0.8}),
    Row(ae.Masked(**FAST, patch=2, likelihood="gaussian"), {"share": 0.8}, True, "Masked patches"),
]
