"""Layers: Flax NNX modules, usable in any NNX program."""

from manyfit.nn.conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    convolution,
    transposed_convolution,
)
from manyfit.nn.dropout import Dropout, HyperParam
from manyfit.nn.embeddings import CategoryEmbedding, PeriodicEmbedding, PiecewiseLinearEmbedding
from manyfit.nn.pooling import avg_pool, global_avg_pool, max_pool

__all__ = [
    "CategoryEmbedding",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Dropout",
    "HyperParam",
    "PeriodicEmbedding",
    "PiecewiseLinearEmbedding",
    "avg_pool",
    "convolution",
    "global_avg_pool",
    "max_pool",
    "transposed_convolution",
]
