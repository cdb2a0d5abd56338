"""Losses inside a population: what they estimate, in the units of the target."""

import numpy as np
import pytest

import manyfit as mf
from manyfit.engine import Hooks, Member, Population, Rows, Shape


def fitted(loss, x, y, epochs=60):
    """The predictions of one small network for its test rows (the last fifth)."""
    data = {"inputs": {"numeric": x[:, None].astype(np.float32)}, "target": y.astype(np.float32)}
    model = mf.models.MLP(hidden=(16,))
    optimizer = mf.optim.AdamW(learning_rate=1e-2)
    objective = mf.Supervised(model, loss=loss, optimizer=optimizer).bind(data)
    rows, cut = np.arange(len(x), dtype=np.int32), len(x) * 4 // 5
    found = []
    member = Member(0, 0, 0, {"optimizer.learning_rate": 1e-2})
    folds = [Rows(rows[:cut], rows[:0], rows[cut:])]
    Population(objective, data, [member], folds, Shape(64), epochs=epochs).run(Hooks(finish=found.append))
    return x[cut:], np.asarray(found[0].outputs)


def draw(seed=0, rows=1500):
    rng = np.random.default_rng(seed)
    return rng, rng.uniform(-1, 1, rows)


@pytest.mark.parametrize("loss", ["poisson", "negative_binomial"])
def test_counts_are_predicted_as_counts(loss):
    rng, x = draw(rows=6000)
    rate = np.exp(1 + x)
    seen, predicted = fitted(loss, x, rng.poisson(rate), epochs=20)
    # 4,800 counts: a curve of this kind is known to a few hundredths of its height
    assert np.abs(predicted / np.exp(1 + seen) - 1).mean() < 0.06


@pytest.mark.parametrize(("level", "offset"), [(0.1, -1.2816), (0.9, 1.2816)])
def test_a_quantile_is_a_quantile(level, offset):
    rng, x = draw()
    seen, predicted = fitted(mf.losses.Quantile(level), x, 100 + 5 * (2 * x + rng.normal(size=len(x))))
    expected = 100 + 5 * (2 * seen + offset)
    assert np.abs(predicted - expected).mean() < 1.5  # a tenth quantile of 1,200 rows of deviation 5


def test_a_gaussian_predicts_its_mean():
    rng, x = draw()
    seen, predicted = fitted("gaussian", x, 3 * x + 0.2 * (1 + np.abs(x)) * rng.normal(size=len(x)))
    assert np.abs(predicted - 3 * seen).mean() < 0.15


@pytest.mark.parametrize("log_dispersion", [-25.0, -12.0, -3.0, 0.0, 4.0])
def test_negative_binomial_in_float32_is_scipys(log_dispersion):
    """Also where the dispersion vanishes and the gamma functions cancel."""
    from scipy import stats

    count, mean = np.array([0, 1, 7, 300]), np.array([0.5, 2.0, 5.0, 250.0])
    shape = np.exp(-log_dispersion)
    expected = -stats.nbinom.logpmf(count, shape, 1 / (1 + mean / shape))
    if log_dispersion < -20:
        expected = -stats.poisson.logpmf(count, mean)
    got = mf.losses.negative_binomial(
        np.log(mean).astype(np.float32), np.full(4, log_dispersion, np.float32), count.astype(np.float32)
    )
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-4)
