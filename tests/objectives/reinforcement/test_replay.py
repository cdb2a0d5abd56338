"""The memory of what was lived through: against a slow one, and how rows are drawn of it."""

from __future__ import annotations

from collections import deque

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.objectives.reinforcement.priorities import Priorities
from manyfit.objectives.reinforcement.replay import Replay, Transition

SLOTS, ENVIRONMENTS, STEPS, GAMMA = 7, 2, 3, 0.9


def stream(length):
    """Steps that can be told apart: observation (time, environment), reward their code."""
    rng = np.random.default_rng(0)
    for t in range(length):
        code = np.stack([np.full(ENVIRONMENTS, t), np.arange(ENVIRONMENTS)], axis=1).astype(np.float32)
        done = rng.random(ENVIRONMENTS) < 0.3
        yield Transition(
            observation=code,
            action=code[:, :1] + 0.25,
            reward=code[:, 0] + 10 * code[:, 1] + 1,
            led_to=code + 0.5,
            terminated=done & (rng.random(ENVIRONMENTS) < 0.5),
            done=done,
        )


add = jax.jit(lambda replay, seen: replay.added(seen, STEPS))
draw = jax.jit(lambda replay, key: replay.draw(key, 400, STEPS, 2, GAMMA, 0.5))


def filled(length, *, prioritised=False):
    replay = Replay.start(SLOTS, ENVIRONMENTS, 2, 1, prioritised=prioritised)
    kept = deque(maxlen=SLOTS)
    for seen in stream(length):
        replay = add(replay, seen)
        kept.append(seen)
    return replay, list(kept)


def by_hand(kept, slot, e):
    """The row that begins at ``kept[slot]``: rewards summed until the episode or the steps end."""
    reward, factor = 0.0, 1.0
    for k in range(STEPS):
        seen = kept[slot + k]
        reward += factor * seen.reward[e]
        factor *= GAMMA
        if seen.done[e]:
            break
    bootstrap = 0.0 if seen.terminated[e] else factor
    return reward, seen.led_to[e], bootstrap


@pytest.mark.parametrize("prioritised", [False, True])
@pytest.mark.parametrize("length", [STEPS, SLOTS, 2 * SLOTS + 3])
def test_rows_are_those_of_a_slow_memory_that_forgets_its_oldest(length, prioritised):
    """Ends of episodes: what terminated is not bootstrapped, what the time limit cut is."""
    replay, kept = filled(length, prioritised=prioritised)
    drawn = jax.tree.map(np.asarray, draw(replay, jax.random.key(0)))
    first = int(kept[0].observation[0, 0])
    begun = set()
    cut = 0
    for i in range(400):
        t, e = (int(x) for x in drawn.observation[i])
        reward, led_to, bootstrap = by_hand(kept, t - first, e)
        np.testing.assert_allclose(drawn.reward[i], reward, rtol=1e-5)
        np.testing.assert_allclose(drawn.led_to[i], led_to)
        np.testing.assert_allclose(drawn.discount[i], bootstrap, rtol=1e-5)
        assert drawn.action[i, 0] == t + 0.25
        begun.add((t, e))
        cut += bootstrap > 0 and any(kept[t - first + k].done[e] for k in range(STEPS))
    whole = len(kept) - STEPS + 1
    assert begun == {(first + i, e) for i in range(whole) for e in range(ENVIRONMENTS)}
    assert cut or length == STEPS


def test_rows_are_drawn_in_proportion_to_their_priority_and_weighed_against_it():
    rows, exponent = 11, 0.6
    errors = np.linspace(0.0, 5.0, rows).astype(np.float32)
    kept = Priorities.start(rows).seen(jnp.arange(rows), jnp.asarray(errors), exponent)
    kept = kept.set(jnp.array([4]), jnp.array([0.0]))
    place, weight = jax.jit(lambda kept: kept.draw(jax.random.key(1), 40_000, 1.0))(kept)
    raised = (errors + 1e-6) ** exponent
    raised[4] = 0.0
    chance = raised / raised.sum()
    share = np.bincount(place, minlength=rows) / 40_000
    assert share[4] == 0
    np.testing.assert_allclose(share, chance, atol=2e-4)  # drawn from equal shares: nearly no variance
    drawn = np.unique(place)
    expected = chance[drawn].min() / chance[np.asarray(place)]
    np.testing.assert_allclose(weight, expected, rtol=1e-4)
    assert float(kept.most) == pytest.approx(raised.max())


def test_sums_of_blocks_stay_those_of_their_rows():
    kept = Priorities.start(10)
    rng = np.random.default_rng(2)
    change = jax.jit(lambda kept, place: kept.set(place, place * 0.5 + 1))
    for _ in range(5):
        kept = change(kept, rng.integers(10, size=6))
    np.testing.assert_allclose(kept.sums, np.asarray(kept.values).sum(axis=1), rtol=1e-6)


def test_a_new_row_is_drawn_as_often_as_the_most_surprising():
    replay, _ = filled(STEPS + 1, prioritised=True)
    replay = replay.learned(jnp.array([0]), jnp.array([8.0]), 1.0)
    following = next(iter(stream(1)))
    replay = add(replay, following)
    assert replay.priorities.values.ravel()[2 * ENVIRONMENTS] == pytest.approx(8.0, rel=1e-5)
    assert replay.priorities.values.ravel()[3 * ENVIRONMENTS] == 0.0
