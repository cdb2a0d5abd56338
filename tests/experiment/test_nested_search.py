"""Nested cross-validation: each fold's search sees none of its test rows, and may be stopped anywhere."""

from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pytest
from killed import experiment

import manyfit as mf
from manyfit.errors import ConfigError
from manyfit.experiment.nested import _inner, _plain
from manyfit.experiment.preparation import prepare

SMALL = {
    "trials": 4,
    "seeds": 1,
    "folds": 3,
    "epochs": 4,
    "patience": None,
    "search": "tpe",
    "batch": 2,
    "nested": 2,
}


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nested") / "run"
    return experiment(**SMALL).run(folder), folder


def test_a_warm_start_is_left_to_the_run_itself():
    one = experiment(**SMALL, first_trials=[{"optimizer.learning_rate": 0.05}])
    assert _plain(one).first_trials == ()


def test_inner_folds_hold_the_outer_training_rows_and_no_others():
    one = experiment(**SMALL)
    prepared = prepare(one)
    for split in prepared.splits:
        inside = set(split.train.tolist()) | set(split.validation.tolist())
        found = _inner(one, prepared.task, split)
        assert len(found) == 2
        for parts in found:
            assert set(np.concatenate(parts).tolist()) == inside
        assert set(np.concatenate([parts[-1] for parts in found]).tolist()) == inside


def test_the_score_is_that_of_each_folds_own_choice(nested):
    result, folder = nested
    assert result.nested == 2 and not result.steered and np.isfinite(result.search.mean)
    plain = experiment(**{**SMALL, "nested": None}).run()
    assert plain.score == result.score and plain.steered
    splits = prepare(experiment(**SMALL)).splits
    found = []
    for place, split in enumerate(splits):
        inner = json.loads((folder / "nested" / f"fold-{place}" / "summary.json").read_text())
        chosen = next(t["hyper"] for t in inner["trials"] if t["trial"] == inner["chosen"]["trial"])
        alone = dataclasses.replace(
            experiment(**SMALL),
            trials=1,
            given_trials=[chosen],
            folds=[(split.train, split.validation, split.test)],
            search="sobol",
            nested=None,
        ).run()
        found.append(alone.members[0]["test"]["accuracy"])
    assert result.search.mean == pytest.approx(np.mean(found))
    assert "2 inner folds" in str(result)


def test_a_run_that_was_stopped_anywhere_ends_the_same(nested, tmp_path):
    whole, _ = nested
    for attempt in itertools.count():
        asked = iter(range(10**6))
        found = experiment(**SMALL).run(
            tmp_path / "run", resume=attempt > 0, stop=lambda asked=asked: next(asked) >= 9, save_every=0.0
        )
        if not found.interrupted:
            break
        assert attempt < 30
    assert attempt > 1
    again = []  # the run itself is done: what is left when it is stopped in its folds is those
    experiment(**SMALL).run(
        tmp_path / "other", stop=lambda: (tmp_path / "other" / "nested").exists(), save_every=99.0
    )
    experiment(**SMALL).run(
        tmp_path / "other", resume=True, progress=lambda s: again.append((s.members, s.stage))
    )
    assert again and 12 not in [members for members, _ in again]
    assert {stage for _, stage in again} == {f"nested fold {k} of 3" for k in (1, 2, 3)}
    assert found.search == whole.search and found.score == whole.score


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"nested": 1}, "at least 2"),
        ({"trials": 1, "search": "sobol"}, "there is one trial"),
        ({"budget": 60.0}, "leave budget or nested out"),
        ({"evolve": mf.tune.Evolution(2), "search": "sobol"}, "evolved setting"),
    ],
)
def test_what_cannot_be_nested(changes, says):
    with pytest.raises(ConfigError, match=says):
        experiment(**{**SMALL, **changes}).run()
