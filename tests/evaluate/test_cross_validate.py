"""Scores of an experiment are those of scikit-learn's ``cross_validate`` on the same splits and the same outputs."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate

import manyfit as mf


class Recorded(BaseEstimator):
    """Answers for a row (by its number) what the network of its fold said; fitting changes nothing."""

    def __init__(self, outputs=None):
        self.outputs = outputs

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def _of(self, x):
        return self.outputs[np.asarray(x)[:, 0].astype(int)].astype(np.float64)


class Classifier(ClassifierMixin, Recorded):
    def predict_proba(self, x):
        p = self._of(x)
        return p / p.sum(axis=1, keepdims=True)  # float32 sums to 1 within 1e-7, which scikit-learn warns of

    def predict(self, x):
        return self.classes_[self._of(x).argmax(axis=1)]


class Regressor(RegressorMixin, Recorded):
    def predict(self, x):
        return self._of(x)


CASES = {
    "classes": (
        load_breast_cancer,
        StratifiedKFold(4, shuffle=True, random_state=3),
        Classifier,
        {"accuracy": "accuracy", "auroc": "roc_auc", "log_loss": "neg_log_loss"},
    ),
    "numbers": (
        load_diabetes,
        KFold(4, shuffle=True, random_state=3),
        Regressor,
        {"r2": "r2", "rmse": "neg_mean_squared_error", "mae": "neg_mean_absolute_error"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_scores_of_every_fold_are_scikit_learns(case):
    load, splitter, kind, names = CASES[case]
    frame = load(as_frame=True).frame
    table = mf.data.read_table(frame, target="target")
    result = mf.Experiment(
        mf.Supervised(
            mf.models.MLP(hidden=(8,), dropout=0.0, embedding="none"),
            optimizer=mf.optim.AdamW(learning_rate=0.01),
        ),
        table,
        folds=splitter,
        epochs=4,
        patience=None,
    ).run()
    found = result.predictions
    outputs = np.empty_like(found["output"])
    outputs[found["row"]] = found["output"]
    # the table holds classes as their places, and every target in the order of its rows
    y = np.empty_like(found["target"])
    y[found["row"]] = found["target"]
    numbers = np.arange(len(y))[:, None]
    theirs = cross_validate(kind(outputs), numbers, y, cv=splitter, scoring=names)
    ours = {m["fold"]: m["test"] for m in result.members}
    assert len(ours) == 4
    for name in names:
        expected = theirs[f"test_{name}"]
        expected = -expected if name in ("log_loss", "rmse", "mae") else expected
        mine = np.array([ours[fold][name] for fold in range(4)])
        mine = mine**2 if name == "rmse" else mine  # the mean squared error
        np.testing.assert_allclose(mine, expected, rtol=2e-6, err_msg=name)
