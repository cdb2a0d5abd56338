"""A beam that is wide enough finds the most probable text of all; a beam of one takes the best token at each step."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.objectives.decoding import beam_search

BEGIN, END, WORDS, LENGTH = 2, 3, 6, 3
CHAINS = np.random.default_rng(3).dirichlet(np.ones(3), size=(2, WORDS))
"""Probabilities of END, 4 and 5 after each token, for each of two texts."""
TABLES = jnp.asarray(np.concatenate([np.full((2, WORDS, 3), -np.inf), np.log(CHAINS)], axis=2), jnp.float32)


def advance(tokens, memory):
    """A Markov chain; the memory is which text a row is of."""
    return TABLES[memory, tokens], memory


def searched(beams, patience):
    run = functools.partial(
        beam_search,
        advance,
        lambda memory, rows: memory[rows],
        beams=beams,
        length=LENGTH,
        begin=BEGIN,
        end=END,
    )
    memory = jnp.repeat(jnp.arange(2), beams)
    return jax.jit(lambda memory: run(memory, 2, patience=patience))(memory)


def chance(text, ids):
    """The log-probability of a text of the chain."""
    last, total = BEGIN, 0.0
    for token in ids:
        total, last = total + float(TABLES[text, last, token]), token
    return total


@pytest.mark.parametrize("patience", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_of_all_texts(patience):
    ids, rank = searched(40, patience)
    for text in range(2):
        texts = [
            (*words, *ending)
            for count in range(LENGTH + 1)
            for words in itertools.product((4, 5), repeat=count)
            for ending in ([(END,)] if count < LENGTH else [()])
        ]
        best = max(texts, key=lambda ids, t=text: chance(t, ids) / len(ids) ** patience)
        found = [int(i) for i in ids[text, 0] if i]
        assert found == list(best)
        np.testing.assert_allclose(rank[text, 0], chance(text, best) / len(best) ** patience, rtol=1e-4)


def test_one_beam_is_greedy():
    ids, _ = searched(1, 1.0)
    for text in range(2):
        last, found = BEGIN, []
        while len(found) < LENGTH and last != END:
            last = int(np.argmax(TABLES[text, last]))
            found.append(last)
        assert [int(i) for i in ids[text, 0] if i] == found
