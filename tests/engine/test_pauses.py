"""Members that pause for the host to decide: going on changes nothing, being dropped costs nothing more."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from test_population import CASES, same

from manyfit.engine import Hooks, Population, load_checkpoint, save_checkpoint


def collected(found):
    return Hooks(finish=lambda o: found.__setitem__(o.index, o))


@functools.cache
def whole(name, width):
    """The outcomes and histories of a run that never paused."""
    fixed, options = CASES[name]()
    found = {}
    population = Population(**fixed, **options, width=width)
    population.run(collected(found))
    return found, population.history


each_case = pytest.mark.parametrize("name", CASES)


def row(history, index):
    return {name: values[index] for name, values in history.items()}


@each_case
@pytest.mark.parametrize("width", [1, 2, 8])
def test_pausing_changes_nothing(name, width):
    fixed, options = CASES[name]()
    ended, history = whole(name, width)
    found = {}
    population = Population(**fixed, **options, width=width, chunk=2)
    for until in (1, 3):
        assert population.run(collected(found), until=until)
        assert population.paused == sorted(set(range(len(population.members))) - set(found))
        assert {int(n) for n in population._epochs_of[population.paused]} <= {until}
    assert population.run(collected(found))
    assert not population.paused and sorted(found) == sorted(ended)
    for index in found:
        same((found[index], row(population.history, index)), (ended[index], row(history, index)))


@each_case
def test_dropped_members_end_there_and_the_others_do_not_notice(name):
    fixed, options = CASES[name]()
    ended, history = whole(name, 2)
    found = {}
    population = Population(**fixed, **options, width=2)
    population.run(collected(found), until=2)
    gone = population.paused[::2]
    population.drop(gone, collected(found))
    assert population.run(collected(found))
    assert sorted(found) == sorted(ended)
    for index in found:
        if index in gone:
            assert (found[index].status, found[index].epochs, found[index].model) == ("pruned", 2, None)
            for values in row(population.history, index).values():
                assert np.isfinite(values[:2]).all() and np.isnan(values[2:]).all()
        else:
            same((found[index], row(population.history, index)), (ended[index], row(history, index)))


@each_case
@pytest.mark.parametrize("chunks", [1, 2, 4])
def test_resumed_within_and_between_pauses(name, chunks, tmp_path):
    """Stopped again and again after a few chunks, each time through a file and into another population."""
    fixed, options = CASES[name]()
    ended, history = whole(name, 1)
    found, kept = {}, []

    def stopping():
        asked = iter(range(1000))
        return Hooks(
            finish=lambda o: found.__setitem__(o.index, o),
            stop=lambda: next(asked) >= chunks,
            save=kept.append,
        )

    def fresh():
        return Population(**fixed, **options, width=1, chunk=1)

    population, state = fresh(), None
    for until in (2, 3, None):
        while not population.run(stopping(), resume=state, done=set(found), until=until):
            save_checkpoint(tmp_path, len(kept), kept[-1])
            population, state = fresh(), load_checkpoint(tmp_path)[0]
    assert len(kept) > 2 and any(checkpoint.meta["waiting"] for checkpoint in kept)
    for index in ended:
        same((found[index], row(population.history, index)), (ended[index], row(history, index)))
