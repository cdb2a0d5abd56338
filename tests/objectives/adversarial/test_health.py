"""The rules for games that went wrong, one history each."""

import numpy as np
import pytest

from manyfit.objectives.adversarial.gan import missed
from manyfit.objectives.adversarial.health import doubts, verdict, verdicts

EPOCHS = 40


def history(variance=1.0, separation=0.7, missed=0.06, trained=EPOCHS):
    late = np.arange(EPOCHS) >= trained - 4
    columns = {
        "train/variance": np.where(late, variance, 1.0),
        "train/separation": np.where(late, separation, 0.7),
        "train/missed": np.where(late, missed, 0.06),
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
        ({"missed": 0.4}, "incomplete"),
        ({"missed": 0.25}, "healthy"),
        ({"missed": 0.9, "separation": 0.999}, "saturated"),
    ],
)
def test_rules(given, expected):
    assert verdict(history(**given)) == expected


def test_images_are_not_judged_by_what_they_miss():
    found = history(missed=0.9)
    del found["train/missed"]
    assert verdict(found) == "healthy"


def test_missed_is_the_share_of_rows_that_no_sample_comes_near():
    rng = np.random.default_rng(0)
    modes = np.array([[0, 0], [10, 0], [0, 10], [10, 10]])

    def around(of, n):
        return (modes[rng.integers(0, of, n)] + 0.1 * rng.normal(size=(n, 2))).astype(np.float32)

    real = around(4, 128)
    assert float(missed(real, around(4, 128))) < 0.05
    dropped = float(missed(real, around(3, 128)))  # the last mode
    share = float((np.abs(real - modes[3]).max(axis=1) < 5).mean())
    assert share - 1e-6 < dropped < share + 0.05
    # by the definition, row by row
    samples = around(3, 128)
    far = np.linalg.norm(real[:, None] - real, axis=2)
    reach = np.sort(far, axis=1)[:, 8]  # itself, and eight others
    expected = (np.linalg.norm(real[:, None] - samples, axis=2).min(axis=1) > reach).mean()
    assert float(missed(real, samples)) == pytest.approx(expected, abs=0.01)


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
    missing = {**stacked, "train/missed": np.full_like(stacked["train/missed"], 0.5)}
    assert doubts(missing, ["finished"] * 3)[-1] == "1 of 3 games leave out regions of the rows (network 0)"
    assert doubts({name: values[:1] for name, values in stacked.items()}, ["finished"]) == []
