"""A run of labelled words: alone as among others, stopped as whole, nothing learned of a test sentence."""

from __future__ import annotations

import itertools
import random

import numpy as np
from safetensors.numpy import load_file

import manyfit as mf
from manyfit.data import read_tagged
from manyfit.models import Tagger
from manyfit.objectives import Tagging
from manyfit.optim import SGD

SAID = {"a": "D", "red": "A", "old": "A", "cat": "N", "dogs": "N", "runs": "V", "Runs": "N"}
WEIGHTS = "model/model.safetensors"


def sentences(count, seed=0):
    draw = random.Random(seed)
    words = [draw.choices(list(SAID), k=draw.randint(1, 5)) for _ in range(count)]
    return [(one, [SAID[word] for word in one]) for one in words]


def experiment(said, **changes):
    objective = Tagging(Tagger("cnn", 4, 3, 4, 4, dropout=0.2), optimizer=SGD(learning_rate=0.1))
    rows = np.arange(len(said))
    plan = {"folds": [(rows[:12], rows[12:16], rows[16:])], "seeds": 2, "epochs": 3, "batch_size": 4}
    return mf.Experiment(objective, read_tagged(said), **{**plan, "chunk": 1, "patience": None, **changes})


def test_stopped_alone_and_blind_to_its_test_sentences(tmp_path):
    said = sentences(22)
    whole = experiment(said).run(tmp_path / "whole")
    asked = itertools.count()
    half = experiment(said).run(tmp_path / "half", stop=lambda: next(asked) >= 2, save_every=0.0)
    assert half.interrupted
    again = experiment(said).run(tmp_path / "half", resume=True)
    kept = load_file(tmp_path / "whole" / WEIGHTS)
    resumed = load_file(tmp_path / "half" / WEIGHTS)
    for name, values in kept.items():
        np.testing.assert_array_equal(values, resumed[name])
    assert whole.members == again.members and whole.ensemble == again.ensemble
    # the first seed alone, with other test sentences of the same words, whose labels say nothing
    planted = said[:16] + [(words, ["N"] * len(words)) for words, _ in sentences(6, seed=1)]
    experiment(planted, seeds=1).run(tmp_path / "alone")
    for name, values in load_file(tmp_path / "alone" / WEIGHTS).items():
        np.testing.assert_allclose(values[0], kept[name][0], atol=1e-5, err_msg=name)
    # from disk the model says what it said
    told = [
        mf.load(tmp_path / "whole").tag([["a", "red", "cat", "runs"]]),
        whole.best.tag([["a", "red", "cat", "runs"]]),
    ]
    np.testing.assert_array_equal(told[0][0].output, told[1][0].output)
    assert told[0][0].labels == told[1][0].labels
