"""Arrays that stay on the host: every run is that of the same arrays on the device, bit for bit."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from objectives import Network

from manyfit.engine import Hooks, Member, Population, Rows, Shape, Stored
from manyfit.engine.stored import cut, take


def test_take_and_cut_equal_those_of_an_array(tmp_path):
    array = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", array)
    stored = Stored(np.load(tmp_path / "a.npy", mmap_mode="r"))
    rows, first = jnp.array([[4, 49], [0, 7]]), jnp.array([0, 12, 45])
    for read in (lambda a: take(a, rows), lambda a: cut(a, first, 5)):
        np.testing.assert_array_equal(jax.jit(lambda read=read: read(stored))(), read(jnp.asarray(array)))
    many = jax.jit(jax.vmap(lambda r: take(stored, r)))(rows)
    np.testing.assert_array_equal(many, array[np.asarray(rows)])
    np.testing.assert_array_equal(take(stored, jnp.array([99])), array[-1:])


def test_a_population_on_stored_rows_stops_and_goes_on_as_if_they_were_in_memory(tmp_path):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    y = (x[:, 0] > 0).astype(np.int32)
    folds = [Rows(np.arange(30), np.arange(30, 40), np.arange(40, 60))]
    members = [Member(0, seed, 0, {"learning_rate": 0.01}) for seed in range(3)]

    def train(leaf, stops: bool):
        outcomes, saved = [], []
        asked = iter([False, True]) if stops else iter(lambda: False, None)
        for _ in range(2):
            population = Population(
                Network(), {"x": leaf, "y": y}, members, folds, Shape(16), epochs=4, chunk=1
            )
            hooks = Hooks(finish=outcomes.append, stop=lambda asked=asked: next(asked), save=saved.append)
            if population.run(hooks, resume=saved[-1] if saved else None):
                return sorted(outcomes, key=lambda outcome: outcome.index)
            asked = iter(lambda: False, None)
        raise AssertionError("it did not end")

    plain = train(x, stops=False)
    stored = train(Stored(np.load(tmp_path / "x.npy", mmap_mode="r")), stops=True)
    for a, b in zip(plain, stored, strict=True):
        assert dataclasses.asdict(a)["test"] == dataclasses.asdict(b)["test"]
        np.testing.assert_array_equal(a.outputs, b.outputs)
        for one, other in zip(jax.tree.leaves(a.model), jax.tree.leaves(b.model), strict=True):
            np.testing.assert_array_equal(one, other)
