"""A power law is found again, and its future with it."""

from __future__ import annotations

import numpy as np
import pytest

from manyfit.errors import DataError
from manyfit.evaluate import PowerLaw, extrapolate, fit_power_law

ROWS = np.array([50.0, 100, 200, 400, 800])


@pytest.mark.parametrize("law", [PowerLaw(0.1, 3.0, 0.6), PowerLaw(0.0, 1.0, 0.3), PowerLaw(0.3, 0.0, 1.0)])
def test_a_law_without_noise_is_found(law):
    found = fit_power_law(ROWS, law(ROWS))
    further = [1600.0, 6400.0]
    np.testing.assert_allclose(found(further), law(further), rtol=0.01)


def test_intervals_hold_the_truth_when_folds_are_independent():
    law, rng, held = PowerLaw(0.05, 2.0, 0.5), np.random.default_rng(0), []
    for _ in range(60):
        errors = law(ROWS)[:, None] + 0.005 * rng.normal(size=(5, 10))
        found = extrapolate(ROWS, errors, [1600.0], resamples=60)
        held.append(found.low[0] <= law(1600.0) <= found.high[0])
    assert np.mean(held) > 0.8


def test_too_little_is_refused():
    with pytest.raises(DataError, match="3 sizes or more"):
        fit_power_law([1, 2], [1, 2])
    with pytest.raises(DataError, match="finite"):
        fit_power_law([1, 2, 3], [1, np.nan, 2])
