"""Every augmentation: shapes, members, traced strengths, the identity, randomness."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from augment_rows import ROWS
from checks import member_equals_solo, traced_once

from manyfit import augment
from manyfit.engine.keys import key_of, wrap

every = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
IMAGES = jax.random.normal(key_of(0), (6, 8, 10, 3))
WEIGHT = jnp.ones(6)


def run(part, key, images=IMAGES):
    return augment.augmented((part,), images, WEIGHT[: len(images)], key)[0]


def test_every_public_augmentation_has_its_row():
    assert {type(row.part) for row in ROWS} == set(augment.PARTS)


@every
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_shape_dtype_and_finite_values(row, dtype):
    y = run(row.part, key_of(1), IMAGES.astype(dtype))
    assert y.shape == IMAGES.shape and y.dtype == dtype
    assert np.isfinite(np.asarray(y, np.float32)).all()


@every
def test_member_equals_solo(row):
    keys = jax.random.key_data(jax.random.split(key_of(2), 3))
    stacked = jnp.stack([IMAGES, IMAGES + 1, IMAGES * 2])
    member_equals_solo(lambda key, x: run(row.part, wrap(key), x), (keys, stacked))


@every
def test_another_strength_is_not_traced_again(row):
    for name, other in row.others.items():

        def change(value, name=name):
            return run(dataclasses.replace(row.part, **{name: value}), key_of(3))

        traced_once(change, (jnp.float32(getattr(row.part, name)),), (jnp.float32(other),))


@every
def test_no_strength_changes_no_bit(row):
    nothing = dataclasses.replace(row.part, **row.nothing)
    np.testing.assert_array_equal(run(nothing, key_of(4)), IMAGES)


@every
def test_the_key_decides_and_images_differ(row):
    one, again, other = (run(row.part, key_of(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    if not hasattr(row.part, "mix"):  # one mixture serves a batch
        same = run(row.part, key_of(7), jnp.broadcast_to(IMAGES[:1], IMAGES.shape))
        assert not np.array_equal(same, jnp.broadcast_to(same[:1], same.shape))
