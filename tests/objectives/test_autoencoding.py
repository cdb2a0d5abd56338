"""Autoencoders against closed forms: Jacobians, words, masks, straight-through gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from manyfit import Experiment
from manyfit.errors import ConfigError
from manyfit.models.autoencoders import DenseCoder
from manyfit.objectives import autoencoding as ae
from manyfit.optim import Adam
from manyfit.tasks.task import from_arrays

KEY = jax.random.key(0)


def bound(objective, values):
    """The objective for plain rows, a fresh net, and what of the rows is seen: all."""
    objective = objective.bind({"values": values})
    state = objective.init(KEY, {}, {"inputs": ()})
    return objective, objective.net(*state["weights"]), jnp.ones_like(values)


@pytest.fixture(scope="module")
def rows():
    return jnp.asarray(np.random.default_rng(0).normal(size=(5, 6)), jnp.float32)


def test_a_linear_autoencoder_spans_the_principal_subspace():
    rng = np.random.default_rng(0)
    scales = np.array([4.0, 3.0, 1.0, 0.5, 0.3])
    x = (rng.normal(size=(280, 5)) * scales) @ np.linalg.qr(rng.normal(size=(5, 5)))[0]
    x = (x - x.mean(axis=0)).astype(np.float32)
    found = Experiment(
        ae.Autoencoder(coder=DenseCoder(()), latent=2, optimizer=Adam(learning_rate=0.01)),
        from_arrays({"values": x}),
        folds=[(np.arange(256), np.arange(256, 280))],
        validation=0.0,
        patience=None,
        epochs=200,
        batch_size=64,
    ).run()
    model = jax.tree.map(lambda leaf: leaf[0], found.best.models)
    decoder = np.asarray(model["weights"].params["net"]["decoder"]["layers"][0]["kernel"]).T  # (5, 2)
    principal = np.linalg.svd(x[:256], full_matrices=False)[2][:2].T
    cosines = np.linalg.svd(np.linalg.qr(decoder)[0].T @ principal, compute_uv=False)
    assert np.degrees(np.arccos(np.clip(cosines.min(), -1, 1))) < 3


def test_bounds_lie_below_the_exact_likelihood_and_tighten_with_samples(rows):
    """Probabilistic PCA (Tipping & Bishop, 1999): x ~ N(b, W W^T + v I), with any linear encoder's posterior."""
    objective, net, observed = bound(ae.IWAE(coder=DenseCoder(()), latent=2), rows)
    decoder = net.params["net"]["decoder"]["layers"][0]
    w, b = np.asarray(decoder["kernel"]), np.asarray(decoder["bias"])
    exact = stats.multivariate_normal(b, w.T @ w + np.eye(6)).logpdf(np.asarray(rows))

    def average(count):
        keys = jax.random.split(KEY, 400)
        each = jax.jit(jax.vmap(lambda k: objective.importance_bound(net, rows, observed, k, count)))
        return np.asarray(each(keys)).mean(axis=0)

    vae = ae.VAE(coder=DenseCoder(()), latent=2, samples=400).bind({"values": rows})
    elbo = -np.asarray(vae.judged(net, rows, observed, KEY).each)
    one, five, fifty = average(1), average(5), average(50)
    assert (elbo < exact).all()
    np.testing.assert_allclose(one, elbo, atol=0.6)  # the same bound, by its own draws
    assert (one.mean() < five.mean()) and (five.mean() < fifty.mean()) and fifty.mean() < exact.mean() + 0.02
    model = {"weights": (net.params, ()), "prepared": {"inputs": ()}}
    estimate = jax.jit(lambda k: objective.log_likelihood(model, {"values": rows}, k, 5000))(KEY)
    np.testing.assert_allclose(estimate, exact, atol=0.3)


