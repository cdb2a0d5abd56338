"""What is kept of adversarial games of images beside their models: pictures, and how near samples come to the rows.

``games.safetensors`` of a run folder: ``best`` int32 ``(1,)``, the network of the least distance to the test rows;
``nearer`` float32 ``(members,)``, how far a sample is from the nearest training row over how far a test row is, both
on the median; ``pictures/NAME`` uint8 ``(lines, columns, H, W, C)``, grids of images.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.engine.keys import key_of
from manyfit.experiment.codes import members_of
from manyfit.experiment.preparation import Prepared
from manyfit.experiment.result import Result
from manyfit.metrics.generative import nearest

NAME = "games.safetensors"
COLUMNS, LINES, MEMBERS = 10, 4, 10
MOST_TRAINING, MOST_TEST = 5_000, 500


def games_of(prepared: Prepared, result: Result) -> dict[str, dict[str, np.ndarray]]:
    """``games.safetensors`` and what it holds; nothing for other runs, and where nothing was chosen."""
    predictor = result.predictor
    if predictor is None or not isinstance(predictor.models, dict) or "shown" not in predictor.models:
        return {}
    objective = predictor.objective
    rows = [row for row in result.members if row["trial"] == result.chosen and row["status"] != "diverged"]
    distance = np.array([row["test"].get(objective.monitor, np.nan) for row in rows])
    best = int(np.argmin(np.where(np.isfinite(distance), distance, np.inf)))
    keys = jax.random.split(key_of(0), len(rows))
    draw = jax.jit(jax.vmap(lambda model, key: objective.sample(model, key, LINES * COLUMNS)))
    drawn = np.asarray(draw(predictor.models, keys))  # (members, LINES * COLUMNS, H, W, C)
    split = prepared.splits[rows[best]["fold"]]
    pixels = prepared.task.data["inputs"]["pixels"]
    known, held = pixels[split.train[:MOST_TRAINING]], pixels[split.test[:MOST_TEST]]
    usual = float(np.median(nearest(_flat(known), _flat(held))[1])) if len(held) else np.nan
    near = [_nearest(known, some) for some in drawn]
    ratios = [np.median(far) / usual if usual > 0 else np.nan for _, far in near]
    first = drawn[best][:COLUMNS]
    shade = _shades(predictor.models["prepared"], best)
    grids = {
        "seeds": shade(drawn[:MEMBERS, :COLUMNS]),
        "training": predictor.models["shown"][best],
        "ways": shade(_ways(objective, members_of(predictor, best))),
        "neighbours": shade(np.stack([first, known[near[best][0][:COLUMNS]]])),
    }
    found = {
        "best": np.array([best], np.int32),
        "nearer": np.array(ratios, np.float32),
    }
    return {NAME: found | {f"pictures/{name}": np.asarray(grid) for name, grid in grids.items()}}


def _ways(objective: Any, model: Any) -> np.ndarray:
    """Samples on great circles between pairs of noise (White, 2016): ``(LINES, COLUMNS, H, W, C)``."""
    ends = jax.random.normal(key_of(1), (2, LINES, 1, objective.latent))
    length = jnp.linalg.norm(ends, axis=-1, keepdims=True)
    unit = ends / length
    angle = jnp.arccos(jnp.clip(jnp.sum(unit[0] * unit[1], axis=-1, keepdims=True), -0.999, 0.999))
    share = jnp.linspace(0.0, 1.0, COLUMNS)[None, :, None]
    turned = (jnp.sin((1 - share) * angle) * unit[0] + jnp.sin(share * angle) * unit[1]) / jnp.sin(angle)
    noise = turned * ((1 - share) * length[0] + share * length[1])
    label = None
    if objective.classes is not None:  # one class a line
        label = jnp.repeat(jnp.arange(LINES) % objective.classes, COLUMNS)
    made = jax.jit(objective.decode)(model, noise.reshape(LINES * COLUMNS, -1), label)
    return np.asarray(made).reshape(LINES, COLUMNS, *made.shape[1:])


def _nearest(known: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The place of the training row nearest to each sample, and how far it is; NaN of samples that are none."""
    flat = _flat(samples)
    if not np.isfinite(flat).all():
        return np.zeros(len(flat), np.int64), np.full(len(flat), np.nan)
    return nearest(_flat(known), flat)


def _flat(images: np.ndarray) -> np.ndarray:
    return np.asarray(images, np.float64).reshape(len(images), -1)


def _shades(prepared: Any, member: int) -> Any:
    """From the units of the data to bytes."""
    shift, scale = (np.asarray(prepared[name])[member] for name in ("shift", "scale"))

    def shade(images: np.ndarray) -> np.ndarray:
        found = (np.nan_to_num(np.asarray(images, np.float64)) - shift) / scale
        return np.round(np.clip(127.5 * (found + 1), 0, 255)).astype(np.uint8)

    return shade
