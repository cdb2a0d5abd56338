"""Supervised learning: features in, a target out, one module, one loss, one optimizer."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.augment import VIEWS, Mixed, Views, augmented, views
from manyfit.engine.objective import Array, BaseObjective, Batch, Fold, Hyper, Key, Metric, PyTree
from manyfit.errors import ConfigError, nearest
from manyfit.losses import CrossEntropy, Loss, SquaredError
from manyfit.losses import named as named_loss
from manyfit.models.architecture import Architecture, Inputs
from manyfit.objectives.learning import begun, final, learned, settled
from manyfit.objectives.module import Functional, Weights
from manyfit.optim import AdamW, Optimizer, narrowed, rematerialised
from manyfit.optim.precision import Precision, Rematerialise


class Preprocess(Protocol):
    """What turns rows into features; everything learned comes from ``fit``, on training rows alone."""

    def fit(self, inputs: PyTree, weight: Array) -> PyTree:
        """Statistics of the rows (leaves ``(rows, ...)``) whose ``weight`` is above 0."""
        ...

    def apply(self, stats: PyTree, inputs: PyTree) -> PyTree:
        """Features of a batch.

        Where a preprocessing also has ``encode(stats, inputs)`` and
        ``features(stats, encoded)``, ``apply`` is the one after the other, and
        the engine may do the first once for all rows.
        """
        ...


@dataclass(frozen=True)
class Identity:
    """Inputs are features as they are."""

    def fit(self, inputs: PyTree, weight: Array) -> PyTree:
        """Nothing is learned."""
        del inputs, weight
        return ()

    def apply(self, stats: PyTree, inputs: PyTree) -> PyTree:
        """The inputs."""
        del stats
        return inputs


@dataclass(frozen=True)
class Supervised(BaseObjective):
    """Minimise a loss between a module's outputs and a target.

    Rows are ``{"inputs": features by name, "target": (rows,), "weight": (rows,)
    optional}``: int32 class indices for classification (``classes`` given),
    float32 values for regression (``classes=None``; the target is standardised
    by the training rows' mean and deviation inside, unless the loss is for counts). ``balance`` weighs each
    class inversely to its frequency in the training rows.

    ``predict`` gives class probabilities ``(batch, classes)`` or values ``(batch,)``.
    """

    model: Architecture
    loss: Loss | str | None = None
    """A loss, its name, or None: cross-entropy for classes, squared error for values."""
    optimizer: Optimizer = field(default_factory=AdamW)
    preprocess: Preprocess | None = None
    """What turns rows into features; None takes the task's own, or the inputs as they are."""
    classes: int | None = None
    balance: bool = False
    probe: bool = False
    """Whether the history keeps activations and gradients layer by layer (``manyfit.objectives.probe``)."""
    precision: Precision = "float32"
    """What training computes in; weights, moments and evaluation are float32 always."""
    rematerialise: Rematerialise = "none"
    """What the backward pass computes again to save memory; see ``optim.rematerialised``."""
    augment: tuple[Any, ...] = ()
    """What changes training images at random (``manyfit.augment``); evaluation sees them as they are."""
    views: Views = "one"
    """What a prediction of an image averages over: the image alone, or with ``flip``, ``shifts``, ``flip-shifts``."""
    features: Inputs | None = None
    """Shapes of the features, batch axis 1; ``bind`` fills it in."""

    def bind(self, data: PyTree, cardinalities: tuple[int, ...] = ()) -> Supervised:
        """The objective for rows like ``data`` (arrays, or their shapes), which the architecture is built for."""
        specs = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape[1:]), leaf.dtype), data)
        leaves, tree = jax.tree.flatten(specs["inputs"])
        preprocess: Any = self._preprocess
        try:
            hash(preprocess)
        except TypeError:  # an array or a list in it
            features = _feature_shapes.__wrapped__(preprocess, tuple(leaves), tree)
        else:
            features = _feature_shapes(preprocess, tuple(leaves), tree)
        loss = self.loss or (SquaredError() if self.classes is None else CrossEntropy())
        return dataclasses.replace(self, loss=named_loss(loss), features=Inputs(features, cardinalities))

    # The protocol

    def prepare(self, fold: Fold) -> PyTree:
        """Preprocessing statistics, the target's scale and the classes' weights, from the training rows."""
        rows, weight = fold.take(), fold.weight
        prepared: dict[str, Any] = {"inputs": self._preprocess.fit(rows["inputs"], weight)}
        amount = weight * rows["weight"] if "weight" in rows else weight
        total = jnp.maximum(jnp.sum(amount), 1e-12)
        if self.classes is None:
            target = jnp.where(amount > 0, rows["target"], 0.0)
            mean = jnp.sum(target * amount) / total
            variance = jnp.sum(jnp.where(amount > 0, (target - mean) ** 2, 0.0) * amount) / total
            scale = jnp.where(variance > 0, jnp.sqrt(variance), 1.0)
            if not getattr(self._loss, "standardised", True):  # counts stay counts
                mean, scale = jnp.zeros_like(mean), jnp.ones_like(scale)
            prepared["target"] = {"mean": mean, "scale": scale}
        elif self.balance:
            share = jnp.zeros(self.classes).at[rows["target"]].add(amount) / total
            seen = share > 0
            each = jnp.where(seen, 1.0 / jnp.where(seen, share, 1.0), 0.0) / jnp.maximum(jnp.sum(seen), 1)
            prepared["class_weight"] = each
        return prepared

    def transform(self, prepared: PyTree, data: PyTree) -> PyTree:
        """Rows with their inputs encoded, where the preprocessing has a part that is worth doing once."""
        if not hasattr(self._preprocess, "encode"):
            return data
        return {**data, "inputs": self._preprocess.encode(prepared["inputs"], data["inputs"])}

    def lengths(self, data: PyTree) -> Array | None:
        """Those of the sequences, where the architecture reads any length and the preprocessing knows them."""
        known = getattr(self._preprocess, "lengths", None)
        return known(data["inputs"]) if known and getattr(self.model, "any_length", False) else None

    def shorten(self, data: PyTree, length: int) -> PyTree:
        """Rows whose sequences are cut to ``length``."""
        preprocess: Any = self._preprocess
        return {**data, "inputs": preprocess.shorten(data["inputs"], length)}

    def init(self, key: Key, hyper: Hyper, prepared: PyTree) -> PyTree:
        """Fresh weights, the optimizer's moments, and what was prepared."""
        here = settled(self, hyper)
        return {**begun(here.optimizer, here._functional().init(key)), "prepared": prepared}

    def update(self, state: PyTree, batch: Batch, key: Key, hyper: Hyper) -> tuple[PyTree, dict[str, Metric]]:
        """One step of the optimizer on the weighted mean loss of the batch."""
        here = settled(self, hyper)
        prepared, weights = state["prepared"], state["weights"]
        features = here._features(prepared, batch.data)
        target, weight = here._target(prepared, batch)
        if self.augment and target.ndim > 1:
            raise ConfigError("augment moves images and not their targets: give one target for a whole image")
        features, mixed = here._augmented(features, weight, key)
        functional = here._functional()

        def mean_loss(params: PyTree) -> tuple[Array, tuple[PyTree, Metric]]:
            narrow = Weights(narrowed(params, self.precision), weights.rest)
            outputs, rest = functional.apply(narrow, narrowed(features, self.precision), train=True, key=key)
            rest = jax.tree.map(lambda new, old: new.astype(old.dtype), rest, weights.rest)
            each = here._loss(outputs, target)
            if mixed is not None:
                each = mixed.share * each + (1 - mixed.share) * here._loss(outputs, target[mixed.partner])
            metric = Metric.mean(each, weight)
            return metric.total / jnp.maximum(metric.count, 1e-12), (rest, metric)

        descended = rematerialised(mean_loss, self.rematerialise)
        state, found = learned(here.optimizer, descended, state, hyper, jnp.sum(weight))
        return state, {"loss": found}

    def export(self, state: PyTree) -> PyTree:
        """The weights to evaluate with, and what was prepared; the optimizer's moments are left behind."""
        return {"weights": final(self.optimizer, state), "prepared": state["prepared"]}

    def evaluate(self, model: PyTree, batch: Batch) -> dict[str, Metric]:
        """The loss (for classification always the plain cross-entropy) and the field's first metric."""
        outputs = self._outputs(model, batch.data)
        target, _ = self._target(model["prepared"], batch)
        weight = batch.weight * batch.data["weight"] if "weight" in batch.data else batch.weight
        measured = {"loss": Metric.mean(self._judge()(outputs, target), weight)}
        if self.classes is not None:
            correct = (jnp.argmax(outputs, axis=1) == target).astype(jnp.float32)
            measured["accuracy"] = Metric.mean(correct, weight)
        if self.probe:
            from manyfit.objectives.probe import pass_metrics

            measured |= pass_metrics(self, model, batch)
        return measured

    def predict(self, model: PyTree, data: PyTree) -> Array:
        """Class probabilities ``(batch, classes)``, or values ``(batch,)`` in the target's units."""
        outputs = self._outputs(model, self.transform(model["prepared"], data))
        if self.classes is None:
            scale = model["prepared"]["target"]
            return self._loss.predict(outputs) * scale["scale"] + scale["mean"]
        return self._loss.predict(outputs)

    # Parts

    def parameters(self) -> int:
        """The number of trained values of one member."""
        weights = jax.eval_shape(lambda: self._functional().init(jax.random.key(0)))
        return sum(leaf.size for leaf in jax.tree.leaves(weights.params))

    def _functional(self) -> Functional:
        if self.features is None:
            raise TypeError("a Supervised objective has to be bound to its data first: objective.bind(data)")
        features, outputs = self.features, self._loss.outputs(self.classes)

        def build(rngs: nnx.Rngs) -> nnx.Module:
            return self.model.build(features, outputs, rngs=rngs)

        return Functional(build)

    def _features(self, prepared: PyTree, data: PyTree) -> PyTree:
        """The features of transformed rows."""
        finish = getattr(self._preprocess, "features", self._preprocess.apply)
        return finish(prepared["inputs"], data["inputs"])

    def _outputs(self, model: PyTree, data: PyTree) -> Array:
        features = self._features(model["prepared"], data)
        if self.views == "one":
            return self._functional().apply(model["weights"], features, train=False)[0]
        if self.views not in VIEWS:
            raise ConfigError(f"views={self.views!r}: {nearest(self.views, VIEWS)}")
        several = [
            self._functional().apply(model["weights"], {**features, "pixels": pixels}, train=False)[0]
            for pixels in views(self.views, _pixels(features))
        ]
        return jnp.mean(jnp.stack(several), axis=0)

    def _augmented(self, features: PyTree, weight: Array, key: Key) -> tuple[PyTree, Mixed | None]:
        if not self.augment:
            return features, None
        drawn = jax.random.fold_in(key, _AUGMENT)
        images, mixed = augmented(self.augment, _pixels(features), weight, drawn)
        return {**features, "pixels": images}, mixed

    def _target(self, prepared: PyTree, batch: Batch) -> tuple[Array, Array]:
        target, weight = batch.data["target"], batch.weight
        if "weight" in batch.data:
            weight = weight * batch.data["weight"]
        if self.classes is None:
            scale = prepared["target"]
            return (target - scale["mean"]) / scale["scale"], weight
        if "class_weight" in prepared:
            weight = weight * prepared["class_weight"][target]
        return target, weight

    def _judge(self) -> Loss:
        """The loss that compares epochs and trials: free of what a trial may set."""
        if self.classes is not None:
            return CrossEntropy()
        loss: Any = self._loss
        return loss if getattr(loss, "judges", False) or not dataclasses.fields(loss) else SquaredError()

    @property
    def _preprocess(self) -> Preprocess:
        return Identity() if self.preprocess is None else self.preprocess

    @property
    def _loss(self) -> Loss:
        if self.loss is None or isinstance(self.loss, str):
            raise TypeError("a Supervised objective has to be bound to its data first: objective.bind(data)")
        return self.loss


_AUGMENT = 0x617567
"""Sets the augmentation's randomness apart from that of the layers."""


def _pixels(features: PyTree) -> Array:
    if not isinstance(features, Mapping) or "pixels" not in features:
        raise ConfigError("augment and views are for images, features['pixels']: leave them out")
    return features["pixels"]


@functools.lru_cache(maxsize=64)
def _feature_shapes(preprocess: Preprocess, leaves: tuple[jax.ShapeDtypeStruct, ...], tree: Any) -> PyTree:
    """What the preprocessing makes of rows of these shapes: traced once, not once a trial."""
    inputs = jax.tree.unflatten(tree, leaves)
    stats = jax.eval_shape(preprocess.fit, inputs, jax.ShapeDtypeStruct((1,), jnp.float32))
    return jax.eval_shape(preprocess.apply, stats, inputs)
