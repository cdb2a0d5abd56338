"""Searches that learn: better than chance, the same ones again, and spaces with branches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from manyfit.errors import ConfigError
from manyfit.space import choice, integer, labelled, labels_of, loguniform, resolve, settle, uniform
from manyfit.tune import METHODS, Told, suggest


@dataclass(frozen=True)
class Small:
    rate: Any = 0.1


@dataclass(frozen=True)
class Deep:
    rate: Any = 0.2
    layers: Any = 2


@dataclass(frozen=True)
class Root:
    model: Any = Small()
    decay: Any = 0.0


NUMBERS = Root(Deep(uniform(0, 1), integer(1, 8)), loguniform(1e-4, 1e-1))
BRANCHES = Root(choice(Small(uniform(0, 1)), Deep(uniform(0, 1), integer(1, 8))), loguniform(1e-4, 1e-1))


def bowl(tree):
    """Lowest at rate 0.3, three layers and a decay of 0.01."""
    layers = getattr(tree.model, "layers", 6)
    return (tree.model.rate - 0.3) ** 2 + 0.05 * (layers - 3) ** 2 + 0.1 * (math.log10(tree.decay) + 2) ** 2


def worth(tree, values):
    return bowl(resolve(tree, dict(sorted(values.items(), key=lambda item: item[0].count(".")))))


def search(tree, method, batches, batch=8, seed=0, told=()):
    told, found = list(told), []
    space = labelled(tree)
    for _ in range(batches):
        picks = suggest(space, told, batch, method=method, batch=batch, seed=seed)
        values = [settle(tree, pick) for pick in picks]
        found += values
        told += [Told(labels_of(tree, v), worth(tree, v)) for v in values]
    return found, told


def last_batches(method):
    """The mean loss of the last eight of 48 settings, by seed."""
    return [np.mean([t.loss for t in search(NUMBERS, method, 6, seed=s)[1][-8:]]) for s in range(10)]


@pytest.mark.parametrize("method", METHODS)
def test_the_same_search_again_and_from_the_middle(method):
    found, told = search(NUMBERS, method, 4)
    again, _ = search(NUMBERS, method, 4)
    assert found == again
    rest, _ = search(NUMBERS, method, 2, told=told[:16])
    assert rest == found[16:]
    assert search(NUMBERS, method, 2, seed=1)[0] != found[:16]
    assert len({tuple(v.values()) for v in found}) == 32


@pytest.mark.parametrize("method", ["tpe", "cmaes"])
def test_learning_from_what_was_tried_beats_not_learning(method):
    learned, chance = last_batches(method), last_batches("random")
    assert np.mean(learned) < 0.5 * np.mean(chance)
    assert sum(a < b for a, b in zip(learned, chance)) >= 8


@pytest.mark.parametrize("method", ["sobol", "random", "tpe"])
def test_options_that_hold_distributions_open_paths_of_their_own(method):
    found, told = search(BRANCHES, method, 4)
    assert set(labelled(BRANCHES)) == {
        "model",
        "decay",
        "model[0].rate",
        "model[1].rate",
        "model[1].layers",
    }
    assert {frozenset(v) for v in found} == {
        frozenset({"model", "decay", "model.rate"}),
        frozenset({"model", "decay", "model.rate", "model.layers"}),
    }
    for one in told:
        assert ("model[1].layers" in one.values) == isinstance(one.values["model"], Deep)


def test_tpe_keeps_away_from_what_diverged_and_from_what_was_pruned():
    space = {"rate": uniform(0, 1)}
    bad = [Told({"rate": 0.5 + 0.02 * i}, math.inf) for i in range(12)]
    bad += [Told({"rate": 0.76 + 0.02 * i}, 5.0, 3) for i in range(10)]
    good = [Told({"rate": 0.1 + 0.01 * i}, 0.1) for i in range(8)]
    values = [pick("rate", space["rate"]) for pick in suggest(space, bad + good, 20, method="tpe")]
    assert np.mean(np.array(values) < 0.4) > 0.7  # 0.4 by chance


def test_what_cannot_be_searched_is_said():
    with pytest.raises(ConfigError, match="unknown search 'tpee'"):
        suggest({}, [], 1, method="tpee")
    with pytest.raises(ConfigError, match="CMA-ES searches numbers, and 'model' is a choice"):
        suggest(labelled(BRANCHES), [], 4, method="cmaes")
    with pytest.raises(ConfigError, match="give at least 2"):
        suggest(labelled(NUMBERS), [], 1, method="cmaes", batch=1)
    with pytest.raises(ConfigError, match="3 is none of the options"):
        choice(1, 2).place(3)
    assert choice(0, False, 1.0).place(False) == 1 and choice(0, 1.0).place(1) == 1
