"""The report's section on agents: what it says is what the statistics give."""

from __future__ import annotations

import numpy as np
import pytest

from manyfit.evaluate.runs import interquartile_mean_interval
from manyfit.report.agents import agents, episode
from manyfit.report.files import RunFiles
from manyfit.report.findings import findings
from manyfit.report.sections import context
from manyfit.report.words import headline

RETURNS = [10.0, 480.0, 500.0, 490.0, 470.0, 460.0, 495.0, 485.0]


def run_of(tmp_path, returns, *, steps=1000, kind="environment"):
    members = [
        {
            "trial": 0,
            "seed": seed,
            "fold": 0,
            "hyper": {},
            "status": "finished",
            "epochs": 3,
            "best_epoch": 3,
            "rows": {"train": 0, "validation": 20, "test": 100},
            "validation": {"loss": -value},
            "test": {"return": value, "length": value},
        }
        for seed, value in enumerate(returns)
    ]
    history = np.array([[20.0, value / 2, value] for value in returns])
    return RunFiles(
        path=tmp_path,
        experiment={
            "format": 1,
            "task": {"kind": "own", "metric": "return", "direction": "maximize", "target": "return"},
            "data": {"kind": kind, "rows": 120, "source": "CartPole-v1", "steps_per_look": steps},
            "settings": {"trials": 1, "seeds": len(returns), "folds": 1},
        },
        members=members,
        history={"validation/return": history},
    )


def test_interquartile_mean_curve_and_profile_are_there(tmp_path):
    run = run_of(tmp_path, RETURNS)
    found = agents(run, findings(run))
    exact = interquartile_mean_interval(RETURNS)
    assert f"over 8 agents is {exact.mean:.0f}" in found.said and "worst agent has 10" in found.said
    curve, profile = found.charts
    assert "environment steps of each agent" in curve.svg and ">3,000<" in curve.svg
    assert curve.svg.count('class="area a"') == 1 and curve.svg.count("line member a") == 8
    assert "Share of agents above each return" in profile.svg
    assert found.episode is None


def test_the_page_speaks_of_agents_and_episodes(tmp_path):
    from manyfit.report.page import page

    run = run_of(tmp_path, RETURNS)
    told = str(headline(run, findings(run)))
    assert "rows" not in told
    html = page("template.html", context(run))
    assert "What the agents earn" in html and 'href="#agents"' in html


def test_other_runs_have_no_such_section(tmp_path):
    run = run_of(tmp_path, RETURNS, kind="table")
    assert agents(run, findings(run)) is None


def test_one_agent_alone_has_no_interval_and_no_profile(tmp_path):
    run = run_of(tmp_path, [200.0], steps=0)
    found = agents(run, findings(run))
    assert "over 1 agent is 200" in found.said
    assert len(found.charts) == 1 and ">look<" in found.charts[0].svg


@pytest.mark.parametrize(("content", "shown"), [(b"GIF89a...", True), (b"<script>", False)])
def test_only_an_image_is_embedded(tmp_path, content, shown):
    (tmp_path / "episode.gif").write_bytes(content)
    assert (episode(tmp_path / "episode.gif") is not None) == shown
