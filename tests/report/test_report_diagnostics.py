"""Diagnostics against scikit-learn, and the numbers that a person reads."""

from __future__ import annotations

import numpy as np
import pytest
from report_runs import Run
from sklearn.metrics import confusion_matrix, precision_score, recall_score, roc_auc_score, roc_curve

from manyfit.report import classification, regression
from manyfit.report.curves import mean_curve
from manyfit.report.numbers import share
from manyfit.report.svg import Scale, scale

P = Run(rows=200).predictions()
CALLED = P["output"].argmax(axis=1)


def test_the_predictions_of_these_tests_hold_mistakes():
    assert 10 < np.sum(P["target"] != CALLED) < 150


def test_confusion_table():
    assert np.array_equal(classification.confusion_table(P), confusion_matrix(P["target"], CALLED))


def test_class_rows():
    rows = classification.class_rows("abc", classification.confusion_table(P))
    assert [r.recall for r in rows] == [share(v) for v in recall_score(P["target"], CALLED, average=None)]
    assert [r.precision for r in rows] == [
        share(v) for v in precision_score(P["target"], CALLED, average=None)
    ]


def test_of_many_classes_those_with_the_most_errors_are_kept():
    table = np.diag(np.full(50, 10))
    table[7, 31] = 5
    assert set(classification.hardest(table, 2)) == {7, 31}


@pytest.mark.parametrize("digits", [1, 6])
def test_roc_curve_and_area(digits):
    """Rounded to one digit the scores tie, which a curve must step over at once."""
    positive, score = P["target"] == 1, np.round(P["output"][:, 1], digits)
    falls, rises = classification.roc_curve(positive, score)
    assert np.isclose(classification.area_under(falls, rises), roc_auc_score(positive, score), rtol=1e-12)
    expected = roc_curve(positive, score, drop_intermediate=False)
    assert np.allclose(falls, expected[0]) and np.allclose(rises, expected[1])


def test_no_roc_curve_of_one_class():
    assert classification.roc_curve(np.ones(5, bool), np.arange(5.0)) is None


def test_surest_mistakes_are_wrong_and_in_order():
    found = classification.surest_mistakes("abc", P)
    place = {str(row): i for i, row in enumerate(P["row"])}
    confidence = []
    for row, true, called, sure in found:
        i = place[row]
        assert true == "abc"[P["target"][i]] and called == "abc"[CALLED[i]] != true
        assert sure == share(P["output"][i].max())
        confidence.append(P["output"][i].max())
    assert len(found) == classification.MOST_ROWS and confidence == sorted(confidence, reverse=True)
    assert confidence[0] == P["output"][P["target"] != CALLED].max()


def test_worst_rows_of_a_regression():
    p = Run(kind="regression").predictions()
    first = regression.worst_rows(p)[0]
    assert first[0] == str(p["row"][np.abs(p["target"] - p["output"]).argmax()])


def test_mean_curve_ends_with_half_of_the_networks():
    values = np.array([[1.0, 2.0, np.nan], [3.0, np.nan, np.nan], [5.0, 4.0, 9.0]])
    assert np.allclose(mean_curve(values), [3.0, 3.0, np.nan], equal_nan=True)


@pytest.mark.parametrize("values", [[], [np.nan], [0.0, 0.0], [3.0], [-1e-9, 1e9], [1e-300, 1.0]])
@pytest.mark.parametrize("log", [False, True])
def test_every_scale_has_few_ticks_inside(values, log):
    x = scale(values, log=log)
    ticks = x.ticks(6)
    assert x.low < x.high and len(ticks) <= 8
    assert all(x.low * (1 - 1e-9) - 1e-9 <= t <= x.high * (1 + 1e-9) + 1e-9 for t in ticks)


def test_percent_ticks():
    x = Scale(0.9, 1.0, 0, 1, percent=True)
    assert [x.label(t, 3) for t in x.ticks(3)] == ["90 %", "95 %", "100 %"]
