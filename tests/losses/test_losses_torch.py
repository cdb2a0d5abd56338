"""Every loss that PyTorch has, value and gradient in float64: ``tests/reference/losses_torch.py``."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit import losses

STORED = np.load(Path(__file__).parents[1] / "reference" / "losses_torch.npz")
NAMES = sorted({key.split("/")[0] for key in STORED.files})

OURS = {
    "cross_entropy": lambda z, t: losses.cross_entropy(z, t),
    "cross_entropy_smoothed": lambda z, t: losses.cross_entropy(z, t, 0.2),
    "cross_entropy_weighted": lambda z, t, w: losses.cross_entropy(z, t, 0.1, class_weight=w),
    "cross_entropy_ignored": lambda z, t: losses.cross_entropy(z, jnp.where(t == 2, -100, t), ignore=-100),
    "binary_cross_entropy": lambda z, t, w: losses.binary_cross_entropy(z, t, w),
    "hinge": lambda z, t: losses.hinge(z, t),
    "kl_divergence": lambda z, t: losses.kl_divergence(z, t),
    "squared_error": lambda z, t: losses.squared_error(z, t),
    "absolute_error": lambda z, t: losses.absolute_error(z, t),
    "huber": lambda z, t: losses.huber(z, t, 0.7),
    "gaussian": lambda z, v, t: losses.gaussian(z, v, t),
    "poisson": lambda z, t: losses.poisson(z, t),
    "negative_binomial": lambda z, v, t: losses.negative_binomial(z, v, t),
    "triplet": lambda z, b, c: losses.triplet(z, b, c),
    "ctc": lambda z, n, t, m: losses.ctc(z, n, t, m),
}


@pytest.mark.parametrize("name", NAMES)
def test_value_and_gradient(name):
    # optax's ctc works with -1e5 for log 0 and rounds there
    tolerance = 1e-5 if name == "ctc" else 1e-10
    with jax.enable_x64(True):
        x, *others = (jnp.asarray(STORED[f"{name}/{key}"]) for key in ["x", *others_of(name)])
        value, pull = jax.vjp(lambda x: OURS[name](x, *others), x)
        (gradient,) = pull(jnp.ones_like(value))
        np.testing.assert_allclose(value, STORED[f"{name}/value"], rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(gradient, STORED[f"{name}/gradient"], rtol=tolerance, atol=tolerance)


def others_of(name):
    return sorted(
        key.split("/")[1] for key in STORED.files if key.startswith(f"{name}/") and key[-1].isdigit()
    )


def test_every_stored_case_is_compared():
    assert list(OURS) and sorted(OURS) == NAMES
