"""Losses of sequences that are not aligned with their labels."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from manyfit.losses._arrays import Array, wide


def ctc(logits: Array, lengths: Array, labels: Array, label_lengths: Array, blank: int = 0) -> Array:
    """Connectionist temporal classification: ``-log`` of the summed probability of all alignments, in nats.

    Args:
        logits: ``(B, T, K)``.
        lengths: ``(B,)``, how many of the T steps are real.
        labels: ``(B, N)`` indices in [0, K) without ``blank``; what lies past ``label_lengths`` is not read.
        label_lengths: ``(B,)``.
        blank: the index that stands for no label.

    A labelling that is too long for its sequence has a loss of about 1e5, optax's stand-in for infinity.

    Source: Graves et al. (2006), "Connectionist temporal classification", by ``optax.ctc_loss``.
    """
    steps, places = jnp.arange(logits.shape[1]), jnp.arange(labels.shape[1])
    padded = (steps[None] >= lengths[:, None]).astype(jnp.float32)
    unlabelled = (places[None] >= label_lengths[:, None]).astype(jnp.float32)
    labels = jnp.where(unlabelled > 0, blank, labels)
    return optax.ctc_loss(wide(logits), padded, labels, unlabelled, blank_id=blank)
