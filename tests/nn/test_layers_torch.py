"""Values, gradients and running statistics of PyTorch's layers (``tests/reference/layers_torch.py``)."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit import nn

STORED = np.load(Path(__file__).parents[1] / "reference" / "layers_torch.npz")
RNGS = nnx.Rngs(0)

# Sums of a few hundred float32 numbers in another order
TOLERANCE = {"rtol": 2e-5, "atol": 2e-5}

NORMS = {
    "batch_norm_1d": lambda: nn.BatchNorm(4, momentum=0.7, rngs=RNGS),
    "batch_norm_2d": lambda: nn.BatchNorm(4, rngs=RNGS),
    "batch_norm_3d": lambda: nn.BatchNorm(4, epsilon=0.1, rngs=RNGS),
    "layer_norm": lambda: nn.LayerNorm(6, rngs=RNGS),
    "rms_norm": lambda: nn.RMSNorm(6, rngs=RNGS),
    "group_norm": lambda: nn.GroupNorm(4, 2, rngs=RNGS),
    "instance_norm": lambda: nn.InstanceNorm(4, rngs=RNGS),
}
FUNCTIONS = {
    "max_pool_1d": lambda x: nn.max_pool(x, 3, 2, 1),
    "max_pool_2d": lambda x: nn.max_pool(x, 3, 2, 1),
    "max_pool_2d_dilated": lambda x: nn.max_pool(x, 2, 1, 0, 3),
    "max_pool_3d": lambda x: nn.max_pool(x, 2),
    "avg_pool_1d": lambda x: nn.avg_pool(x, 3, 2, 1, count_include_pad=True),
    "avg_pool_2d": lambda x: nn.avg_pool(x, 3, 2, 1),
    "avg_pool_3d": lambda x: nn.avg_pool(x, 2),
    "adaptive_avg_1d": lambda x: nn.adaptive_avg_pool(x, 4),
    "adaptive_avg_2d": lambda x: nn.adaptive_avg_pool(x, (3, 4)),
    "adaptive_avg_3d": lambda x: nn.adaptive_avg_pool(x, (2, 3, 4)),
    "adaptive_max_1d": lambda x: nn.adaptive_max_pool(x, 4),
    "adaptive_max_2d": lambda x: nn.adaptive_max_pool(x, (3, 4)),
    "adaptive_max_3d": lambda x: nn.adaptive_max_pool(x, (2, 3, 4)),
    "global_max": lambda x: nn.global_max_pool(x)[:, None, None],
    "global_avg": lambda x: nn.global_avg_pool(x)[:, None, None],
    "glu": nn.glu,
}


def stored(name, *keys):
    return [jnp.asarray(STORED[f"{name}/{key}"]) for key in keys]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    x, y, g, gx = stored(name, "x", "y", "g", "gx")
    value, pull = jax.vjp(FUNCTIONS[name], x)
    np.testing.assert_allclose(value, y, **TOLERANCE)
    np.testing.assert_allclose(pull(g)[0], gx, **TOLERANCE)


@pytest.mark.parametrize("name", NORMS)
def test_normalisation(name):
    graph, params, rest = nnx.split(NORMS[name](), nnx.Param, ...)
    x, y, g, gx, weight, gweight = stored(name, "x", "y", "g", "gx", "weight", "gweight")
    params["scale"] = params["scale"].replace(weight)
    if "bias" in params:
        params["bias"] = params["bias"].replace(stored(name, "bias")[0])
    value, pull = jax.vjp(lambda p, x: nnx.merge(graph, p, rest, copy=True)(x), params, x)
    np.testing.assert_allclose(value, y, **TOLERANCE)
    gparams, ours = pull(g)
    np.testing.assert_allclose(ours, gx, **TOLERANCE)
    np.testing.assert_allclose(gparams["scale"][...], gweight, **TOLERANCE)
    if "bias" in params:
        np.testing.assert_allclose(gparams["bias"][...], stored(name, "gbias")[0], **TOLERANCE)


@pytest.mark.parametrize("name", [name for name in NORMS if name.startswith("batch")])
def test_running_statistics_after_several_batches(name):
    layer = NORMS[name]()
    layer.scale[...], layer.bias[...] = stored(name, "weight", "bias")
    xs, mean, var = stored(name, "xs", "running_mean", "running_var")
    for x in xs:
        layer(x)
    np.testing.assert_allclose(layer.mean[...], mean, **TOLERANCE)
    # PyTorch remembers the unbiased variance, n / (n - 1) of ours; the start, 1, it remembers as it is
    n, start = xs[0].size // xs.shape[-1], layer.momentum ** len(xs)
    np.testing.assert_allclose((layer.var[...] - start) * n / (n - 1) + start, var, **TOLERANCE)
    layer.var[...] = var
    layer.eval()
    np.testing.assert_allclose(layer(xs[-1]), stored(name, "evaluated")[0], **TOLERANCE)


def test_linear():
    x, y, g, gx, weight, bias, gweight, gbias = stored(
        "linear", "x", "y", "g", "gx", "weight", "bias", "gweight", "gbias"
    )
    graph, params = nnx.split(nn.Linear(6, 3, rngs=RNGS))
    params["kernel"], params["bias"] = params["kernel"].replace(weight.T), params["bias"].replace(bias)
    value, pull = jax.vjp(lambda p, x: nnx.merge(graph, p)(x), params, x)
    np.testing.assert_allclose(value, y, **TOLERANCE)
    gparams, ours = pull(g)
    np.testing.assert_allclose(ours, gx, **TOLERANCE)
    np.testing.assert_allclose(gparams["kernel"][...].T, gweight, **TOLERANCE)
    np.testing.assert_allclose(gparams["bias"][...], gbias, **TOLERANCE)


def test_embedding():
    table, places, y, g, gtable = stored("embedding", "table", "places", "y", "g", "gtable")
    graph, params = nnx.split(nn.Embed(7, 3, rngs=RNGS))
    params["embedding"] = params["embedding"].replace(table)
    value, pull = jax.vjp(lambda p: nnx.merge(graph, p)(places), params)
    np.testing.assert_array_equal(value, y)
    np.testing.assert_allclose(pull(g)[0]["embedding"][...], gtable, **TOLERANCE)
