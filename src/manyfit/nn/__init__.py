"""Layers: Flax NNX modules, usable in any NNX program."""

from flax.nnx import Einsum, Embed, LinearGeneral

from manyfit.nn.activations import ACTIVATIONS, activation
from manyfit.nn.attention import attention
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
from manyfit.nn.linear import Linear
from manyfit.nn.multihead import KVCache, MultiHeadAttention
from manyfit.nn.noise import GaussianNoise, SpatialDropout, StochasticDepth
from manyfit.nn.normalisation import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from manyfit.nn.parallel import LRU, MinGRU, linear_scan
from manyfit.nn.pooling import (
    adaptive_avg_pool,
    adaptive_max_pool,
    avg_pool,
    global_avg_pool,
    global_max_pool,
    max_pool,
)
from manyfit.nn.positions import LearnedPositions, SinusoidalPositions, alibi_slopes, rotary, sinusoidal
from manyfit.nn.recurrent import GRU, LSTM, RNN, ReluRNN
from manyfit.nn.transformer import FeedForward, TransformerBlock

__all__ = [
    "ACTIVATIONS",
    "GRU",
    "LRU",
    "LSTM",
    "RNN",
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
    "FeedForward",
    "GatedFeedForward",
    "GatedResidual",
    "GaussianNoise",
    "GroupNorm",
    "HyperParam",
    "InstanceNorm",
    "KVCache",
    "LayerNorm",
    "LearnedPositions",
    "Linear",
    "LinearGeneral",
    "MinGRU",
    "MultiHeadAttention",
    "PeriodicEmbedding",
    "PiecewiseLinearEmbedding",
    "RMSNorm",
    "ReluRNN",
    "Residual",
    "SinusoidalPositions",
    "SpatialDropout",
    "SqueezeExcite",
    "StochasticDepth",
    "TransformerBlock",
    "activation",
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "alibi_slopes",
    "attention",
    "avg_pool",
    "convolution",
    "global_avg_pool",
    "global_max_pool",
    "glu",
    "linear_scan",
    "max_pool",
    "rotary",
    "sinusoidal",
    "transposed_convolution",
]
