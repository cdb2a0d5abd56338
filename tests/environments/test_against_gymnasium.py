"""Every environment, step by step, against Gymnasium's own on random trajectories."""

from __future__ import annotations

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.environments import ENVIRONMENTS, Box, Discrete, Playing, environment

CLASSIC = ["CartPole-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1"]


def recorded(name: str, episodes: int, steps: int):
    """(state, action) -> (state, observation, reward, terminated) of Gymnasium, over random trajectories."""
    there = gymnasium.make(name).unwrapped
    rows = []
    for seed in range(episodes):
        there.reset(seed=seed)
        there.action_space.seed(seed)
        for _ in range(steps):
            before = np.array(there.state, np.float64)
            action = there.action_space.sample()
            observation, reward, terminated, _, _ = there.step(action)
            rows.append((before, action, np.array(there.state), observation, float(reward), terminated))
            if terminated:
                break
    return [np.array(column) for column in zip(*rows)]


@pytest.mark.parametrize("name", CLASSIC)
def test_every_step_is_gymnasiums(name):
    before, action, after, observation, reward, terminated = recorded(name, 12, 150)
    here = environment(name)
    keys = jax.random.split(jax.random.key(0), len(before))
    moved = jax.jit(jax.vmap(here.step))(jnp.asarray(before, jnp.float32), jnp.asarray(action), keys)
    # one step in float32 from the same float64 state; Acrobot's four evaluations lose a digit more
    tolerance = {"rtol": 2e-4, "atol": 5e-4} if name == "Acrobot-v1" else {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(jax.vmap(here.observe)(moved.state), observation, **tolerance)
    if name != "Acrobot-v1":  # whose angles may differ by a whole turn at the seam
        np.testing.assert_allclose(moved.state, after, **tolerance)
    np.testing.assert_allclose(moved.reward, reward, rtol=1e-4, atol=1e-4)
    disagree = np.flatnonzero(np.asarray(moved.terminated) != terminated)
    assert len(disagree) == 0
    assert len(before) > 100


@pytest.mark.parametrize("name", CLASSIC)
def test_starts_spaces_and_limit_are_gymnasiums(name):
    there, here = gymnasium.make(name), environment(name)
    assert there.spec.max_episode_steps == here.horizon
    assert there.observation_space.shape == (here.features,)
    if isinstance(here.actions, Discrete):
        assert there.action_space.n == here.actions.count
    else:
        assert isinstance(here.actions, Box)
        np.testing.assert_allclose(there.action_space.low, here.actions.low)
        np.testing.assert_allclose(there.action_space.high, here.actions.high)
    ours = np.asarray(here.start(jax.random.key(0), 2000).observation)
    theirs = np.array([there.reset(seed=s)[0] for s in range(500)])
    np.testing.assert_allclose(
        ours.mean(axis=0), theirs.mean(axis=0), atol=0.1 * theirs.std(axis=0).max() + 1e-3
    )
    np.testing.assert_allclose(ours.std(axis=0), theirs.std(axis=0), rtol=0.12, atol=1e-3)


@pytest.mark.parametrize("name", ["FrozenLake-v1", "FrozenLake8x8-v1"])
def test_the_lake_has_gymnasiums_transitions(name):
    there, here = gymnasium.make(name), environment(name)
    table = there.unwrapped.P
    keys = jax.random.split(jax.random.key(1), 600)
    step = jax.jit(jax.vmap(here.step, in_axes=(None, None, 0)))
    for state in (0, 1, 6, here.features - 2):
        for action in range(4):
            moved = step(jnp.int32(state), jnp.int32(action), keys)
            found = {}
            for place, reward, end in zip(*(np.asarray(x) for x in moved)):
                key = (int(place), float(reward), bool(end))
                found[key] = found.get(key, 0) + 1 / len(keys)
            expected = {}
            for share, place, reward, end in table[state][action]:
                key = (int(place), float(reward), bool(end))
                expected[key] = expected.get(key, 0) + share
            assert found.keys() == expected.keys()
            for key, share in expected.items():
                assert abs(found[key] - share) < 0.08  # four standard errors of 600 draws


def test_an_ended_episode_begins_anew_and_says_what_it_led_to():
    here = ENVIRONMENTS["CartPole-v1"]
    falling = jnp.array([[0.0, 0.0, 0.2094, 1.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    playing = Playing(falling, falling, jnp.array([7, 499, 3]), jnp.array([7.0, 499.0, 3.0]))
    after, outcome = here.advance(playing, jnp.array([1, 1, 1]), jax.random.key(0))
    assert outcome.terminated.tolist() == [True, False, False]
    assert outcome.truncated.tolist() == [False, True, False]
    assert outcome.total.tolist() == [8.0, 500.0, 4.0] and outcome.length.tolist() == [8, 500, 4]
    assert after.length.tolist() == [0, 0, 4] and after.total.tolist() == [0.0, 0.0, 4.0]
    np.testing.assert_allclose(
        outcome.observation[0, 2], 0.2294, atol=1e-5
    )  # where it fell, not the new start
    assert float(jnp.abs(after.observation[:2]).max()) <= 0.05
    np.testing.assert_allclose(after.observation[2], outcome.observation[2])
