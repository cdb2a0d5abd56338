"""Who is given up, and who is not."""

from __future__ import annotations

import numpy as np
import pytest

from manyfit.errors import ConfigError
from manyfit.tune import Halving, Hyperband, Racing, named_pruner

SIZES = (80.0, 20.0, 1)


def losses(*means, spread=0.0, folds=5):
    rng = np.random.default_rng(0)
    noise = spread * rng.normal(size=(len(means), 2, folds))
    return {i: mean + noise[i] for i, mean in enumerate(means)}


def gone(pruner, here, before=None, rung=3, epochs=30):
    return pruner.losers(here, before or {}, rung=rung, epochs=epochs, sizes=SIZES)


def test_halving_keeps_the_best_part():
    assert gone(Halving(), losses(5, 1, 4, 2, 6, 3)) == {0, 2, 4, 5}
    assert gone(Halving(), losses(5, 1, 4)) == {0, 2}
    assert gone(Halving(factor=2), losses(5, 1, 4, 2)) == {0, 2}
    assert gone(Halving(), losses(5)) == set()


def test_later_trials_are_compared_with_earlier_ones():
    before = {10 + i: values for i, values in losses(1, 2, 3, 4, 5, 6).items()}
    assert gone(Halving(), losses(0.5, 1.5, 7), before) == {2}
    assert gone(Halving(), losses(9), before) == {0}


def test_diverged_trials_go_and_equal_ones_stay():
    here = losses(1, 1, 1)
    here[1][0, 0] = np.inf
    assert gone(Halving(factor=2), here) == {1}
    assert gone(Halving(), losses(1, 1, 1)) == set()


def test_rungs_grow_and_stay_below_the_end():
    assert Halving(first=3, factor=3).rungs(100) == [3, 9, 27, 81]
    assert Halving(first=3, factor=3).rungs(81) == [3, 9, 27]
    assert Halving(first=5).rungs(5) == []


def test_hyperband_gives_some_trials_more_time_and_compares_within_a_bracket():
    band = Hyperband(first=1, factor=3)  # rungs 1, 3, 9: brackets 0, 1, 2
    here = losses(1, 1, 1, 9, 9, 9, 8, 8, 8)
    assert gone(band, here, rung=1, epochs=27) == {3, 6}
    assert gone(band, here, rung=3, epochs=27) == {3, 4, 6, 7}
    assert gone(band, here, rung=9, epochs=27) == {3, 4, 5, 6, 7, 8}


def test_racing_gives_up_what_is_significantly_worse_and_nothing_else():
    assert gone(Racing(), losses(1.0, 1.01, 3.0, spread=0.1)) == {2}
    assert gone(Racing(), losses(1.0, 1.2, spread=1.0)) == set()
    assert gone(Racing(), losses(1.0, np.inf)) == {1}


def test_a_race_of_equals_is_seldom_lost():
    """One-sided 5 % against the best of the others; folds that share nothing, so the test is conservative."""
    rng = np.random.default_rng(1)
    lost = 0
    for _ in range(400):
        here = {0: rng.normal(size=(1, 5)), 1: rng.normal(size=(1, 5))}
        lost += len(gone(Racing(), here))
    assert 0 < lost < 0.10 * 400  # either of two may lose: at most twice the level


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="at least 1 epoch"):
        Halving(first=0)
    with pytest.raises(ConfigError, match="factor of at least 2"):
        Halving(factor=1)
    with pytest.raises(ConfigError, match=r"alpha=0\.7"):
        Racing(alpha=0.7)
    with pytest.raises(ConfigError, match="did you mean 'halving'"):
        named_pruner("halfing")
