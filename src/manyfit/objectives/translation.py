"""Translation: the tokens of one text from those of another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.data.special_tokens import PAD
from manyfit.engine.objective import Array, BaseObjective, Batch, Fold, Hyper, Key, Metric, PyTree
from manyfit.models.architecture import Architecture, Inputs
from manyfit.objectives.learning import begun, final, learned, settled
from manyfit.objectives.module import Functional, Weights
from manyfit.optim import AdamW, Optimizer, narrowed
from manyfit.optim.precision import Precision
from manyfit.space import Numeric


@dataclass(frozen=True)
class Translation(BaseObjective):
    """Minimise the cross-entropy of every target token given the source and the target's tokens before it.

    Rows are ``{"source": (n, S), "target": (n, T)}`` int32, ``PAD`` after the end of a text; a target begins with
    ``BEGIN`` and ends with ``END``. ``smoothing`` gives so much of the label's probability to all tokens alike in
    training (Szegedy et al., 2016, "Rethinking the inception architecture").

    ``evaluate`` measures, over every target token and without smoothing, ``loss`` in nats a token and ``accuracy``;
    ``derived`` adds ``perplexity``.
    """

    model: Architecture
    vocabulary: int
    """How many token ids both texts share."""
    optimizer: Optimizer = field(default_factory=AdamW)
    smoothing: Numeric = 0.1
    precision: Precision = "float32"
    """What training computes in; weights, moments and evaluation are float32 always."""

    # The protocol

    def prepare(self, fold: Fold) -> PyTree:
        """Nothing is learned from rows before training."""
        del fold
        return ()

    def lengths(self, data: PyTree) -> Array:
        """The tokens that the longer side of each pair has the network read."""
        source, target = (jnp.asarray(data[side]) != PAD for side in ("source", "target"))
        counts = jnp.sum(source, axis=1, dtype=jnp.int32), jnp.sum(target, axis=1, dtype=jnp.int32) - 1
        return jnp.maximum(*counts)

    def shorten(self, data: PyTree, length: int) -> PyTree:
        """Pairs of at most ``length`` tokens a side, without the padding after them."""
        return {"source": data["source"][:, :length], "target": data["target"][:, : length + 1]}

    def init(self, key: Key, hyper: Hyper, prepared: PyTree) -> PyTree:
        """Fresh weights and the optimizer's moments."""
        del prepared
        here = settled(self, hyper)
        return begun(here.optimizer, here.functional().init(key))

    def update(self, state: PyTree, batch: Batch, key: Key, hyper: Hyper) -> tuple[PyTree, dict[str, Metric]]:
        """One step of the optimizer on the mean loss of the batch's target tokens."""
        here = settled(self, hyper)
        weights, functional = state["weights"], here.functional()
        smoothing: Any = here.smoothing
        features, labels, known = _parts(batch.data, batch.weight)

        def mean_loss(params: PyTree) -> tuple[Array, tuple[PyTree, Metric]]:
            narrow = Weights(narrowed(params, self.precision), weights.rest)
            logits, rest = functional.apply(narrow, features, train=True, key=key)
            rest = jax.tree.map(lambda new, old: new.astype(old.dtype), rest, weights.rest)
            found = jax.nn.log_softmax(logits.astype(jnp.float32))
            right = jnp.take_along_axis(found, labels[..., None], axis=-1)[..., 0]
            loss = -(1 - smoothing) * right - smoothing * jnp.mean(found, axis=-1)
            metric = Metric.mean(loss, known)
            return metric.total / jnp.maximum(metric.count, 1e-12), (rest, metric)

        state, measured = learned(here.optimizer, mean_loss, state, hyper, jnp.sum(known))
        return state, {"loss": measured}

    def export(self, state: PyTree) -> PyTree:
        """The weights to evaluate with; the optimizer's moments are left behind."""
        return final(self.optimizer, state)

    def evaluate(self, model: PyTree, batch: Batch) -> dict[str, Metric]:
        """Loss and accuracy of every target token of the rows."""
        features, labels, known = _parts(batch.data, batch.weight)
        logits, _ = self.functional().apply(model, features, train=False)
        found = jax.nn.log_softmax(logits.astype(jnp.float32))
        loss = -jnp.take_along_axis(found, labels[..., None], axis=-1)[..., 0]
        right = (jnp.argmax(found, axis=-1) == labels).astype(jnp.float32)
        return {"loss": Metric.mean(loss, known), "accuracy": Metric.mean(right, known)}

    def predict(self, model: PyTree, data: PyTree) -> Array:
        """Log-probabilities ``(B, T - 1, vocabulary)`` of what follows each token of the targets."""
        features, _, _ = _parts(data, jnp.ones(len(data["source"])))
        logits, _ = self.functional().apply(model, features, train=False)
        return jax.nn.log_softmax(logits.astype(jnp.float32))

    # Parts

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """What its measures lie between, for intervals."""
        return {"loss": (0.0, math.inf), "accuracy": (0.0, 1.0), "perplexity": (1.0, math.inf)}

    def derived(self, scores: Mapping[str, float]) -> dict[str, float]:
        """Perplexity, ``exp(loss)``."""
        return {"perplexity": math.exp(min(scores["loss"], 700.0))} if "loss" in scores else {}

    def parameters(self) -> int:
        """The number of trained values of one member."""
        weights = jax.eval_shape(lambda: self.functional().init(jax.random.key(0)))
        return sum(leaf.size for leaf in jax.tree.leaves(weights.params))

    def functional(self) -> Functional:
        """The network as pure functions."""
        shape = jax.ShapeDtypeStruct((1, 1), jnp.int32)
        inputs = Inputs({"source": shape, "target": shape})

        def build(rngs: nnx.Rngs) -> nnx.Module:
            return self.model.build(inputs, self.vocabulary, rngs=rngs)

        return Functional(build)


def _parts(data: Mapping[str, Any], weight: Array) -> tuple[dict[str, Array], Array, Array]:
    """What the network reads, the token that follows each it reads, and 1 where there is one."""
    source, target = data["source"].astype(jnp.int32), data["target"].astype(jnp.int32)
    labels = target[:, 1:]
    known = (labels != PAD) * weight[:, None]
    lengths = jnp.sum(source != PAD, axis=1, dtype=jnp.int32)
    return {"source": source, "source_lengths": lengths, "target": target[:, :-1]}, labels, known
