"""Adversarial losses against values worked by hand, and what they tend to."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.objectives.adversarial import AdversarialHinge, NonSaturating, Relativistic, Wasserstein

REAL, FAKE = jnp.array([2.0, -0.5]), jnp.array([-1.0, 0.5])


def log1pexp(x):
    return math.log(1 + math.exp(x))


BY_HAND = {
    NonSaturating: (
        [log1pexp(-2.0) + log1pexp(-1.0), log1pexp(0.5) + log1pexp(0.5)],
        [log1pexp(1.0), log1pexp(-0.5)],
    ),
    Wasserstein: ([-3.0, 1.0], [1.0, -0.5]),
    AdversarialHinge: ([0.0, 1.5 + 1.5], [1.0, -0.5]),
    Relativistic: ([log1pexp(-3.0), log1pexp(1.0)], [log1pexp(3.0), log1pexp(-1.0)]),
}


@pytest.mark.parametrize("kind", BY_HAND, ids=lambda kind: kind.__name__)
def test_values_worked_by_hand(kind):
    loss, (discriminator, generator) = kind(), BY_HAND[kind]
    np.testing.assert_allclose(loss.discriminator(REAL, FAKE), discriminator, rtol=1e-6)
    np.testing.assert_allclose(loss.generator(REAL, FAKE), generator, rtol=1e-6)


def test_nonsaturating_is_cross_entropy_of_sigmoids():
    d_real, d_fake = jax.nn.sigmoid(REAL), jax.nn.sigmoid(FAKE)
    np.testing.assert_allclose(
        NonSaturating().discriminator(REAL, FAKE), -jnp.log(d_real) - jnp.log(1 - d_fake), rtol=1e-5
    )


@pytest.mark.parametrize("kind", BY_HAND, ids=lambda kind: kind.__name__)
def test_a_better_sample_costs_the_generator_less(kind):
    slope = jax.grad(lambda fake: kind().generator(REAL, fake).sum())(FAKE)
    assert (slope < 0).all()
