"""Recurrent PPO: what is read again equals what was played, and what one observation hides is remembered."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.engine import Batch
from manyfit.environments import CartPole, Discrete, Environment, Moved, PartlyObserved, Pendulum
from manyfit.errors import ConfigError
from manyfit.experiment.experiment import Experiment
from manyfit.objectives.reinforcement import PPO, RecurrentPPO
from manyfit.optim import Adam
from manyfit.tasks.reinforcement import environment_task

HYPER = {"total_steps": jnp.float32(10)}


@dataclass(frozen=True)
class Recall(Environment):
    """A sign is shown once, at the start; three steps later naming it earns a point. Nothing else does."""

    horizon: ClassVar[int] = 4
    features: ClassVar[int] = 2

    @property
    def actions(self):
        return Discrete(2)

    def reset(self, key):
        return jnp.stack([jax.random.bernoulli(key).astype(jnp.int32), jnp.int32(0)])

    def observe(self, state):
        sign, time = state
        return jnp.stack([jnp.where(time == 0, 2.0 * sign - 1.0, 0.0), (time == 3).astype(jnp.float32)])

    def step(self, state, action, key):
        sign, time = state
        last = time == 3
        return Moved(jnp.stack([sign, time + 1]), (last & (action == sign)).astype(jnp.float32), last)


def small(environment=None, **more):
    sizes = {"units": 8, "hidden": (8,), "environments": 4, "rollout": 12, "passes": 1}
    return RecurrentPPO(environment or Recall(), **sizes | more)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(
    "environment", [Recall(), PartlyObserved(CartPole(), (0, 2)), PartlyObserved(Pendulum(), (0, 1))]
)
def test_a_run_read_again_is_what_was_played(cell, environment):
    agent = small(environment, cell=cell, rollout=40 if environment.horizon > 40 else 14)
    state = agent.init(jax.random.key(0), HYPER, ())
    for turn in range(2):  # the second run begins in the middle of episodes
        remembered = state["memory"]
        state, seen = agent._rollout(state, jax.random.key(turn))
        assert turn == 0 or any(np.any(np.asarray(leaf) != 0) for leaf in jax.tree.leaves(remembered))
        rows = (seen.observation, seen.action, seen.log_probability, seen.value)
        ((observations, action, played, value), began), memory = agent._lessons(rows, seen.done, remembered)
        (policy, again, after), _ = agent._functional().apply(
            state["weights"], observations, memory, began, train=False
        )
        np.testing.assert_allclose(again, value, atol=2e-6)
        np.testing.assert_allclose(policy.log_probability(action), played, atol=5e-6)
        over = np.asarray(seen.done[-1])
        for kept, last in zip(jax.tree.leaves(state["memory"]), jax.tree.leaves(after), strict=True):
            np.testing.assert_allclose(kept, np.where(over[:, None], 0, last), atol=2e-6)
    if environment.horizon < 40:
        assert np.asarray(seen.done).any()


def test_a_value_after_a_step_is_the_next_one_of_the_same_episode():
    agent = small(PartlyObserved(CartPole(), (0, 2)), rollout=30)
    state = agent.init(jax.random.key(0), HYPER, ())
    weights = state["weights"]
    _, seen = agent._rollout(state, jax.random.key(1))
    _, following, _ = agent._step(weights, seen.led_to, seen.memory)
    going = ~np.asarray(seen.done[:-1])
    assert going.any() and not going.all()
    np.testing.assert_allclose(following[:-1][going], seen.value[1:][going], atol=2e-6)


def test_no_gradient_passes_from_one_episode_to_the_one_before():
    agent = small(rollout=12)
    weights = agent.fresh(jax.random.key(0))
    observations = jax.random.normal(jax.random.key(1), (1, 12, 2))
    began = jnp.zeros((1, 12), bool).at[0, 7].set(True)

    def later(observations):
        (_, value, _), _ = agent._functional().apply(
            weights, observations, agent.blank(1), began, train=False
        )
        return value[0, 9]

    gradient = np.asarray(jax.grad(later)(observations))[0]
    assert (gradient[:7] == 0).all() and (gradient[10:] == 0).all()
    assert (np.abs(gradient[7:10]).sum(axis=1) > 0).all()


def test_it_recalls_what_one_observation_hides():
    task = environment_task(Recall(), choosing=64, scoring=256)
    agent = RecurrentPPO(
        Recall(), units=16, hidden=(16,), environments=16, rollout=16, passes=8, gamma=0.99,
        optimizer=Adam(learning_rate=3e-3, clip=0.5),
    )  # fmt: skip
    forgetful = PPO(Recall(), hidden=(16, 16), environments=16, rollout=16, passes=8, gamma=0.99)
    earned = {}
    for name, learner in {"recurrent": agent, "without": forgetful}.items():
        result = Experiment(
            learner, task, seeds=3, epochs=5, patience=None, steps_per_epoch=20, metric="return"
        ).run()
        earned[name] = [member["test"]["return"] for member in result.members]
    assert min(earned["recurrent"]) > 0.95
    assert max(earned["without"]) < 0.75


def test_an_episode_is_acted_by_what_is_remembered_of_it():
    agent = small()
    state = agent.init(jax.random.key(3), HYPER, ())
    model = agent.export(state)
    seen = jnp.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    memory = agent.blank(1)
    memories = []
    for one in seen:
        _, memory = agent.acted(model, one[None], memory)
        memories.append(jax.tree.leaves(memory)[0])
    assert not np.allclose(memories[1], memories[2])
    np.testing.assert_array_equal(
        agent.chosen(model, seen[:1]), agent.acted(model, seen[:1], agent.blank(1))[0]
    )
    batch = Batch({"episode": jnp.arange(5)}, jnp.ones(5))
    assert 0 <= float(agent.evaluate(model, batch)["return"].value) <= 1


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="whole runs"):
        small(environments=4, minibatches=3, rollout=3)
    with pytest.raises(ConfigError, match="'lstm' or 'gru'"):
        small(cell="rnn")
    with pytest.raises(ConfigError, match="units=0"):
        dataclasses.replace(small(), units=0)
    with pytest.raises(ConfigError, match="give places"):
        PartlyObserved(CartPole(), (0, 4))
