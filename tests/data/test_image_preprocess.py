"""ImagePreprocess against numpy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.data.image_preprocess import ImagePreprocess


def draw(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("shape", [(1, 3, 4, 1), (7, 5, 6, 3), (600, 28, 28, 1), (3, 700, 500, 3)])
def test_equals_numpy(shape):
    pixels = draw(*shape)
    stats = ImagePreprocess().fit({"pixels": jnp.asarray(pixels)}, jnp.ones(len(pixels)))
    # sums are exact: what remains is a few roundings of float32
    np.testing.assert_allclose(stats["mean"], pixels.mean((0, 1, 2), np.float64) / 255, rtol=1e-6)
    np.testing.assert_allclose(stats["std"], pixels.std((0, 1, 2), np.float64) / 255, rtol=1e-6)


@pytest.mark.parametrize("level", [0, 128, 254])
def test_small_spread_far_from_zero_does_not_cancel(level):
    pixels = np.full((400, 20, 20, 2), level, np.uint8)
    pixels[7, 3, 4, 0] += 1  # one of 160,000 pixels, in the first channel alone
    stats = ImagePreprocess().fit({"pixels": jnp.asarray(pixels)}, jnp.ones(400))
    expected = pixels.std((0, 1, 2), np.float64) / 255
    np.testing.assert_allclose(stats["std"], [expected[0], 1.0], rtol=1e-5)


def test_saturated_images_do_not_overflow():
    pixels = np.zeros((40, 512, 512, 1), np.uint8)
    pixels[::2] = 255
    stats = ImagePreprocess().fit({"pixels": jnp.asarray(pixels)}, jnp.ones(40))
    np.testing.assert_allclose([stats["mean"][0], stats["std"][0]], [0.5, 0.5], rtol=1e-6)


def test_padding_changes_no_bit():
    pixels, weight = draw(1000, 20, 20, 3), np.ones(1000, np.float32)
    fit = jax.jit(ImagePreprocess().fit)
    alone = fit({"pixels": jnp.asarray(pixels)}, jnp.asarray(weight))
    order = np.random.default_rng(1).permutation(1700)
    for filler in (np.zeros((700, 20, 20, 3), np.uint8), draw(700, 20, 20, 3, seed=2)):
        padded = np.concatenate([pixels, filler])[order]
        mask = np.concatenate([weight, np.zeros(700, np.float32)])[order]
        stats = fit({"pixels": jnp.asarray(padded)}, jnp.asarray(mask))
        jax.tree.map(np.testing.assert_array_equal, stats, alone)


def test_apply_standardises_and_matches_the_formula():
    inputs = {"pixels": jnp.asarray(draw(50, 9, 8, 3))}
    scaler = ImagePreprocess()
    stats = scaler.fit(inputs, jnp.ones(50))
    out = jax.jit(scaler.apply)(stats, inputs)["pixels"]
    assert (out.shape, out.dtype) == ((50, 9, 8, 3), jnp.float32)
    np.testing.assert_allclose(np.mean(out, (0, 1, 2)), np.zeros(3), atol=1e-5)
    np.testing.assert_allclose(np.std(out, (0, 1, 2)), np.ones(3), rtol=1e-5)
    expected = (np.asarray(inputs["pixels"], np.float64) / 255 - stats["mean"]) / stats["std"]
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


def test_nothing_to_learn_from_stays_finite():
    inputs = {"pixels": jnp.asarray(draw(4, 3, 3, 1))}
    stats = ImagePreprocess().fit(inputs, jnp.zeros(4))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(stats))


def test_needs_no_float_copy():
    spec = {"pixels": jax.ShapeDtypeStruct((20_000, 28, 28, 1), jnp.uint8)}
    weight = jax.ShapeDtypeStruct((20_000,), jnp.float32)
    memory = jax.jit(ImagePreprocess().fit).lower(spec, weight).compile().memory_analysis()
    assert memory is not None
    assert memory.temp_size_in_bytes < 20_000 * 28 * 28  # a float32 copy would be four times this


# Floats


@pytest.mark.parametrize("shape", [(1, 3, 4, 1), (7, 5, 6, 3), (600, 28, 28, 1), (3, 700, 500, 3)])
@pytest.mark.parametrize(("unit", "zero"), [(1.0, 0.0), (1e-3, 50.0), (1e30, -1e31), (1e-30, 0.0)])
def test_floats_equal_numpy(shape, unit, zero):
    pixels = (np.random.default_rng(0).normal(size=shape) * unit + zero).astype(np.float32)
    stats = ImagePreprocess().fit({"pixels": jnp.asarray(pixels)}, jnp.ones(len(pixels)))
    exact = pixels.astype(np.float64)
    # float32: the mean to a rounding of the largest value, the deviation to a few of its own
    step = np.abs(exact).max() * 1e-6
    np.testing.assert_allclose(np.float64(stats["mean"]) * 255, exact.mean((0, 1, 2)), rtol=0, atol=step)
    np.testing.assert_allclose(np.float64(stats["std"]) * 255, exact.std((0, 1, 2)), rtol=1e-5)


def test_floats_learn_what_bytes_learn():
    pixels = jnp.asarray(draw(90, 9, 8, 3))
    weight = jnp.asarray(np.arange(90) % 3 > 0, jnp.float32)
    scaler = ImagePreprocess()
    as_bytes = scaler.fit({"pixels": pixels}, weight)
    as_floats = scaler.fit({"pixels": pixels.astype(jnp.float32)}, weight)
    for name in ("mean", "std"):
        np.testing.assert_allclose(as_floats[name], as_bytes[name], rtol=2e-6)
    out = [scaler.apply(as_bytes, {"pixels": p})["pixels"] for p in (pixels, pixels.astype(jnp.float32))]
    np.testing.assert_allclose(out[1], out[0], rtol=1e-5, atol=1e-5)


def test_one_bright_pixel_among_floats_does_not_hide_the_others():
    pixels = np.random.default_rng(0).normal(size=(400, 20, 20, 1)).astype(np.float32) * 1e-3 + 7
    pixels[5, 5, 5] = 1e4
    stats = ImagePreprocess().fit({"pixels": jnp.asarray(pixels)}, jnp.ones(400))
    np.testing.assert_allclose(stats["std"] * 255, pixels.std(dtype=np.float64), rtol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.1, -3e8, 1e38])
def test_a_constant_channel_of_floats_is_not_scaled(level):
    pixels = np.full((50, 6, 6, 1), level, np.float32)
    scaler = ImagePreprocess()
    stats = scaler.fit({"pixels": jnp.asarray(pixels)}, jnp.ones(50))
    assert stats["std"].tolist() == [1.0]
    # what is left of the level is a rounding of it
    assert np.abs(scaler.apply(stats, {"pixels": pixels})["pixels"]).max() <= abs(level) * 1e-6


def test_padding_changes_no_bit_of_floats():
    rng = np.random.default_rng(0)
    fit = jax.jit(ImagePreprocess().fit)
    for rows in (5, 1000, 1311):  # 655 rows are one block
        pixels = rng.normal(size=(rows, 20, 20, 2)).astype(np.float32)
        alone = fit({"pixels": jnp.asarray(pixels)}, jnp.ones(rows))
        for filler in (0.0, 1e30, np.nan):  # what is not a training row may be anything
            padded = np.concatenate([pixels, np.full((700, 20, 20, 2), filler, np.float32)])
            stats = fit({"pixels": jnp.asarray(padded)}, jnp.r_[jnp.ones(rows), jnp.zeros(700)])
            jax.tree.map(np.testing.assert_array_equal, stats, alone)


def test_floats_without_a_row_to_learn_from_stay_finite():
    stats = ImagePreprocess().fit({"pixels": jnp.ones((4, 3, 3, 1))}, jnp.zeros(4))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(stats))
