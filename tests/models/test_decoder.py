"""Language models: no look ahead, and reading token by token equals reading at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models import Decoder, Inputs, Recurrent
from manyfit.objectives import Functional, NextToken

VOCABULARY, TIME = 11, 6
MODELS = {
    "gpt": Decoder(width=8, depth=2, heads=2),
    "llama": Decoder(
        width=8, depth=2, heads=4, kv_heads=2, norm="rms", positions="rotary", gated=True, activation="silu"
    ),
    "window": Decoder(width=8, depth=1, heads=2, window=3, positions="rotary", tie=False, qk_norm=True),
    "lstm": Recurrent("lstm", width=6, depth=2, embedding=4),
    "gru": Recurrent("gru", width=6, depth=1, embedding=4),
    "rnn": Recurrent("rnn", width=6, depth=1, embedding=4),
    "mingru": Recurrent("mingru", width=6, depth=2, embedding=4),
    "lru": Recurrent("lru", width=6, depth=2, embedding=4),
}
TOKENS = jnp.asarray(np.random.default_rng(0).integers(0, VOCABULARY, (3, TIME)), jnp.int32)


class Compiled:
    """A network with fixed weights, its two ways of reading compiled."""

    def __init__(self, spec):
        inputs = Inputs({"tokens": jax.ShapeDtypeStruct((1, TIME), jnp.int32)})
        network = Functional(lambda rngs: spec.build(inputs, VOCABULARY, rngs=rngs))
        self.weights = jax.jit(network.init)(jax.random.key(0))
        self.whole = jax.jit(lambda w, t: network.apply(w, {"tokens": t}, train=False)[0])
        self.read = jax.jit(lambda w, t, m, n=None: network.use(w, lambda module: module.read(t, m, n)))
        self.start = lambda rows: network.use(self.weights, lambda module: module.start(rows, TIME))
        self.picked = lambda m, rows: network.use(self.weights, lambda module: module.picked(m, rows))


@pytest.fixture(scope="module", params=MODELS)
def network(request):
    return Compiled(MODELS[request.param])


def test_no_token_sees_what_comes_after_it(network):
    plain = network.whole(network.weights, TOKENS)
    assert plain.shape == (3, TIME, VOCABULARY)
    for place in range(1, TIME):
        changed = TOKENS.at[:, place].set((TOKENS[:, place] + 1) % VOCABULARY)
        other = network.whole(network.weights, changed)
        np.testing.assert_array_equal(plain[:, :place], other[:, :place])
        assert not np.allclose(plain[:, place], other[:, place], atol=1e-6)


def test_token_by_token_equals_the_whole_window(network):
    whole = network.whole(network.weights, TOKENS)
    # prompts of several lengths, then one token at a time
    lengths = jnp.array([1, 3, 2])
    logits, memory = network.read(network.weights, TOKENS[:, :3], network.start(3), lengths)
    for row, length in enumerate(lengths.tolist()):
        np.testing.assert_allclose(logits[row, :length], whole[row, :length], rtol=1e-4, atol=1e-5)
    for step in range(3):
        at = lengths + step
        logits, memory = network.read(network.weights, TOKENS[jnp.arange(3), at][:, None], memory)
        np.testing.assert_allclose(logits[:, 0], whole[jnp.arange(3), at], rtol=1e-4, atol=1e-5)


def test_picked_rows_of_a_memory_go_on_as_those_rows(network):
    lengths = jnp.array([3, 3, 3])
    _, memory = network.read(network.weights, TOKENS[:, :3], network.start(3), lengths)
    rows = jnp.array([2, 0, 2])
    logits, _ = network.read(network.weights, TOKENS[rows, 3:4], network.picked(memory, rows))
    whole = network.whole(network.weights, TOKENS)
    np.testing.assert_allclose(logits[:, 0], whole[rows, 3], rtol=1e-4, atol=1e-5)


def test_a_tied_table_is_one_table():
    def size(tie):
        return NextToken(Decoder(width=8, depth=1, heads=2, tie=tie), VOCABULARY, context=TIME).parameters()

    assert size(False) - size(True) == VOCABULARY * 8


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="heads has to divide width"):
        Decoder(width=10, heads=4)
    with pytest.raises(ConfigError, match="no layer 'elman'"):
        Recurrent("elman")
    with pytest.raises(ConfigError, match="takes tokens"):
        Decoder().build(
            Inputs({"pixels": jax.ShapeDtypeStruct((1, 4, 4, 1), jnp.float32)}), 5, rngs=nnx.Rngs(0)
        )
