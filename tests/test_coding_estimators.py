"""Autoencoders as transformers: rows to codes and back, strange rows, new rows, images, what is refused."""

from __future__ import annotations

import pickle

import jax
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import estimator_checks_generator

from manyfit import VAE, Autoencoder
from manyfit.errors import ConfigError

QUICK = {"folds": 2, "epochs": 60, "learning_rate": 0.01, "batch_size": 16}
UNITS = np.array([1.0, 1e3, 1e-3, 1.0, 5.0, 1.0])
FAR = np.array([0.0, 0.0, 0.0, 1e9, -4.0, 0.0])


@pytest.fixture(scope="module", autouse=True)
def quick_compilation():
    """XLA is not to polish what runs for a second."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def rows_of(count, seed=0, noise=0.1):
    """Six columns of two factors, in units of their own, one of them far from 0; and as many strange rows."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(1).normal(size=(2, 6))
    plain = rng.normal(size=(count, 2)) @ mixing + noise * rng.normal(size=(count, 6))
    odd = plain[:, rng.permutation(6)] + rng.normal(size=(count, 6))
    return plain * UNITS + FAR, odd * UNITS + FAR


@pytest.fixture(scope="module")
def fitted():
    return Autoencoder(2, (8,), **QUICK).fit(rows_of(150)[0])


def test_codes_lead_back_to_rows_in_their_units(fitted):
    X = rows_of(60, seed=2)[0]
    codes = fitted.transform(X)
    assert codes.shape == (60, 2) and codes.dtype == np.float64
    back = fitted.inverse_transform(codes)
    assert back.shape == X.shape and back.dtype == np.float64
    left = ((back - X) / UNITS).var(axis=0) / ((X - FAR) / UNITS).var(axis=0)
    assert left.mean() < 0.15  # two factors make nearly all of it; PCA leaves 0.02
    np.testing.assert_array_equal(fitted.reconstruct(X), back)
    assert fitted.get_feature_names_out().tolist() == ["autoencoder0", "autoencoder1"]
    assert fitted.transform(X.astype(np.float32)).dtype == np.float32
    assert fitted.result_.metric == "mse" and fitted.result_.score.low < fitted.result_.score.mean


def test_strange_rows_score_low_and_have_small_p_values(fitted):
    plain, odd = rows_of(80, seed=3)
    assert np.median(fitted.score_samples(odd)) < np.percentile(fitted.score_samples(plain), 10)
    p = fitted.p_values(plain)
    assert np.median(fitted.p_values(odd)) < 0.05
    assert abs(np.mean(p < 0.2) - 0.2) < 0.15
    assert fitted.score(plain) > fitted.score(odd)


def test_a_copy_by_pickle_gives_the_same(fitted):
    X = rows_of(20, seed=4)[0]
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(fitted)).score_samples(X), fitted.score_samples(X)
    )
    with pytest.raises(NotFittedError):
        clone(fitted).transform(X)


def test_a_vae_draws_rows_and_its_scores_do_not_depend_on_the_other_rows():
    X = rows_of(150)[0]
    model = VAE(2, (8,), **QUICK).fit(X)
    drawn = model.sample(300, random_state=1)
    assert drawn.shape == (300, 6)
    ratio = ((drawn - FAR) / UNITS).std(axis=0) / ((X - FAR) / UNITS).std(axis=0)
    assert np.all((ratio > 0.4) & (ratio < 1.6))
    scores = model.score_samples(X)
    np.testing.assert_array_equal(model.score_samples(X[::-1])[::-1], scores)
    np.testing.assert_array_equal(model.score_samples(X[5:8]), scores[5:8])
    assert model.result_.metric == "loss"


def test_images_come_back_as_images():
    digits = load_digits()
    images = digits.images[:300]
    model = Autoencoder(8, (32,), folds=1, epochs=20, learning_rate=0.01, batch_size=32).fit(images)
    assert model.image_shape_ == (8, 8, 1)
    back = model.reconstruct(images)
    assert back.shape == images.shape and ((back - images) ** 2).mean() < 0.6 * images.var(axis=0).mean()
    np.testing.assert_array_equal(model.transform(images.reshape(300, 64)), model.transform(images))
    with pytest.raises(ValueError, match=r"images of shape \(7, 8, 1\)"):
        model.transform(images[:, 1:])


def test_missing_cells_and_categories_of_a_frame():
    X = pd.DataFrame(rows_of(60)[0], columns=list("abcdef"))
    X.loc[::7, "b"] = np.nan
    X["kind"] = np.where(np.arange(60) % 2, "odd", "even")
    mixed = Autoencoder(2, (4,), folds=1, epochs=2).fit(X)
    assert np.isfinite(mixed.score_samples(X)).all()
    with pytest.raises(ValueError, match="column 'kind' is a"):
        mixed.reconstruct(X)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Autoencoder(model="vae"), "use VAE"),
        (lambda: Autoencoder(model="sparce"), "did you mean 'sparse'"),
        (lambda: Autoencoder(0), "latent=0"),
        (lambda: Autoencoder(coder="conv"), "reads images"),
        (lambda: Autoencoder(image_shape=(5, 2)), "has 10 pixels, X has 6 features"),
        (lambda: VAE(bound="importanse"), "did you mean 'importance'"),
        (lambda: VAE(bound="importance", beta=2.0), "has none"),
        (lambda: VAE(likelihood="bernoulli"), "use 'gaussian'"),
    ],
)
def test_what_cannot_be_done_is_said(make, said):
    with pytest.raises(ConfigError if "pixels" not in said else ValueError, match=said):
        make().fit(rows_of(20)[0])


def test_codes_of_another_size_are_refused(fitted):
    with pytest.raises(ValueError, match="X has 3 numbers a row"):
        fitted.inverse_transform(np.zeros((2, 3)))


def test_a_vae_keeps_the_contract_where_it_is_not_that_of_the_autoencoder():
    """Its own parameters; ``fit`` and ``transform`` are the code that ``test_estimators.py`` checks."""
    own = ("check_no_attributes_set_in_init", "check_parameters_default_constructible")
    done = set()
    for estimator, check in estimator_checks_generator(VAE()):
        if check.func.__name__ in own:
            done.add(check.func.__name__)
            check(estimator)
    assert done == set(own)
