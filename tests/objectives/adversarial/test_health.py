"""The rules for games that went wrong, one history each."""

import numpy as np
import pytest

from manyfit.objectives.adversarial.distance import missed
from manyfit.objectives.adversarial.health import doubts, failed, lost, verdict, verdicts

EPOCHS = 40


DIVERGED = {"status": "diverged", "test": {}}
FINISHED = {"status": "finished", "test": {"distance": 0.1}}


def lacking(share):
    return {**FINISHED, "test": {"missed": share}}


def history(variance=1.0, separation=0.7, trained=EPOCHS):
    late = np.arange(EPOCHS) >= trained - 4
    columns = {
        "train/variance": np.where(late, variance, 1.0),
        "train/separation": np.where(late, separation, 0.7),
    }
    return {name: np.where(np.arange(EPOCHS) < trained, v, np.nan) for name, v in columns.items()}


@pytest.mark.parametrize(
    ("given", "member", "expected"),
    [
        ({}, FINISHED, "healthy"),
        ({"variance": 0.05}, FINISHED, "collapsed"),
        ({"variance": 20.0}, FINISHED, "scattered"),
        ({"separation": 0.999}, FINISHED, "saturated"),
        ({"variance": 0.05, "separation": 0.999}, FINISHED, "collapsed"),
        ({}, lacking(0.3), "incomplete"),
        ({}, lacking(0.2), "healthy"),
        ({"separation": 0.999}, lacking(0.9), "saturated"),
        ({}, {"status": "pruned", "test": None}, "healthy"),
    ],
)
def test_rules(given, member, expected):
    assert verdict(history(**given), member) == expected


def test_a_game_is_lost_after_a_fifth_of_the_training_and_never_after_few_updates():
    assert [bool(failed(variance)) for variance in (0.05, 0.2, 5.0, 11.0)] == [True, False, False, True]
    assert not bool(lost(1_999, 10_000)) and bool(lost(2_000, 10_000))
    assert not bool(lost(499, 100)) and bool(lost(500, 100))


def test_missed_are_the_rows_that_no_sample_comes_near():
    rng = np.random.default_rng(0)
    modes = np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(25, 2) * 2.0

    def around(of, n):
        return (modes[rng.integers(0, of, n)] + 0.05 * rng.normal(size=(n, 2))).astype(np.float32)

    def share(samples):
        return float(missed(real, samples, np.ones(len(real), np.float32)).mean())

    real = around(25, 512)
    assert share(around(25, 512)) < 0.01  # 2^-16 is expected
    for kept in (24, 17):
        lacking = float((np.linalg.norm(real[:, None] - modes[kept:], axis=2).min(axis=1) < 0.5).mean())
        assert lacking - 0.02 <= share(around(kept, 512)) < lacking + 0.02
    # by the definition, row by row
    samples = around(17, 512)
    far = np.linalg.norm(real[:, None] - real, axis=2)
    reach = np.sort(far, axis=1)[:, 16]  # itself, and sixteen others
    expected = np.linalg.norm(real[:, None] - samples, axis=2).min(axis=1) > reach
    np.testing.assert_array_equal(missed(real, samples, np.ones(512, np.float32)), expected)
    # rows of weight 0 are nobody's neighbours and not missed
    some = np.r_[np.ones(300, np.float32), np.zeros(212, np.float32)]
    found = np.asarray(missed(real, samples, some))
    np.testing.assert_array_equal(found[:300], missed(real[:300], samples, np.ones(300, np.float32)))
    assert not found[300:].any()
    assert not np.asarray(missed(real[:16], samples, np.ones(16, np.float32))).any()  # no sixteenth neighbour


def test_what_lies_in_the_past_is_forgiven():
    past = history(0.05)
    assert verdict({**past, "train/variance": past["train/variance"][::-1]}, FINISHED) == "healthy"


def test_only_trained_epochs_count():
    assert verdict(history(variance=0.05, trained=20), FINISHED) == "collapsed"


def test_each_member_has_its_own():
    two = {name: np.stack([a, b]) for (name, a), b in zip(history().items(), history(0.01).values())}
    assert verdicts(two, [FINISHED] * 2) == ["healthy", "collapsed"]
    assert verdicts(two, [DIVERGED, FINISHED]) == ["diverged", "collapsed"]


def test_failures_are_said_by_kind_with_their_members():
    three = [history(), history(0.01), history(0.01)]
    stacked = {name: np.stack([one[name] for one in three]) for name in three[0]}
    retired = {**FINISHED, "status": "stopped"}
    assert doubts(stacked, [FINISHED] * 3) == ["2 of 3 games collapsed (network 1, 2)"]
    assert doubts(stacked, [FINISHED, FINISHED, retired]) == [
        "2 of 3 games collapsed, 1 of them retired before their last epoch (network 1, 2)"
    ]
    assert doubts(stacked, [DIVERGED, FINISHED, DIVERGED]) == [
        "2 of 3 games diverged (network 0, 2)",
        "1 of 3 games collapsed (network 1)",
    ]
    assert doubts(stacked, [lacking(0.5), FINISHED, FINISHED])[-1] == (
        "1 of 3 games leaves regions of the rows out, or nearly so (network 0)"
    )
    assert doubts({name: values[:1] for name, values in stacked.items()}, [FINISHED]) == []
