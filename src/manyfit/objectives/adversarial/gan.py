"""A generative adversarial network: two networks, two optimizers, one member."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from manyfit.engine.keys import key_of
from manyfit.engine.objective import Array, BaseObjective, Batch, Fold, Hyper, Key, Metric, PyTree
from manyfit.errors import ConfigError
from manyfit.models.gan import (
    DenseDiscriminator,
    DenseGenerator,
    DiscriminatorArchitecture,
    GeneratorArchitecture,
)
from manyfit.objectives.adversarial import health, scaling, spectral
from manyfit.objectives.adversarial.distance import energy_distance, missed
from manyfit.objectives.adversarial.losses import AdversarialLoss, NonSaturating
from manyfit.objectives.adversarial.penalties import Penalty
from manyfit.objectives.learning import settled
from manyfit.objectives.module import Functional, Weights
from manyfit.optim import EMA, Adam, Optimizer, evaluated, start, step

STAGES, SHOWN = 8, 10
"""Of images: how often in a training samples of the same noise are kept, and how many."""
_MOST_COMPARED = 128
"""Rows of a batch that the distance shown during training is of."""


def _generator_optimizer() -> Optimizer:
    return EMA(Adam(learning_rate=2e-4, b1=0.5), decay=0.999)


def _discriminator_optimizer() -> Optimizer:
    return Adam(learning_rate=2e-4, b1=0.5)


@dataclass(frozen=True)
class GAN(BaseObjective):
    """A generator that learns to write rows which a discriminator cannot tell from real ones.

    Rows are ``{"inputs": {"numeric": (rows, columns)} or {"pixels": (rows, H, W, C)}, "target": optional}``, or a bare
    array. With ``classes`` both networks are told the class of each row, ``target`` (int32).

    One update is ``discriminator_steps`` steps of the discriminator, each on its own share of the batch's rows and
    on fresh samples, and one of the generator. A batch that the end of the epoch cuts short is filled up with rows
    from its beginning. The exported model is the generator, by the average of its weights where its optimizer
    keeps one (``EMA``).

    ``evaluate`` measures the energy distance between held-out rows and as many samples, in scaled units: with
    validation rows the best epoch is kept, without them the last one. Of rows of numbers it also measures ``missed``:
    the share of them that no sample comes near. The history has, an epoch each: both losses,
    the penalty, ``separation`` (the share of pairs in which the real row has the greater logit: 0.5 where nothing
    can be told apart) and ``variance`` (of the samples, over that of real rows). A game whose ``variance`` says for a
    fifth of the training's updates on end that it has collapsed or scattered (``health``) is retired: it ends there,
    ``stopped``, and is scored as it is. Of images the model also has
    ``shown`` uint8 ``(STAGES, SHOWN, H, W, C)``: samples of the same noise in the course of the training.
    """

    generator: GeneratorArchitecture = field(default_factory=DenseGenerator)
    discriminator: DiscriminatorArchitecture = field(default_factory=DenseDiscriminator)
    loss: AdversarialLoss = field(default_factory=NonSaturating)
    penalties: tuple[Penalty, ...] = ()
    generator_optimizer: Optimizer = field(default_factory=_generator_optimizer)
    discriminator_optimizer: Optimizer = field(default_factory=_discriminator_optimizer)
    discriminator_steps: int = 1
    latent: int = 64
    """Length of the noise, standard normal."""
    spectral_normalisation: bool = False
    """Whether every kernel of the discriminator is divided by its greatest singular value."""
    classes: int | None = None
    features: tuple[int, ...] | None = None
    """Shape of one row; ``bind`` fills it in."""

    monitor = "distance"
    bounds: ClassVar[dict[str, tuple[float, float]]] = {"missed": (0.0, 1.0)}
    """What its measures lie between, for intervals; the distance, free of bias, can be below 0."""

    def __post_init__(self) -> None:
        for name in ("discriminator_steps", "latent"):
            value = getattr(self, name)
            if isinstance(value, int) and value < 1:
                raise ConfigError(f"GAN({name}={value}): give a whole number of at least 1")

    def bind(self, data: PyTree, cardinalities: tuple[int, ...] = ()) -> GAN:
        """The objective for rows like ``data`` (arrays, or their shapes).

        Raises ``DataError`` where there is nothing to imitate, ``ConfigError`` for classes without a target.
        """
        del cardinalities
        if self.classes is not None and not (isinstance(data, dict) and "target" in data):
            raise ConfigError(f"GAN(classes={self.classes}) needs a target, and these rows have none")
        sample = scaling.sample_of(_inputs(data))
        return dataclasses.replace(self, features=tuple(sample.shape[1:]))

    # The protocol

    def prepare(self, fold: Fold) -> PyTree:
        """Shift and scale of the training rows."""
        return scaling.fitted(scaling.sample_of(_inputs(fold.take())), fold.weight)

    def init(self, key: Key, hyper: Hyper, prepared: PyTree) -> PyTree:
        """Fresh weights of both networks, their optimizers' moments, and what was prepared."""
        here = settled(self, hyper)
        keys = jax.random.split(key, 3)
        generator, discriminator = here._generator.init(keys[0]), here._discriminator.init(keys[1])
        vectors: tuple[Array, ...] = ()
        if self.spectral_normalisation:
            # many steps now, so that one a step is enough later
            vectors = spectral.first_vectors(discriminator.params, keys[2])
            vectors = spectral.iterated(discriminator.params, vectors, 15)
        shown = {}
        if self._pictured:
            shown = {"step": jnp.int32(0), "shown": jnp.zeros((STAGES, SHOWN, *self._shape), jnp.uint8)}
        return {
            **shown,
            "failing": jnp.int32(0),
            "retired": jnp.bool_(False),
            "generator": generator,
            "discriminator": discriminator,
            "generator_optimizer": start(here.generator_optimizer, *generator),
            "discriminator_optimizer": start(here.discriminator_optimizer, *discriminator),
            "spectral": vectors,
            "prepared": prepared,
        }

    def update(self, state: PyTree, batch: Batch, key: Key, hyper: Hyper) -> tuple[PyTree, dict[str, Metric]]:
        """Steps of the discriminator, then one of the generator."""
        here = settled(self, hyper)
        steps = self.discriminator_steps
        rows = here._rows(state["prepared"], batch.data)
        each = batch.weight.shape[0] // steps
        if each < 1:
            raise ConfigError(
                f"a batch of {batch.weight.shape[0]} rows is too small for {steps} steps of the discriminator: "
                f"give a batch of at least {steps} rows"
            )
        parts = jax.tree.map(lambda leaf: leaf[: each * steps].reshape(steps, each, *leaf.shape[1:]), rows)
        total = hyper["total_steps"]

        def judge(carry: PyTree, one: tuple[PyTree, Array]) -> tuple[PyTree, dict[str, Array]]:
            part, place = one
            return here._discriminator_step(state, carry, part, jax.random.fold_in(key, place), total * steps)

        carry = (state["discriminator"], state["discriminator_optimizer"], state["spectral"])
        if steps == 1:
            carry, found = judge(carry, (jax.tree.map(lambda leaf: leaf[0], parts), jnp.int32(0)))
        else:
            carry, found = lax.scan(judge, carry, (parts, jnp.arange(steps)))
            found = jax.tree.map(jnp.mean, found)
        discriminator, moments, vectors = carry
        state = {
            **state,
            "discriminator": discriminator,
            "discriminator_optimizer": moments,
            "spectral": vectors,
        }
        last = jax.tree.map(lambda leaf: leaf[-1], parts)
        state, more = here._generator_step(state, last, jax.random.fold_in(key, steps), total)
        if self._pictured:
            state = here._with_samples(state, total)
        failing = jnp.where(health.failed(more["variance"]), state["failing"] + 1, 0)
        state = {**state, "failing": failing, "retired": state["retired"] | health.lost(failing, total)}
        one = jnp.float32(1)
        return state, {name: Metric(value, one) for name, value in {**found, **more}.items()}

    def over(self, state: PyTree) -> Array:
        """Whether the game was retired."""
        found: Array = state["retired"]
        return found

    def export(self, state: PyTree) -> PyTree:
        """The generator that samples, and how to bring samples back to the units of the data."""
        model = {"weights": self._averaged(state), "prepared": state["prepared"]}
        return model | ({"shown": state["shown"]} if self._pictured else {})

    def evaluate(self, model: PyTree, batch: Batch) -> dict[str, Metric]:
        """The energy distance between the rows and as many samples of fixed noise; of rows of numbers, ``missed``."""
        rows = self._rows(model["prepared"], batch.data)
        features = {**rows, "noise": self._noise(key_of(0), batch.weight.shape[0])}
        samples = self._generator.apply(model["weights"], features, train=False)[0]
        count = jnp.sum(batch.weight > 0).astype(jnp.float32)
        distance = energy_distance(rows["sample"], samples, batch.weight)
        whole = count > 1
        found = {self.monitor: Metric(jnp.where(whole, distance * count, 0.0), jnp.where(whole, count, 0.0))}
        if rows["sample"].ndim == 2:
            found["missed"] = Metric(jnp.sum(missed(rows["sample"], samples, batch.weight)), count)
        return found

    # Samples

    def sample(self, model: PyTree, key: Key, count: int, label: Array | None = None) -> Array:
        """``count`` samples ``(count, ...)`` in the units of the data, float32.

        ``label`` ``(count,)`` are the classes of a conditional generator; the classes in turn where None.
        """
        return self.decode(model, self._noise(key, count), label)

    def decode(self, model: PyTree, noise: Array, label: Array | None = None) -> Array:
        """Samples of given noise ``(rows, latent)``."""
        features = {"noise": noise}
        if self.classes is not None:
            features["label"] = jnp.arange(noise.shape[0]) % self.classes if label is None else label
        samples = self._generator.apply(model["weights"], features, train=False)[0]
        return scaling.unscaled(model["prepared"], samples)

    def parameters(self) -> int:
        """The number of trained values of one member, both networks together."""
        made = [jax.eval_shape(net.init, key_of(0)) for net in (self._generator, self._discriminator)]
        return sum(leaf.size for weights in made for leaf in jax.tree.leaves(weights.params))

    def doubts(self, history: Mapping[str, np.ndarray], members: Sequence[Mapping[str, Any]]) -> list[str]:
        """What is to be said of members whose game went wrong (``health``), as warnings of the run."""
        return health.doubts(history, members)

    # One step of each network

    def _discriminator_step(
        self, state: PyTree, carry: PyTree, rows: dict[str, Array], key: Key, total: Array
    ) -> tuple[PyTree, dict[str, Array]]:
        weights, moments, vectors = carry
        real, samples = rows["sample"], self._samples(state["generator"].params, state, rows, key)[0]
        samples = lax.stop_gradient(samples)
        vectors = spectral.iterated(weights.params, vectors) if vectors else vectors
        drawn = jax.random.fold_in(key, 1)

        def mean_loss(params: PyTree) -> tuple[Array, tuple[PyTree, dict[str, Array]]]:
            def critic(x: Array) -> Array:
                return self._logits(params, weights.rest, vectors, {**rows, "sample": x}, drawn)[0]

            on_real, rest = self._logits(params, weights.rest, vectors, rows, drawn)
            on_fake, rest = self._logits(params, rest, vectors, {**rows, "sample": samples}, drawn)
            loss = jnp.mean(self.loss.discriminator(on_real, on_fake))
            penalty = jnp.float32(0)
            for place, one in enumerate(self.penalties):
                penalty += jnp.mean(one(critic, real, samples, jax.random.fold_in(drawn, place)))
            found = {
                "discriminator_loss": loss,
                "penalty": penalty,
                "separation": jnp.mean((on_real > on_fake) + 0.5 * (on_real == on_fake)),
            }
            return loss + penalty, (rest, found)

        taken = step(self.discriminator_optimizer, mean_loss, weights.params, moments, total)
        return (Weights(taken.params, taken.rest), taken.state, vectors), taken.found

    def _generator_step(
        self, state: PyTree, rows: dict[str, Array], key: Key, total: Array
    ) -> tuple[PyTree, dict[str, Array]]:
        (params, rest), vectors = state["discriminator"], state["spectral"]
        drawn = jax.random.fold_in(key, 1)

        def mean_loss(generator: PyTree) -> tuple[Array, tuple[PyTree, dict[str, Array]]]:
            samples, moved = self._samples(generator, state, rows, key)
            on_fake = self._logits(params, rest, vectors, {**rows, "sample": samples}, drawn)[0]
            on_real = self._logits(params, rest, vectors, rows, drawn)[0] if self.loss.paired else on_fake
            loss = jnp.mean(self.loss.generator(on_real, on_fake))
            return loss, (moved, {"generator_loss": loss, **_compared(rows["sample"], samples)})

        before = state["generator"].params
        taken = step(self.generator_optimizer, mean_loss, before, state["generator_optimizer"], total)
        weights = Weights(taken.params, taken.rest)
        return {**state, "generator": weights, "generator_optimizer": taken.state}, taken.found

    def _samples(
        self, params: PyTree, state: PyTree, rows: dict[str, Array], key: Key
    ) -> tuple[Array, PyTree]:
        """As many samples as rows, of the same classes, and the generator's untrained arrays."""
        features = {**rows, "noise": self._noise(key, rows["sample"].shape[0])}
        weights = Weights(params, state["generator"].rest)
        return self._generator.apply(weights, features, train=True, key=jax.random.fold_in(key, 2))

    def _logits(
        self, params: PyTree, rest: PyTree, vectors: tuple[Array, ...], features: PyTree, key: Key
    ) -> tuple[Array, PyTree]:
        params = spectral.normalised(params, vectors) if vectors else params
        return self._discriminator.apply(Weights(params, rest), features, train=True, key=key)

    def _with_samples(self, state: PyTree, total: Array) -> PyTree:
        """A step counted, and samples of it in the places of its stage and the later ones: the last of each stay."""
        noise = self._noise(key_of(0), SHOWN)
        model = {"weights": self._averaged(state), "prepared": {"shift": 127.5, "scale": 127.5}}
        samples = jnp.clip(jnp.round(self.decode(model, noise)), 0, 255).astype(jnp.uint8)
        stage = jnp.clip((state["step"] * STAGES / total).astype(jnp.int32), 0, STAGES - 1)
        later = jnp.arange(STAGES).reshape(-1, *[1] * samples.ndim) >= stage
        return {**state, "step": state["step"] + 1, "shown": jnp.where(later, samples, state["shown"])}

    # Parts

    def _averaged(self, state: PyTree) -> Weights:
        """The generator's weights, averaged where its optimizer keeps an average."""
        return Weights(
            *evaluated(self.generator_optimizer, state["generator_optimizer"], *state["generator"])
        )

    @property
    def _pictured(self) -> bool:
        return len(self._shape) == 3

    @property
    def _generator(self) -> Functional:
        shape = self._shape

        def build(rngs: nnx.Rngs) -> nnx.Module:
            return self.generator.build(self.latent, shape, self.classes, rngs=rngs)

        return Functional(build)

    @property
    def _discriminator(self) -> Functional:
        shape = self._shape
        return Functional(lambda rngs: self.discriminator.build(shape, self.classes, rngs=rngs))

    @property
    def _shape(self) -> tuple[int, ...]:
        if self.features is None:
            raise TypeError("a GAN has to be bound to its data first: objective.bind(data)")
        return self.features

    def _noise(self, key: Key, count: int) -> Array:
        return jax.random.normal(key, (count, self.latent))

    def _rows(self, prepared: PyTree, data: PyTree) -> dict[str, Array]:
        """Scaled rows, and their classes where the networks are told."""
        rows = {"sample": scaling.scaled(prepared, scaling.sample_of(_inputs(data)))}
        return rows if self.classes is None else {**rows, "label": data["target"]}


def _compared(real: Array, samples: Array) -> dict[str, Array]:
    """How far the samples are from the real rows, and how much they vary beside them."""

    def variance(x: Array) -> Array:
        return jnp.sum(jnp.var(x.reshape(x.shape[0], -1), axis=0))

    real, samples = (lax.stop_gradient(x[:_MOST_COMPARED]) for x in (real, samples))
    found = {"variance": variance(samples) / jnp.maximum(variance(real), 1e-12)}
    if real.shape[0] < 2:  # one row has no distance within
        return {**found, "distance": jnp.float32(0)}
    return {**found, "distance": energy_distance(real, samples, jnp.ones(real.shape[0]))}


def _inputs(data: PyTree) -> PyTree:
    return data["inputs"] if isinstance(data, dict) and "inputs" in data else data
