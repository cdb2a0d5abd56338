"""Variance components are found again where they are known, and what they advise holds."""

from __future__ import annotations

import numpy as np
import pytest

from manyfit.errors import DataError
from manyfit.evaluate import Spread, resampled_interval, variance_components

SIZES = (80.0, 20.0)


def table(rng, fold, seed, seeds=3, folds=10):
    return 0.8 + fold * rng.normal(size=folds) + seed * rng.normal(size=(seeds, folds))


def test_known_components_are_found_on_average():
    rng = np.random.default_rng(0)
    found = [variance_components(table(rng, 0.03, 0.02)) for _ in range(2000)]
    assert np.mean([s.seed**2 for s in found]) == pytest.approx(0.02**2, rel=0.03)
    assert np.mean([s.fold**2 for s in found]) == pytest.approx(0.03**2, rel=0.05)


def test_the_half_width_is_that_of_the_interval():
    scores = table(np.random.default_rng(1), 0.03, 0.02)
    interval = resampled_interval(scores, *SIZES)
    assert variance_components(scores).half_width(*SIZES) == pytest.approx((interval.high - interval.low) / 2)


def test_repeats_are_counted_as_the_interval_counts_them():
    scores = table(np.random.default_rng(1), 0.03, 0.02, folds=15)
    interval = resampled_interval(scores, *SIZES, repeats=3)
    found = variance_components(scores, repeats=3)
    assert found.half_width(*SIZES) == pytest.approx((interval.high - interval.low) / 2)
    assert found.half_width(*SIZES, repeats=2) < found.half_width(*SIZES)


def test_advice_holds():
    noisy = Spread(fold=0.001, seed=0.05, seeds=2, folds=10)
    seeds = noisy.seeds_to(0.5, *SIZES)
    assert noisy.half_width(*SIZES, seeds=seeds) <= 0.5 * noisy.half_width(*SIZES)
    assert noisy.half_width(*SIZES, seeds=seeds - 1) > 0.5 * noisy.half_width(*SIZES)
    luck_of_the_split = Spread(fold=0.05, seed=0.001, seeds=2, folds=10)
    assert luck_of_the_split.seeds_to(0.5, *SIZES) is None
    assert luck_of_the_split.repeats_to(0.5, *SIZES) is None  # a fifth is tested: the floor is near
    repeats = luck_of_the_split.repeats_to(0.85, *SIZES)
    assert luck_of_the_split.half_width(*SIZES, repeats=repeats) <= 0.85 * luck_of_the_split.half_width(
        *SIZES
    )


def test_a_single_seed_says_nothing_of_seeds_and_missing_folds_are_left_out():
    alone = variance_components([[0.8, 0.9, np.nan, 0.7]])
    assert np.isnan(alone.seed) and np.isnan(alone.seed_share) and alone.folds == 3
    with pytest.raises(DataError, match="at least two"):
        variance_components([[0.8]])
