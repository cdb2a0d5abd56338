"""Metrics of generated samples against closed forms and slow, obvious references."""

import numpy as np
import pytest
import scipy.linalg

from manyfit.errors import DataError
from manyfit.metrics.generative import (
    floor,
    frechet_between,
    frechet_distance,
    generative_scores,
    kernel_distance,
    manifold,
    nearest,
)

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), RNG.normal(size=(30, 3)) * 1.5 + 0.5


def test_frechet_of_gaussians_with_commuting_covariances_is_a_closed_form():
    a, b = np.array([1.0, 2.0, 0.0]), np.array([0.0, 2.0, 2.0])
    s, t = np.array([1.0, 4.0, 9.0]), np.array([4.0, 4.0, 1.0])
    expected = ((a - b) ** 2).sum() + ((np.sqrt(s) - np.sqrt(t)) ** 2).sum()  # 5 + 1 + 0 + 4
    assert expected == 10.0
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    found = frechet_between(turn @ a, turn @ np.diag(s) @ turn.T, turn @ b, turn @ np.diag(t) @ turn.T)
    np.testing.assert_allclose(found, 10.0, rtol=1e-10)


def test_frechet_equals_the_matrix_root_of_the_definition():
    s, t = np.cov(X, rowvar=False), np.cov(Y, rowvar=False)
    root = scipy.linalg.sqrtm(s @ t).real
    expected = ((X.mean(0) - Y.mean(0)) ** 2).sum() + np.trace(s + t - 2 * root)
    np.testing.assert_allclose(frechet_distance(X, Y), expected, rtol=1e-8)
    assert frechet_distance(X, X) < 1e-10


def test_frechet_of_singular_covariances_is_finite():
    assert np.isfinite(frechet_distance(RNG.normal(size=(4, 9)), RNG.normal(size=(5, 9))))


def test_kernel_distance_equals_the_sum_over_pairs():
    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    def within(rows):
        return np.mean([k(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j])

    expected = within(X) + within(Y) - 2 * np.mean([k(a, b) for a in X for b in Y])
    np.testing.assert_allclose(kernel_distance(X, Y), expected, rtol=1e-10)


def test_kernel_distance_has_no_bias():
    found = [kernel_distance(*RNG.normal(size=(2, 10, 2))) for _ in range(2000)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found))


def slow_manifold(real, fake, k):
    def reach(rows, i):
        return sorted(np.linalg.norm(rows[i] - rows[j]) for j in range(len(rows)) if j != i)[k - 1]

    reaches = [reach(real, i) for i in range(len(real))], [reach(fake, i) for i in range(len(fake))]

    def inside(i, y):
        return np.linalg.norm(real[i] - y) <= reaches[0][i]

    precision = np.mean([any(inside(i, y) for i in range(len(real))) for y in fake])
    density = np.mean([sum(inside(i, y) for i in range(len(real))) / k for y in fake])
    coverage = np.mean([any(inside(i, y) for y in fake) for i in range(len(real))])
    recall = np.mean([any(np.linalg.norm(x - y) <= reaches[1][j] for j, y in enumerate(fake)) for x in real])
    return precision, recall, density, coverage


@pytest.mark.parametrize("k", [1, 3, 5])
def test_manifold_equals_the_definition(k):
    np.testing.assert_allclose(manifold(X, Y, k), slow_manifold(X, Y, k), rtol=1e-12)


def test_a_collapsed_generator_is_precise_and_covers_little():
    collapsed = X[:1] + 1e-3 * RNG.normal(size=(40, 3))
    found = manifold(X, collapsed)
    assert found.precision == 1 and found.recall < 0.1 and found.coverage < 0.4


def test_samples_that_are_not_finite_cover_nothing():
    found = generative_scores(X, np.full((30, 3), np.nan))
    assert np.isnan(found["frechet"]) and found["coverage"] == 0


def test_the_floor_is_below_what_another_distribution_scores():
    a, b, other = RNG.normal(size=(200, 2)), RNG.normal(size=(200, 2)), RNG.normal(size=(200, 2)) + 2
    assert floor(a, b, 200)["frechet"] < 0.2 < generative_scores(a, other)["frechet"]


def test_nearest_neighbours():
    places, far = nearest(X, X[[7, 3]] + [[0.0, 0.0, 1e-3]])
    np.testing.assert_array_equal(places, [7, 3])
    np.testing.assert_allclose(far, 1e-3, rtol=1e-3)


def test_bad_features_are_named():
    with pytest.raises(DataError, match="3 columns and generated ones 2"):
        frechet_distance(X, Y[:, :2])
    with pytest.raises(DataError, match="at least 6"):
        manifold(X[:5], Y)
    with pytest.raises(DataError, match="row 4"):
        frechet_distance(np.where(np.arange(40)[:, None] == 4, np.nan, X), Y)
