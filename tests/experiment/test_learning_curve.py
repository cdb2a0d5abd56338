"""Learning curves: parts within parts, the whole at the end, and what they say of more rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from killed import experiment

import manyfit as mf
from manyfit.errors import ConfigError
from manyfit.evaluate import Extrapolation, Interval, PowerLaw, plan
from manyfit.experiment.growth import LearningCurve
from manyfit.experiment.growth import _order as order_of


@pytest.fixture(scope="module")
def curve():
    return mf.learning_curve(experiment(seeds=2, folds=3, epochs=20))


def test_more_rows_do_better_and_the_last_size_is_all_of_them(curve):
    assert curve.rows[-1] == 160 and curve.scores.shape == (5, 2, 3)
    np.testing.assert_allclose(curve.rows[:-1] / 160, [1 / 16, 1 / 8, 1 / 4, 1 / 2], atol=0.03)
    means = [i.mean for i in curve.intervals]
    assert means[-1] > means[0] + 0.05
    further = curve.to_json()["expected"]
    assert [f["rows"] for f in further] == [320, 640, 1280]
    assert all(f["low"] <= f["mean"] <= f["high"] <= 1 for f in further)
    assert further[0]["mean"] >= means[-1] - 0.05
    last = curve.intervals[-1]
    assert (
        further[0]["high"] - further[0]["low"] >= min(last.high, 1) - last.low - 0.05
    )  # no surer than what is known
    assert all(i.low >= 0 and i.high <= 1 for i in curve.intervals)
    assert "expected" in curve.text()


def test_the_whole_part_is_the_ordinary_experiment(curve):
    """Members hang on their fold's number, so that scores are equal in kind only."""
    middle = experiment(seeds=2, folds=3, epochs=20, trials=1)
    whole = middle.run().score
    assert abs(curve.intervals[-1].mean - whole.mean) < 0.1


def test_growing_parts_keep_classes_groups_and_the_latest():
    task = experiment().data
    split = plan(240, folds=3, target=task.labels)[0]
    labels = np.asarray(task.labels)[order_of(split, task, 0)[0]]
    for size in (10, 40, 100):
        assert abs(labels[:size].mean() - labels.mean()) <= 1 / size
    grouped = dataclasses.replace(task, groups=np.arange(240) // 8)
    groups = (np.arange(240) // 8)[order_of(split, grouped, 0)[0]]
    assert np.sum(np.diff(groups) != 0) == len(np.unique(groups)) - 1
    timed = dataclasses.replace(task, time=np.arange(240.0))
    assert (np.diff(order_of(split, timed, 0)[0]) < 0).all()


def test_what_makes_no_curve_is_refused():
    with pytest.raises(ConfigError, match="at least two shares"):
        mf.learning_curve(experiment(), shares=[0.5])
    with pytest.raises(ConfigError, match=r"in \(0, 1\]"):
        mf.learning_curve(experiment(), shares=[0.5, 1.5])


def test_what_is_expected_is_less_sure_than_what_is_measured_the_further_the_less():
    measured = Interval(5.0, 4.0, 6.0, 0.5, 5, "folds", 0)
    band = np.array([0.5, 1.0, 2.0])
    ahead = Extrapolation(
        PowerLaw(0.0, 1.0, 1.0), np.array([2.0, 4.0, 8.0]), np.full(3, 4.0), 4.0 - band, 4.0 + band
    )
    curve = LearningCurve("mse", "minimize", np.ones(1), np.ones((1, 1, 1)), [measured], ahead)
    halves = np.array([f["high"] - f["mean"] for f in curve.to_json()["expected"]])
    np.testing.assert_allclose(halves, np.sqrt(1.0 + band**2))
