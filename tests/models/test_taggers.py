"""A word's label does not depend on how far its sentence is padded, nor on which sentences stand beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.engine.objective import Batch, Fold
from manyfit.errors import ConfigError
from manyfit.models import Inputs, Tagger
from manyfit.models.names import TAGGERS
from manyfit.objectives import Tagging
from manyfit.objectives.module import Functional

SMALL = [
    Tagger("lstm", 4, 3, 4, 5, layers=2),
    Tagger("rnn", 4, 3, 4, 5),
    Tagger("transformer", 4, 3, 4, 8, 1, heads=2),
    Tagger("cnn", 4, 3, 4, 5, layers=2),
]


def build(model, time, letters):
    spec = {
        "tokens": jax.ShapeDtypeStruct((1, time), jnp.int32),
        "characters": jax.ShapeDtypeStruct((1, time, letters), jnp.uint8),
        "lengths": jax.ShapeDtypeStruct((1,), jnp.int32),
    }
    return Functional(lambda rngs: model.build(Inputs(spec, (11, 9)), 3, rngs=rngs))


@pytest.mark.parametrize("model", SMALL, ids=lambda model: model.reader)
def test_padding_changes_nothing(model):
    sentences = [[4, 5, 6, 7, 8, 9], [10], [5, 4, 5]]
    net = build(model, 6, 4)
    weights = jax.jit(net.init)(jax.random.key(0))
    run = jax.jit(lambda x: net.apply(weights, x, train=False)[0])

    def answers(rows, time, letters=4, after=0):
        tokens = np.full((len(rows), time), after, np.int32)
        spelled = np.zeros((len(rows), time, letters), np.uint8)
        for row, words in enumerate(rows):
            tokens[row, : len(words)] = words
            for place, word in enumerate(words):  # words of one to three letters
                spelled[row, place, : 1 + word % 3] = 4 + (word + np.arange(1 + word % 3)) % 5
        features = {
            "tokens": jnp.asarray(tokens),
            "characters": jnp.asarray(spelled),
            "lengths": jnp.array([len(words) for words in rows]),
        }
        found = np.asarray(run(features))
        return [found[row, : len(words)] for row, words in enumerate(rows)]

    long = answers(sentences, 9)
    assert np.abs(long[2][0] - long[2][2]).max() > 1e-5  # the same word, other neighbours
    alone = answers(sentences[2:], 3, letters=7)  # no padding there, and more of it behind the letters
    np.testing.assert_allclose(alone[0], long[2], atol=2e-6)
    # nothing of a word behind the end is read, whatever it is
    np.testing.assert_allclose(
        np.concatenate(answers(sentences, 9, after=8)), np.concatenate(long), atol=2e-6
    )


def test_the_loss_is_the_mean_over_labelled_words():
    data = {
        "inputs": {
            "tokens": jnp.array([[4, 5, 6, 0], [7, 0, 0, 0]]),
            "characters": jnp.full((2, 4, 3), 4, jnp.uint8),
            "lengths": jnp.array([3, 1]),
        },
        "target": jnp.array([[0, 2, -1, -1], [1, -1, -1, -1]]),
    }
    objective = Tagging(SMALL[3], classes=3).bind(data, (11, 9))
    prepared = objective.prepare(Fold(data, jnp.arange(2), jnp.ones(2)))
    model = objective.export(objective.init(jax.random.key(1), {}, prepared))
    p = np.asarray(objective.predict(model, {"inputs": data["inputs"]}))
    np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-5)

    def measured(weight):
        found = objective.evaluate(model, Batch(data, jnp.array(weight)))
        return {name: float(metric.value) for name, metric in found.items()}

    words = [p[0, 0, 0], p[0, 1, 2], p[1, 0, 1]]
    np.testing.assert_allclose(measured([1.0, 1.0])["loss"], -np.mean(np.log(words)), rtol=1e-5)
    np.testing.assert_allclose(measured([0.0, 1.0])["loss"], -np.log(words[2]), rtol=1e-5)
    right = [p[0, 0].argmax() == 0, p[0, 1].argmax() == 2, p[1, 0].argmax() == 1]
    np.testing.assert_allclose(measured([1.0, 1.0])["accuracy"], np.mean(right), rtol=1e-6)


def test_every_name_is_for_sentences():
    assert set(TAGGERS) == {"lstm", "gru", "rnn", "transformer", "cnn"}
    for model in TAGGERS.values():
        with pytest.raises(ConfigError, match="takes sentences"):
            model.build(Inputs({"numeric": jax.ShapeDtypeStruct((1, 3), jnp.float32)}), 2, rngs=None)
    with pytest.raises(ConfigError, match="give one of 'rnn'"):
        Tagger("lsmt")
    with pytest.raises(ConfigError, match="even width"):
        Tagger("transformer", hidden=12, heads=4)
    with pytest.raises(ConfigError, match="no balance"):
        Tagging(SMALL[0], balance=True)
