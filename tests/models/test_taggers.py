"""A word's label does not depend on how far its sentence is padded, nor on which sentences stand beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.data import read_tagged
from manyfit.engine.objective import Batch, Fold
from manyfit.errors import ConfigError
from manyfit.experiment import Experiment
from manyfit.experiment.preparation import prepare
from manyfit.models import Inputs, Tagger
from manyfit.models.names import TAGGERS
from manyfit.objectives import Supervised, Tagging
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


DATA = {
    "inputs": {
        "tokens": jnp.array([[4, 5, 6, 0], [7, 0, 0, 0]]),
        "characters": jnp.full((2, 4, 3), 4, jnp.uint8),
        "lengths": jnp.array([3, 1]),
    },
    "target": jnp.array([[0, 2, -1, -1], [1, -1, -1, -1]]),
}
WEIGHTS = [[1.0, 1.0], [0.0, 1.0]]


def measured(model, steps):
    """A model after so many steps, its probabilities ``(2, 4, 3)``, and what is measured under each of ``WEIGHTS``."""
    objective = Tagging(model, classes=3).bind(DATA, (11, 9))

    @jax.jit
    def run(data):
        prepared = objective.prepare(Fold(data, jnp.arange(2), jnp.ones(2)))
        state = objective.init(jax.random.key(1), {}, prepared)
        batch = Batch(data, jnp.ones(2))
        for _ in range(steps):
            state, _ = objective.update(state, batch, jax.random.key(2), {"total_steps": jnp.float32(9)})
        model = objective.export(state)
        measured = [objective.evaluate(model, Batch(data, jnp.array(w))) for w in WEIGHTS]
        return model, objective.predict(model, {"inputs": data["inputs"]}), measured

    model, p, measured = run(DATA)
    np.testing.assert_allclose(np.asarray(p).sum(axis=-1), 1, atol=1e-5)
    found = [{name: float(metric.value) for name, metric in one.items()} for one in measured]
    return model, np.asarray(p), found


def test_the_loss_is_the_mean_over_labelled_words():
    _, p, (both, second) = measured(SMALL[3], 0)
    words = [p[0, 0, 0], p[0, 1, 2], p[1, 0, 1]]
    np.testing.assert_allclose(both["loss"], -np.mean(np.log(words)), rtol=1e-5)
    np.testing.assert_allclose(second["loss"], -np.log(words[2]), rtol=1e-5)
    right = [p[0, 0].argmax() == 0, p[0, 1].argmax() == 2, p[1, 0].argmax() == 1]
    np.testing.assert_allclose(both["accuracy"], np.mean(right), rtol=1e-6)


def test_a_random_field_answers_with_its_marginals():
    model, p, (_, second) = measured(Tagger("cnn", 4, 3, 4, 5, crf=True), 1)
    assert np.abs(model["weights"].params["chain"]["transitions"]).max() > 0  # they are trained
    # of a sentence of one word the field is a softmax
    np.testing.assert_allclose(second["loss"], -np.log(p[1, 0, 1]), rtol=1e-5)


def test_every_name_is_for_sentences():
    assert set(TAGGERS) == {"lstm", "lstm-crf", "gru", "rnn", "mingru", "lru", "transformer", "cnn"}
    for model in TAGGERS.values():
        with pytest.raises(ConfigError, match="takes sentences"):
            model.build(Inputs({"numeric": jax.ShapeDtypeStruct((1, 3), jnp.float32)}), 2, rngs=None)
    with pytest.raises(ConfigError, match="give one of 'rnn'"):
        Tagger("lsmt")
    with pytest.raises(ConfigError, match="even width"):
        Tagger("transformer", hidden=12, heads=4)
    with pytest.raises(ConfigError, match="no balance"):
        Tagging(SMALL[0], balance=True)
    with pytest.raises(ConfigError, match="use Supervised"):
        Tagging(SMALL[0], classes=2).bind({**DATA, "target": DATA["target"][:, 0]}, (11, 9))


def test_a_label_a_row_is_not_one_a_word():
    data = read_tagged([(["a", "b"], ["x", "y"]), (["b"], ["y"])])
    with pytest.raises(ConfigError, match="Supervised gives one a row"):
        prepare(Experiment(Supervised(SMALL[0]), data, folds=2, validation=0.0))
