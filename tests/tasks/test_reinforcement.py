"""Agents end to end: trained, kept and opened again; and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from manyfit.cli.main import main
from manyfit.cli.play import Play, _agents
from manyfit.environments import ENVIRONMENTS, CartPole, Discrete
from manyfit.errors import ConfigError
from manyfit.experiment.predictor import Predictor
from manyfit.tasks.reinforcement import ALGORITHMS, agent_for, environment_task, experiment_for


def test_episodes_that_score_are_not_those_that_choose():
    part = (environment_task(CartPole()).parts or ())[0]
    assert len(part.train) == 0 and not set(part.validation) & set(part.test)


def test_the_command_trains_scores_and_keeps_an_agent(tmp_path, capsys):
    words = [
        "rl",
        "CartPole-v1",
        "--seeds",
        "2",
        "--steps",
        "512",
        "--looks",
        "2",
        "--episodes",
        "4",
        "--quiet",
    ]
    assert main([*words, "--set", "hidden=8", "passes=1", "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "Interquartile mean of the return over 2 seeds" in said
    agent = Predictor.load(tmp_path / "run")
    assert agent.members == 2 and agent.objective.hidden == (8,)
    actions = agent.predict_members({"inputs": np.zeros((3, 4), np.float32)})
    assert actions.shape == (2, 3) and set(actions.ravel()) <= {0, 1}
    assert "CartPole-v1" in (tmp_path / "run" / "report.html").read_text()
    report = (tmp_path / "run" / "report.html").read_text()
    assert "What the agents earn" in report and "An episode of the best agent" in report
    assert main(["resume", str(tmp_path / "run"), "--quiet"]) == 0

    capsys.readouterr()
    gif = tmp_path / "run" / "episode.gif"
    assert main(["play", str(tmp_path / "run"), "-n", "2", "-o", str(gif), "--json"]) == 0
    told = capsys.readouterr()
    played = json.loads(told.out)
    assert [len(row["returns"]) for row in played["agents"]] == [2, 2]
    # a point for every step; what is drawn is what was played
    assert all(row["returns"] == row["lengths"] for row in played["agents"])
    best = played["agents"][played["best"]]
    assert f"agent {played['best']}, return {best['returns'][0]:.6g}:" in told.err
    assert gif.read_bytes()[:6] == b"GIF89a"
    for words, said in [
        (["-n", "0"], "at least 1"),
        (["--agent", "2"], "there are 2"),
        (["-o", "x.mp4"], "written as .gif"),
    ]:
        assert main(["play", str(tmp_path / "run"), *words]) == 1
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"environment": "CartPol-v1"}, "did you mean 'CartPole-v1'"),
        ({"environment": "CartPole-v1", "algorithm": "pp"}, "did you mean 'ppo'"),
        ({"environment": "Pendulum-v1", "algorithm": "dqn"}, "take sac, td3 or ppo"),
        ({"environment": "CartPole-v1", "steps": 0}, "at least 1"),
        ({"environment": "CartPole-v1", "seeds": 0}, "at least 1"),
        ({"environment": "CartPole-v1", "set": ["gama=0.9"]}, "did you mean 'gamma'"),
        ({"environment": "CartPole-v1", "set": ["gamma"]}, "NAME=VALUE"),
        ({"environment": "CartPole-v1", "set": ["rollout=x"]}, "give a number"),
        ({"environment": "CartPole-v1", "set": ["minibatches=7"]}, "equal minibatches"),
        ({"environment": "CartPole-v1", "set": ["hidden=0"]}, "hidden=.*at least 1"),
        ({"environment": "CartPole-v1", "set": ["hidden=16,-4"], "algorithm": "dqn"}, "hidden=.*at least 1"),
        ({"environment": "CartPole-v1", "set": ["activation=foo"]}, "unknown activation 'foo'"),
        ({"environment": "CartPole-v1", "set": ["gamma=2"]}, "gamma=2.0.*between 0 and 1"),
        ({"environment": "CartPole-v1", "set": ["gae_lambda=0.9:1.5"]}, "gae_lambda=.*between 0 and 1"),
        ({"environment": "Pendulum-v1", "set": ["tau=5"], "algorithm": "sac"}, "tau=5.0.*between 0 and 1"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(asked, said):
    with pytest.raises(ConfigError, match=said):
        experiment_for(asked)


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_every_algorithm_has_settings_for_every_environment_that_it_is_for(name, algorithm):
    discrete = isinstance(ENVIRONMENTS[name].actions, Discrete)
    if not {"dqn": discrete, "sac": not discrete, "td3": not discrete}.get(algorithm, True):
        return
    agent, steps = agent_for(ENVIRONMENTS[name], algorithm, {})
    assert steps > 10 * agent.steps_per_update


def test_only_agents_play():
    network = SimpleNamespace(objective=object(), members=1)
    with pytest.raises(ConfigError, match="play is for runs of manyfit rl"):
        _agents(network, Play(Path("runs/table")))


def test_a_range_is_searched():
    experiment = experiment_for(
        {"environment": "CartPole-v1", "set": ["learning_rate=1e-4:1e-2", "gamma=0.95:0.999"]}
    )
    assert experiment.trials == 16
    assert dataclasses.is_dataclass(experiment.objective)
