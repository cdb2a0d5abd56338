"""Trials: Sobol' points against SciPy's and their defining property, distributions, stability."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

from manyfit.errors import ConfigError
from manyfit.space import choice, integer, loguniform, uniform
from manyfit.tune import draw, grid, sobol
from manyfit.tune.sampling import _DIRECTIONS, _sobol_words

SPACE = {
    "rate": loguniform(1e-4, 1e-1),
    "dropout": uniform(0.0, 0.5),
    "depth": integer(1, 4),
    "kind": choice("a", "b"),
}


def test_unscrambled_points_are_scipys():
    """SciPy orders the points by Gray code, which permutes each block of a power of two."""
    index = np.arange(256, dtype=np.uint32)
    ours = np.stack([_sobol_words(index, d) for d in range(len(_DIRECTIONS) + 1)], 1) / 2**32
    theirs = qmc.Sobol(len(_DIRECTIONS) + 1, scramble=False, bits=32).random(256)
    np.testing.assert_array_equal(ours[index ^ (index >> 1)], theirs)


@pytest.mark.parametrize("seed", range(5))
def test_each_interval_holds_one_point_of_each_block(seed):
    points = sobol(256, 32, seed)
    for m in (2, 4, 6, 8):
        for block in points.reshape(-1, 2**m, 32):
            cells = np.sort((block * 2**m).astype(int), axis=0)
            assert (cells == np.arange(2**m)[:, None]).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_first_two_dimensions_are_a_net(seed):
    """A (0, m, 2)-net in base 2: every elementary box of area 2^-m holds one point."""
    points = sobol(64, 2, seed)
    for k in range(7):
        cells = (points * [2**k, 2 ** (6 - k)]).astype(int)
        assert len({tuple(cell) for cell in cells}) == 64


def test_points_are_spread_better_than_at_random_for_any_number():
    for n in (10, 50, 100):
        rng = np.random.default_rng(0)
        ours = np.mean([qmc.discrepancy(sobol(n, 4, seed)) for seed in range(20)])
        random = np.mean([qmc.discrepancy(rng.random((n, 4))) for _ in range(20)])
        assert ours < 0.6 * random


def test_scrambling_makes_each_point_uniform():
    first = np.array([sobol(3, 5, seed) for seed in range(2000)])
    for point in range(3):
        for dimension in range(5):
            assert stats.kstest(first[:, point, dimension], "uniform").pvalue > 1e-4


def test_more_dimensions_than_sobol_has():
    points = sobol(128, 40, 0)
    assert points.shape == (128, 40)
    assert len(np.unique(points)) == points.size
    assert ((points > 0) & (points < 1)).all()


@pytest.mark.parametrize("method", ["sobol", "random"])
def test_the_first_trials_stay_and_the_seed_decides(method):
    few, many = draw(SPACE, 5, 3, method=method), draw(SPACE, 40, 3, method=method)
    assert many[:5] == few
    assert draw(SPACE, 5, 4, method=method) != few


def test_order_of_the_space_does_not_matter():
    assert draw(dict(reversed(SPACE.items())), 8) == draw(SPACE, 8)


def test_values_follow_their_distributions():
    drawn = draw(SPACE, 1024, 0)
    logs = np.log([t["rate"] for t in drawn])
    assert stats.kstest(logs, stats.uniform(np.log(1e-4), np.log(1e3)).cdf).pvalue > 0.5
    assert all(0.0 <= t["dropout"] <= 0.5 for t in drawn)
    assert np.bincount([t["depth"] for t in drawn])[1:].tolist() == [256] * 4
    assert sum(t["kind"] == "a" for t in drawn) == 512


def test_defaults_come_first():
    found = draw(SPACE, 4, 0, defaults={"rate": 1e-3})
    assert found[0]["rate"] == 1e-3
    assert found[1:] == draw(SPACE, 3, 0)
    assert len(found) == 4


def test_grid():
    found = grid({"a": uniform(0, 1), "b": loguniform(1e-2, 1.0), "c": integer(1, 2), "d": choice(None, "x")})
    assert len(found) == 3 * 3 * 2 * 2
    assert sorted({t["a"] for t in found}) == [0.0, 0.5, 1.0]
    assert sorted({t["b"] for t in found}) == pytest.approx([0.01, 0.1, 1.0])
    assert found[0] == {"a": 0.0, "b": 0.01, "c": 1, "d": None}
    assert found[1] == {"a": 0.0, "b": 0.01, "c": 1, "d": "x"}
    assert grid({"a": uniform(0, 1)}, 1) == [{"a": 0.5}]
    assert len(grid(SPACE, {"rate": 5, "dropout": 2})) == 5 * 2 * 3 * 2
    assert grid({}) == [{}]


def test_nothing_to_search():
    assert draw({}, 1) == [{}]
    with pytest.raises(ConfigError, match="nothing is to be searched"):
        draw({}, 8)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: draw(SPACE, 0), "at least 1"),
        (lambda: draw(SPACE, 1, method="sobel"), "did you mean 'sobol'"),
        (lambda: draw(SPACE, 1, defaults={"rte": 1}), "did you mean 'rate'"),
        (lambda: grid(SPACE, 0), "at least 1"),
        (lambda: grid(SPACE, {"rte": 1}), "did you mean 'rate'"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(ConfigError, match=words):
        call()
