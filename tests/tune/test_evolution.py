"""Who inherits from whom, and what becomes of the settings."""

from __future__ import annotations

import numpy as np
import pytest

from manyfit.errors import ConfigError
from manyfit.space import choice, integer, loguniform, uniform
from manyfit.tune import Evolution

SPACE = {
    "rate": loguniform(1e-3, 1e-1),
    "drop": uniform(0, 0.5),
    "depth": integer(1, 8),
    "kind": choice(1.0, 2.0),
}
VALUES = {t: {"rate": 0.01, "drop": 0.1 * t / 2, "depth": 4, "kind": 1.0} for t in range(10)}


def heirs(losses, **given):
    return Evolution(**given).heirs(dict(enumerate(losses)), VALUES, SPACE, rung=5, seed=0)


def test_the_worst_inherit_from_the_best():
    found = heirs([3, 1, 9, 5, 2, 8, 4, 6, 7, np.inf])
    assert set(found) == {2, 9} and {h.source for h in found.values()} <= {1, 4}
    assert heirs([3, 1, 9, 5, 2, 8, 4, 6, 7, np.inf]) == found
    assert set(heirs([3, 1, 9, 5, 2, 8, 4, 6, 7, 0], share=0.5)) == {2, 3, 5, 7, 8}


def test_numbers_move_within_their_range():
    moved = [heirs([0] * 9 + [rung], resample=0.0)[9].values for rung in (1,)]
    assert moved[0]["rate"] in (pytest.approx(0.012), pytest.approx(0.01 / 1.2)) and moved[0]["kind"] == 1.0
    rng = np.random.default_rng(0)
    for name, kind in SPACE.items():
        for value in (kind.at(0.0), kind.at(1.0)):
            for _ in range(20):
                near = Evolution(factor=3.0)._moved(kind, value, rng)
                assert kind.at(0.0) <= near <= kind.at(1.0), name
    assert isinstance(Evolution()._moved(SPACE["depth"], 4, rng), int)


def test_equals_and_the_dead_leave_nobody_an_heir():
    assert heirs([1.0] * 10) == {}
    assert heirs([np.inf] * 10) == {}
    assert heirs([1, 2]) == {}  # a fifth of two is nobody


def test_settings_out_of_range_are_refused():
    for given in ({"every": 0}, {"share": 0.6}, {"factor": 1.0}, {"resample": 2}):
        with pytest.raises(ConfigError, match="at least 1 epoch"):
            Evolution(**given)
