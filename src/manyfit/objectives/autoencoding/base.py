"""What all autoencoders share: an encoder, a decoder, a likelihood, one optimizer; rows without a target."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from manyfit.engine.keys import key_of
from manyfit.engine.objective import Array, BaseObjective, Batch, Fold, Hyper, Key, Metric, PyTree
from manyfit.errors import ConfigError, nearest
from manyfit.losses.likelihoods import gaussian
from manyfit.models.architecture import Inputs
from manyfit.models.autoencoders import Coder, CoderModule, DenseCoder
from manyfit.models.images import check_whole
from manyfit.objectives.learning import begun, final, learned, settled
from manyfit.objectives.module import Functional, Weights
from manyfit.objectives.supervised import Identity
from manyfit.optim import AdamW, Optimizer

Likelihood = Literal["squared", "gaussian", "bernoulli"]
LIKELIHOODS = ("squared", "gaussian", "bernoulli")
EVALUATION = 0x657661
"""The key of whatever is random in evaluation: the same for every network and epoch, so that they compare."""


class Net(NamedTuple):
    """Both maps of one member with its weights in them, and its other parameters."""

    encode: Callable[[Array], Array]
    decode: Callable[[Array], Array]
    params: PyTree
    own: PyTree
    """What the objective keeps beside the weights and no gradient trains."""


class Lost(NamedTuple):
    """What a batch costs: ``each`` ``(B,)`` is minimised, ``said`` is reported, ``own`` goes on to the next step."""

    each: Array
    said: dict[str, Array]
    own: PyTree = ()


@dataclass(frozen=True)
class Autoencoding(BaseObjective, ABC):
    """Learn to reproduce rows through a code of ``latent`` numbers.

    Rows are ``{"inputs": arrays by name}``; the preprocessing makes ``values`` ``(B, ...)`` of them, and
    ``observed`` of the same shape, 0 where a value is missing: those cost nothing. ``likelihood``
    says how far outputs and values are apart, summed over a row:

    - ``squared``: the squared error;
    - ``gaussian``: the negative log-likelihood around the outputs, in nats, of one variance for all values,
      learned (Rybkin et al., 2021, "Simple and effective VAE training with calibrated decoders");
    - ``bernoulli``: the cross-entropy, in nats, of outputs that are logits, for values in [0, 1].
      It is a log-likelihood only of values that are 0 or 1: see ``binarise``.

    A kind of autoencoder says in ``lost`` what training minimises, in ``judged`` what is measured on rows
    that are not trained on. ``predict`` gives codes ``(B, latent)``, ``reconstruct`` outputs of the shape of
    the values, ``decode`` the same from codes, ``score`` how strange each row is ``(B,)``.
    """

    coder: Coder = field(default_factory=DenseCoder)
    latent: int = 16
    likelihood: Likelihood = "squared"
    binarise: bool = False
    """Draw values in [0, 1] anew as 0 or 1 in every step (Salakhutdinov & Murray, 2008); in evaluation always alike."""
    optimizer: Optimizer = field(default_factory=AdamW)
    preprocess: Any = None
    """What makes ``values`` of rows; None takes the task's own."""
    features: Inputs | None = None
    """Shapes of the values, batch axis 1; ``bind`` fills it in."""

    probabilistic: ClassVar[bool] = False
    """Whether the loss is a bound on the log-likelihood of the rows, and codes have a standard normal prior."""

    def __post_init__(self) -> None:
        check_whole(self, latent=self.latent)
        if isinstance(self.likelihood, str) and self.likelihood not in LIKELIHOODS:
            raise ConfigError(f"likelihood={self.likelihood!r}: {nearest(self.likelihood, LIKELIHOODS)}")

    def bind(self, data: PyTree, cardinalities: tuple[int, ...] = ()) -> Autoencoding:
        """The objective for rows like ``data`` (arrays, or their shapes)."""
        del cardinalities
        spec = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape[1:]), leaf.dtype), _inputs(data)
        )
        stats = jax.eval_shape(self._preprocess.fit, spec, jax.ShapeDtypeStruct((1,), jnp.float32))
        found = jax.eval_shape(self._preprocess.apply, stats, spec)
        if "values" not in found:
            raise ConfigError(
                f"{type(self._preprocess).__name__} gives {', '.join(found)}; an autoencoder needs 'values'"
            )
        return dataclasses.replace(self, features=Inputs(found))

    # The protocol

    def prepare(self, fold: Fold) -> PyTree:
        """Preprocessing statistics, from the training rows."""
        return {"inputs": self._preprocess.fit(_inputs(fold.take()), fold.weight)}

    def transform(self, prepared: PyTree, data: PyTree) -> PyTree:
        """The values of rows, where they are no larger than the rows; pixels stay bytes until a batch is drawn."""
        if not getattr(self._preprocess, "once", False):
            return data
        return self._preprocess.apply(prepared["inputs"], _inputs(data))

    def values(self, prepared: PyTree, data: PyTree) -> PyTree:
        """``values`` (and ``observed``, where it is known) of rows of the data set."""
        return self._preprocess.apply(prepared["inputs"], _inputs(data))

    def init(self, key: Key, hyper: Hyper, prepared: PyTree) -> PyTree:
        """Fresh weights and the optimizer's moments."""
        here = settled(self, hyper)
        params = {"net": here._functional().init(key).params}
        more, own = here.parts(jax.random.fold_in(key, 1))
        params |= more
        return {**begun(here.optimizer, Weights(params, own)), "prepared": prepared}

    def update(self, state: PyTree, batch: Batch, key: Key, hyper: Hyper) -> tuple[PyTree, dict[str, Metric]]:
        """One step on the mean of ``lost`` over the batch."""
        here = settled(self, hyper)
        weights = state["weights"]
        draw, key = jax.random.split(key)
        values, observed = here.seen(here._batch(state["prepared"], batch.data), draw)

        def mean_loss(params: PyTree) -> tuple[Array, tuple[PyTree, dict[str, Metric]]]:
            found = here.lost(here.net(params, weights.rest), values, observed, key)
            said = {"loss": found.each} | found.said
            metrics = {name: Metric.mean(each, batch.weight) for name, each in said.items()}
            loss = metrics["loss"].total / jnp.maximum(metrics["loss"].count, 1e-12)
            return loss, (found.own, metrics)

        state, found = learned(here.optimizer, mean_loss, state, hyper, jnp.sum(batch.weight))
        return {**state, "weights": Weights(*here.after(*state["weights"]))}, found

    def export(self, state: PyTree) -> PyTree:
        """Weights and what was prepared."""
        return {"weights": final(self.optimizer, state), "prepared": state["prepared"]}

    def evaluate(self, model: PyTree, batch: Batch) -> dict[str, Metric]:
        """What ``judged`` measures, and the mean squared error of a value (``mse``)."""
        draw, key = jax.random.split(key_of(EVALUATION))
        values, observed = self.seen(self._batch(model["prepared"], batch.data), draw)
        net = self.net(*model["weights"])
        found = self.judged(net, values, observed, key)
        shown = self.mean(self.outputs(net, self.codes(net, values)))
        squares = jnp.sum((shown - values) ** 2 * observed, axis=axes_of(values))
        said = {"loss": found.each} | found.said
        metrics = {name: Metric.mean(each, batch.weight) for name, each in said.items()}
        count = jnp.where(batch.weight > 0, jnp.sum(observed, axis=axes_of(values)), 0.0)
        metrics["mse"] = Metric(Metric.mean(squares, batch.weight).total, jnp.sum(batch.weight * count))
        return metrics

    def predict(self, model: PyTree, data: PyTree) -> Array:
        """Codes ``(B, latent)`` of rows."""
        values = self.values(model["prepared"], data)["values"]
        return self.codes(self.net(*model["weights"]), values)

    # What the codes are for

    def reconstruct(self, model: PyTree, data: PyTree) -> Array:
        """Rows through the code and back: values ``(B, ...)`` as the preprocessing gives them."""
        return self.decode(model, self.predict(model, data))

    def decode(self, model: PyTree, codes: Array) -> Array:
        """The mean of the values ``(B, ...)`` for codes ``(B, latent)``."""
        return self.mean(self.outputs(self.net(*model["weights"]), codes))

    def score(self, model: PyTree, data: PyTree) -> Array:
        """How strange rows are ``(B,)``: what ``judged`` says of each, always with the same randomness.

        It is the same for every row too, so that a row's score does not depend on the rows beside it.
        """
        draw, key = jax.random.split(key_of(EVALUATION))
        values, observed = self.seen(self.values(model["prepared"], data), draw, alike=True)
        return self.strange(self.net(*model["weights"]), values, observed, key)

    def restore(self, model: PyTree, codes: Array) -> dict[str, Array]:
        """Rows for codes ``(B, latent)``, in the units of the data and by name as they came."""
        return dict(self._preprocess.restore(model["prepared"]["inputs"], self.decode(model, codes)))

    def pictures(self, model: PyTree, data: PyTree, key: Key) -> dict[str, Array]:
        """Grids of rows to look at, each ``(lines, columns, ...)`` of values: see ``autoencoding.pictures``."""
        from manyfit.objectives.autoencoding.pictures import grids

        return grids(self, model, data, key)

    # What a kind of autoencoder has to say, and what it may say otherwise

    @abstractmethod
    def lost(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """What training minimises."""

    def judged(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """What compares epochs and trials, free of the numbers that a trial may set: by default the reconstruction."""
        del key
        return Lost(self.distance(net, self.outputs(net, self.codes(net, values)), values, observed), {})

    def strange(self, net: Net, values: Array, observed: Array, key: Key) -> Array:
        """How strange each row is ``(B,)``."""
        return self.judged(net, values, observed, key).each

    def codes(self, net: Net, values: Array) -> Array:
        """The code of each row, ``(B, latent)``."""
        return net.encode(values)

    def outputs(self, net: Net, codes: Array) -> Array:
        """What the decoder gives for codes."""
        return net.decode(codes)

    def parts(self, key: Key) -> tuple[dict[str, PyTree], PyTree]:
        """Further parameters by name, and what else is kept from step to step."""
        del key
        return {}, ()

    def after(self, params: PyTree, own: PyTree) -> tuple[PyTree, PyTree]:
        """The last word of a step on parameters and what else is kept."""
        return params, own

    bounds: ClassVar[dict[str, tuple[float, float]]] = {"mse": (0.0, math.inf), "kl": (0.0, math.inf)}
    """What its measures lie between, for intervals."""
    heads: ClassVar[int] = 1
    """Numbers that the encoder gives for each of the code."""

    def read(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of what the encoder reads of a row of ``shape``."""
        return shape

    # Parts

    def seen(self, features: PyTree, key: Key, *, alike: bool = False) -> tuple[Array, Array]:
        """Values and which of them count, from transformed rows; ``alike`` draws the same for every row."""
        values = features["values"]
        if self.binarise:
            draws = jax.random.uniform(key, values.shape[1:] if alike else values.shape)
            values = (draws < values).astype(values.dtype)
        observed = features.get("observed")
        return values, jnp.ones_like(values) if observed is None else observed

    def net(self, params: PyTree, own: PyTree = ()) -> Net:
        """Both maps, with these parameters."""
        functional, weights = self._functional(), Weights(params["net"], {})

        def part(name: str) -> Callable[[Array], Array]:
            return lambda x: functional.apply(weights, name, x, train=False)[0]

        return Net(part("encode"), part("decode"), params, own)

    def distances(self, net: Net, outputs: Array, values: Array) -> Array:
        """How far each output is from its value, of their shape."""
        if self.likelihood == "bernoulli":
            return optax.sigmoid_binary_cross_entropy(outputs, values)
        if self.likelihood == "gaussian":
            return gaussian(
                outputs, jnp.broadcast_to(net.params["net"]["log_variance"], outputs.shape), values
            )
        return (outputs - values) ** 2

    def distance(self, net: Net, outputs: Array, values: Array, observed: Array) -> Array:
        """The same, summed over what is observed of each row: ``(B,)``."""
        return jnp.sum(self.distances(net, outputs, values) * observed, axis=axes_of(values))

    def mean(self, outputs: Array) -> Array:
        """The mean of the values that the outputs stand for."""
        return jax.nn.sigmoid(outputs) if self.likelihood == "bernoulli" else outputs

    def parameters(self) -> int:
        """The number of trained values of one member."""
        shapes = jax.eval_shape(lambda: self.init(key_of(0), {}, ())["weights"].params)
        return sum(leaf.size for leaf in jax.tree.leaves(shapes))

    def _batch(self, prepared: PyTree, data: PyTree) -> PyTree:
        """The values of transformed rows."""
        return data if getattr(self._preprocess, "once", False) else self.values(prepared, data)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what ``evaluate`` measures."""

        def one() -> dict[str, Array]:
            values = jnp.zeros((1, *self.shape))
            state = self.init(key_of(0), {"total_steps": jnp.float32(1)}, ())
            found = self.judged(self.net(*state["weights"]), values, jnp.ones_like(values), key_of(0))
            return {"loss": found.each} | found.said

        return (*jax.eval_shape(one), "mse")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a row's values."""
        if self.features is None:
            raise TypeError("an autoencoder has to be bound to its data first: objective.bind(data)")
        return self.features["values"].shape[1:]

    def _functional(self) -> Functional:
        shape = self.shape

        def build(rngs: nnx.Rngs) -> nnx.Module:
            return CoderModule(
                self.coder,
                self.read(shape),
                shape,
                outputs=self.heads * self.latent,
                latent=self.latent,
                variance=self.likelihood == "gaussian",
                rngs=rngs,
            )

        return Functional(build)

    @property
    def _preprocess(self) -> Any:
        return Identity() if self.preprocess is None else self.preprocess


def _inputs(data: PyTree) -> PyTree:
    """What is read of rows: their ``inputs``, or arrays as they are under the name ``values``."""
    if isinstance(data, dict) and "inputs" in data:
        return data["inputs"]
    return data if isinstance(data, dict) else {"values": data}


def axes_of(values: Array) -> tuple[int, ...]:
    """Every axis but the first."""
    return tuple(range(1, values.ndim))
