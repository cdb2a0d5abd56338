"""Forecasting: the next steps of a series from those before, every origin of a forecast a row."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.engine.objective import Array, BaseObjective, Batch, Fold, Hyper, Key, Metric, PyTree
from manyfit.losses.forecasts import (
    FORECAST_PARTS,
    ForecastHead,
    GaussianForecast,
    PointForecast,
    StudentTForecast,
)
from manyfit.models.architecture import Architecture, Inputs
from manyfit.models.forecasters import FORECASTER_PARTS
from manyfit.objectives.learning import begun, final, learned, settled
from manyfit.objectives.module import Functional, Weights
from manyfit.optim import AdamW, Optimizer


@dataclass(frozen=True)
class Forecasting(BaseObjective):
    """Forecast ``horizon`` steps of the first ``targets`` channels from ``lookback`` steps of all.

    Data are ``{"series": (T, C) float32, "origin": (rows,) int32}``: a row is the step at which a forecast
    begins; its window is cut out inside the program. Optional: ``known`` ``(T, K)``, what is known of later steps
    too; ``observed`` bool ``(T, targets)``, false where a value was filled in and is not to be scored; ``which``
    ``(T,)``, of which series a step is.

    Channels are standardised by the steps that training windows hold, those to forecast included, and by nothing
    else. The model's ``instance`` says how each window is normalised on top. The module gets ``past``
    ``(B, lookback, C)`` and ``known`` ``(B, lookback + horizon, K)`` and gives ``(B, C, head.width * horizon)``.

    ``evaluate`` measures ``loss`` (the head's), ``mse`` and ``mae`` of the point forecast, the same of two naive
    forecasts (the last value; the last season) on the same windows, and ``mase``: absolute errors by the mean
    absolute error of the seasonal naive forecast within the training steps (Hyndman & Koehler, 2006). Errors are
    in training standard deviations, with ``units`` in the series' own units.
    """

    model: Architecture
    lookback: int
    horizon: int
    targets: int = 1
    head: ForecastHead = field(default_factory=PointForecast)
    optimizer: Optimizer = field(default_factory=AdamW)
    season: int = 1
    units: bool = False
    features: Inputs | None = None
    """Shapes of the features; ``bind`` fills it in."""

    def bind(self, data: PyTree, cardinalities: tuple[int, ...] = ()) -> Forecasting:
        """The objective for series like ``data`` (arrays, or their shapes)."""
        del cardinalities
        shapes = {"past": jax.ShapeDtypeStruct((1, self.lookback, data["series"].shape[1]), jnp.float32)}
        if "known" in data:
            steps = self.lookback + self.horizon
            shapes["known"] = jax.ShapeDtypeStruct((1, steps, data["known"].shape[1]), jnp.float32)
        return dataclasses.replace(self, features=Inputs(shapes))

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """What its measures lie between, for intervals: no error is below 0."""
        errors = [f"{of}{name}" for of in ("", "naive_", "seasonal_") for name in ("mse", "mae", "mase")]
        likelihood = isinstance(self.head, (GaussianForecast, StudentTForecast))
        least = {"loss": (-math.inf if likelihood else 0.0, math.inf), "coverage": (0.0, 1.0)}
        return {**dict.fromkeys((*errors, "pinball"), (0.0, math.inf)), **least}

    # The protocol

    def prepare(self, fold: Fold) -> PyTree:
        """Mean and deviation of every channel, and the seasonal naive error of the targets, over training steps."""
        series = fold.data["series"]
        covered = self._covered(fold, series.shape[0])
        there = jnp.broadcast_to(covered[:, None], series.shape)
        if "observed" in fold.data:
            observed = fold.data["observed"].astype(jnp.float32)
            there = there.at[:, : self.targets].multiply(observed)
        prepared: dict[str, Any] = {"series": _moments(series, there)}
        if "known" in fold.data:
            known = fold.data["known"]
            prepared["known"] = _moments(known, jnp.broadcast_to(covered[:, None], known.shape))
        lag = min(self.season, series.shape[0] - 1)
        now, before = series[lag:, : self.targets], series[: series.shape[0] - lag, : self.targets]
        both = there[lag:, : self.targets] * there[: series.shape[0] - lag, : self.targets]
        if "which" in fold.data:
            which = fold.data["which"]
            both = both * (which[lag:] == which[: series.shape[0] - lag])[:, None]
        naive = jnp.sum(jnp.abs(now - before) * both, axis=0) / jnp.maximum(jnp.sum(both, axis=0), 1.0)
        scale = prepared["series"]["scale"][: self.targets]
        prepared["naive"] = jnp.where(naive > 0, naive / scale, 1.0)
        return prepared

    def gather(self, data: PyTree, rows: Array) -> PyTree:
        """The windows of some rows: ``inputs`` by name, ``target`` ``(B, horizon, targets)`` and ``observed``."""
        origin = data["origin"][rows]
        past = origin[:, None] + jnp.arange(-self.lookback, 0)
        future = origin[:, None] + jnp.arange(self.horizon)
        inputs = {"past": data["series"][past]}
        if "known" in data:
            inputs["known"] = data["known"][jnp.concatenate([past, future], axis=1)]
        found = {"inputs": inputs, "target": data["series"][future, : self.targets]}
        if "observed" in data:
            found["observed"] = data["observed"][future].astype(jnp.float32)
        return found

    def init(self, key: Key, hyper: Hyper, prepared: PyTree) -> PyTree:
        """Fresh weights, the optimizer's moments, and what was prepared."""
        here = settled(self, hyper)
        return {**begun(here.optimizer, here._functional().init(key)), "prepared": prepared}

    def update(self, state: PyTree, batch: Batch, key: Key, hyper: Hyper) -> tuple[PyTree, dict[str, Metric]]:
        """One step of the optimizer on the mean loss over the batch's windows, steps and targets."""
        here = settled(self, hyper)
        prepared, weights = state["prepared"], state["weights"]
        target = self._scaled_target(prepared, batch.data)

        def mean_loss(params: PyTree) -> tuple[Array, tuple[PyTree, Metric]]:
            outputs, rest = here._outputs(Weights(params, weights.rest), prepared, batch.data, True, key)
            metric = _over_steps(here.head(outputs, target), batch)
            return metric.total / jnp.maximum(metric.count, 1e-12), (rest, metric)

        state, found = learned(here.optimizer, mean_loss, state, hyper, jnp.sum(batch.weight))
        return state, {"loss": found}

    def export(self, state: PyTree) -> PyTree:
        """The weights to evaluate with, and what was prepared."""
        return {"weights": final(self.optimizer, state), "prepared": state["prepared"]}

    def evaluate(self, model: PyTree, batch: Batch) -> dict[str, Metric]:
        """The loss, errors of the point forecast and of the naive ones, and where there are quantiles how often
        the outermost hold the truth."""
        prepared = model["prepared"]
        outputs, _ = self._outputs(model["weights"], prepared, batch.data, False, None)
        target = self._scaled_target(prepared, batch.data)
        past = self._scaled(prepared, batch.data)["past"][..., : self.targets]
        measured = {"loss": _over_steps(self.head(outputs, target), batch)}
        scale = prepared["series"]["scale"][: self.targets] if self.units else jnp.ones(self.targets)
        forecasts = {"": self.head.point(outputs), "naive_": jnp.broadcast_to(past[:, -1:], target.shape)}
        if 1 < self.season <= self.lookback:
            last = self.lookback - self.season + jnp.arange(self.horizon) % self.season
            forecasts["seasonal_"] = past[:, last]
        for name, forecast in forecasts.items():
            residual = forecast - target
            measured[f"{name}mse"] = _over_steps(jnp.square(residual * scale), batch)
            measured[f"{name}mae"] = _over_steps(jnp.abs(residual) * scale, batch)
            measured[f"{name}mase"] = _over_steps(jnp.abs(residual) / prepared["naive"], batch)
        if len(self.head.levels) > 1:
            quantiles = self.head.quantiles(outputs)
            inside = (quantiles[..., 0] <= target) & (target <= quantiles[..., -1])
            measured["coverage"] = _over_steps(inside.astype(jnp.float32), batch)
            residual = target[..., None] - quantiles
            level = jnp.asarray(self.head.levels)
            pinball = jnp.mean(jnp.maximum(level * residual, (level - 1) * residual), axis=-1)
            measured["pinball"] = _over_steps(pinball * scale, batch)
        return measured

    def predict(self, model: PyTree, data: PyTree) -> Array:
        """``(B, horizon, targets, 1 + levels)`` in the series' own units: the point forecast, then the quantiles."""
        outputs, _ = self._outputs(model["weights"], model["prepared"], data, False, None)
        moments = model["prepared"]["series"]
        mean, scale = moments["mean"][: self.targets], moments["scale"][: self.targets]
        outputs = self.head.placed(outputs, mean, scale)
        return jnp.concatenate([self.head.point(outputs)[..., None], self.head.quantiles(outputs)], axis=-1)

    # Parts

    def parameters(self) -> int:
        """The number of trained values of one member."""
        weights = jax.eval_shape(lambda: self._functional().init(jax.random.key(0)))
        return sum(leaf.size for leaf in jax.tree.leaves(weights.params))

    def _functional(self) -> Functional:
        if self.features is None:
            raise TypeError("a Forecasting objective has to be bound to its data first: objective.bind(data)")
        features, outputs = self.features, self.horizon * self.head.width

        def build(rngs: nnx.Rngs) -> nnx.Module:
            model: Any = self.model
            if getattr(model, "horizon", 0) is None:  # one that has to know where a forecast ends
                model = dataclasses.replace(model, horizon=self.horizon)
            return model.build(features, outputs, rngs=rngs)

        return Functional(build)

    def _covered(self, fold: Fold, steps: int) -> Array:
        """``(T,)`` float32: 1 for the steps within a window of a training row."""
        origin = fold.data["origin"][fold.rows]
        change = jnp.zeros(steps + 1)
        change = change.at[jnp.clip(origin - self.lookback, 0, steps)].add(fold.weight)
        change = change.at[jnp.clip(origin + self.horizon, 0, steps)].add(-fold.weight)
        return (jnp.cumsum(change)[:steps] > 0.5).astype(jnp.float32)

    def _scaled(self, prepared: PyTree, data: PyTree) -> dict[str, Array]:
        """The features of windows, standardised by the training steps."""
        names = {"past": "series", "known": "known"}
        return {
            name: (value - prepared[names[name]]["mean"]) / prepared[names[name]]["scale"]
            for name, value in data["inputs"].items()
        }

    def _scaled_target(self, prepared: PyTree, data: PyTree) -> Array:
        moments = prepared["series"]
        return (data["target"] - moments["mean"][: self.targets]) / moments["scale"][: self.targets]

    def _outputs(
        self, weights: Weights, prepared: PyTree, data: PyTree, train: bool, key: Key | None
    ) -> tuple[Array, PyTree]:
        """The head's outputs ``(B, horizon, targets, width)`` in training standard deviations."""
        features = self._scaled(prepared, data)
        past = features["past"]
        location, scale = jnp.zeros_like(past[:, :1]), jnp.ones_like(past[:, :1])
        kind = getattr(self.model, "instance", "none")
        if kind == "last":
            location = past[:, -1:]
        elif kind == "standard":
            location = jnp.mean(past, axis=1, keepdims=True)
            scale = jnp.sqrt(jnp.var(past, axis=1, keepdims=True) + 1e-5)
        features["past"] = (past - location) / scale
        found, rest = self._functional().apply(weights, features, train=train, key=key)
        found = found[:, : self.targets].reshape(-1, self.targets, self.head.width, self.horizon)
        outputs = found.transpose(0, 3, 1, 2)
        if kind != "none":
            outputs = self.head.placed(outputs, location[..., : self.targets], scale[..., : self.targets])
        return outputs, rest


def _over_steps(values: Array, batch: Batch) -> Metric:
    """The mean of ``(B, horizon, targets)`` over what was observed; a whole window counts one."""
    weight = jnp.broadcast_to(batch.weight[:, None, None], values.shape)
    if "observed" in batch.data:
        weight = weight * batch.data["observed"]
    values = jnp.where(weight > 0, values, 0.0)
    size = values.shape[1] * values.shape[2]
    return Metric(jnp.sum(values * weight) / size, jnp.sum(weight) / size)


def _moments(values: Array, weight: Array) -> dict[str, Array]:
    """Mean and deviation of each column; a deviation of 1 where there is none."""
    count = jnp.maximum(jnp.sum(weight, axis=0), 1.0)
    mean = jnp.sum(jnp.where(weight > 0, values, 0.0), axis=0) / count
    spread = jnp.where(weight > 0, (values - mean) ** 2, 0.0)
    scale = jnp.sqrt(jnp.sum(spread, axis=0) / count)
    return {"mean": mean, "scale": jnp.where(scale > 1e-6 * (jnp.abs(mean) + 1e-6), scale, 1.0)}


PARTS = (*FORECAST_PARTS, *FORECASTER_PARTS, Forecasting)
"""What a run folder may name."""
