"""A search inside an experiment: batches, trials given up, budgets, and the score of the search itself."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from killed import SEARCH, Net, experiment

import manyfit as mf
from manyfit.errors import ConfigError
from manyfit.experiment.run import Run
from manyfit.models import Custom
from manyfit.tasks.task import Task
from manyfit.tune import Evolution, Halving


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search") / "run"
    return experiment(**SEARCH).run(folder), folder


def stopped_often(folder, every, **settings):
    """The result of a run that was stopped after so many looks, again and again, and how often that was."""
    for attempt in itertools.count():
        asked = iter(range(10**6))
        found = experiment(**settings).run(
            folder, resume=attempt > 0, stop=lambda asked=asked: next(asked) >= every, save_every=0.0
        )
        if not found.interrupted:
            return found, attempt
        assert found.chosen is None or found.score.mean > 0.5  # what is complete is usable at any moment


def rows_of(result):
    return {(m["trial"], m["seed"], m["fold"]): m for m in result.members}


def test_every_trial_is_scored_or_given_up(searched):
    result, folder = searched
    given_up = {t.trial for t in result.pruned}
    assert given_up and {t.trial for t in result.trials} | given_up == set(range(12))
    assert result.chosen not in given_up
    for member in result.members:
        assert (member["status"] == "pruned") <= (member["trial"] in given_up)
        assert (member["test"] == {}) == (member["status"] == "pruned")
    summary = json.loads((folder / "summary.json").read_text())
    assert [t["trial"] for t in summary["pruned"]] == sorted(given_up)
    assert summary["search"]["mean"] == pytest.approx(result.search.mean)
    assert result.best.members == 12  # three seeds x four folds of the chosen trial, no other's


def test_what_is_not_given_up_is_what_it_would_have_been(searched):
    """Settings that were suggested are trained as if somebody had asked for them alone."""
    result, _ = searched
    trial = result.trials[-1]
    settings = [dict(trial.hyper)] * (trial.trial + 1)  # a network's key hangs on its trial's number
    found = rows_of(experiment(given_trials=settings, seeds=1).run())
    for name, row in rows_of(result).items():
        if name[0] == trial.trial and name[1] == 0:
            assert found[name]["epochs"] == row["epochs"]
            assert found[name]["test"]["log_loss"] == pytest.approx(row["test"]["log_loss"], rel=1e-3)


def test_learning_searches_beat_their_first_batch(searched):
    result, _ = searched
    assert result.chosen >= 4  # of the batches after the first


def test_a_stopped_search_goes_on_to_the_same_table(searched, tmp_path):
    whole, _ = searched
    found, attempt = stopped_often(tmp_path / "run", 7, **SEARCH)
    assert attempt > 3
    assert found.members == whole.members
    assert found.table() == whole.table()
    assert found.timing["total"] > found.timing["before"] > 0, "processes before the last count, too"


def test_a_budget_ends_the_search_and_keeps_what_is_complete(tmp_path, monkeypatch):
    """Spent, here, when the networks of two trials are done."""
    monkeypatch.setattr(Run, "_out_of_budget", lambda self: len(self.records.rows) >= 24)
    found = experiment(trials=40, budget=3600.0, batch=8).run(tmp_path / "run")
    assert found.interrupted and found.out_of_budget
    assert found.chosen is not None and 1 <= len(found.trials) < 40
    assert f"ended the search after {len(found.trials)} of 40 trials" in found.warnings[-1]
    monkeypatch.undo()
    whole = experiment(trials=40, batch=8, epochs=60).run(tmp_path / "run", resume=True)
    assert not whole.interrupted and len(whole.trials) == 40


def test_a_budget_spent_within_the_first_program_says_how_many_trials_ended(monkeypatch):
    """Trials of programs that never began have no networks yet, which broke the sentence about the budget."""
    monkeypatch.setattr(Run, "_out_of_budget", lambda self: len(self.records.rows) >= 2)
    base = experiment(trials=6, seeds=1, folds=2, epochs=1, budget=3600.0, patience=None)
    base.batch_size = mf.choice(16, 32)
    found = base.run()
    assert found.out_of_budget
    assert 1 <= len(found.trials) < 6
    assert f"after {len(found.trials)} of 6 trials" in found.warnings[-1]


EVOLVING = {"trials": 10, "patience": None, "epochs": 24, "evolve": Evolution(every=4), "seeds": 1}


def test_poor_trials_go_on_from_good_ones(tmp_path):
    """Half of the rates are far too small to learn in 24 epochs: their networks become those of others."""
    rates = [{"optimizer.learning_rate": rate} for rate in (1e-3, 3e-2) * 5]
    alone = experiment(**(EVOLVING | {"evolve": None, "first_trials": rates})).run()
    found = experiment(**EVOLVING, first_trials=rates).run(tmp_path / "whole")
    assert np.mean([t.validation for t in found.trials]) < np.mean([t.validation for t in alone.trials])
    assert len(found.trials) == 10 and {m["epochs"] for m in found.members} == {24}
    assert {t.hyper["optimizer.learning_rate"] for t in found.trials} - {1e-3, 3e-2}

    again, attempt = stopped_often(tmp_path / "cut", 5, **EVOLVING, first_trials=rates)
    assert attempt > 3 and again.members == found.members and again.table() == found.table()


def test_settings_to_begin_with_are_tried_first():
    first = {"optimizer.learning_rate": 0.0123}
    result = experiment(first_trials=[first], trials=3, epochs=2).run()
    rates = [rows_of(result)[t, 0, 0]["hyper"]["optimizer.learning_rate"] for t in range(3)]
    assert rates[0] == 0.0123 and 0.0123 not in rates[1:]
    with pytest.raises(
        ConfigError, match=r"sets 'optimizer\.lerning_rate', which is not searched: did you mean"
    ):
        experiment(first_trials=[{"optimizer.lerning_rate": 0.1}]).run()


def test_a_network_is_chosen_together_with_its_own_hyper_parameters():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4)).astype(np.float32)
    task = Task(
        "binary",
        {
            "inputs": {"numeric": x, "categorical": np.zeros((120, 0), np.int32)},
            "target": (x[:, 0] > 0).astype(np.int32),
        },
        rows=120,
        classes=("no", "yes"),
    )
    wide = mf.models.MLP(hidden=(16,), dropout=mf.uniform(0.0, 0.2))
    deep = mf.models.MLP(hidden=(8, 8), dropout=mf.uniform(0.3, 0.5), activation=mf.choice("relu", "gelu"))
    result = mf.Experiment(
        mf.Supervised(mf.choice(wide, deep), optimizer=mf.optim.AdamW(learning_rate=1e-2)),
        task,
        trials=8,
        folds=2,
        epochs=3,
        search="tpe",
        batch=4,
        prune=Halving(first=1),
    ).run()
    kinds = {len(t.hyper) for t in [*result.trials, *result.pruned]}
    assert kinds == {2, 3}
    for trial in [*result.trials, *result.pruned]:
        low, high = (0.3, 0.5) if "model.activation" in trial.hyper else (0.0, 0.2)
        assert low <= trial.hyper["model.dropout"] <= high


def test_labels_that_are_noise_do_not_look_learned():
    """The chosen trial's score flatters; that of the search does not beat chance. 20 data sets of pure noise."""
    best, honest = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        task = Task(
            "binary",
            {
                "inputs": {"x": rng.normal(size=(60, 6)).astype(np.float32)},
                "target": rng.permutation(np.arange(60) % 2).astype(np.int32),
            },
            rows=60,
            classes=("no", "yes"),
        )
        result = noise_experiment(task, seed).run()
        best.append(result.trials[0].score.mean)
        honest.append(result.search.mean)
    error = np.std(honest) / np.sqrt(len(honest))
    assert np.mean(best) > 0.55
    assert abs(np.mean(honest) - 0.5) < 3.5 * error


