"""Layers: Flax NNX modules, usable in any NNX program."""

from flax.nnx import Einsum, Embed, Linear, LinearGeneral

from manyfit.nn.activations import ACTIVATIONS, activation
from manyfit.nn.blocks import GatedFeedForward, GatedResidual, Residual, SqueezeExcite, glu
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
from manyfit.nn.noise import GaussianNoise, SpatialDropout, StochasticDepth
from manyfit.nn.normalisation import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from manyfit.nn.pooling import (
    adaptive_avg_pool,
    adaptive_max_pool,
    avg_pool,
    global_avg_pool,
    global_max_pool,
    max_pool,
)

__all__ = [
    "ACTIVATIONS",
    "BatchNorm",
    "CategoryEmbedding",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Dropout",
    "Einsum",
    "Embed",
    "GatedFeedForward",
    "GatedResidual",
    "GaussianNoise",
    "GroupNorm",
    "HyperParam",
    "InstanceNorm",
    "LayerNorm",
    "Linear",
    "LinearGeneral",
    "PeriodicEmbedding",
    "PiecewiseLinearEmbedding",
    "RMSNorm",
    "Residual",
    "SpatialDropout",
    "SqueezeExcite",
    "StochasticDepth",
    "activation",
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "avg_pool",
    "convolution",
    "global_avg_pool",
    "global_max_pool",
    "glu",
    "max_pool",
    "transposed_convolution",
]
