"""Encoder-decoders: step by step is the whole at once, padding changes nothing, no step sees the future."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models import EncoderDecoder, Inputs, RecurrentEncoderDecoder
from manyfit.models.seq2seq import picked

WORDS = 9
SPECS = Inputs({name: jax.ShapeDtypeStruct((1, 1), jnp.int32) for name in ("source", "target")})
RNG = np.random.default_rng(0)
SOURCE, TARGET = (jnp.asarray(RNG.integers(4, WORDS, size)) for size in ((3, 6), (3, 5)))
LENGTHS = jnp.array([6, 4, 1])


@pytest.fixture(
    scope="module",
    params=[
        EncoderDecoder(8, 1, 2, 4),
        *(RecurrentEncoderDecoder(6, cell=cell) for cell in ("lstm", "gru", "lru")),
    ],
    ids=lambda m: f"{type(m).__name__} {getattr(m, 'cell', '')}",
)
def network(request):
    """The whole at once, and step by step from a memory whose rows were moved there and back, each compiled once."""
    module = request.param.build(SPECS, WORDS, rngs=nnx.Rngs(0))
    module.eval()

    @jax.jit
    def whole(source, target):
        return module({"source": source, "source_lengths": LENGTHS, "target": target})

    @jax.jit
    def steps(source, target):
        memory = picked(module.start(source, LENGTHS, 5), jnp.array([2, 0, 1]))
        memory, logits = picked(memory, jnp.array([1, 2, 0])), []
        for t in range(target.shape[1]):
            found, memory = module.read(target[:, t : t + 1], memory)
            logits.append(found)
        return jnp.concatenate(logits, axis=1)

    return whole, steps


def test_step_by_step_is_the_whole_at_once(network):
    whole, steps = network
    np.testing.assert_allclose(steps(SOURCE, TARGET), whole(SOURCE, TARGET), atol=2e-5)


def test_what_follows_a_source_changes_nothing(network):
    whole, _ = network
    other = jnp.where(jnp.arange(6) < LENGTHS[:, None], SOURCE, 0)
    np.testing.assert_allclose(whole(other, TARGET), whole(SOURCE, TARGET), atol=1e-5)
    changed = SOURCE.at[0, 5].set(SOURCE[0, 5] % 5 + 4)
    assert not np.allclose(whole(changed, TARGET)[0], whole(SOURCE, TARGET)[0], atol=1e-4)


def test_no_step_sees_the_target_after_it(network):
    whole, _ = network
    changed = TARGET.at[:, 3:].set(4 + TARGET[:, 3:] % 5)
    a, b = whole(SOURCE, TARGET), whole(SOURCE, changed)
    np.testing.assert_allclose(a[:, :3], b[:, :3], atol=1e-6)
    assert not np.allclose(a[:, 3:], b[:, 3:], atol=1e-3)


def test_other_features_are_refused():
    with pytest.raises(ConfigError, match="pairs of texts"):
        EncoderDecoder().build(Inputs({}), 5, rngs=nnx.Rngs(0))
    with pytest.raises(ConfigError, match="divide width"):
        EncoderDecoder(width=10, heads=4)
