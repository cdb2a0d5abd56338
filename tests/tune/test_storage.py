"""A search told to a data base: sqlite, and a real PostgreSQL server that the test starts."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import optuna
import pandas as pd
import pytest
from postgresql import binaries, server
from sqlalchemy.pool import NullPool

import manyfit as mf
from manyfit.errors import ConfigError, RunError
from manyfit.tune import Storage, Told, stored_settings

SPACE = {
    "rate": mf.loguniform(1e-4, 1e-1),
    "units": mf.integer(4, 64),
    "kind": mf.choice("relu", "gelu"),
    "hidden": mf.choice((8,), (16, 16)),
}
TRIALS = {
    0: Told({"rate": 1e-3, "units": 8, "kind": "gelu", "hidden": (16, 16)}, 0.5),
    1: Told({"rate": 1e-2, "units": 16, "kind": "relu", "hidden": (8,)}, 0.25),
    2: Told({"rate": 1e-1, "units": 64, "kind": "relu", "hidden": (8,)}, math.inf),
    3: Told({"rate": 2e-2, "units": 32, "kind": "relu", "hidden": (8,)}, 0.9, epoch=3),
}


def trials_of(url: str, name: str) -> list[optuna.trial.FrozenTrial]:
    """The trials of a study, as Optuna reads them without our help."""
    storage = optuna.storages.RDBStorage(
        url.replace("postgresql:", "postgresql+psycopg:"), engine_kwargs={"poolclass": NullPool}
    )
    try:
        return optuna.load_study(study_name=name, storage=storage).trials
    finally:
        storage.remove_session()


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    if binaries() is None:
        pytest.skip("no PostgreSQL server is installed")
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/trials.db"
    return request.getfixturevalue("postgresql")


def test_what_is_told_is_read_back(url):
    storage = Storage(url, "told", SPACE, resume=False)
    storage.tell({n: TRIALS[n] for n in (0, 1)})
    storage.tell(TRIALS)  # what is known is not told twice
    trials = trials_of(url, "told")
    assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE", "FAIL", "PRUNED"]
    assert trials[1].value == 0.25
    assert trials[1].params == {"rate": 1e-2, "units": 16, "kind": "relu", "hidden": "(8,)"}
    assert trials[3].intermediate_values == {3: 0.9}
    assert stored_settings(url, SPACE, 2, study="told") == (TRIALS[1].values, TRIALS[0].values)


def test_a_resumed_storage_goes_on(url):
    Storage(url, "resumed", SPACE, resume=False).tell({0: TRIALS[0]})
    with pytest.raises(ConfigError, match="holds a study 'resumed' already"):
        Storage(url, "resumed", SPACE, resume=False)
    again = Storage(url, "resumed", SPACE, resume=True)
    again.tell({n: TRIALS[n] for n in (0, 1)})
    assert [t.user_attrs["trial"] for t in trials_of(url, "resumed")] == [0, 1]


def test_only_what_is_searched_now_is_taken(url):
    Storage(url, "other", SPACE, resume=False).tell(TRIALS)
    now = {"rate": mf.loguniform(5e-3, 1e-1), "kind": mf.choice("gelu", "tanh"), "depth": mf.integer(1, 3)}
    assert stored_settings(url, now, 9, study="other") == ({"rate": 1e-2}, {"kind": "gelu"})
    with pytest.raises(ConfigError, match="searched nothing that is searched now"):
        stored_settings(url, {"depth": mf.integer(1, 3)}, 9, study="other")
    with pytest.raises(ConfigError, match="holds no study 'none'"):
        stored_settings(url, SPACE, 9, study="none")


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("trials.db", ConfigError, "give a URL such as"),
        ("postgresql://me:secret@host/trials", ConfigError, "leave the password out"),
        ("nosuch://host/trials", ConfigError, "nosuch"),
        ("postgresql://me@/trials?host=/nowhere", RunError, "No such file"),
        ("sqlite:////nowhere/trials.db", RunError, "unable to open"),
    ],
)
def test_what_is_no_data_base(url, error, words):
    with pytest.raises(error, match=words) as found:
        Storage(url, "any", SPACE, resume=False)
    assert "secret" not in str(found.value) and "\n" not in str(found.value)


@pytest.mark.parametrize("url", ["postgresql" if binaries() else "sqlite"], indirect=True)
def test_a_run_tells_its_trials_and_a_later_one_begins_with_them(url, tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60)})
    table["y"] = table["a"] - table["b"]

    def experiment(**more):
        return mf.Experiment(
            mf.Supervised(mf.models.MLP(hidden=(4,), dropout=mf.uniform(0.0, 0.5))),
            mf.data.read_table(table, target="y"),
            folds=2,
            epochs=2,
            **more,
        )

    result = experiment(trials=3, storage=url).run(tmp_path / "searched")
    stored = {t.user_attrs["trial"]: t for t in trials_of(url, "searched")}
    assert sorted(stored) == [0, 1, 2]
    for trial in result.trials:
        assert stored[trial.trial].value == pytest.approx(trial.validation)
    (best,) = stored_settings(url, {"model.dropout": mf.uniform(0.0, 0.5)}, 1, study="searched")
    assert best == min(stored.values(), key=lambda t: t.value).params

    with pytest.raises(ConfigError, match="give one"):
        experiment(storage=url).run()
