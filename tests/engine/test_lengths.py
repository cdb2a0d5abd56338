"""Length buckets: batches of rows of about one length, cut to it, change which rows meet and nothing else."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from objectives import Network

from manyfit.engine import Hooks, Member, Metric, Population, Rows, Shape, program
from manyfit.engine import lengths as lengths_room
from manyfit.engine.lengths import bucket_of, buckets_for
from manyfit.engine.order import POOL, alike
from manyfit.errors import ConfigError

WIDTH, BUCKETS = 24, (3, 6, 24)


@dataclass(frozen=True)
class Sequences(Network):
    """``Network`` on the sum of a padded sequence; what a step computed is measured as ``places``."""

    def lengths(self, data):
        return data["lengths"]

    def shorten(self, data, length):
        return {**data, "x": data["x"][:, :length]}

    def update(self, state, batch, key, hyper):
        width = jnp.float32(batch.data["x"].shape[1])
        summed = batch._replace(data={**batch.data, "x": batch.data["x"].sum(axis=1)})
        state, measured = super().update(state, summed, key, hyper)
        return state, {**measured, "places": Metric(width, jnp.float32(1))}

    def evaluate(self, model, batch):
        return super().evaluate(model, batch._replace(data={**batch.data, "x": batch.data["x"].sum(axis=1)}))

    def predict(self, model, data):
        return super().predict(model, {"x": data["x"].sum(axis=1)})


def sequences(n=150):
    rng = np.random.default_rng(5)
    lengths = np.where(rng.random(n) < 0.8, rng.integers(1, 7, n), rng.integers(7, WIDTH + 1, n)).astype(
        np.int32
    )
    lengths[0] = WIDTH
    x = rng.normal(size=(n, WIDTH, 8)).astype(np.float32)
    x[np.arange(WIDTH) >= lengths[:, None]] = 0
    y = (x.sum(axis=(1, 2)) > 0).astype(np.int32)
    rows = rng.permutation(n)
    folds = [Rows(rows[:90], rows[90:110], rows[110:]), Rows(rows[53:], rows[:20], rows[20:53])]
    return {"x": x, "y": y, "lengths": lengths}, folds


def trained(data, folds, members, shape, **asked):
    outcomes = []
    population = Population(Sequences(), data, members, folds, shape, epochs=3, **asked)
    population.run(Hooks(finish=outcomes.append))
    return sorted(outcomes, key=lambda one: one.index), population.history


def members_of(folds=2, seeds=2):
    return [Member(0, seed, fold, {"learning_rate": 0.01}) for seed in range(seeds) for fold in range(folds)]


@pytest.fixture
def alone(monkeypatch):
    """Members take their epochs one after the other, as those with much to do in a step."""
    monkeypatch.setattr(program, "abreast", lambda written, platform: False)
    program._known_program.cache_clear()
    yield
    program._known_program.cache_clear()


def test_buckets_leave_the_least_padding_that_so_many_can():
    lengths = np.array([1, 2, 2, 3, 5, 8, 8, 9, 14, 20, 20, 21, 33, 40])
    for most in (1, 2, 3, 4):
        found = buckets_for(lengths, most)
        ends = [
            (*some, 40)
            for count in range(most)
            for some in itertools.combinations(np.unique(lengths)[:-1], count)
        ]
        cost = {some: sum(min(end for end in some if end >= one) for one in lengths) for some in ends}
        least = min(cost.values())
        if most == 1:
            assert found == ()  # one bucket is the padding that there is
        else:
            assert cost[found] == least
            assert list(found) == sorted(set(found))


@pytest.mark.parametrize("lengths", [[], [7], [0, 0], [9, 10, 10, 10]])
def test_rows_of_about_one_length_have_no_buckets(lengths):
    assert buckets_for(np.array(lengths, np.int32)) == ()


def test_a_bucket_holds_its_longest_row():
    for lengths, place in (([1, 3], 0), ([4, 1], 0), ([5, 2], 1), ([9, 1], 1), ([10, 0], 2), ([24, 24], 2)):
        assert int(bucket_of(jnp.array(lengths), (4, 9, 24))) == place


def test_batches_are_of_about_one_length_and_hold_the_same_rows():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 200, 1000).astype(np.int32)
    size, count = 8, POOL * 8 * 2 + 8 * 3 + 5
    shuffled = rng.permutation(1000)[:count]
    order = np.resize(shuffled, -(-count // size) * size)
    found = np.asarray(alike(jax.random.key(0), jnp.array(order), jnp.array(lengths), jnp.int32(count), size))
    assert sorted(found[:count]) == sorted(shuffled)
    np.testing.assert_array_equal(found[-size:], order[-size:])  # the partial batch, as it was drawn
    widest = lengths[found].reshape(-1, size)[:-1]
    spread = (widest.max(axis=1) - widest.min(axis=1)).mean()
    assert spread < 0.2 * 200
    # long and short ones follow each other by chance, not in order
    turns = np.diff(np.sign(np.diff(widest.max(axis=1).astype(int))))
    assert np.count_nonzero(turns) > len(widest) / 3
    again = alike(jax.random.key(1), jnp.array(order), jnp.array(lengths), jnp.int32(count), size)
    assert not np.array_equal(again, found)


def test_cut_batches_equal_whole_ones(alone):
    data, folds = sequences()
    whole, before = trained(data, folds, members_of(), Shape(16, buckets=(WIDTH,)))
    cut, after = trained(data, folds, members_of(), Shape(16, buckets=BUCKETS))
    assert (before["train/places"] == WIDTH).all()
    assert (after["train/places"] < 0.75 * WIDTH).all()  # what is not computed
    np.testing.assert_allclose(before["train/loss"], after["train/loss"], rtol=2e-5)
    for one, other in zip(whole, cut, strict=True):
        assert one.test["accuracy"] == other.test["accuracy"]
        np.testing.assert_allclose(one.outputs, other.outputs, atol=2e-5)


def test_buckets_are_planned_by_the_lengths_of_the_rows(alone, monkeypatch):
    data, folds = sequences()
    monkeypatch.setattr(lengths_room, "FEW_ROWS", 100)
    _, history = trained(data, folds, members_of(), Shape(16))
    assert (history["train/places"] < 0.75 * WIDTH).all()
    monkeypatch.setattr(lengths_room, "FEW_ROWS", 151)
    _, history = trained(data, folds, members_of(), Shape(16))
    assert (history["train/places"] == WIDTH).all()
    _, history = trained(data, folds, members_of(), Shape(16, buckets=()))
    assert (history["train/places"] == WIDTH).all()


def test_a_member_does_not_feel_the_others(alone):
    data, folds = sequences()
    shape = Shape(16, buckets=BUCKETS)
    together, _ = trained(data, folds, members_of(), shape)
    for index, member in enumerate(members_of()):
        one = [dataclasses.replace(member)]
        (solo,), _ = trained(data, folds, one, shape)
        np.testing.assert_allclose(solo.outputs, together[index].outputs, rtol=1e-5, atol=1e-6)


def test_it_goes_on_where_it_stopped(alone):
    data, folds = sequences()
    shape = Shape(16, buckets=BUCKETS)
    through, history = trained(data, folds, members_of(), shape, chunk=1)
    saved, looks = [], iter([False, True])
    first = Population(Sequences(), data, members_of(), folds, shape, epochs=3, chunk=1)
    assert not first.run(Hooks(save=saved.append, stop=lambda: next(looks, True)))
    outcomes = []
    second = Population(Sequences(), data, members_of(), folds, shape, epochs=3, chunk=1)
    assert second.run(Hooks(finish=outcomes.append), resume=saved[-1])
    for one, other in zip(through, sorted(outcomes, key=lambda outcome: outcome.index), strict=True):
        np.testing.assert_array_equal(one.outputs, other.outputs)
    for name, values in history.items():
        np.testing.assert_array_equal(values, second.history[name])


def test_members_abreast_are_not_cut():
    data, folds = sequences()
    _, history = trained(data, folds, members_of(), Shape(16, buckets=BUCKETS))
    assert (history["train/places"] == WIDTH).all()


@pytest.mark.parametrize("buckets", [(0, 24), (9, 4), (4, 4)])
def test_buckets_that_do_not_rise_are_refused(buckets):
    data, folds = sequences()
    with pytest.raises(ConfigError, match="rise from 1 on"):
        Population(Sequences(), data, members_of(), folds, Shape(16, buckets=buckets), epochs=1)


def test_rows_without_a_length_have_no_buckets():
    folds = [Rows(np.arange(20), np.arange(20, 30), np.arange(30, 40))]
    data = {"x": np.zeros((40, 8), np.float32), "y": np.zeros(40, np.int32)}
    with pytest.raises(ConfigError, match="no length"):
        Population(Network(), data, members_of(folds=1), folds, Shape(16, buckets=(4, 8)), epochs=1)
