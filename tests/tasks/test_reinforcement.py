"""Agents end to end: alone as together, resumed as uninterrupted, kept and opened again; and what is refused."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from manyfit.cli.main import main
from manyfit.engine import Member, Population, Rows, Shape
from manyfit.environments import CartPole
from manyfit.errors import ConfigError
from manyfit.experiment.predictor import Predictor
from manyfit.objectives.reinforcement import PPO
from manyfit.space import numeric_paths
from manyfit.tasks.reinforcement import environment_task, experiment_for

AGENT = PPO(CartPole(), hidden=(8,), environments=4, rollout=16, passes=2, normalise_observations=True)
TASK = environment_task(AGENT.environment, choosing=2, scoring=3)
ROWS = [Rows(part.train, part.validation, part.test) for part in TASK.parts or ()]


def members(seeds, **values):
    hyper = {name: float(value) for name, value in numeric_paths(AGENT).items()} | values
    return [Member(0, seed, 0, hyper) for seed in seeds]


def population(seeds, **values):
    shape = Shape(1, steps_per_epoch=2)
    return Population(
        AGENT, TASK.data, members(seeds, **values), ROWS, shape, epochs=4, width=2, chunk=1, predict=False
    )


def trained(population):
    from manyfit.engine import Hooks

    found = {}
    population.run(Hooks(finish=lambda outcome: found.update({outcome.index: outcome})))
    return found


def test_an_agent_is_the_same_alone_and_among_others():
    together, alone = trained(population([0, 1, 2])), trained(population([1]))
    for ours, theirs in zip(jax.tree.leaves(together[1].model), jax.tree.leaves(alone[0].model)):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)
    assert together[1].test["return"] == pytest.approx(alone[0].test["return"], rel=0.05)
    assert any(
        not np.allclose(a, b)
        for a, b in zip(jax.tree.leaves(together[0].model), jax.tree.leaves(together[1].model))
    )


def test_a_stopped_run_goes_on_bit_for_bit_environments_included():
    from manyfit.engine import Hooks

    whole = trained(population([0, 1]))
    kept, asked = [], []

    def stop():
        asked.append(1)
        return len(asked) > 2

    first = population([0, 1])
    assert not first.run(Hooks(stop=stop, save=kept.append))
    found = {}
    again = population([0, 1])
    assert again.run(Hooks(finish=lambda o: found.update({o.index: o})), resume=kept[-1])
    for i in (0, 1):
        for ours, theirs in zip(jax.tree.leaves(found[i].model), jax.tree.leaves(whole[i].model)):
            np.testing.assert_array_equal(ours, theirs)
        assert found[i].test == whole[i].test


def test_other_numbers_do_not_compile_anew():
    first = population([0])
    trained(first)
    calls = first._compiled._calls
    before = calls.chunk._cache_size()
    trained(
        population([5], gamma=0.9, clip_range=0.3, entropy_weight=0.02, **{"optimizer.learning_rate": 1e-2})
    )
    assert calls.chunk._cache_size() == before


def test_episodes_that_score_are_not_those_that_choose():
    part = (TASK.parts or ())[0]
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
    assert main(["resume", str(tmp_path / "run"), "--quiet"]) == 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"environment": "CartPol-v1"}, "did you mean 'CartPole-v1'"),
        ({"environment": "CartPole-v1", "algorithm": "pp"}, "did you mean 'ppo'"),
        ({"environment": "CartPole-v1", "steps": 0}, "at least 1"),
        ({"environment": "CartPole-v1", "seeds": 0}, "at least 1"),
        ({"environment": "CartPole-v1", "set": ["gama=0.9"]}, "did you mean 'gamma'"),
        ({"environment": "CartPole-v1", "set": ["gamma"]}, "NAME=VALUE"),
        ({"environment": "CartPole-v1", "set": ["rollout=x"]}, "give a number"),
        ({"environment": "CartPole-v1", "set": ["minibatches=7"]}, "equal minibatches"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(asked, said):
    with pytest.raises(ConfigError, match=said):
        experiment_for(asked)


def test_a_range_is_searched():
    experiment = experiment_for(
        {"environment": "CartPole-v1", "set": ["learning_rate=1e-4:1e-2", "gamma=0.95:0.999"]}
    )
    assert experiment.trials == 16
    assert dataclasses.is_dataclass(experiment.objective)
