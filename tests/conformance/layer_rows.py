"""Every public layer of ``manyfit.nn``: one row each, which ``test_layers.py`` runs through all checks."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from rows import Function, Row
from sequence_rows import SEQUENCE_ROWS

from manyfit import nn

SEQUENCE, IMAGE, VOLUME, ROWS = (2, 6, 4), (2, 6, 5, 4), (2, 4, 4, 4, 2), (3, 4)
WIDE = (3, 5, 6)


def conv(name: str, dims: int, output: tuple[int, ...], **options: Any) -> Row:
    shape = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}[dims]
    return Row(
        name,
        lambda rngs: getattr(nn, name)(shape[-1], output[-1], rngs=rngs, **options),
        (shape,),
        output,
        ("bias", "kernel"),
    )


def norm(name: str, shape: tuple[int, ...], *sizes: int, **options: Any) -> Row:
    batch = name == "BatchNorm"
    traced: dict[str, tuple[float, float]] = {"epsilon": (1e-3, 0.5)}
    names = {"bias", "scale"} - ({"bias"} if name == "RMSNorm" else set())
    return Row(
        name,
        lambda rngs, **hyper: getattr(nn, name)(shape[-1], *sizes, rngs=rngs, **options, **hyper),
        (shape,),
        shape,
        tuple(sorted(names | ({"mean", "var"} if batch else set()))),
        traced,
        mode="statistics" if batch else "same",
    )


def function(name: str, shape: tuple[int, ...], output: tuple[int, ...], *given: Any, **options: Any) -> Row:
    return Row(
        name,
        lambda rngs: Function(lambda x: getattr(nn, name)(x, *given, **options)),
        (shape,),
        output,
    )


def random(name: str, hyper: str, values: tuple[float, float], shape: tuple[int, ...]) -> Row:
    def make(rngs: nnx.Rngs, **traced: Any) -> Any:
        return getattr(nn, name)(traced.get(hyper, values[0]), rngs=rngs)

    path = hyper if name in ("Dropout", "GaussianNoise") else f"dropout/{hyper}"
    return Row(name, make, (shape,), shape, (path,), {hyper: values}, mode="random")


CODES = np.array([[0, 3], [2, 40], [1, 1]], np.int32)
KERNEL = jnp.asarray(np.random.default_rng(3).normal(size=(3, 3, 4, 6)), jnp.float32)

ROWS_OF_LAYERS = [
    conv("Conv1d", 1, (2, 6, 6), dilation=2, padding="CAUSAL"),
    conv("Conv2d", 2, (2, 3, 3, 6), stride=2),
    conv("Conv3d", 3, (2, 4, 4, 4, 3)),
    conv("ConvTranspose1d", 1, (2, 12, 6), stride=2),
    conv("ConvTranspose2d", 2, (2, 12, 10, 6), stride=2, groups=2),
    conv("ConvTranspose3d", 3, (2, 4, 4, 4, 3)),
    Row(
        "convolution",
        lambda rngs: Function(lambda x: nn.convolution(x, KERNEL.astype(x.dtype))),
        (IMAGE,),
        (2, 6, 5, 6),
    ),
    Row(
        "transposed_convolution",
        lambda rngs: Function(
            lambda x: nn.transposed_convolution(x, KERNEL.astype(x.dtype).transpose(0, 1, 3, 2))
        ),
        (IMAGE,),
        (2, 6, 5, 6),
    ),
    norm("BatchNorm", IMAGE),
    norm("LayerNorm", WIDE),
    norm("RMSNorm", WIDE),
    norm("GroupNorm", IMAGE, 2),
    norm("InstanceNorm", IMAGE),
    function("max_pool", IMAGE, (2, 3, 3, 4), 3, 2, "SAME"),
    function("avg_pool", VOLUME, (2, 2, 2, 2, 2), 2),
    function("global_avg_pool", IMAGE, (2, 4)),
    function("global_max_pool", IMAGE, (2, 4)),
    function("adaptive_avg_pool", IMAGE, (2, 4, 2, 4), (4, 2)),
    function("adaptive_max_pool", IMAGE, (2, 4, 2, 4), (4, 2)),
    random("Dropout", "rate", (0.5, 0.2), (8, 6)),
    random("SpatialDropout", "rate", (0.5, 0.2), (4, 3, 6)),
    random("StochasticDepth", "rate", (0.5, 0.2), (16, 6)),
    random("GaussianNoise", "sigma", (0.5, 0.2), (8, 6)),
    Row(
        "Linear",
        lambda rngs: nn.Linear(4, 5, rngs=rngs),
        (ROWS,),
        (3, 5),
        ("bias", "kernel"),
        dtype="promoted",
    ),
    Row(
        "LinearGeneral",
        lambda rngs: nn.LinearGeneral((5, 6), (2, 3), axis=(-2, -1), rngs=rngs),
        (WIDE,),
        (3, 2, 3),
        ("bias", "kernel"),
        dtype="promoted",
    ),
    Row(
        "Einsum",
        lambda rngs: nn.Einsum("nta,hab->nthb", (2, 6, 3), (2, 3), rngs=rngs),
        (WIDE,),
        (3, 5, 2, 3),
        ("bias", "kernel"),
        dtype="promoted",
    ),
    Row(
        "Embed",
        lambda rngs: nn.Embed(41, 3, dtype=jnp.result_type(float), rngs=rngs),
        (CODES,),
        (3, 2, 3),
        ("embedding",),
        low=False,
    ),
    Row(
        "CategoryEmbedding",
        lambda rngs: nn.CategoryEmbedding((4, 41), width=3, rngs=rngs),
        (CODES,),
        (3, 6),
        ("table",),
        low=False,
    ),
    Row(
        "PeriodicEmbedding",
        lambda rngs: nn.PeriodicEmbedding(4, 5, 3, rngs=rngs),
        (ROWS,),
        (3, 4, 3),
        ("bias", "frequencies", "kernel"),
        dtype="promoted",
    ),
    Row(
        "PiecewiseLinearEmbedding",
        lambda rngs: nn.PiecewiseLinearEmbedding(4, 5, 3, rngs=rngs),
        (ROWS, (3, 4, 5)),
        (3, 4, 3),
        ("bias", "kernel", "slope"),
        dtype="promoted",
    ),
    Row(
        "Residual",
        lambda rngs, **hyper: nn.Residual(nn.Conv2d(4, 4, rngs=rngs), rngs=rngs, **hyper),
        (IMAGE,),
        IMAGE,
        ("branch/bias", "branch/kernel"),
        {"drop_rate": (0.9, 0.0)},
    ),
    Row(
        "GatedResidual",
        lambda rngs: nn.GatedResidual(nn.Conv2d(4, 4, rngs=rngs), 0.5),
        (IMAGE,),
        IMAGE,
        ("branch/bias", "branch/kernel", "gate"),
    ),
    Row(
        "SqueezeExcite",
        lambda rngs: nn.SqueezeExcite(4, 3, activation="tanh", rngs=rngs),
        (IMAGE,),
        IMAGE,
        ("excite/bias", "excite/kernel", "squeeze/bias", "squeeze/kernel"),
    ),
    Row(
        "GatedFeedForward",
        lambda rngs: nn.GatedFeedForward(6, 4, rngs=rngs),
        (WIDE,),
        WIDE,
        ("gate_and_value/kernel", "output/kernel"),
    ),
    function("glu", WIDE, (3, 5, 3), "gelu"),
    *SEQUENCE_ROWS,
]

NOT_LAYERS = {"ACTIVATIONS", "HyperParam", "KVCache", "activation", "alibi_slopes", "sinusoidal"}
"""Names of ``manyfit.nn`` with tests of their own: no function of arrays."""
