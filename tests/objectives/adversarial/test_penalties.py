"""Gradient penalties on critics whose gradient is known, and their own gradient through our layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit.models.gan import DenseDiscriminator, ResidualDiscriminator
from manyfit.nn import Conv2d, ConvTranspose2d, Linear
from manyfit.objectives.adversarial import R1, R2, GradientPenalty
from manyfit.objectives.module import Functional

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
REAL, FAKE = (jnp.asarray(RNG.normal(size=(5, 3)), jnp.float32) for _ in range(2))
MATRIX = jnp.asarray([[2.0, 1.0, 0.0], [1.0, -1.0, 0.5], [0.0, 0.5, 3.0]])


def quadratic(x):
    """Its gradient at x is MATRIX @ x."""
    return 0.5 * jnp.einsum("bi,ij,bj->b", x, MATRIX, x)


def test_r1_and_r2_of_a_quadratic():
    for penalty, at in ((R1(3.0), REAL), (R2(3.0), FAKE)):
        expected = 1.5 * np.sum((np.asarray(at) @ np.asarray(MATRIX)) ** 2, axis=1)
        np.testing.assert_allclose(penalty(quadratic, REAL, FAKE, KEY), expected, rtol=1e-5)


def test_gradient_penalty_of_a_linear_critic_does_not_depend_on_the_point():
    slope = jnp.array([3.0, 0.0, 4.0])
    found = GradientPenalty(10.0)(lambda x: x @ slope, REAL, FAKE, KEY)
    np.testing.assert_allclose(found, np.full(5, 10 * (5 - 1) ** 2), rtol=1e-5)


def test_gradient_penalty_looks_between_real_rows_and_samples():
    real, fake = jnp.full((400, 1), 3.0), jnp.full((400, 1), 1.0)
    found = GradientPenalty(1.0)(lambda x: 0.5 * jnp.sum(x**2, axis=1), real, fake, KEY)
    norm = np.sqrt(np.asarray(found)) + 1  # the gradient of x^2 / 2 is the point
    assert norm.min() >= 1 - 1e-5 and norm.max() <= 3 + 1e-5
    assert abs(norm.mean() - 2) < 0.1 and norm.std() > 0.4  # uniform on [1, 3]: 2 and 0.58


def test_a_constant_critic_has_a_finite_gradient():
    slope = jax.grad(lambda w: jnp.sum(GradientPenalty()(lambda x: (x * w).sum(1), REAL, FAKE, KEY)))(0.0)
    assert jnp.isfinite(slope)


class Up(nnx.Module):
    def __init__(self, rngs):
        self.up = ConvTranspose2d(2, 3, 4, stride=2, rngs=rngs)
        self.down = Conv2d(3, 2, 4, stride=2, rngs=rngs)
        self.head = Linear(2 * 2 * 2, 1, rngs=rngs)

    def __call__(self, features):
        x = jnp.tanh(self.down(jnp.tanh(self.up(features["sample"]))))
        return self.head(x.reshape(x.shape[0], -1))[:, 0]


CRITICS = {
    "dense": (lambda rngs: DenseDiscriminator((6,), "tanh").build((3,), 3, rngs=rngs), (3,)),
    "residual": (
        lambda rngs: ResidualDiscriminator((4, 4), expansion=1, groups=2).build((5, 5, 1), None, rngs=rngs),
        (5, 5, 1),
    ),
    "convolutions up and down": (Up, (2, 2, 2)),
}


@pytest.mark.parametrize("name", CRITICS)
def test_the_gradient_of_a_penalty_equals_finite_differences(name):
    """The layers' own VJPs, differentiated a second time, in float64."""
    build, shape = CRITICS[name]
    functional = Functional(build)
    weights = jax.jit(functional.init)(KEY)
    with jax.enable_x64(True):
        rng = np.random.default_rng(1)

        def noisy(leaf):
            return jnp.asarray(leaf, jnp.float64) + 0.1 * rng.normal(size=leaf.shape)

        params = jax.tree.map(noisy, weights.params)
        real, fake = (jnp.asarray(rng.normal(size=(2, *shape))) for _ in range(2))
        features = {"label": jnp.array([0, 2])}

        @jax.jit
        @jax.value_and_grad
        def penalty(params):
            def critic(x):
                here = weights._replace(params=params)
                return functional.apply(here, {**features, "sample": x}, train=True, key=KEY)[0]

            return sum(jnp.sum(one(critic, real, fake, KEY)) for one in (R1(), GradientPenalty()))

        gradient = penalty(params)[1]
        for _ in range(2):
            way = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), params)
            ahead, behind = (
                penalty(jax.tree.map(lambda p, d, h=h: p + h * d, params, way))[0] for h in (1e-6, -1e-6)
            )
            along = sum(jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(way)))
            assert abs(float(along)) > 1e-3  # there is something to compare
            np.testing.assert_allclose(along, (ahead - behind) / 2e-6, rtol=1e-5)
