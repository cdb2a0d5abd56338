"""Size, latency and score: measured for every trial, and who is not beaten in all of them."""

from __future__ import annotations

import json

import pytest
from sklearn.datasets import load_iris

import manyfit as mf
from manyfit.errors import ConfigError
from manyfit.report import render


def experiment(**settings):
    table = mf.data.read_table(load_iris(as_frame=True).frame, target="target")
    model = mf.models.MLP(hidden=mf.choice([(4,), (64, 64)]), dropout=0.0, embedding="none")
    objective = mf.Supervised(model, optimizer=mf.optim.AdamW(learning_rate=0.01))
    fixed = dict(trials=4, folds=2, epochs=2, patience=None, latency=512)
    return mf.Experiment(objective, table, **(fixed | settings))


def test_the_smaller_of_two_networks_is_never_beaten_in_everything(tmp_path):
    result = experiment().run(tmp_path / "run")
    sizes = {t.parameters for t in result.trials}
    assert len(sizes) == 2 and all(t.latency > 0 for t in result.trials)
    front = result.pareto()
    assert any(t.parameters == min(sizes) for t in front)
    best = max(t.score.mean for t in result.trials)
    assert front[0].score.mean == best
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert {t["trial"]: t["latency"] for t in summary["trials"]} == {
        t.trial: t.latency for t in result.trials
    }
    page = render(tmp_path / "run")
    assert "Score against size" in page and "Score against latency" in page


@pytest.mark.parametrize("rows", [0, -3])
def test_a_batch_without_rows_is_refused(rows):
    with pytest.raises(ConfigError, match=f"latency={rows}"):
        experiment(latency=rows).run()
