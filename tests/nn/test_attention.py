"""Who may see whom, blocks, caches and the fused kernel."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit import nn
from manyfit.errors import ConfigError

KEY = jax.random.key(0)
MODULE = sys.modules[nn.attention.__module__]


def drawn(*shapes):
    return [jax.random.normal(key, shape) for key, shape in zip(jax.random.split(KEY, len(shapes)), shapes)]


def plain(q, k, v, seen):
    """The definition, pair by pair, in numpy float64."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    share = q.shape[2] // k.shape[2]
    out = np.zeros(q.shape)
    for b, t, h in np.ndindex(q.shape[:3]):
        see = [s for s in range(k.shape[1]) if seen(b, t, s)]
        if see:
            scores = np.exp(k[b, see, h // share] @ q[b, t, h] / np.sqrt(q.shape[3]))
            out[b, t, h] = scores @ v[b, see, h // share] / scores.sum()
    return out


MASKS = {
    "all": ({}, lambda b, t, s: True),
    "causal": ({"causal": True}, lambda b, t, s: s <= t),
    "window": ({"window": 2}, lambda b, t, s: abs(s - t) < 2),
    "causal window": ({"window": 3, "causal": True}, lambda b, t, s: t - 3 < s <= t),
    "lengths": ({"lengths": jnp.array([6, 2])}, lambda b, t, s: s < (6, 2)[b]),
    "nothing to see": (
        {"lengths": jnp.array([0, 3]), "causal": True},
        lambda b, t, s: s < (0, 3)[b] and s <= t,
    ),
    "start": ({"start": jnp.array([2, 0]), "causal": True}, lambda b, t, s: s <= t + (2, 0)[b]),
    "start and window": (
        {"start": jnp.array([2, 0]), "causal": True, "window": 2},
        lambda b, t, s: t + (2, 0)[b] - 2 < s <= t + (2, 0)[b],
    ),
    "mask": ({"mask": jnp.eye(6, dtype=bool)[None, None]}, lambda b, t, s: s == t),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("key_heads", [4, 2, 1])
@pytest.mark.parametrize("block", [256, 2])
def test_equals_the_definition(name, key_heads, block, monkeypatch):
    monkeypatch.setattr(MODULE, "BLOCK", block)
    options, seen = MASKS[name]
    q, k, v = drawn((2, 6, 4, 3), (2, 6, key_heads, 3), (2, 6, key_heads, 3))
    np.testing.assert_allclose(nn.attention(q, k, v, **options), plain(q, k, v, seen), rtol=1e-5, atol=1e-6)


def test_blocks_have_the_gradient_of_the_whole(monkeypatch):
    q, k, v, bias = drawn((2, 9, 4, 3), (2, 9, 2, 3), (2, 9, 2, 3), (4, 9, 9))

    def loss(q, k, v, bias):
        y = nn.attention(q, k, v, causal=True, window=4, bias=bias, slopes=nn.alibi_slopes(4))
        return jnp.sum(jnp.sin(y))

    whole = jax.grad(loss, (0, 1, 2, 3))(q, k, v, bias)
    monkeypatch.setattr(MODULE, "BLOCK", 2)
    blocks = jax.grad(loss, (0, 1, 2, 3))(q, k, v, bias)
    for a, b in zip(blocks, whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_blocks_leave_out_what_a_causal_query_cannot_see():
    """Half of the arithmetic of a long causal sequence, nearly."""

    def flops(**options):
        q = jax.ShapeDtypeStruct((1, 4096, 2, 32), jnp.float32)
        run = jax.jit(lambda q, k, v: nn.attention(q, k, v, **options))
        return run.lower(q, q, q).cost_analysis()["flops"]

    assert flops(causal=True) < 0.6 * flops()
    assert flops(causal=True, window=256) < 0.2 * flops()


def test_a_row_that_sees_nothing_gives_nothing_and_takes_no_gradient():
    q, k, v = drawn((2, 3, 2, 4), (2, 3, 2, 4), (2, 3, 2, 4))
    lengths = jnp.array([0, 3])
    y, pull = jax.vjp(lambda q, k, v: nn.attention(q, k, v, lengths=lengths), q, k, v)
    assert not y[0].any() and y[1].any()
    for gradient in pull(jnp.ones_like(y)):
        assert np.isfinite(gradient).all() and not gradient[0].any()


def test_large_scores_stay_finite():
    q = jnp.full((1, 2, 1, 4), 1e4)
    y, pull = jax.vjp(lambda q: nn.attention(q, q, q, causal=True), q)
    assert np.isfinite(y).all() and np.isfinite(pull(jnp.ones_like(y))[0]).all()


def test_the_future_has_no_gradient():
    q, k, v = drawn((1, 6, 2, 4), (1, 6, 2, 4), (1, 6, 2, 4))
    for t in range(6):
        of_keys, of_values = jax.grad(
            lambda k, v, t=t: jnp.sum(nn.attention(q, k, v, causal=True)[:, t]), (0, 1)
        )(k, v)
        assert not of_keys[:, t + 1 :].any() and not of_values[:, t + 1 :].any()
        assert of_values[:, : t + 1].all()


def test_alibi_is_a_bias():
    q, k, v = drawn((1, 5, 3, 4), (1, 5, 3, 4), (1, 5, 3, 4))
    slopes, distance = nn.alibi_slopes(3), np.abs(np.arange(5)[:, None] - np.arange(5))
    np.testing.assert_allclose(
        nn.attention(q, k, v, slopes=slopes),
        nn.attention(q, k, v, bias=-slopes[:, None, None] * distance),
        rtol=1e-5,
        atol=1e-6,
    )


def test_dropout_falls_on_the_probabilities_and_keeps_their_mean():
    q, k = drawn((1, 64, 4, 8), (1, 64, 4, 8))
    v = jnp.ones((1, 64, 4, 8))
    drop = nn.Dropout(0.25, rngs=nnx.Rngs(0))
    y = nn.attention(q, k, v, dropout=drop)
    assert abs(float(y.mean()) - 1) < 0.02 and float(y.std()) > 0.02
    drop.eval()
    np.testing.assert_allclose(nn.attention(q, k, v, dropout=drop), 1, rtol=1e-5)


LAYERS = {
    "plain": {},
    "grouped, rotary": {"kv_heads": 2, "rotary": True},
    "window, rotary": {"window": 3, "rotary": 500.0},
    "alibi": {"alibi": True},
    "normalised": {"qk_norm": True, "use_bias": False, "head_features": 6},
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_cache_continues_the_whole(name):
    layer = nn.MultiHeadAttention(16, 4, causal=True, rngs=nnx.Rngs(0), **LAYERS[name])
    (x,) = drawn((2, 9, 16))
    whole = layer(x)
    cache = layer.empty_cache(2, 9)
    first, cache = layer.decode(x[:, :4], cache)
    pieces = [first]
    for t in range(4, 9):
        y, cache = layer.decode(x[:, t : t + 1], cache)
        pieces.append(y)
    np.testing.assert_allclose(jnp.concatenate(pieces, axis=1), whole, rtol=1e-5, atol=1e-5)


def test_prompts_of_several_lengths_share_a_cache():
    layer = nn.MultiHeadAttention(16, 4, causal=True, rotary=True, rngs=nnx.Rngs(0))
    (x,) = drawn((2, 8, 16))
    lengths = jnp.array([5, 2])
    _, cache = layer.decode(x[:, :5], layer.empty_cache(2, 8), lengths=lengths)
    after = jnp.stack([x[0, 5:7], x[1, 2:4]])

    def step(cache, token):
        y, cache = layer.decode(token[:, None], cache)
        return cache, y[:, 0]

    _, outputs = jax.lax.scan(step, cache, after.swapaxes(0, 1))
    alone = jnp.stack([layer(x[:1])[0, 5:7], layer(x[1:])[0, 2:4]], axis=1)
    np.testing.assert_allclose(outputs, alone, rtol=1e-5, atol=1e-5)


def test_padding_changes_nothing_for_what_is_real():
    layer = nn.MultiHeadAttention(16, 4, rngs=nnx.Rngs(0))
    (x,) = drawn((1, 7, 16))
    padded = layer(x.at[:, 4:].set(1e3), lengths=jnp.array([4]))
    np.testing.assert_allclose(padded[:, :4], layer(x[:, :4]), rtol=1e-5, atol=1e-5)


def test_cross_attention_looks_at_its_context():
    layer = nn.MultiHeadAttention(8, 2, context_features=5, rngs=nnx.Rngs(0))
    x, context = drawn((2, 3, 8), (2, 6, 5))
    y = layer(x, context, lengths=jnp.array([6, 4]))
    np.testing.assert_allclose(y[1:], layer(x[1:], context[1:, :4]), rtol=1e-5, atol=1e-5)
    with pytest.raises(ConfigError, match="context"):
        layer(x)


def test_sixteen_bits_are_close():
    q, k, v = drawn((2, 6, 4, 8), (2, 6, 2, 8), (2, 6, 2, 8))
    narrow = nn.attention(*(x.astype(jnp.bfloat16) for x in (q, k, v)), causal=True)
    assert narrow.dtype == jnp.bfloat16
    np.testing.assert_allclose(narrow.astype(jnp.float32), nn.attention(q, k, v, causal=True), atol=0.03)


@pytest.mark.parametrize(
    ("options", "called"),
    [
        ({"causal": True}, {"is_causal": True, "local_window_size": None, "key_value_seq_lengths": False}),
        ({"causal": True, "window": 3}, {"local_window_size": (2, 0)}),
        ({"lengths": jnp.array([5, 0])}, {"is_causal": False, "key_value_seq_lengths": True}),
        ({"window": 3}, None),
        ({"slopes": nn.alibi_slopes(4)}, None),
        ({"mask": jnp.ones((1, 1, 5, 5), bool)}, None),
    ],
)
def test_a_gpu_takes_the_fused_kernel_for_what_it_can(options, called, monkeypatch):
    """cuDNN's own kernel needs the card; what it is asked for does not: the same function in XLA answers."""
    x = jax.random.normal(KEY, (2, 5, 4, 8)).astype(jnp.bfloat16)
    expected = nn.attention(x, x[:, :, :2], x[:, :, :2], **options)
    asked = []
    real = jax.nn.dot_product_attention

    def xla(*arrays, implementation, **named):
        assert implementation == "cudnn"
        asked.append(named)
        return real(*arrays, implementation="xla", **named)

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax.nn, "dot_product_attention", xla)
    y = nn.attention(x, x[:, :, :2], x[:, :, :2], **options)
    np.testing.assert_allclose(y.astype(jnp.float32), expected.astype(jnp.float32), atol=0.03)
    assert bool(asked) == (called is not None)
    for name, value in (called or {}).items():
        found = asked[0][name]
        assert (
            found == value
            if not isinstance(value, bool) or name == "is_causal"
            else (found is not None) == value
        )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: nn.attention(jnp.ones((1, 2, 3, 4)), jnp.ones((1, 2, 2, 4)), jnp.ones((1, 2, 2, 4))),
            "evenly",
        ),
        (lambda: nn.attention(jnp.ones((2, 3, 4)), jnp.ones((2, 3, 4)), jnp.ones((2, 3, 4))), "B, T, H, D"),
        (lambda: nn.attention(*[jnp.ones((1, 2, 3, 4))] * 3, window=0), "window=0"),
        (lambda: nn.MultiHeadAttention(10, 4, rngs=nnx.Rngs(0)), "divide"),
        (lambda: nn.MultiHeadAttention(8, 4, kv_heads=3, rngs=nnx.Rngs(0)), "multiple"),
        (lambda: nn.MultiHeadAttention(8, 2, context_features=4, rotary=True, rngs=nnx.Rngs(0)), "order"),
        (lambda: nn.MultiHeadAttention(6, 2, rotary=True, rngs=nnx.Rngs(0)), "even"),
    ],
)
def test_what_does_not_fit_is_refused(make, says):
    with pytest.raises(ConfigError, match=says):
        make()
