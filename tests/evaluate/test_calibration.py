"""Calibration undoes a distortion that is known, and leaves what was right."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from manyfit.errors import DataError
from manyfit.evaluate import Isotonic, Temperature


def softmax(logits):
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def rows_of(n, seed, classes=3):
    """True class probabilities, and classes drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, classes))
    p = softmax(logits)
    return logits, p, (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


def test_the_temperature_is_that_of_least_log_loss():
    logits, _, y = rows_of(400, 0)
    said = softmax(2.5 * logits)
    found = Temperature.fit(said, y).temperature
    best = minimize_scalar(
        lambda t: log_loss(y, softmax(2.5 * logits / t)), bounds=(0.5, 10), method="bounded"
    )
    assert found == pytest.approx(best.x, rel=1e-3)
    assert found == pytest.approx(2.5, rel=0.3)


def test_a_temperature_keeps_the_order_and_mends_new_rows():
    logits, _, y = rows_of(2000, 1)
    model = Temperature.fit(softmax(3 * logits), y)
    other, p, truth = rows_of(2000, 2)
    mended = model(softmax(3 * other))
    np.testing.assert_array_equal(mended.argmax(axis=1), p.argmax(axis=1))
    assert log_loss(truth, mended) < log_loss(truth, softmax(3 * other)) - 0.1
    np.testing.assert_allclose(mended, p, atol=0.05)


def test_what_is_calibrated_stays():
    _, p, y = rows_of(5000, 3)
    assert Temperature.fit(p, y).temperature == pytest.approx(1.0, abs=0.1)
    np.testing.assert_allclose(Isotonic.fit(p, y)(p), p, atol=0.12)


def test_rows_that_are_all_right_end_at_the_bound():
    assert Temperature.fit(np.array([[0.6, 0.4]] * 5), np.zeros(5, int)).temperature == pytest.approx(0.01)


def test_isotonic_mends_what_no_temperature_can():
    _, p, y = rows_of(4000, 4, classes=2)
    bent = np.stack([1 - p[:, 1] ** 3, p[:, 1] ** 3], axis=1)
    _, q, truth = rows_of(4000, 5, classes=2)
    new = np.stack([1 - q[:, 1] ** 3, q[:, 1] ** 3], axis=1)

    def loss_of(kind):
        right = kind.fit(bent, y)(new)[np.arange(len(truth)), truth]
        return -np.mean(np.log(np.clip(right, 1e-6, 1)))  # a step function can say 0

    assert loss_of(Isotonic) < loss_of(Temperature) - 0.02
    found = Isotonic.fit(bent, y)(new)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("probabilities", "target", "message"),
    [
        ([0.5, 0.5], [0], "rows, classes"),
        ([[0.5, 0.5]], [2], "classes 2 to 2 of 2"),
        ([[0.5, np.nan]], [0], "NaN"),
        ([[0.5, 0.5]], [0.5], "class indices"),
    ],
)
def test_what_does_not_fit_is_said(probabilities, target, message):
    with pytest.raises(DataError, match=message):
        Temperature.fit(probabilities, target)
