"""Every autoencoder: member == solo, other numbers are not traced again, shapes of what a model gives."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from autoencoder_rows import ROWS
from checks import member_equals_solo

from manyfit.data import Intensities, Vectors
from manyfit.engine.keys import key_of, wrap
from manyfit.engine.objective import Batch, Fold
from manyfit.objectives import autoencoding

every = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
COUNT = 10


@functools.cache
def data_of(pixels):
    rng = np.random.default_rng(0)
    if pixels:
        return {"inputs": {"pixels": rng.integers(0, 256, (COUNT, 6, 6, 1), dtype=np.uint8)}}
    numbers = rng.normal(size=(COUNT, 6)).astype(np.float32)
    numbers[::7, 2] = np.nan
    return {"inputs": {"numeric": numbers, "category": rng.integers(-1, 3, (COUNT, 1)).astype(np.int32)}}


def objective_of(row):
    preprocess = Intensities() if row.pixels else Vectors((3,), gaps=True)
    return dataclasses.replace(row.objective, preprocess=preprocess).bind(data_of(row.pixels))


def trained(row, steps=2):
    """A member's model after some steps, as a function of its key and numbers."""
    objective, data = objective_of(row), data_of(row.pixels)

    def run(key_data, numbers):
        key = wrap(key_data)
        prepared = objective.prepare(Fold(data, np.arange(COUNT), np.ones(COUNT, np.float32)))
        rows = objective.transform(prepared, data)
        hyper = numbers | {"total_steps": jnp.float32(steps)}
        state = objective.init(key, hyper, prepared)

        def step(t, state):
            return objective.update(state, Batch(rows, jnp.ones(COUNT)), jax.random.fold_in(key, t), hyper)[0]

        return objective.export(jax.lax.fori_loop(0, steps, step, state))["weights"]

    return run


def values_of(row):
    """The row's traced numbers: as they are, and the other value of each."""

    def at(path):
        found = row.objective
        for name in path.split("."):
            found = getattr(found, name)
        return jnp.float32(found)

    return {name: at(name) for name in row.others}, {name: jnp.float32(v) for name, v in row.others.items()}


def test_every_autoencoder_has_its_row():
    assert {type(row.objective) for row in ROWS} == set(autoencoding.PARTS)


@every
def test_member_equals_solo_and_other_numbers_share_the_program(row):
    """One program for both members, whose numbers differ; without any the seeds do."""
    first, second = values_of(row)
    numbers = {name: jnp.stack([first[name], second[name]]) for name in first}
    same_seed = bool(row.others)
    keys = jax.random.key_data(jax.vmap(jax.random.key)(jnp.array([3, 3 if same_seed else 4])))
    run = trained(row)
    member_equals_solo(run, (keys, numbers), tolerance=1e-4)
    both = jax.jit(jax.vmap(run))(keys, numbers)
    assert any(not np.array_equal(leaf[0], leaf[1]) for leaf in jax.tree.leaves(both))


@every
def test_what_a_model_gives(row):
    objective, data = objective_of(row), data_of(row.pixels)

    def everything(data):
        prepared = objective.prepare(Fold(data, np.arange(COUNT), np.ones(COUNT, np.float32)))
        model = objective.export(objective.init(key_of(0), {}, prepared))
        return {
            "codes": objective.predict(model, data),
            "values": objective.values(prepared, data)["values"],
            "again": objective.reconstruct(model, data),
            "score": objective.score(model, data),
            "pictures": objective.pictures(model, data, key_of(1)),
            "measured": objective.evaluate(
                model, Batch(objective.transform(prepared, data), jnp.ones(COUNT))
            ),
        }

    found = jax.eval_shape(everything, data)
    shape = found["values"].shape
    assert found["codes"].shape == (COUNT, 4) and found["score"].shape == (COUNT,)
    assert found["again"].shape == shape
    assert {name: grid.shape[2:] for name, grid in found["pictures"].items()} == dict.fromkeys(
        ("reconstructions", "samples" if objective.probabilistic else "drawn", "interpolations"), shape[1:]
    )
    assert set(found["measured"]) == set(objective.metrics)