def noise_experiment(task, seed):
    base = experiment(trials=16, seeds=1, folds=5, epochs=8, patience=None, width=None, chunk=None, seed=seed)
    base.data = task
    return base


def test_equally_good_trials_of_several_programs_are_one_choice():
    """By accuracy on few rows ties are ordinary; the model of the trial that is chosen is there."""
    chosen = []
    for seed in range(3):
        base = experiment(trials=6, seeds=1, folds=2, epochs=1, patience=None, validation=0.0, seed=seed)
        base.batch_size = mf.choice(16, 32)
        result = base.run()
        best = [t.trial for t in result.trials if t.score.mean == result.score.mean]
        chosen.append((result.chosen, min(best)))
        assert result.best.members == 2
    assert all(a == b for a, b in chosen)


def test_a_search_that_was_steered_says_so(searched):
    assert searched[0].steered and "steered by all folds" in str(searched[0])
    plain = experiment(trials=2, epochs=1).run()
    assert not plain.steered and "steered" not in str(plain)


def test_given_settings_need_not_lie_in_the_ranges():
    found = experiment(
        given_trials=[{"optimizer.learning_rate": 0.5, "model.hyper.dropout": 0.9}], epochs=1
    ).run()
    assert found.trials[0].hyper["optimizer.learning_rate"] == 0.5


@pytest.mark.parametrize(("metric", "kind"), [("accuracy", "binary"), ("mae", "regression")])
def test_one_row_at_a_time_is_scored_by_means_over_rows(metric, kind):
    base = experiment(trials=1, seeds=1, folds="each", epochs=1, patience=None, validation=0.0, width=None)
    data = {"inputs": {"x": base.data.data["inputs"]["x"][:12]}, "target": base.data.data["target"][:12]}
    if kind == "regression":
        data["target"] = data["target"].astype(np.float32)
    base.data = Task(kind, data, rows=12, classes=("no", "yes") if kind == "binary" else ())
    base.objective = mf.Supervised(Custom(Net, {"dropout": 0.0}))
    result = base.run()
    assert result.metric == metric and result.score.n == 12
    assert result.score.mean == pytest.approx(result.ensemble[metric])
    assert set(result.scores) <= {"accuracy", "log_loss", "brier", "mae"}
    base.metric = "rmse" if kind == "regression" else "auroc"
    with pytest.raises(ConfigError, match="of a single test row says nothing"):
        base.run()


def test_what_cannot_be_pruned_is_said():
    with pytest.raises(ConfigError, match="would first look when the 3 epochs are over"):
        experiment(prune="halving", epochs=3).run()
    with pytest.raises(ConfigError, match="racing compares trials fold by fold"):
        experiment(prune="racing", folds=1).run()
    with pytest.raises(ConfigError, match="the worst 20% of 4 trials are less than one: give 5 trials"):
        experiment(evolve=Evolution(), patience=None).run()
    with pytest.raises(ConfigError, match="outside of what is searched"):
        experiment(first_trials=[{"optimizer.learning_rate": 5.0}]).run()
    with pytest.raises(ConfigError, match="validation=0 holds none out"):
        experiment(prune="halving", validation=0.0).run()
    with pytest.raises(ConfigError, match="did you mean 'racing'"):
        experiment(prune="race").run()
    with pytest.raises(ConfigError, match="patience=None"):
        experiment(evolve=Evolution()).run()
    with pytest.raises(ConfigError, match="batch=0"):
        experiment(search="tpe", batch=0).run()
