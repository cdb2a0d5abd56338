"""Calibration undoes a distortion that is known, and leaves what was right."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from manyfit.errors import DataError
from manyfit.evaluate import Isotonic, Temperature, cross_calibrated


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


@pytest.mark.parametrize("ties", [False, True])
def test_isotonic_curves_are_scikit_learns(ties):
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(6)
    p = rng.random(200).round(1 if ties else 12)
    y = (rng.random(200) < p**2).astype(int)
    new = np.linspace(-0.1, 1.1, 50)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(p, y).predict(new)
    knots, values = Isotonic.fit(np.stack([1 - p, p], axis=1), y).curves[1]
    np.testing.assert_allclose(np.interp(new, knots, values), theirs, atol=1e-9)


def test_a_fold_is_calibrated_by_the_others_alone():
    logits, _, y = rows_of(600, 7)
    said = softmax(3 * logits)
    fold = np.arange(600) % 3
    found = cross_calibrated(said, y, fold)
    other = Temperature.fit(said[fold != 1], y[fold != 1])
    np.testing.assert_allclose(found.calibrated["temperature"][fold == 1], other(said[fold == 1]))
    changed = np.where(
        fold == 1, (y + 1) % 3, y
    )  # whatever a fold's own labels are, they do not calibrate it
    again = cross_calibrated(said, changed, fold)
    np.testing.assert_array_equal(
        again.calibrated["isotonic"][fold == 1], found.calibrated["isotonic"][fold == 1]
    )
    assert found.ece["temperature"] < 0.5 * found.ece["none"]
    assert found.log_loss["none"] == pytest.approx(log_loss(y, said))
    assert found.best == "temperature" and found.temperature == pytest.approx(3.0, rel=0.3)


def test_a_single_fold_is_calibrated_in_parts():
    logits, _, y = rows_of(600, 8)
    found = cross_calibrated(softmax(3 * logits), y)
    assert found.ece["temperature"] < found.ece["none"]
    with pytest.raises(DataError, match="fold of each row"):
        cross_calibrated(softmax(logits), y, [0, 1])
