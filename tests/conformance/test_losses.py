"""The matrix over every loss: gradients, members, traced numbers, precision, extremes, completeness."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import gradient_equals_finite_differences, member_equals_solo, traced_once, widen
from loss_rows import ROWS, N

from manyfit import losses

EVERY = pytest.mark.parametrize("name", ROWS)


def call(row, moving, hyper):
    fixed = [jnp.asarray(a) for a in row.fixed]
    return row.function(*moving, *fixed, **hyper)


def first(row):
    return {name: values[0] for name, values in row.hyper.items()}


@EVERY
def test_gradient_equals_finite_differences_in_float64(name):
    row = ROWS[name]
    with jax.enable_x64(True):
        fixed = widen([jnp.asarray(a) for a in row.fixed])
        moving = widen([jnp.asarray(a) for a in row.moving])
        function = jax.jit(lambda moving: row.function(*moving, *fixed, **first(row)))
        # optax's ctc rounds where it stands in for log 0
        gradient_equals_finite_differences(function, moving, tolerance=1e-4 if name == "ctc" else 1e-6)


@EVERY
def test_one_value_an_example_of_float32(name):
    row = ROWS[name]
    for dtype in (jnp.float32, jnp.bfloat16):
        value = call(row, [jnp.asarray(a, dtype) for a in row.moving], first(row))
        assert value.dtype == jnp.float32
        assert value.shape[0] == N
        assert np.isfinite(value).all()


@EVERY
def test_a_member_equals_its_solo_run(name):
    row = ROWS[name]
    moving = tuple(jnp.stack([a, a * 0.5, a + 0.1]).astype(jnp.float32) for a in map(jnp.asarray, row.moving))
    hyper = {key: jnp.linspace(low, high, 3) for key, (low, high) in row.hyper.items()}
    member_equals_solo(lambda moving, hyper: call(row, moving, hyper), (moving, hyper))


@EVERY
def test_another_number_does_not_retrace(name):
    row = ROWS[name]
    if not row.hyper:
        pytest.skip("has no numbers")
    moving = tuple(jnp.asarray(a, jnp.float32) for a in row.moving)
    settings = [{key: jnp.float32(v[i]) for key, v in row.hyper.items()} for i in (0, 1)]
    traced_once(lambda moving, hyper: call(row, moving, hyper), *[(moving, hyper) for hyper in settings])


@EVERY
def test_value_and_gradient_are_finite_in_the_extremes(name):
    row = ROWS[name]
    for sign in (-1.0, 1.0):
        moving = tuple(
            jnp.asarray(sign * row.extreme * np.abs(a) / np.abs(a).max(), jnp.float32) for a in row.moving
        )
        if name == "bernoulli_divergence":
            moving = (jnp.asarray([0.0, 1.0, 0.5, 1e-7, 1.0, 0.0]),)
            assert np.isfinite(call(row, moving, {})).all()
            continue
        value, pull = jax.vjp(lambda *m, row=row: call(row, m, first(row)), *moving)
        assert np.isfinite(value).all()
        for slope in pull(jnp.ones_like(value)):
            assert np.isfinite(slope).all()


def test_every_public_loss_has_its_row():
    functions = {n for n in losses.__all__ if inspect.isfunction(getattr(losses, n))} - {"named"}
    assert functions == set(ROWS)
