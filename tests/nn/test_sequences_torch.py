"""Values and gradients of PyTorch's layers for sequences (``tests/reference/sequences_torch.py``), in float64."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit import nn

STORED = np.load(Path(__file__).parents[1] / "reference" / "sequences_torch.npz")
LENGTHS = np.array([5, 3, 1], np.int32)
TOLERANCE = {"rtol": 1e-9, "atol": 1e-10}
RNGS = nnx.Rngs(0)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def of(name, *keys):
    return [jnp.asarray(STORED[f"{name}/{key}"]) for key in keys]


def filled(layer, name, places):
    """The layer's split, its weights replaced by PyTorch's; ``places``: path -> (their name, how to turn it)."""
    graph, params, rest = nnx.split(layer, nnx.Param, ...)
    pure = nnx.to_pure_dict(params)
    for path, (key, turn) in places.items():
        node = pure
        *above, last = path
        for step in above:
            node = node[step]
        assert turn(of(name, key)[0]).shape == node[last].shape
        node[last] = turn(of(name, key)[0])

    def call(weights, *inputs, **named):
        mine = jax.tree.map(lambda leaf: leaf, params)
        nnx.replace_by_pure_dict(mine, weights)
        return nnx.merge(graph, mine, rest, copy=True)(*inputs, **named)

    return pure, call


def at(tree, path):
    for step in path:
        tree = tree[step]
    return tree


def same(array):
    return array


@pytest.mark.parametrize("name", ["RNN", "ReluRNN", "GRU", "LSTM"])
def test_recurrent(name):
    groups = {
        "input_weight": "weight_ih",
        "hidden_weight": "weight_hh",
        "input_bias": "bias_ih",
        "hidden_bias": "bias_hh",
    }
    places = {
        (ours, place): (f"{theirs}_l{place // 2}{'_reverse' if place % 2 else ''}", lambda w: w.T)
        for ours, theirs in groups.items()
        for place in range(4)
    }
    layer = getattr(nn, name)(3, 4, layers=2, bidirectional=True, rngs=RNGS)
    weights, call = filled(layer, name, places)
    x, y, g, gx = of(name, "x", "y", "g", "gx")
    outputs, state = call(weights, x, lengths=LENGTHS)
    np.testing.assert_allclose(outputs, y, **TOLERANCE)
    for i, part in enumerate(jax.tree.leaves(state)):
        np.testing.assert_allclose(part, of(name, f"state{i}")[0], **TOLERANCE)

    def loss(weights, x):
        outputs, state = call(weights, x, lengths=LENGTHS)
        return jnp.sum(outputs * g) + sum(jnp.sum(part**2) for part in jax.tree.leaves(state))

    of_weights, of_x = jax.grad(loss, (0, 1))(weights, x)
    np.testing.assert_allclose(of_x, gx, **TOLERANCE)
    for path, (key, turn) in places.items():
        expected = turn(of(name, f"gradient of {key}")[0])
        np.testing.assert_allclose(at(of_weights, path), expected, **TOLERANCE)


@pytest.mark.parametrize("name", ["plain", "causal", "masked", "biased"])
def test_attention(name):
    name = f"attention {name}"
    q, k, v, y, g = (array.swapaxes(1, 2) for array in of(name, "q", "k", "v", "y", "g"))
    options = {"causal": "causal" in name}
    if "masked" in name or "biased" in name:
        options["mask" if "masked" in name else "bias"] = of(name, "mask")[0]
    value, pull = jax.vjp(lambda q, k, v: nn.attention(q, k, v, **options), q, k, v)
    np.testing.assert_allclose(value, y, **TOLERANCE)
    for ours, theirs in zip(pull(g), of(name, "gq", "gk", "gv"), strict=True):
        np.testing.assert_allclose(ours, theirs.swapaxes(1, 2), **TOLERANCE)


def dense(path, theirs):
    return {(*path, "kernel"): (f"{theirs}weight", lambda w: w.T), (*path, "bias"): (f"{theirs}bias", same)}


def norm(path, theirs):
    return {(path, "scale"): (f"{theirs}.weight", same), (path, "bias"): (f"{theirs}.bias", same)}


ENCODER = {
    **dense(("attention", "query_key_value"), "self_attn.in_proj_"),
    **dense(("attention", "output"), "self_attn.out_proj."),
    **norm("attention_norm", "norm1"),
    **dense(("feed_forward", "widen"), "linear1."),
    **dense(("feed_forward", "narrow"), "linear2."),
}


@pytest.mark.parametrize("name", ["norm first", "norm last"])
def test_encoder_block(name):
    layer = nn.TransformerBlock(
        8, 2, hidden=12, norm_first=name == "norm first", activation="gelu", rngs=RNGS
    )
    layer.feed_forward.activation = lambda x: jax.nn.gelu(x, approximate=False)
    name = f"encoder {name}"
    places = ENCODER | norm("feed_forward_norm", "norm2")
    weights, call = filled(layer, name, places)
    x, y, g, gx = of(name, "x", "y", "g", "gx")
    value, pull = jax.vjp(lambda weights, x: call(weights, x, lengths=LENGTHS), weights, x)
    real = np.arange(5) < LENGTHS[:, None]
    np.testing.assert_allclose(value[real], y[real], **TOLERANCE)
    of_weights, of_x = pull(g)
    np.testing.assert_allclose(of_x[real], gx[real], **TOLERANCE)
    for path, (key, turn) in places.items():
        np.testing.assert_allclose(at(of_weights, path), turn(of(name, f"gradient of {key}")[0]), **TOLERANCE)


def test_decoder_block():
    layer = nn.TransformerBlock(
        8, 2, hidden=12, norm_first=False, activation="relu", causal=True, context_features=8, rngs=RNGS
    )
    cross = {}
    for part, rows in (("query", slice(0, 8)), ("key_value", slice(8, 24))):
        cross["cross", part, "kernel"] = ("multihead_attn.in_proj_weight", lambda w, rows=rows: w[rows].T)
        cross["cross", part, "bias"] = ("multihead_attn.in_proj_bias", lambda b, rows=rows: b[rows])
    places = {
        **ENCODER,
        **cross,
        **dense(("cross", "output"), "multihead_attn.out_proj."),
        **norm("cross_norm", "norm2"),
        **norm("feed_forward_norm", "norm3"),
    }
    weights, call = filled(layer, "decoder", places)
    x, memory, y, g, gx, gmemory = of("decoder", "x", "memory", "y", "g", "gx", "gmemory")

    def decoder(weights, x, memory):
        return call(weights, x, memory, context_lengths=LENGTHS)

    value, pull = jax.vjp(decoder, weights, x, memory)
    np.testing.assert_allclose(value, y, **TOLERANCE)
    of_weights, of_x, of_memory = pull(g)
    np.testing.assert_allclose(of_x, gx, **TOLERANCE)
    np.testing.assert_allclose(of_memory, gmemory, **TOLERANCE)
    for path, (key, turn) in places.items():
        expected = turn(of("decoder", f"gradient of {key}")[0])
        np.testing.assert_allclose(at(of_weights, path), expected, **TOLERANCE)
