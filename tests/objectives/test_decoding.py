"""Filters against a slow and obvious reference, and the draw against its probabilities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.errors import ConfigError
from manyfit.objectives.decoding import Sampling, drawn, filtered

SETTINGS = [
    Sampling(),
    Sampling(temperature=0.5),
    Sampling(top_k=3),
    Sampling(top_p=0.6),
    Sampling(min_p=0.3),
    Sampling(repetition_penalty=1.5),
    Sampling(0.7, 5, 0.8, 0.1, 1.3),
    Sampling(top_p=1e-6),
]


def slow(log_p, s, seen):
    """One row, as one would say it."""
    p = np.exp(
        [value * (s.repetition_penalty if was else 1.0) for value, was in zip(log_p, seen, strict=True)]
    )
    p = p ** (1 / s.temperature)
    order = sorted(range(len(p)), key=lambda i: -p[i])
    if s.top_k:
        order = order[: s.top_k]
    total = sum(p[i] for i in order)
    kept, mass = [], 0.0
    for i in order:
        if mass >= s.top_p * total and s.top_p < 1:
            break
        kept.append(i)
        mass += p[i]
    kept = [i for i in kept if p[i] >= s.min_p * p[order[0]]]
    out = np.zeros(len(p))
    out[kept] = p[kept] / sum(p[kept])
    return out


@pytest.mark.parametrize("sampling", SETTINGS)
def test_filters_equal_the_slow_ones(sampling):
    rng = np.random.default_rng(1)
    log_p = np.asarray(jax.nn.log_softmax(jnp.asarray(rng.normal(size=(20, 9)), jnp.float32)))
    seen = rng.random((20, 9)) < 0.3
    found = np.exp(filtered(jnp.asarray(log_p), sampling, jnp.asarray(seen)))
    for row in range(20):
        np.testing.assert_allclose(found[row], slow(log_p[row].astype(float), sampling, seen[row]), atol=1e-6)


def test_tokens_are_drawn_as_often_as_they_are_probable():
    p = np.array([0.5, 0.3, 0.2, 0.0])
    rows = 4000
    keys = jax.random.split(jax.random.key(0), rows)
    log_p = jnp.broadcast_to(jnp.log(jnp.asarray(p)), (rows, 4))
    seen = jnp.zeros((rows, 4), bool)
    counts = np.bincount(np.asarray(drawn(log_p, Sampling(), seen, keys)), minlength=4)
    # five standard deviations of a binomial count
    assert np.all(np.abs(counts - rows * p) <= 5 * np.sqrt(rows * p * (1 - p)))
    assert set(np.asarray(drawn(log_p, Sampling(temperature=0.0), seen, keys)).tolist()) == {0}


@pytest.mark.parametrize(
    "bad", [{"temperature": -1}, {"top_k": -1}, {"top_p": 0}, {"min_p": 2}, {"repetition_penalty": 0}]
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        Sampling(**bad).checked()
