"""gymnax's environments: its own steps, one by one, and what is said where there is none.

gymnax asks for an older Gymnasium and, at the time of writing, an older JAX than is tested on Python 3.12, so it is
no dependency of the tests: where it is not installed only its absence is tested.
"""

import importlib.util
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.environments import Box, Discrete, environment
from manyfit.errors import ConfigError

there = pytest.mark.skipif(importlib.util.find_spec("gymnax") is None, reason="gymnax is not installed")


@there
@pytest.mark.parametrize("name", ["Breakout-MinAtar", "Pendulum-v1", "Catch-bsuite", "CartPole-v1"])
def test_steps_are_those_of_gymnax(name):
    import gymnax

    ours = environment(f"gymnax:{name}")
    theirs, parameters = gymnax.make(name)
    observation, state = theirs.reset_env(jax.random.key(0), parameters)
    mine = ours.reset(jax.random.key(0))
    assert ours.observe(mine).shape == (ours.features,)
    step = jax.jit(ours.step)
    for t in range(12):
        np.testing.assert_allclose(ours.observe(mine), np.ravel(observation), rtol=1e-5, atol=1e-6)
        key = jax.random.key(t)
        if isinstance(ours.actions, Discrete):
            action = jax.random.randint(key, (), 0, ours.actions.count)
        else:
            action = jax.random.uniform(key, (len(ours.actions.low),), minval=-1, maxval=1)
        observation, state, reward, terminated, _ = theirs.step_env(key, state, action, parameters)
        moved = step(mine, action, key)
        mine = moved.state
        np.testing.assert_allclose(moved.reward, reward, rtol=1e-6)
        assert bool(moved.terminated) == bool(terminated)


@there
def test_spaces_and_time_limits_are_read():
    pendulum = environment("gymnax:Pendulum-v1")
    assert (pendulum.features, pendulum.horizon, pendulum.actions) == (3, 200, Box((-2.0,), (2.0,)))
    breakout = environment("gymnax:Breakout-MinAtar")
    assert (breakout.features, breakout.horizon, breakout.actions) == (400, 1000, Discrete(3))


@there
def test_side_by_side_an_ended_episode_begins_anew():
    catch = environment("gymnax:Catch-bsuite")
    playing = catch.start(jax.random.key(1), 3)
    ended = 0
    for t in range(10):
        playing, outcome = catch.advance(playing, jnp.ones(3, jnp.int32), jax.random.key(t))
        ended += int(outcome.done.sum())
        assert (playing.length[outcome.done] == 0).all()
    assert ended == 3


@there
def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="Breakout-MinAtar"):
        environment("gymnax:Breakout")


def test_without_gymnax_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnax", None)
    with pytest.raises(ConfigError, match="pip install 'gymnax>=1'"):
        environment("gymnax:Absent-v0")


@there
def test_a_board_is_drawn_and_a_row_of_numbers_is_not():
    from manyfit.environments.drawing import drawable, episode

    catch = environment("gymnax:Catch-bsuite")
    assert episode(catch, np.eye(3, catch.features))[:6] == b"GIF89a"
    assert not drawable(environment("gymnax:CartPole-v1"))
