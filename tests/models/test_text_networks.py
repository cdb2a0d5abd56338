"""A text's answer does not depend on how far it is padded, nor on which texts stand beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit import models
from manyfit.errors import ConfigError
from manyfit.models import Inputs
from manyfit.models.names import TEXTS
from manyfit.objectives.module import Functional

SMALL = [
    models.BagOfWords(8),
    models.BagOfWords(8, pairs=16),
    models.TextCNN(8, (2, 5), 6),
    models.TextRNN("rnn", 8, 6, pool="mean"),
    models.TextRNN("lstm", 8, 6, layers=2, pool="mean-max"),
    models.TextTransformer(8, 2, 2, window=2),
]


def build(model, time):
    spec = {
        "tokens": jax.ShapeDtypeStruct((1, time), jnp.int32),
        "lengths": jax.ShapeDtypeStruct((1,), jnp.int32),
    }
    return Functional(lambda rngs: model.build(Inputs(spec, (11,)), 3, rngs=rngs))


@pytest.mark.parametrize("model", SMALL, ids=repr)
def test_padding_changes_nothing(model):
    texts = [[4, 5, 6, 7, 8, 9], [10], [5, 4, 5]]
    weights = jax.jit(build(model, 6).init)(jax.random.key(0))

    def answers(rows, time, after=0):
        net = build(model, time)
        tokens = np.full((len(rows), time), after, np.int32)
        for row, text in enumerate(rows):
            tokens[row, : len(text)] = text
        features = {"tokens": jnp.asarray(tokens), "lengths": jnp.array([len(t) for t in rows])}
        return np.asarray(jax.jit(lambda x: net.apply(weights, x, train=False)[0])(features))

    long = answers(texts, 9)
    assert np.abs(long[0] - long[2]).max() > 1e-4  # the answers differ at all
    np.testing.assert_allclose(long[:1], answers(texts[:1], 6), atol=2e-6)  # no padding there
    np.testing.assert_allclose(long[2:], answers(texts[2:], 3), atol=2e-6)
    # nothing of a word behind the end is read, whatever it is
    np.testing.assert_allclose(long, answers(texts, 9, after=8), atol=2e-6)


def test_a_bag_of_words_by_hand():
    net = build(models.BagOfWords(8), 4)
    weights = net.init(jax.random.key(1))
    features = {"tokens": jnp.array([[4, 7, 7, 0]]), "lengths": jnp.array([3])}
    found = net.apply(weights, features, train=False)[0]
    table = np.asarray(weights.params["words"]["table"])
    head = weights.params["head"]
    want = (table[4] + 2 * table[7]) / 3 @ np.asarray(head["kernel"]) + np.asarray(head["bias"])
    np.testing.assert_allclose(found[0], want, atol=1e-6)


def test_every_name_is_for_texts():
    assert set(TEXTS) == {"bow", "textcnn", "rnn", "gru", "lstm", "mingru", "lru", "transformer"}
    for model in TEXTS.values():
        with pytest.raises(ConfigError, match="takes texts"):
            model.build(Inputs({"numeric": jax.ShapeDtypeStruct((1, 3), jnp.float32)}), 2, rngs=None)
    with pytest.raises(ConfigError, match="even width"):
        models.TextTransformer(width=12, heads=4)
    with pytest.raises(ConfigError, match="did you mean 'gru'"):
        models.TextRNN("gur")
