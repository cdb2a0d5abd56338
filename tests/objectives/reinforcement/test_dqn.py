"""Deep Q-learning: its loss by hand, and a small grid against value iteration."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.environments import FrozenLake, Pendulum
from manyfit.errors import ConfigError
from manyfit.objectives.reinforcement import DQN
from manyfit.objectives.reinforcement.replay import Drawn
from manyfit.objectives.reinforcement.targets import followed
from manyfit.optim import Adam

LAKE = FrozenLake(("SFF", "FHF", "FFG"), slippery=False)


def test_loss_of_two_rows_by_hand():
    agent = DQN(LAKE, huber_delta=1.0)
    values = jnp.array([[1.0, 2.0, 0.0, 0.0], [0.5, 0.0, 0.0, 0.0]])
    picking = jnp.array([[0.0, 9.0, 0.0, 0.0], [9.0, 0.0, 0.0, 0.0]])
    judging = jnp.array([[5.0, 2.0, 0.0, 0.0], [7.0, 0.0, 0.0, 0.0]])
    drawn = Drawn(
        observation=jnp.zeros((2, 9)),
        action=jnp.array([[1.0], [0.0]]),
        reward=jnp.array([1.0, 1.0]),
        led_to=jnp.zeros((2, 9)),
        discount=jnp.array([0.9, 0.0]),  # the second terminated
        weight=jnp.array([0.5, 1.0]),
        place=jnp.array([0, 1]),
    )
    mean, error, found = agent.loss(values, picking, judging, drawn)
    # picked action 1, judged 2: the target is 1 + 0.9 * 2 = 2.8 and the error -0.8; then 0.5 - 1
    np.testing.assert_allclose(error, [-0.8, -0.5], rtol=1e-6)
    assert math.isclose(mean, (0.5 * 0.8**2 / 2 + 0.5**2 / 2) / 2, rel_tol=1e-6)
    assert math.isclose(found["error"], 0.65, rel_tol=1e-6)
    # without the double estimate the target network picks too, the 5: an error of -3.5, past the bend
    mean, error, _ = agent.loss(values, judging, judging, drawn)
    np.testing.assert_allclose(error, [-3.5, -0.5], rtol=1e-6)
    assert math.isclose(mean, (0.5 * (3.5 - 0.5) + 0.5**2 / 2) / 2, rel_tol=1e-6)


def test_the_dueling_network_is_told_apart_by_advantages_alone():
    agent = DQN(LAKE, hidden=(8,), dueling=True)
    weights = jax.jit(agent.fresh)(jax.random.key(0))
    assert weights.params["layers"]["head"]["kernel"].shape == (8, 5)
    seen = jax.random.normal(jax.random.key(1), (3, 9))
    values = agent._apply(weights, seen)
    head = weights.params["layers"]["head"]
    lifted = {**head, "bias": head["bias"].at[1:].add(3.0)}  # every advantage alike: the mean takes it out
    params = {"layers": {**weights.params["layers"], "head": lifted}}
    np.testing.assert_allclose(agent._apply(weights._replace(params=params), seen), values, atol=1e-5)


def test_the_copy_follows_when_it_is_due():
    old, new = {"w": jnp.array([1.0])}, {"w": jnp.array([3.0])}
    assert followed(old, new, jnp.int32(9), 10, 1.0)["w"] == 1.0
    assert followed(old, new, jnp.int32(10), 10, 1.0)["w"] == 3.0
    assert followed(old, new, jnp.int32(7), 1, 0.25)["w"] == 1.5


def test_random_actions_become_fewer():
    agent = DQN(LAKE, epsilon_start=0.9, epsilon_end=0.1, exploration=0.5)
    at = [float(agent.epsilon(jnp.float32(p))) for p in (0.0, 0.25, 0.5, 1.0)]
    np.testing.assert_allclose(at, [0.9, 0.5, 0.1, 0.1], rtol=1e-5)
    none = DQN(LAKE, epsilon_end=0.1, exploration=0.0)
    assert float(none.epsilon(jnp.float32(0.01))) == pytest.approx(0.1)


def value_iteration(lake, gamma):
    """Values of each action in each field ``(fields, 4)``, to their fixed point."""
    fields = "".join(lake.ice)
    moves = lake.moves()
    values = np.zeros((len(fields), 4))
    for _ in range(200):
        best = values.max(axis=1)
        best[[c in "GH" for c in fields]] = 0.0
        reward = np.array([[fields[there] == "G" for there in row] for row in moves], float)
        values = reward + gamma * best[moves]
    return values


@pytest.mark.parametrize("more", [{}, {"n_step": 2, "double": False}, {"prioritised": True, "dueling": True}])
def test_a_small_grid_is_solved_as_by_value_iteration(more):
    """Without hidden layers the network is a table. With two steps at once, the first one being random, what
    follows is not the best: values may be less, the best way stays."""
    random = 0.3 if "n_step" in more else 1.0
    agent = DQN(
        LAKE,
        hidden=(),
        optimizer=Adam(learning_rate=0.03),
        environments=8,
        rollout=4,
        gradient_steps=4,
        rounds=400,
        capacity=4000,
        batch=64,
        learning_starts=64,
        gamma=0.9,
        target_every=20,
        epsilon_end=random,
        exploration=0.5,
        **more,
    )
    hyper = {"total_steps": jnp.float32(1)}

    @jax.jit
    def learnt(key):
        state = agent.init(key, hyper, ())
        state, _ = agent.update(state, None, key, hyper)
        model = agent.export(state)
        return agent.values(model, jnp.eye(9)), agent.episodes(model, key[None])

    values, (total, length) = learnt(jax.random.key(0))
    exact = value_iteration(LAKE, 0.9)
    inside = np.array([c in "SF" for c in "".join(LAKE.ice)])
    if "n_step" not in more:
        np.testing.assert_allclose(values[inside], exact[inside], atol=0.03)
    else:
        assert (values[inside] < exact[inside] + 0.03).all()
    assert (total[0], length[0]) == (1.0, 4)  # four fields from start to goal


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"batch": 0}, "batch=0"),
        ({"capacity": 3, "environments": 2, "learning_starts": 2}, "need at least 4"),
        ({"learning_starts": 1, "n_step": 3}, "before 3 steps"),
    ],
)
def test_sizes_that_cannot_be_are_refused(asked, said):
    with pytest.raises(ConfigError, match=said):
        DQN(LAKE, **asked)


def test_continuous_actions_are_refused():
    with pytest.raises(ConfigError, match="take sac"):
        DQN(Pendulum())
