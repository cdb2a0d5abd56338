"""What a trained model says of its own trustworthiness: sets and intervals that cover on rows never seen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

import manyfit as mf
from manyfit.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    data = load_digits(as_frame=True).frame
    folder = tmp_path_factory.mktemp("trust") / "run"
    rows = np.random.default_rng(0).permutation(len(data))
    table = mf.data.read_table(data.iloc[rows[:500]], target="target")
    experiment = mf.Experiment(
        mf.Supervised(mf.models.MLP(hidden=(32,), dropout=0.0)),
        table,
        folds=4,
        epochs=40,
        patience=None,
        batch_size=32,
    )
    experiment.run(folder)
    return mf.load(folder), data.iloc[rows[500:]]


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_sets_of_classes_hold_the_truth_as_often_as_promised(digits, coverage):
    model, new = digits
    sets = model.predict_set(new, coverage)
    truth = new["target"].astype(str).map({c: i for i, c in enumerate(model.classes)}).to_numpy()
    held = sets[np.arange(len(new)), truth].mean()
    assert coverage - 0.04 < held
    assert sets.sum(axis=1).mean() < 5
    with pytest.raises(DataError, match="use predict_set"):
        model.predict_interval(new)
    with pytest.raises(ConfigError, match="coverage=1"):
        model.predict_set(new, 1.0)


def test_intervals_hold_the_value_as_often_as_promised():
    data = load_diabetes(as_frame=True).frame
    rows = np.random.default_rng(1).permutation(len(data))
    table = mf.data.read_table(data.iloc[rows[:250]], target="target")
    result = mf.Experiment(
        mf.Supervised(mf.models.MLP(hidden=(16,), dropout=0.0)), table, folds=5, epochs=30
    ).run()
    new = data.iloc[rows[250:]]
    ends = result.best.predict_interval(new, 0.9)
    held = ((ends[:, 0] <= new["target"]) & (new["target"] <= ends[:, 1])).mean()
    assert 0.85 < held <= 1.0
    assert np.ptp(ends[:, 1] - ends[:, 0]) < 1e-3
    with pytest.raises(DataError, match="use predict_interval"):
        result.best.predict_set(new)


def test_identical_rows_across_folds_are_warned_of():
    data = load_diabetes(as_frame=True).frame.iloc[:100]
    doubled = data.loc[np.r_[np.arange(100), np.arange(60)]].reset_index(drop=True)
    doubled.loc[100:, "target"] += 1.0
    table = mf.data.read_table(doubled, target="target")
    result = mf.Experiment(
        mf.Supervised(mf.models.MLP(hidden=(4,), dropout=0.0)), table, folds=4, epochs=1
    ).run()
    assert any("a row of the same inputs" in w and "drop duplicates" in w for w in result.warnings)
    assert any(w.startswith("120 of 160 rows (75.0%) have a twin") for w in result.warnings)
    clean = mf.data.read_table(data, target="target")
    result = mf.Experiment(
        mf.Supervised(mf.models.MLP(hidden=(4,), dropout=0.0)), clean, folds=4, epochs=1
    ).run()
    assert not result.warnings
