"""Layers: Flax NNX modules, usable in any NNX program."""

from manyfit.nn.conv import Conv2d
from manyfit.nn.dropout import Dropout, HyperParam
from manyfit.nn.embeddings import CategoryEmbedding, PeriodicEmbedding, PiecewiseLinearEmbedding
from manyfit.nn.pooling import avg_pool, global_avg_pool, max_pool

__all__ = [
    "CategoryEmbedding",
    "Conv2d",
    "Dropout",
    "HyperParam",
    "PeriodicEmbedding",
    "PiecewiseLinearEmbedding",
    "avg_pool",
    "global_avg_pool",
    "max_pool",
]
