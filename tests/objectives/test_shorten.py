"""Networks that read sequences of any length make of rows without their padding what they make of rows with it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.data import read_tagged, read_texts
from manyfit.engine import Batch, Fold
from manyfit.experiment.preparation import prepare
from manyfit.models.names import PAIRS, TAGGERS, TEXTS
from manyfit.tasks.defaults import experiment_for
from manyfit.tasks.tagging import tag_task
from manyfit.tasks.texts import text_task
from manyfit.tasks.translation import pair_task

WORDS = ["the", "a", "good", "bad", "film", "plot", "long", "short", "and", "of"]
ROWS = 24


def sentences(seed=0):
    """Most of a few words, one of twenty."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 20 if i == 5 else rng.integers(1, 7))) for i in range(ROWS)]


def texts(beside=False):
    table = {"text": sentences(), "label": ["y", "n"] * (ROWS // 2)}
    if beside:
        table["age"] = np.random.default_rng(1).normal(size=ROWS)
    return text_task(read_texts(table, "text", "label", length=20), min_count=1)


def tags():
    rows = [(i, word) for i, text in enumerate(sentences()) for word in text.split()]
    table = {
        "sentence": [str(i) for i, _ in rows],
        "word": [word for _, word in rows],
        "tag": ["ADJ" if word in ("good", "bad", "long", "short") else "X" for _, word in rows],
    }
    return tag_task(read_tagged(table, "tag", sentence="sentence", words="word"))


def pairs():
    return pair_task({"en": sentences(), "de": sentences(1)}, "en", "de", tokenizer="word")


CASES = [
    *((name, texts, name) for name in TEXTS),
    ("a column beside", lambda: texts(beside=True), "gru"),
    *((f"tags: {name}", tags, name) for name in TAGGERS),
    *((f"pairs: {name}", pairs, name) for name in PAIRS),
]


@pytest.mark.parametrize(("task", "model"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_padding_of_all_rows_says_nothing(task, model):
    prepared = prepare(experiment_for(task(), {"model": model}))
    objective, data = prepared.objective, jax.tree.map(jnp.asarray, prepared.task.data)
    lengths = np.asarray(objective.lengths(data))
    assert lengths.shape == (ROWS,) and lengths.max() >= 2 * np.median(lengths)
    rows = np.flatnonzero(lengths <= np.median(lengths))
    length = int(lengths[rows].max())

    hyper = {
        **{k: jnp.float32(v) for k, v in prepared.trials[0].hyper.items()},
        "total_steps": jnp.float32(9),
    }
    known = objective.prepare(Fold(data, jnp.arange(ROWS), jnp.ones(ROWS)))
    state = objective.init(jax.random.key(0), hyper, known)
    batch = objective.transform(known, objective.gather(data, jnp.asarray(rows)))
    short = objective.shorten(batch, length)
    widths = [
        max(leaf.shape[1] for leaf in jax.tree.leaves(some) if leaf.ndim > 1) for some in (batch, short)
    ]
    assert widths[1] < widths[0]

    model, weight = objective.export(state), jnp.ones(len(rows))
    whole, cut = (jax.jit(objective.evaluate)(model, Batch(some, weight)) for some in (batch, short))
    for name in whole:
        np.testing.assert_allclose(whole[name].total, cut[name].total, rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(whole[name].count, cut[name].count)
