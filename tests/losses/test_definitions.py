"""Losses against closed forms in float64, finite differences and the extremes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from manyfit import losses
from manyfit.errors import ConfigError
from manyfit.space import numeric_paths, uniform

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(20, 5)) * 3
CLASSES = RNG.integers(0, 5, 20)
VALUES = RNG.normal(size=20) * 2
TARGET = RNG.normal(size=20)


def log_softmax(z):
    return z - special.logsumexp(z, axis=-1, keepdims=True)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("traced", [False, True])
def test_cross_entropy_is_its_definition(smoothing, traced):
    q = np.eye(5)[CLASSES] * (1 - smoothing) + smoothing / 5
    expected = -np.sum(q * log_softmax(LOGITS), axis=1)
    given = jnp.float32(smoothing) if traced else smoothing
    loss = losses.cross_entropy(jnp.asarray(LOGITS), jnp.asarray(CLASSES), given)
    np.testing.assert_allclose(loss, expected, rtol=2e-6, atol=2e-6)


def test_binary_cross_entropy_is_two_class_cross_entropy():
    z, t = jnp.asarray(LOGITS[:, 0]), jnp.asarray(CLASSES > 2)
    two = losses.cross_entropy(jnp.stack([jnp.zeros_like(z), z], -1), t.astype(int))
    np.testing.assert_allclose(losses.binary_cross_entropy(z, t), two, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_is_its_definition(gamma):
    log_p = log_softmax(LOGITS)[np.arange(20), CLASSES]
    expected = -((1 - np.exp(log_p)) ** gamma) * log_p
    loss = losses.focal(jnp.asarray(LOGITS), jnp.asarray(CLASSES), gamma)
    np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=1e-6)


def test_regression_losses_are_their_definitions():
    o, t, r = jnp.asarray(VALUES), jnp.asarray(TARGET), VALUES - TARGET
    np.testing.assert_allclose(losses.squared_error(o, t), r**2, rtol=1e-5)
    np.testing.assert_allclose(losses.absolute_error(o, t), np.abs(r), rtol=1e-5)
    np.testing.assert_allclose(losses.huber(o, t, 0.7), special.huber(0.7, r), rtol=1e-5)
    two = losses.squared_error(jnp.stack([o, o], 1), jnp.stack([t, t + 1], 1))
    np.testing.assert_allclose(two, (r**2 + (r - 1) ** 2) / 2, rtol=1e-5)


EVERY_LOSS = [
    *(pytest.param(kind(), id=name) for name, kind in losses.LOSSES.items()),
    pytest.param(losses.CrossEntropy(0.2), id="smoothed"),
    pytest.param(losses.Focal(0.5), id="focal_0.5"),
]


@pytest.mark.parametrize("loss", EVERY_LOSS)
def test_gradient_is_the_finite_difference(loss):
    """In float64, central differences of step 1e-6: truncation and rounding are both near 1e-9."""
    with jax.enable_x64(True):
        wide = (
            LOGITS if loss.classification else np.stack([VALUES, VALUES[::-1] / 2][: loss.outputs(None)], 1)
        )
        counts = not getattr(loss, "standardised", True)
        outputs = jnp.asarray(wide)
        target = jnp.asarray(CLASSES if loss.classification else np.round(TARGET**2) if counts else TARGET)

        def total(o):
            return loss(o, target).sum()

        gradient = np.asarray(jax.grad(total)(outputs))
        for _ in range(5):
            direction = RNG.normal(size=outputs.shape)
            slope = (total(outputs + 1e-6 * direction) - total(outputs - 1e-6 * direction)) / 2e-6
            assert np.sum(gradient * direction) == pytest.approx(float(slope), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("loss", EVERY_LOSS)
@pytest.mark.parametrize("scale", [0.0, 1e4, 1e18])
def test_extremes_are_finite_with_finite_gradients(loss, scale):
    if loss.classification:
        outputs = jnp.asarray([[1.0, -1, 0], [-1, 1, 0], [1, 1, 1]], jnp.float32) * scale
        target = jnp.asarray([0, 0, 2])
    else:
        if isinstance(loss, losses.Gaussian):
            scale = min(scale, 1e15)  # it squares this and divides by the least variance, 1e-6
        outputs = jnp.asarray([[1.0], [-1], [0]], jnp.float32) * scale
        outputs, target = jnp.tile(outputs, (1, loss.outputs(None))), jnp.zeros(3)
    value, gradient = jax.value_and_grad(lambda o: loss(o, target).sum())(outputs)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("loss", [losses.CrossEntropy(), losses.Focal(0.0), losses.Focal(2.0)])
def test_an_impossible_class_changes_nothing(loss):
    with_mask = jnp.asarray([[1.0, 2.0, -jnp.inf]])
    without = jnp.asarray([[1.0, 2.0]])
    target = jnp.asarray([1])
    np.testing.assert_allclose(loss(with_mask, target), loss(without, target), rtol=1e-6)
    gradient = jax.grad(lambda o: loss(o, target).sum())(with_mask)
    expected = jax.grad(lambda o: loss(o, target).sum())(without)
    np.testing.assert_allclose(gradient[:, :2], expected, rtol=1e-5)
    assert gradient[0, 2] == 0


@pytest.mark.parametrize("loss", [losses.CrossEntropy(), losses.CrossEntropy(0.1), losses.Focal()])
def test_a_class_that_is_not_there_is_nan_and_has_no_gradient(loss):
    target = jnp.asarray([0, 5, -1])
    outputs = jnp.ones((3, 5))
    assert np.isnan(loss(outputs, target)).tolist() == [False, True, True]
    gradient = jax.grad(lambda o: jnp.where(target == 0, loss(o, target), 0.0).sum())(outputs)
    assert np.isfinite(gradient).all()
    assert not gradient[1:].any()


@pytest.mark.parametrize("loss", EVERY_LOSS)
def test_each_member_equals_itself_alone_and_low_precision_is_widened(loss):
    shape = (3, 4, 5) if loss.classification else (3, 4, 1)
    outputs = jnp.asarray(RNG.normal(size=shape), jnp.bfloat16)
    target = jnp.asarray(RNG.integers(0, 5, (3, 4))) if loss.classification else jnp.ones((3, 4))
    together = jax.vmap(loss)(outputs, target)
    assert together.dtype == jnp.float32
    assert together.shape == (3, 4)
    for i in range(3):
        np.testing.assert_allclose(together[i], loss(outputs[i], target[i]), rtol=1e-6)


def test_sequences_keep_their_axes():
    z, t = jnp.asarray(LOGITS.reshape(4, 5, 5)), jnp.asarray(CLASSES.reshape(4, 5))
    flat = losses.cross_entropy(jnp.asarray(LOGITS), jnp.asarray(CLASSES))
    np.testing.assert_allclose(losses.cross_entropy(z, t).reshape(-1), flat, rtol=1e-6)


def test_outputs_and_predictions():
    assert losses.CrossEntropy().outputs(3) == 3
    assert losses.CrossEntropy().outputs(2) == 2
    assert losses.Huber().outputs(None) == 1
    p = losses.Focal().predict(jnp.asarray(LOGITS))
    np.testing.assert_allclose(p, special.softmax(LOGITS, axis=1), rtol=1e-5)
    assert losses.SquaredError().predict(jnp.ones((4, 1))).shape == (4,)
    with pytest.raises(ConfigError, match="squared_error"):
        losses.CrossEntropy().outputs(None)
    with pytest.raises(ConfigError, match="3 classes"):
        losses.AbsoluteError().outputs(3)


def test_names():
    assert losses.named("huber") == losses.Huber()
    assert losses.named(losses.Focal(1.0)) == losses.Focal(1.0)
    assert all(isinstance(kind(), losses.Loss) for kind in losses.LOSSES.values())
    with pytest.raises(ConfigError, match="did you mean 'cross_entropy'"):
        losses.named("crossentropy")


def test_values_out_of_range_are_refused_also_inside_a_distribution():
    for make in (
        lambda: losses.CrossEntropy(1.0),
        lambda: losses.CrossEntropy(uniform(0.0, 2.0)),
        lambda: losses.Focal(-1.0),
        lambda: losses.Huber(0.0),
    ):
        with pytest.raises(ConfigError, match="give a value"):
            make()
    losses.CrossEntropy(uniform(0.0, 0.3))


def test_fields_are_numeric_hyper_parameters():
    assert numeric_paths(losses.CrossEntropy()) == {"label_smoothing": 0.0}
    assert numeric_paths(losses.Focal()) == {"gamma": 2.0}
    assert numeric_paths(losses.Huber()) == {"delta": 1.0}


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        losses.squared_error(jnp.ones((4, 2)), jnp.ones(4))
    with pytest.raises(TypeError, match="integers"):
        losses.cross_entropy(jnp.ones((4, 2)), jnp.ones(4))
