"""SAC and TD3: their losses by hand, and an environment of one step whose answer is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.environments import Box, CartPole, Environment, Moved, Pendulum
from manyfit.errors import ConfigError
from manyfit.objectives.module import Weights
from manyfit.objectives.reinforcement import SAC, TD3
from manyfit.objectives.reinforcement.replay import Drawn
from manyfit.optim import Adam

DRAWN = Drawn(
    observation=jnp.ones((2, 3)),
    action=jnp.zeros((2, 1)),
    reward=jnp.array([1.0, -2.0]),
    led_to=jnp.ones((2, 3)),
    discount=jnp.array([0.9, 0.0]),  # the second terminated
    weight=jnp.array([1.0, 0.5]),
    place=jnp.array([0, 1]),
)


def test_losses_of_sac_by_hand():
    agent = SAC(Pendulum())
    values, surprise = jnp.array([[3.0, 5.0], [8.0, 7.0]]), jnp.array([2.0, -1.0])
    target = agent.target(DRAWN, values, surprise, jnp.float32(0.5))
    np.testing.assert_allclose(target, [1 + 0.9 * (3 - 0.5 * 2), -2.0], rtol=1e-6)
    here = jnp.array([[2.8, 1.8], [-2.0, 0.0]])
    loss = agent.critic_loss(here, jnp.array([2.8, -2.0]), DRAWN.weight)
    assert math.isclose(loss, 0.5 * (1.0**2 * 1.0 + 2.0**2 * 0.5) / 2, rel_tol=1e-5)
    loss = agent.actor_loss(values, surprise, jnp.float32(0.5))
    assert math.isclose(loss, ((1.0 - 3.0) + (-0.5 - 7.0)) / 2, rel_tol=1e-6)
    # an entropy of -0.5 nats is above the -1 that is wanted of one number: the temperature is to fall
    slope = jax.grad(agent.temperature_loss)(jnp.float32(0.0), surprise)
    assert math.isclose(slope, -(0.5 - 1.0), rel_tol=1e-6)


def test_targets_of_td3_by_hand():
    agent = TD3(Pendulum(), target_noise=0.2, noise_clip=0.5)
    action = jnp.array([[0.0], [0.9], [0.2]])
    noise = jnp.array([[1.0], [1.0], [-9.0]])  # within, past the box, past the clip
    np.testing.assert_allclose(agent.blurred(action, noise)[:, 0], [0.2, 1.0, -0.3], rtol=1e-5)


def test_td3_learns_its_actor_every_second_time():
    agent = TD3(Pendulum(), hidden=(4,), batch=2, capacity=4, learning_starts=2, tau=0.5)

    @jax.jit
    def lessons(key):
        first = agent.begin(key)
        second = agent.lesson(first, DRAWN, key, jnp.float32(10))[0]
        return first, second, agent.lesson(second, DRAWN, key, jnp.float32(10))[0]

    first, second, third = lessons(jax.random.key(0))

    def same(a, b, name):
        leaves = zip(jax.tree.leaves(a[name]), jax.tree.leaves(b[name]))
        return all(np.array_equal(x, y) for x, y in leaves)

    assert not same(first, second, "critics") and not same(second, third, "critics")
    for name in ("actor", "target", "target_actor"):
        assert same(first, second, name) and not same(second, third, name)


@dataclass(frozen=True)
class Bandit(Environment):
    """One step; the reward falls with the square of the distance of the action from 1.2."""

    name: ClassVar[str] = "bandit"
    horizon: ClassVar[int] = 1
    features: ClassVar[int] = 1

    @property
    def actions(self):
        return Box((-2.0,), (2.0,))

    def reset(self, key):
        return jnp.float32(0.0)

    def observe(self, state):
        return jnp.ones(1)

    def step(self, state, action, key):
        return Moved(state, -((action[0] - 1.2) ** 2), jnp.bool_(True))


SMALL = {
    "hidden": (16,),
    "optimizer": Adam(learning_rate=3e-3),
    "environments": 8,
    "rollout": 2,
    "gradient_steps": 8,
    "rounds": 360,
    "capacity": 1000,
    "batch": 32,
    "learning_starts": 64,
}


@pytest.mark.parametrize(
    "agent", [SAC(Bandit(), temperature=0.1, **SMALL), TD3(Bandit(), **SMALL)], ids=["SAC", "TD3"]
)
def test_the_best_action_of_a_known_reward_is_found_in_the_units_of_the_box(agent):
    hyper = {"total_steps": jnp.float32(1)}

    @jax.jit
    def learnt(key):
        state = agent.init(key, hyper, ())
        state, found = agent.update(state, None, key, hyper)
        return agent.chosen(agent.export(state), jnp.ones((1, 1))), found, state["learner"]

    action, found, learner = learnt(jax.random.key(0))
    # a twentieth of the box: the critics are piecewise linear, of sixteen pieces
    assert action[0, 0] == pytest.approx(1.2, abs=0.2)
    if isinstance(agent, SAC):  # the entropy of an action comes to what was asked
        actor = Weights(*learner["actor"]["weights"])
        draw = agent.policy(actor, jnp.ones((2000, 1))).sample_with_log_probability(jax.random.key(1))
        assert -draw[1].mean() == pytest.approx(-1.0, abs=0.15)
    assert found["value"].value < 0


@pytest.mark.parametrize("kind", [SAC, TD3])
def test_discrete_actions_are_refused(kind):
    with pytest.raises(ConfigError, match="take dqn or ppo"):
        kind(CartPole())