def test_the_contractive_penalty_is_the_norm_of_the_jacobian(rows):
    objective, net, _ = bound(ae.Contractive(coder=DenseCoder((7,), "tanh"), latent=3), rows)
    codes, found = objective.jacobian_norm(net, rows)
    each = jax.vmap(jax.jacfwd(lambda x: net.encode(x[None])[0]))(rows)  # (5, 3, 6)
    np.testing.assert_allclose(found, jnp.sum(each**2, axis=(1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(codes, net.encode(rows))


def test_the_gradient_goes_straight_through_a_word(rows):
    objective, net, observed = bound(ae.VQVAE(latent=4, width=2, words=5, commitment=0.0), rows)
    book = objective.book(net)

    def through(vectors):
        words = book[objective.chosen(net, vectors)]
        return jnp.sum(jnp.sin(ae.straight_through(vectors, words)))

    vectors = net.encode(rows).reshape(-1, 2)
    nearest = book[jnp.argmin(((vectors[:, None] - book) ** 2).sum(axis=2), axis=1)]
    np.testing.assert_array_equal(objective.codes(net, rows).reshape(-1, 2), nearest)
    np.testing.assert_allclose(jax.grad(through)(vectors), jnp.cos(nearest), rtol=1e-5)


def test_dead_words_move_to_vectors_of_the_batch(rows):
    objective, net, observed = bound(ae.VQVAE(latent=4, width=2, words=5), rows)
    own = objective.lost(net, rows, observed, KEY).own
    counts = np.asarray(own["counts"])
    assert (counts > 0).all() and np.isfinite(own["book"]).all()
    vectors = np.asarray(net.encode(rows)).reshape(-1, 2)
    for word in np.flatnonzero(own["dead"]):
        assert np.abs(vectors - np.asarray(own["book"])[word]).sum(axis=1).min() < 1e-5


def test_finite_levels_are_as_many_as_said():
    z = jnp.linspace(-6, 6, 401)[:, None] * jnp.ones(3)
    codes = np.asarray(ae.finite_scalar(z, np.array([4.0, 3.0, 5.0])))
    assert [len(np.unique(codes[:, i].round(4))) for i in range(3)] == [4, 3, 5]
    assert np.abs(codes).max() <= 1


def test_a_masked_autoencoder_never_sees_what_is_hidden(rows):
    objective, net, observed = bound(ae.Masked(latent=3, coder=DenseCoder((5,))), rows)
    shown = objective.mask(rows, KEY)
    assert 0 < float(shown.mean()) < 1
    gradient = jax.grad(lambda x: jnp.sum(net.encode(objective.shown(x, shown)) ** 2))(rows)
    np.testing.assert_array_equal(np.asarray(gradient)[np.asarray(shown) == 0], 0.0)
    assert (np.asarray(gradient)[np.asarray(shown) == 1] != 0).any()
    # and what is shown costs nothing
    cost = jax.grad(lambda y: jnp.sum(objective.distances(net, y, rows) * (1 - shown)))(rows + 1)
    np.testing.assert_array_equal(np.asarray(cost)[np.asarray(shown) == 1], 0.0)


def test_missing_values_cost_nothing(rows):
    objective, net, observed = bound(ae.VAE(latent=2), rows)
    some = observed.at[0, 0].set(0.0)
    moved = objective.distance(net, rows + jnp.zeros((5, 6)).at[0, 0].set(9.0), rows, some)
    np.testing.assert_allclose(moved, objective.distance(net, rows, rows, some), rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ae.VAE(likelihood="squared"), "gaussian"),
        (lambda: ae.VAE(likelihood="bernouli"), "did you mean 'bernoulli'"),
        (lambda: ae.VQVAE(latent=5, width=2), "multiple"),
        (lambda: ae.FSQ(levels=(1,)), "at least 2"),
        (lambda: ae.Autoencoder(latent=0), "at least 1"),
        (lambda: ae.Denoising(corruption="gauss"), "gaussian"),
    ],
)
def test_wrong_settings_are_said(make, said):
    with pytest.raises(ConfigError, match=said):
        make()


def test_a_code_larger_than_the_row_is_fine(rows):
    objective, net, observed = bound(ae.Autoencoder(latent=20), rows)
    assert objective.codes(net, rows).shape == (5, 20)
    assert dataclasses.replace(objective, latent=3).bind({"values": rows}).parameters() > 0
