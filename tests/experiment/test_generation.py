"""Writing with a cache equals writing without; members average; a beam finds the best; runs resume and stand alone."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

import manyfit as mf
from manyfit.data.special_tokens import SPECIAL
from manyfit.data.tokenizers import learn
from manyfit.errors import ConfigError, DataError
from manyfit.experiment.generation import Writer, generate
from manyfit.models import Decoder
from manyfit.objectives import NextToken
from manyfit.objectives.decoding import Sampling
from manyfit.optim import AdamW
from manyfit.tasks.corpus import corpus

TOKENIZER = learn(["abcd "], "character")
CONTEXT = 6
OBJECTIVE = NextToken(
    Decoder(width=8, depth=1, heads=2, norm="rms", positions="rotary"), TOKENIZER.size, CONTEXT
)
GREEDY = Sampling(temperature=0.0)


def models_of(objective, members, spread=20.0):
    """Members' weights, far from their start: distributions that are not flat."""
    make = jax.jit(jax.vmap(lambda key: objective.functional().init(key)))
    models = make(jax.random.split(jax.random.key(1), members))
    return models._replace(params=jax.tree.map(lambda leaf: spread * leaf, models.params))


@pytest.fixture(scope="module")
def writer():
    return Writer(OBJECTIVE, models_of(OBJECTIVE, 2), TOKENIZER)


@pytest.fixture(scope="module")
def next_of(writer):
    """Log-probabilities of the next token after a window, slowly: the plain network of each member, averaged."""
    objective = writer.objective

    @jax.jit
    def plain(models, tokens):
        return jax.vmap(
            lambda model: objective.functional().apply(model, {"tokens": tokens}, train=False)[0]
        )(models)

    def next_token(ids):
        window = jnp.asarray([[*ids, *[0] * (CONTEXT - len(ids))]], jnp.int32)
        logits = np.asarray(plain(writer.models, window), np.float64)[:, 0, len(ids) - 1]
        logits[:, : len(SPECIAL)] = -np.inf
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.log((p / p.sum(axis=1, keepdims=True)).mean(axis=0) + 1e-300)

    return next_token


def test_the_cache_writes_what_the_plain_network_would(writer, next_of):
    prompts = ["a", "dab", "abcdabcdab"]  # the last is longer than the window
    found = generate(writer, prompts, length=20, sampling=GREEDY)
    for prompt, one in zip(prompts, found, strict=True):
        window = TOKENIZER.encode(prompt).tolist()[-(CONTEXT - 1) :]
        for token, chance in zip(one.tokens.tolist(), one.log_probability, strict=True):
            if len(window) == CONTEXT:
                window = window[-(CONTEXT // 2) :]
            expected = next_of(window)
            assert token == expected.argmax()
            assert chance == pytest.approx(expected[token], abs=1e-4)
            window.append(token)
        assert one.text == TOKENIZER.decode(one.tokens)


def test_a_text_does_not_depend_on_those_beside_it(writer):
    alone = generate(writer, ["ab"], length=30, seed=3)[0]
    beside = generate(writer, ["ab", "dcbad", " "], length=30, seed=3)
    assert alone.text == beside[0].text
    assert alone.text != generate(writer, ["ab"], length=30, seed=4)[0].text


def test_writing_ends_before_a_stop_string(writer):
    whole = generate(writer, ["ab"], length=40, seed=1)[0].text
    stop = whole[7:9]
    cut = generate(writer, ["ab"], length=40, seed=1, stop=[stop])[0].text
    assert cut == whole[: whole.index(stop)]


def test_disagreement_is_that_of_the_members(writer):
    one = Writer(OBJECTIVE, jax.tree.map(lambda leaf: leaf[:1], writer.models), TOKENIZER)
    assert generate(one, ["ab"], length=5)[0].disagreement == pytest.approx(np.zeros(5), abs=1e-6)
    assert (generate(writer, ["ab"], length=5)[0].disagreement > 1e-3).all()


def test_a_beam_as_wide_as_the_tree_finds_the_most_probable_text(writer, next_of):
    length, letters = 3, range(len(SPECIAL), TOKENIZER.size)
    prompt = TOKENIZER.encode("ab").tolist()
    table = {}
    for text in itertools.product(letters, repeat=length):
        table[text] = sum(next_of([*prompt, *text[:i]])[token] for i, token in enumerate(text))
    best = max(table, key=table.get)
    wide = len(letters) ** (length - 1)
    found = writer.beam("ab", length=length, beams=wide)
    assert tuple(found[0].tokens.tolist()) == best
    assert found[0].log_probability.sum() == pytest.approx(table[best], abs=1e-3)
    greedy = writer.beam("ab", length=length, beams=1)[0]
    assert greedy.text == generate(writer, ["ab"], length=length, sampling=GREEDY)[0].text


def test_what_cannot_be_written_is_refused(writer):
    with pytest.raises(DataError, match="never saw"):
        generate(writer, ["xyz"])
    with pytest.raises(ConfigError, match="runs over the window"):
        writer.beam("ab", length=CONTEXT, beams=2)
    with pytest.raises(DataError, match="no language model"):
        Writer(mf.Supervised(mf.models.MLP()), {}, TOKENIZER)


TEXT = "the cat sat on the mat and the dog sat on the log. " * 12


def experiment(model, **changes):
    task = corpus(TEXT, context=8)
    objective = NextToken(
        dataclasses.replace(model, dropout=0.1), task.vocabulary, 8, AdamW(learning_rate=0.01)
    )
    given = {"seeds": 3, "epochs": 4, "batch_size": 6, "steps_per_epoch": 5, "chunk": 1, "patience": None}
    return mf.Experiment(objective, task, folds=list(task.splits), **{**given, **changes})


def test_a_stopped_run_goes_on_bit_for_bit_and_a_seed_alone_is_the_same(tmp_path):
    model = Decoder(width=8, depth=1, heads=2)
    whole = experiment(model).run(tmp_path / "whole")
    asked = itertools.count()
    half = experiment(model).run(tmp_path / "half", stop=lambda: next(asked) >= 2, save_every=0.0)
    assert half.interrupted
    again = experiment(model).run(tmp_path / "half", resume=True)
    assert not again.interrupted
    place = "model/model.safetensors"
    a, b = load_file(tmp_path / "whole" / place), load_file(tmp_path / "half" / place)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
    assert whole.members == again.members
    # the first seed, trained alone
    alone = experiment(model, seeds=1).run()
    assert alone.members[0]["test"]["loss"] == pytest.approx(whole.members[0]["test"]["loss"], rel=1e-4)
    loaded = mf.load(tmp_path / "whole")
    assert loaded.generate("the ", length=12)[0].text == whole.best.generate("the ", length=12)[0].text
