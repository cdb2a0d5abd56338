"""The rules for games that went wrong, one history each."""

import numpy as np
import pytest

from manyfit.objectives.adversarial.health import doubts, verdict, verdicts

EPOCHS = 40


def history(variance=1.0, separation=0.7, trained=EPOCHS):
    late = np.arange(EPOCHS) >= trained - 4
    columns = {
        "train/variance": np.where(late, variance, 1.0),
        "train/separation": np.where(late, separation, 0.7),
    }
    return {name: np.where(np.arange(EPOCHS) < trained, v, np.nan) for name, v in columns.items()}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "healthy"),
        ({"variance": 0.05}, "collapsed"),
        ({"variance": 20.0}, "scattered"),
        ({"separation": 0.999}, "saturated"),
        ({"variance": 0.05, "separation": 0.999}, "collapsed"),
    ],
)
def test_rules(given, expected):
    assert verdict(history(**given)) == expected


def test_what_lies_in_the_past_is_forgiven():
    past = history(0.05)
    assert verdict({**past, "train/variance": past["train/variance"][::-1]}) == "healthy"


def test_only_trained_epochs_count():
    assert verdict(history(variance=0.05, trained=20)) == "collapsed"


def test_each_member_has_its_own():
    two = {name: np.stack([a, b]) for (name, a), b in zip(history().items(), history(0.01).values())}
    assert verdicts(two, ["finished", "finished"]) == ["healthy", "collapsed"]
    assert verdicts(two, ["diverged", "finished"]) == ["diverged", "collapsed"]


def test_failures_are_said_by_kind_with_their_members():
    three = [history(), history(0.01), history(0.01)]
    stacked = {name: np.stack([one[name] for one in three]) for name in three[0]}
    assert doubts(stacked, ["finished"] * 3) == ["2 of 3 games collapsed (network 1, 2)"]
    assert doubts(stacked, ["diverged", "finished", "diverged"]) == [
        "2 of 3 games diverged (network 0, 2)",
        "1 of 3 games collapsed (network 1)",
    ]
    assert doubts({name: values[:1] for name, values in stacked.items()}, ["finished"]) == []
