"""Every agent: alone as together, resumed as uninterrupted (environments and memory included), compiled once."""

import functools

import jax
import numpy as np
import pytest
from agent_rows import ROWS

from manyfit.engine import Hooks, Member, Population, Rows, Shape
from manyfit.objectives import reinforcement
from manyfit.space import numeric_paths
from manyfit.tasks.reinforcement import environment_task

every = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def population(row, seeds, **values):
    agent = row.agent
    task = environment_task(agent.environment, choosing=2, scoring=3)
    rows = [Rows(part.train, part.validation, part.test) for part in task.parts or ()]
    # as an experiment has it: what is off is left out of the program
    hyper = {name: float(value) for name, value in numeric_paths(agent).items() if value} | values
    members = [Member(0, seed, 0, hyper) for seed in seeds]
    shape = Shape(1, steps_per_epoch=2)
    return Population(agent, task.data, members, rows, shape, epochs=4, width=2, chunk=1, predict=False)


def trained(population):
    found = {}
    population.run(Hooks(finish=lambda outcome: found.update({outcome.index: outcome})))
    return found


@functools.cache
def together(place):
    return trained(population(ROWS[place], [0, 1, 2]))


def test_every_agent_has_its_row():
    assert {type(row.agent) for row in ROWS} == set(reinforcement.PARTS)


@every
def test_an_agent_is_the_same_alone_and_among_others(row):
    many, alone = together(ROWS.index(row)), trained(population(row, [1]))
    for ours, theirs in zip(jax.tree.leaves(many[1].model), jax.tree.leaves(alone[0].model)):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)
    assert many[1].test["return"] == pytest.approx(alone[0].test["return"], rel=0.05)
    assert any(
        not np.allclose(a, b) for a, b in zip(jax.tree.leaves(many[0].model), jax.tree.leaves(many[1].model))
    )


@every
def test_a_stopped_run_goes_on_bit_for_bit(row):
    whole = together(ROWS.index(row))
    kept, asked = [], []

    def stop():
        asked.append(1)
        return len(asked) > 2

    first = population(row, [0, 1, 2])
    assert not first.run(Hooks(stop=stop, save=kept.append))
    found = {}
    again = population(row, [0, 1, 2])
    assert again.run(Hooks(finish=lambda o: found.update({o.index: o})), resume=kept[-1])
    for i in whole:
        for ours, theirs in zip(jax.tree.leaves(found[i].model), jax.tree.leaves(whole[i].model)):
            np.testing.assert_array_equal(ours, theirs)
        assert found[i].test == whole[i].test


@every
def test_other_numbers_do_not_compile_anew_and_matter(row):
    first = together(ROWS.index(row))
    changed = population(row, [0], **row.others)
    calls = changed._compiled._calls
    before = calls.chunk._cache_size()
    assert before > 0
    found = trained(changed)
    assert calls.chunk._cache_size() == before
    assert any(
        not np.allclose(a, b)
        for a, b in zip(jax.tree.leaves(found[0].model), jax.tree.leaves(first[0].model))
    )
