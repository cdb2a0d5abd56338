"""Spectral normalisation against the singular value decomposition."""

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.objectives.adversarial.spectral import first_vectors, iterated, normalised

RNG = np.random.default_rng(0)
PARAMS = {
    "dense": {"kernel": jnp.asarray(RNG.normal(size=(7, 5)), jnp.float32), "bias": jnp.ones(5)},
    "conv": {"kernel": jnp.asarray(RNG.normal(size=(3, 3, 2, 4)), jnp.float32)},
}


def greatest(kernel):
    return np.linalg.svd(np.asarray(kernel, np.float64).reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


def test_kernels_have_greatest_singular_value_1_and_biases_stay():
    vectors = iterated(PARAMS, first_vectors(PARAMS, jax.random.key(0)), 100)
    found = normalised(PARAMS, vectors)
    for layer in ("dense", "conv"):
        kernel = PARAMS[layer]["kernel"]
        np.testing.assert_allclose(found[layer]["kernel"], kernel / greatest(kernel), rtol=1e-4)
    np.testing.assert_array_equal(found["dense"]["bias"], PARAMS["dense"]["bias"])


def test_one_step_at_a_time_comes_there_too():
    vectors = first_vectors(PARAMS, jax.random.key(1))
    errors = []
    for _ in range(60):
        vectors = iterated(PARAMS, vectors)
        errors.append(abs(greatest(normalised(PARAMS, vectors)["dense"]["kernel"]) - 1))
    assert errors[-1] < 1e-4 < errors[0]


def test_the_gradient_is_that_of_the_quotient():
    """d(W / s) for s = u' W v: checked against the gradient through the decomposition itself."""
    kernel, toward = PARAMS["dense"]["kernel"], jnp.asarray(RNG.normal(size=(7, 5)), jnp.float32)
    vectors = iterated({"k": kernel}, first_vectors({"k": kernel}, jax.random.key(0)), 200)
    found = jax.grad(lambda k: jnp.sum(toward * normalised({"k": k}, vectors)["k"]))(kernel)
    expected = jax.grad(lambda k: jnp.sum(toward * k / jnp.linalg.norm(k, 2)))(kernel)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
