"""Labels that were turned are found among those that were not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from manyfit.errors import DataError
from manyfit.evaluate import label_suspects


def test_turned_labels_of_real_digits_are_ranked_first():
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    turned = rng.choice(len(y), 60, replace=False)
    wrong = y.copy()
    wrong[turned] = (y[turned] + rng.integers(1, 10, 60)) % 10
    p = cross_val_predict(LogisticRegression(max_iter=500), x / 16, wrong, cv=5, method="predict_proba")
    found = label_suspects(wrong, p)
    assert np.isin(turned, found.rows).mean() > 0.75
    assert np.isin(found.rows[:50], turned).mean() > 0.9
    both = np.isin(found.rows, turned)
    assert np.mean(found.likelier[both] == y[found.rows[both]]) > 0.85
    assert (np.diff(found.confidence) >= 0).all()


def test_sure_and_right_leaves_no_suspects():
    y = np.arange(30) % 3
    assert not len(label_suspects(y, np.eye(3)[y] * 0.9 + 0.1 / 3).rows)
    with pytest.raises(DataError, match="give"):
        label_suspects(y, np.ones((29, 3)))
