"""The block decodes what it computes at once, and trains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit import nn
from manyfit.errors import ConfigError
from manyfit.nn.fusion import materialised

X = jax.random.normal(jax.random.key(0), (2, 7, 16))
CONTEXT = jax.random.normal(jax.random.key(1), (2, 5, 6))


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("crosses", [True, False])
def test_decoding_gives_what_the_whole_gives(norm_first, crosses):
    block = nn.TransformerBlock(
        16,
        4,
        norm="rms",
        norm_first=norm_first,
        gated=True,
        activation="silu",
        causal=True,
        kv_heads=2,
        rotary=True,
        context_features=6 if crosses else None,
        rngs=nnx.Rngs(0),
    )
    context = {"context": CONTEXT, "context_lengths": jnp.array([5, 2])} if crosses else {}
    whole = block(X, **context)
    cache, pieces = block.attention.empty_cache(2, 7), []
    for t in (0, 3, 4, 5, 6):
        y, cache = block.decode(X[:, t : max(3, t + 1)], cache, **context)
        pieces.append(y)
    np.testing.assert_allclose(jnp.concatenate(pieces, axis=1), whole, rtol=1e-4, atol=1e-5)


def test_dropout_and_drop_path_are_for_training():
    block = nn.TransformerBlock(16, 4, dropout=0.5, drop_path=0.5, rngs=nnx.Rngs(0))
    assert not np.array_equal(block(X), block(X))
    block.eval()
    np.testing.assert_array_equal(block(X), block(X))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="'layer' or 'rms'"):
        nn.TransformerBlock(16, 4, norm="batch", rngs=nnx.Rngs(0))
    with pytest.raises(ConfigError, match="context"):
        nn.TransformerBlock(16, 4, rngs=nnx.Rngs(0))(X, CONTEXT)


def test_what_is_materialised_is_the_same_and_stops_fusion():
    value, pull = jax.vjp(materialised, X)
    np.testing.assert_array_equal(value, X)
    np.testing.assert_array_equal(pull(X)[0], X)

    def stream(x):
        y = x
        for _ in range(4):
            y = materialised(y + jnp.sum(y, axis=-1, keepdims=True))
        return y * 2

    if jax.default_backend() == "cpu":
        assert jax.jit(stream).lower(X).compile().as_text().count(" conditional(") == 4
