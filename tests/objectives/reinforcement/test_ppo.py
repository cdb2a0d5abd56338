"""Proximal policy optimisation: its parts by hand, and the whole."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.environments import CartPole
from manyfit.objectives.reinforcement import PPO, generalized_advantages
from manyfit.objectives.reinforcement.networks import orthogonal
from manyfit.objectives.reinforcement.normalisation import Moments, RewardScale
from manyfit.objectives.reinforcement.policies import Categorical, Gaussian, Squashed


def slow_advantages(rewards, values, next_values, terminated, done, gamma, lam):
    """The sum of equation 16, term by term."""
    steps, environments = rewards.shape
    found = np.zeros((steps, environments))
    for e in range(environments):
        for t in range(steps):
            factor = 1.0
            for k in range(t, steps):
                bootstrap = 0.0 if terminated[k, e] else next_values[k, e]
                found[t, e] += factor * (rewards[k, e] + gamma * bootstrap - values[k, e])
                if done[k, e]:
                    break
                factor *= gamma * lam
    return found


def test_advantages_are_the_sum_term_by_term():
    rng = np.random.default_rng(0)
    rewards, values, next_values = (rng.normal(size=(17, 5)) for _ in range(3))
    terminated = rng.random((17, 5)) < 0.15
    done = terminated | (rng.random((17, 5)) < 0.1)
    found = generalized_advantages(
        *map(jnp.asarray, (rewards, values, next_values, terminated, done)), 0.9, 0.8
    )
    expected = slow_advantages(rewards, values, next_values, terminated, done, 0.9, 0.8)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_loss_of_two_transitions_by_hand():
    agent = PPO(CartPole(), normalise_advantages=False, entropy_weight=0.01, value_weight=0.5, clip_range=0.2)
    policy = Categorical(jnp.log(jnp.array([[0.5, 0.5], [0.9, 0.1]])))
    found = agent.loss(
        policy,
        value=jnp.array([1.0, 2.0]),
        action=jnp.array([0, 0]),
        log_probability=jnp.log(jnp.array([0.25, 0.9])),
        old_value=jnp.array([0.0, 0.0]),
        advantage=jnp.array([2.0, -1.0]),
        target=jnp.array([0.0, 3.0]),
    )
    # ratios 2 and 1: the first is cut at 1.2 because its advantage is positive
    assert math.isclose(found["policy_loss"], -(1.2 * 2.0 - 1.0) / 2, rel_tol=1e-5)
    assert math.isclose(found["value_loss"], 0.5 * (1.0 + 1.0) / 2, rel_tol=1e-5)
    entropy = (math.log(2) - (0.9 * math.log(0.9) + 0.1 * math.log(0.1))) / 2
    assert math.isclose(found["entropy"], entropy, rel_tol=1e-4)
    assert math.isclose(found["loss"], -0.7 + 0.5 * 0.5 - 0.01 * entropy, rel_tol=1e-4)
    assert math.isclose(found["clipped"], 0.5)


def test_distributions_against_scipy():
    from scipy import stats

    action, mean, std = np.array([0.3, -0.2]), np.array([0.1, 0.4]), np.array([0.5, 2.0])
    normal = Gaussian(jnp.asarray(mean), jnp.log(jnp.asarray(std)))
    expected = stats.norm.logpdf(action, mean, std).sum()
    np.testing.assert_allclose(normal.log_probability(jnp.asarray(action)), expected, rtol=1e-5)
    np.testing.assert_allclose(normal.entropy(), stats.norm.entropy(mean, std).sum(), rtol=1e-5)
    drawn, density = Squashed(normal.mean, normal.log_std).sample_with_log_probability(jax.random.key(0))
    raw = np.arctanh(np.asarray(drawn, np.float64))
    change = np.log(1 - np.asarray(drawn, np.float64) ** 2).sum()
    np.testing.assert_allclose(density, stats.norm.logpdf(raw, mean, std).sum() - change, rtol=1e-3)


def test_running_moments_are_those_of_all_rows_at_once():
    rng = np.random.default_rng(1)
    parts = [rng.normal(3.0, 2.0, size=(n, 4, 2)).astype(np.float32) for n in (5, 1, 30)]
    moments = Moments.start((2,))
    for part in parts:
        moments = moments.seen(jnp.asarray(part))
    rows = np.concatenate(parts).reshape(-1, 2)
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(moments.variance, rows.var(axis=0), rtol=1e-3)


def test_reward_scale_is_the_deviation_of_discounted_returns():
    rewards = jnp.array([[1.0], [2.0], [4.0]])
    done = jnp.array([[False], [True], [False]])
    scale = RewardScale.start(1).seen(rewards, done, 0.5)
    returns = np.array([1.0, 2.5, 4.0])  # the third begins a new episode
    np.testing.assert_allclose(scale.moments.variance, returns.var(), rtol=1e-3)
    np.testing.assert_allclose(scale.scaled(rewards)[:, 0], [1, 2, 4] / returns.std(), rtol=1e-3)


def test_weights_at_the_start_are_orthogonal():
    tall = orthogonal(2.0)(jax.random.key(0), (64, 3))
    np.testing.assert_allclose(tall.T @ tall, 4 * np.eye(3), atol=1e-4)
    square = orthogonal(1.0)(jax.random.key(1), (64, 64))
    np.testing.assert_allclose(square @ square.T, np.eye(64), atol=1e-3)
