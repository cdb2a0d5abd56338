"""Language modelling: the next token of a text, from windows drawn at random inside the program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from manyfit.engine.objective import Array, BaseObjective, Batch, Fold, Hyper, Key, Metric, PyTree
from manyfit.engine.stored import cut
from manyfit.losses import cross_entropy
from manyfit.models.architecture import Architecture, Inputs
from manyfit.objectives.learning import begun, final, learned, settled
from manyfit.objectives.module import Functional, Weights
from manyfit.optim import AdamW, Optimizer, narrowed, rematerialised
from manyfit.optim.precision import Precision, Rematerialise

TOKENS_AT_ONCE = 4096
"""Tokens that an evaluation reads at once: their activations stay in the cache of a core."""


@dataclass(frozen=True)
class NextToken(BaseObjective):
    """Minimise the cross-entropy of every token given those before it in a window of ``context`` tokens.

    The data set is a whole text as tokens, in memory once, and rows that say where its windows lie:
    ``{"tokens": (tokens,), "start": (rows,), "targets": (rows,), "reach": (rows,), "characters": (rows,)}``.
    A row's window begins at ``start``; its first ``targets`` tokens have a successor to be predicted, and
    these rows together hold every token of their part of the text once. In training the window begins up
    to ``reach`` tokens later, drawn anew each time, so that over the epochs every window of the text is
    seen. ``characters`` is how much text the targets are.

    ``evaluate`` measures, over every token of the rows, ``loss`` in nats a token, ``accuracy``, and
    ``bits_per_character``; ``derived`` adds ``perplexity``.
    """

    model: Architecture
    vocabulary: int
    """How many token ids there are."""
    context: int = 64
    optimizer: Optimizer = field(default_factory=AdamW)
    precision: Precision = "float32"
    """What training computes in; weights, moments and evaluation are float32 always."""
    rematerialise: Rematerialise = "none"
    """What the backward pass computes again to save memory; see ``optim.rematerialised``."""

    # The protocol

    def prepare(self, fold: Fold) -> PyTree:
        """Nothing is learned from rows before training."""
        del fold
        return ()

    def gather(self, data: PyTree, rows: Array) -> PyTree:
        """``{"tokens": (batch, 2 * context + 1), ...}``: each window with the text that it may move over."""
        at = {name: jnp.take(data[name], rows, mode="clip") for name in data if name != "tokens"}
        # cut as slices, not as single tokens; the host pads the text, so that none runs over its end
        return {**at, "tokens": cut(data["tokens"], at["start"], 2 * self.context + 1)}

    def init(self, key: Key, hyper: Hyper, prepared: PyTree) -> PyTree:
        """Fresh weights and the optimizer's moments."""
        del prepared
        here = settled(self, hyper)
        return begun(here.optimizer, here.functional().init(key))

    def update(self, state: PyTree, batch: Batch, key: Key, hyper: Hyper) -> tuple[PyTree, dict[str, Metric]]:
        """One step of the optimizer on the mean loss of a batch of windows."""
        here = settled(self, hyper)
        weights, functional = state["weights"], here.functional()
        inputs, targets, known = self._drawn(batch, key)

        def mean_loss(params: PyTree) -> tuple[Array, tuple[PyTree, Metric]]:
            narrow = Weights(narrowed(params, self.precision), weights.rest)
            logits, rest = functional.apply(narrow, {"tokens": inputs}, train=True, key=key)
            rest = jax.tree.map(lambda new, old: new.astype(old.dtype), rest, weights.rest)
            metric = Metric.mean(cross_entropy(logits, targets), known)
            return metric.total / jnp.maximum(metric.count, 1e-12), (rest, metric)

        descended = rematerialised(mean_loss, self.rematerialise)
        state, found = learned(here.optimizer, descended, state, hyper, jnp.sum(known))
        return state, {"loss": found}

    def export(self, state: PyTree) -> PyTree:
        """The weights to evaluate with; the optimizer's moments are left behind."""
        return final(self.optimizer, state)

    def evaluate(self, model: PyTree, batch: Batch) -> dict[str, Metric]:
        """Loss, accuracy and bits a character of every target of the rows, in order, nothing drawn."""
        return self.measured(lambda tokens: self.log_probabilities(model, tokens), batch)

    def predict(self, model: PyTree, data: PyTree) -> Array:
        """Log-probabilities ``(batch, context, vocabulary)`` of what follows each token of ``data["tokens"]``."""
        return self.log_probabilities(model, data["tokens"][:, : self.context].astype(jnp.int32))

    # Parts

    def derived(self, scores: Mapping[str, float]) -> dict[str, float]:
        """Perplexity, ``exp(loss)``."""
        return {"perplexity": math.exp(min(scores["loss"], 700.0))} if "loss" in scores else {}

    def measured(self, log_probabilities: Any, batch: Batch) -> dict[str, Metric]:
        """What ``evaluate`` measures, of a function from windows ``(B, context)`` to log-probabilities."""
        rows, size = batch.data["tokens"].astype(jnp.int32), self.context
        known = jnp.arange(size) < (batch.data["targets"] * (batch.weight > 0))[:, None]

        def one(row: tuple[Array, Array]) -> tuple[Array, Array]:
            tokens, seen = row[0][None], row[1][None]
            found, targets = log_probabilities(tokens[:, :-1]), tokens[:, 1:]
            loss = -jnp.take_along_axis(found, targets[..., None], axis=-1)[..., 0]
            right = jnp.argmax(found, axis=-1) == targets
            return jnp.sum(jnp.where(seen, loss, 0.0)), jnp.sum((seen & right).astype(jnp.float32))

        loss, right = lax.map(one, (rows[:, : size + 1], known), batch_size=max(1, TOKENS_AT_ONCE // size))
        loss, right, count = jnp.sum(loss), jnp.sum(right), jnp.sum(known.astype(jnp.float32))
        text = jnp.sum(batch.data["characters"] * (batch.weight > 0))
        return {
            "loss": Metric(loss, count),
            "accuracy": Metric(right, count),
            "bits_per_character": Metric(loss / math.log(2), text),
        }

    def log_probabilities(self, model: Weights, tokens: Array) -> Array:
        """``(B, T, vocabulary)`` of what follows each token of ``(B, T)``."""
        logits, _ = self.functional().apply(model, {"tokens": tokens}, train=False)
        return jax.nn.log_softmax(logits.astype(jnp.float32))

    def parameters(self) -> int:
        """The number of trained values of one member."""
        weights = jax.eval_shape(lambda: self.functional().init(jax.random.key(0)))
        return sum(leaf.size for leaf in jax.tree.leaves(weights.params))

    def functional(self) -> Functional:
        """The network as pure functions."""
        inputs = Inputs({"tokens": jax.ShapeDtypeStruct((1, self.context), jnp.int32)})

        def build(rngs: nnx.Rngs) -> nnx.Module:
            return self.model.build(inputs, self.vocabulary, rngs=rngs)

        return Functional(build)

    def _drawn(self, batch: Batch, key: Key) -> tuple[Array, Array, Array]:
        """Inputs and targets ``(B, context)`` of windows drawn at random, and 1 where a target is known."""
        data, size = batch.data, self.context
        share = jax.random.uniform(jax.random.fold_in(key, _WINDOWS), batch.weight.shape)
        moved = (share * (data["reach"] + 1)).astype(jnp.int32).clip(max=data["reach"])
        slide = jax.vmap(lambda row, first: lax.dynamic_slice_in_dim(row, first, size + 1))
        windows = slide(data["tokens"], moved).astype(jnp.int32)
        whole = jnp.where(data["reach"] > 0, size, data["targets"])
        known = (jnp.arange(size) < whole[:, None]) * batch.weight[:, None]
        return windows[:, :-1], windows[:, 1:], known


_WINDOWS = 0x77696E
"""Sets the drawing of windows apart from the randomness of the layers."""
