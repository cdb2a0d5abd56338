"""Linear-chain conditional random fields: labels of a sequence judged together.

A labelling ``y`` of a sequence of ``n`` steps has the score ``begin[y_1] + sum_t emissions[t, y_t] +
sum_t transitions[y_t, y_{t+1}] + end[y_n]``, and the probability ``exp(score) / Z`` among all labellings.

Source: Lafferty, McCallum and Pereira (2001), "Conditional random fields".
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.losses._arrays import Array, one_hot, wide

_NEVER = -1e30
"""In place of log 0, so that no gradient is 0 times infinity."""


def crf(
    emissions: Array, transitions: Array, begin: Array, end: Array, target: Array, lengths: Array
) -> Array:
    """``-log`` of the probability of the labels, in nats: one value a sequence.

    Args:
        emissions: ``(B, T, K)``.
        transitions: ``(K, K)``, from a label (rows) to the next.
        begin: ``(K,)``.
        end: ``(K,)``.
        target: ``(B, T)`` class indices; where it is no index in [0, K) the label is not known, and any may stand
            there: the probability is that of all labellings which agree with the others.
        lengths: ``(B,)``, how many of the T steps are real, at least 1.
    """
    emissions, chain = wide(emissions), (wide(transitions), wide(begin), wide(end))
    hot, known = one_hot(target, emissions.shape[-1])
    agreeing = jnp.where(hot | ~known[..., None], emissions, _NEVER)
    return crf_log_normaliser(emissions, *chain, lengths) - crf_log_normaliser(agreeing, *chain, lengths)


def crf_log_normaliser(
    emissions: Array, transitions: Array, begin: Array, end: Array, lengths: Array
) -> Array:
    """``log Z`` of each sequence, ``(B,)``: the forward algorithm. Arguments as of ``crf``."""
    emissions, transitions, begin, end = map(wide, (emissions, transitions, begin, end))

    def step(alpha: Array, at: tuple[Array, Array]) -> tuple[Array, None]:
        emission, is_real = at
        new = jax.nn.logsumexp(alpha[:, :, None] + transitions, axis=1) + emission
        return jnp.where(is_real[:, None], new, alpha), None

    later = jnp.arange(1, emissions.shape[1])[:, None] < lengths
    alpha, _ = lax.scan(step, begin + emissions[:, 0], (emissions[:, 1:].swapaxes(0, 1), later))
    return jax.nn.logsumexp(alpha + end, axis=1)


def crf_marginals(emissions: Array, transitions: Array, begin: Array, end: Array, lengths: Array) -> Array:
    """The probability of each label at each step, ``(B, T, K)``; alike for all labels after a sequence's end.

    It is the gradient of ``log Z`` by the emissions, which backpropagation finds as the forward-backward algorithm
    does (Eisner, 2016, "Inside-outside and forward-backward algorithms are just backprop").
    """

    def total(emissions: Array) -> Array:
        return jnp.sum(crf_log_normaliser(emissions, transitions, begin, end, lengths))

    found = jax.grad(total)(wide(emissions))
    real = jnp.arange(emissions.shape[1]) < lengths[:, None]
    return jnp.where(real[..., None], found, 1 / emissions.shape[-1])
