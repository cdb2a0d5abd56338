"""Random fields against every labelling written out."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from manyfit import losses

RNG = np.random.default_rng(3)
K = 3


def every(emissions, transitions, begin, end):
    """(labelling, score) of a sequence, one by one."""
    for labels in itertools.product(range(K), repeat=len(emissions)):
        pairs = sum(transitions[a, b] for a, b in itertools.pairwise(labels))
        alone = sum(row[label] for row, label in zip(emissions, labels))
        yield labels, begin[labels[0]] + alone + pairs + end[labels[-1]]


def test_against_every_labelling():
    emissions, lengths = RNG.normal(size=(3, 4, K)), np.array([4, 1, 3])
    chain = RNG.normal(size=(K, K)), RNG.normal(size=K), RNG.normal(size=K)
    target = np.array([[0, 2, 1, 1], [2, -1, -1, -1], [1, -1, 0, -1]])  # of the last the second is not known
    given = [jnp.asarray(a, jnp.float32) for a in (emissions, *chain)]
    loss = jax.jit(losses.crf)(*given, jnp.asarray(target), jnp.asarray(lengths))
    marginals = jax.jit(losses.crf_marginals)(*given, jnp.asarray(lengths))
    for row, length in enumerate(lengths):
        found = list(every(emissions[row, :length], *chain))
        weights = np.exp([score for _, score in found])
        agrees = [all(t in (-1, y) for t, y in zip(target[row], labels)) for labels, _ in found]
        np.testing.assert_allclose(loss[row], -np.log(weights[agrees].sum() / weights.sum()), rtol=2e-5)
        for place in range(length):
            here = [weights[[labels[place] == k for labels, _ in found]].sum() for k in range(K)]
            np.testing.assert_allclose(marginals[row, place], here / weights.sum(), atol=1e-5)
    np.testing.assert_allclose(marginals[1, 1:], 1 / K)


def test_no_chain_is_a_cross_entropy():
    emissions, target = (
        jnp.asarray(RNG.normal(size=(2, 4, K)), jnp.float32),
        jnp.array([[0, 1, 2, 0], [2, 2, 1, 0]]),
    )
    none = jnp.zeros((K, K)), jnp.zeros(K), jnp.zeros(K)
    found = jax.jit(losses.crf)(emissions, *none, target, jnp.array([4, 4]))
    np.testing.assert_allclose(found, losses.cross_entropy(emissions, target).sum(axis=1), rtol=1e-5)
