"""Small objectives for the engine's tests: one supervised, and two that are nothing like it."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from manyfit.engine import BaseObjective, Metric


@dataclass(frozen=True)
class Network(BaseObjective):
    """A small classifier in plain JAX; rows are ``{"x": (n, features), "y": (n,)}``."""

    features: int = 8
    hidden: int = 16
    classes: int = 3
    noise: float = 0.1

    def init(self, key, hyper, prepared):
        a, b = jax.random.split(key)
        params = {
            "w1": jax.random.normal(a, (self.features, self.hidden)) * 0.3,
            "b1": jnp.zeros(self.hidden),
            "w2": jax.random.normal(b, (self.hidden, self.classes)) * 0.3,
        }
        return {"params": params, "moments": optax.adam(1.0).init(params)}

    def logits(self, params, x):
        return jnp.tanh(x @ params["w1"] + params["b1"]) @ params["w2"]

    def update(self, state, batch, key, hyper):
        x = batch.data["x"] + self.noise * jax.random.normal(key, batch.data["x"].shape)

        def mean_loss(params):
            losses = optax.softmax_cross_entropy_with_integer_labels(self.logits(params, x), batch.data["y"])
            return (losses * batch.weight).sum() / batch.weight.sum(), losses

        gradient, losses = jax.grad(mean_loss, has_aux=True)(state["params"])
        change, moments = optax.adam(hyper["learning_rate"]).update(gradient, state["moments"])
        params = optax.apply_updates(state["params"], change)
        return {"params": params, "moments": moments}, {"loss": Metric.mean(losses, batch.weight)}

    def export(self, state):
        return state["params"]

    def evaluate(self, model, batch):
        logits = self.logits(model, batch.data["x"])
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.data["y"])
        hits = (logits.argmax(-1) == batch.data["y"]).astype(jnp.float32)
        return {"loss": Metric.mean(losses, batch.weight), "accuracy": Metric.mean(hits, batch.weight)}

    def predict(self, model, data):
        return jax.nn.softmax(self.logits(model, data["x"]))


@dataclass(frozen=True)
class Centred(Network):
    """``Network`` on rows whose features are centred by the mean of the fold's training rows."""

    def prepare(self, fold):
        rows = fold.take()
        return {"mean": (rows["x"] * fold.weight[:, None]).sum(axis=0) / fold.weight.sum()}

    def transform(self, prepared, data):
        return {**data, "x": data["x"] - prepared["mean"]}

    def predict(self, model, data):
        return jax.nn.softmax(self.logits(model, data["x"] - 1.0))  # raw rows; any fixed function will do


@dataclass(frozen=True)
class TwoPlayers(BaseObjective):
    """A linear generator against a quadratic critic (one-dimensional Wasserstein game), two optimizers.

    Rows are ``{"x": (n,)}``; the generator is to match their mean and deviation.
    """

    def init(self, key, hyper, prepared):
        generator = {"shift": jax.random.normal(key), "scale": jnp.float32(1.0)}
        critic = {"linear": jnp.float32(0.0), "square": jnp.float32(0.0)}
        return {
            "generator": generator,
            "critic": critic,
            "generator_moments": optax.adam(1.0).init(generator),
            "critic_moments": optax.sgd(1.0).init(critic),
        }

    def update(self, state, batch, key, hyper):
        real, weight = batch.data["x"], batch.weight / batch.weight.sum()
        noise = jax.random.normal(key, real.shape)

        def fake(g):
            return g["shift"] + g["scale"] * noise

        def score(c, x):
            return c["linear"] * x + c["square"] * x**2

        def critic_loss(c):
            gap = (weight * (score(c, fake(state["generator"])) - score(c, real))).sum()
            return gap + 0.5 * (c["linear"] ** 2 + c["square"] ** 2)

        gap, gradient = jax.value_and_grad(critic_loss)(state["critic"])
        change, critic_moments = optax.sgd(hyper["critic_rate"]).update(gradient, state["critic_moments"])
        critic = optax.apply_updates(state["critic"], change)

        gradient = jax.grad(lambda g: -(weight * score(critic, fake(g))).sum())(state["generator"])
        change, moments = optax.adam(hyper["generator_rate"]).update(gradient, state["generator_moments"])
        generator = optax.apply_updates(state["generator"], change)
        state = {
            "generator": generator,
            "critic": critic,
            "generator_moments": moments,
            "critic_moments": critic_moments,
        }
        return state, {"loss": Metric(jnp.abs(gap), jnp.float32(1))}

    def export(self, state):
        return state["generator"]


@dataclass(frozen=True)
class Bandit(BaseObjective):
    """Policy gradient on a drifting three-armed bandit: no rows, the environment lives in the state."""

    monitor = "regret"

    def init(self, key, hyper, prepared):
        return {
            "preferences": jnp.zeros(3),
            "arms": jax.random.normal(key, (3,)),
            "time": jnp.int32(0),
            "key": key,
        }

    def update(self, state, batch, key, hyper):
        drift, draw, noise = jax.random.split(key, 3)
        own, _ = jax.random.split(state["key"])
        arms = state["arms"] + 0.01 * jax.random.normal(drift, (3,))
        policy = jax.nn.softmax(state["preferences"])
        arm = jax.random.categorical(draw, state["preferences"])
        reward = arms[arm] + 0.1 * jax.random.normal(noise)
        step = hyper["step"] * (reward - policy @ arms) * (jax.nn.one_hot(arm, 3) - policy)
        state = {
            "preferences": state["preferences"] + step,
            "arms": arms,
            "time": state["time"] + 1,
            "key": own,
        }
        return state, {"regret": Metric(arms.max() - policy @ arms, jnp.float32(1))}

    def export(self, state):
        return {name: state[name] for name in ("preferences", "arms", "time")}


@dataclass(frozen=True)
class Windows(Network):
    """The same network on overlapping windows of one series: ``{"series": (n + features - 1,), "y": (n,)}``."""

    def gather(self, data, rows):
        places = rows[:, None] + jnp.arange(self.features)
        return {"x": data["series"][places], "y": data["y"][rows]}
