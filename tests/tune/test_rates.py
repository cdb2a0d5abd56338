"""The learning-rate range test: its rule on known curves, and a curve of real trainings."""

import numpy as np
import pytest

import manyfit as mf
from manyfit.errors import ConfigError
from manyfit.tune.rates import RateCurve


def curve(*means):
    losses = np.array(means)[:, None] + np.array([-0.01, 0.01])
    return RateCurve(np.geomspace(1e-4, 1e0, len(means)), losses, 10)


def test_the_lowest_of_a_smooth_curve():
    found = curve(1.0, 0.8, 0.3, 0.1, 0.2)
    assert found.suggested == pytest.approx(1e-1)
    np.testing.assert_allclose(found.spread[1:], np.sqrt(2) * 0.01)


def test_a_rate_beside_the_edge_is_not_taken():
    found = curve(1.0, 0.5, 0.12, 0.1, np.inf)
    assert found.suggested == pytest.approx(1e-2)
    assert "2 of 2 diverged" in found.text() and found.to_json()["losses"][-1] == [None, None]


def test_the_range_to_search_keeps_most_of_the_fall():
    low, high = curve(1.0, 0.2, 0.1, 0.1, 0.1, 1.0).search
    assert low <= curve(1.0, 0.2, 0.1, 0.1, 0.1, 1.0).suggested <= high


def problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)).astype(np.float32)
    return {"inputs": {"numeric": x}, "target": (x[:, 0] > 0).astype(np.int32)}


def test_rates_far_too_small_and_too_large_lose():
    objective = mf.Supervised(mf.models.MLP(hidden=(16,)), optimizer=mf.optim.SGD(), classes=2)
    found = mf.learning_rate_range(objective, problem(), low=1e-5, high=1e3, rates=9, steps=60, batch_size=32)
    assert found.losses.shape == (9, 3) and 1e-3 < found.suggested < 10
    assert found.mean[0] > 2 * found.mean.min() and found.mean[-1] > 2 * found.mean.min()


def test_what_cannot_be_varied_is_refused():
    objective = mf.Supervised(mf.models.MLP(hidden=(4,)), classes=2)
    with pytest.raises(ConfigError, match="0 < low < high"):
        mf.learning_rate_range(objective, problem(), low=1.0, high=0.1)
