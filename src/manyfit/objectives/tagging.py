"""Tagging: a label for every word of a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from manyfit.engine.objective import Array, Batch, Metric, PyTree
from manyfit.errors import ConfigError
from manyfit.losses import CrossEntropy, Loss, crf, crf_marginals
from manyfit.objectives.supervised import Supervised


@dataclass(frozen=True)
class Words:
    """A loss of classes, word by word: outputs ``(B, T, K)``, target ``(B, T)``, negative where nothing is known.

    A row's loss is the mean over its words; ``Tagging`` weighs it by their number. Outputs that are a conditional
    random field (``losses.crf``'s arguments by name) have its loss, whatever ``each`` is.
    """

    each: Loss
    classification: ClassVar[bool] = True

    def __call__(self, outputs: Any, target: Array) -> Array:
        """``(B,)``."""
        if isinstance(outputs, Mapping):
            known = labelled(target, outputs["emissions"].shape[-1])
            count = jnp.sum(known, axis=1)
            return jnp.where(count > 0, crf(**outputs, target=target) / jnp.maximum(count, 1), 0)
        known = labelled(target, outputs.shape[-1])
        flat = outputs.reshape(-1, outputs.shape[-1])
        loss = self.each(flat, jnp.where(known, target, 0).reshape(-1)).reshape(target.shape)
        return jnp.sum(jnp.where(known, loss, 0), axis=1) / jnp.maximum(jnp.sum(known, axis=1), 1)

    def outputs(self, classes: int | None) -> int:
        """One logit a class."""
        return self.each.outputs(classes)

    def predict(self, outputs: Any) -> Array:
        """Probabilities ``(B, T, K)``, each word's own; of a conditional random field under all labellings."""
        if isinstance(outputs, Mapping):
            return crf_marginals(**outputs)
        return self.each.predict(outputs)


@dataclass(frozen=True)
class Tagging(Supervised):
    """``Supervised`` word by word: rows are sentences, their target ``(rows, T)`` class indices, -1 where unknown.

    Loss and accuracy are means over words: a sentence counts as much as it has labelled ones. ``predict`` gives
    probabilities ``(batch, T, classes)``; what stands after a sentence's end means nothing.
    """

    def __post_init__(self) -> None:
        if self.balance or self.augment or self.views != "one":
            raise ConfigError(
                "Tagging has no balance, augment or views: they are for rows of one label, and images"
            )

    def bind(self, data: PyTree, cardinalities: tuple[int, ...] = ()) -> Tagging:
        """As of ``Supervised``; raises ``ConfigError`` for a target that has one label a row."""
        if len(data["target"].shape) != 2:
            raise ConfigError(
                f"Tagging takes a label for each word, a target (rows, T), not {data['target'].shape}: "
                "use Supervised for one label a row"
            )
        bound = super().bind(data, cardinalities)
        assert isinstance(bound, Tagging)
        return bound

    def shorten(self, data: PyTree, length: int) -> PyTree:
        """Sentences and their labels, cut to ``length`` words."""
        return {**super().shorten(data, length), "target": data["target"][:, :length]}

    def evaluate(self, model: PyTree, batch: Batch) -> dict[str, Metric]:
        """Cross-entropy and accuracy over the words."""
        outputs = self._outputs(model, batch.data)
        target, weight = self._target(model["prepared"], batch)
        known = labelled(target, self.classes or 0)
        right = known & (jnp.argmax(self._loss.predict(outputs), axis=-1) == target)
        measured = {
            "loss": Metric.mean(self._judge()(outputs, target), weight),
            "accuracy": Metric(jnp.sum(right * batch.weight[:, None]), jnp.sum(weight)),
        }
        if self.probe:
            from manyfit.objectives.probe import pass_metrics

            measured |= pass_metrics(self, model, batch)
        return measured

    def _target(self, prepared: PyTree, batch: Batch) -> tuple[Array, Array]:
        target, weight = super()._target(prepared, batch)
        return target, weight * jnp.sum(labelled(target, self.classes or 0), axis=1)

    def _judge(self) -> Loss:
        return Words(CrossEntropy())

    @property
    def _loss(self) -> Loss:
        return Words(super()._loss)


def labelled(target: Any, classes: int) -> Any:
    """bool ``(B, T)``: the words whose label is known, and one of the classes."""
    return (target >= 0) & (target < classes)
