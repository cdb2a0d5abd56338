"""How near the images of a generative run come to real ones, in the features of a classifier of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from manyfit.engine.keys import key_of
from manyfit.errors import ConfigError, DataError
from manyfit.evaluate import Interval, resampled_interval
from manyfit.experiment.predictor import Predictor
from manyfit.explain import hidden_features
from manyfit.metrics.generative import floor, generative_scores

MOST = 2_000
LEAST = 20
BOUNDS = {
    **dict.fromkeys(("frechet", "density"), (0.0, np.inf)),
    **dict.fromkeys(("precision", "recall", "coverage"), (0.0, 1.0)),
}
"""What each measure lies between; the kernel distance, free of bias, can be below 0."""


@dataclass(frozen=True)
class Judged:
    """What each network of a run scores against the same real images, ``rows`` of each."""

    rows: int
    networks: Mapping[str, np.ndarray]
    """Measure -> ``(members,)``; NaN and 0 of a network whose samples are no numbers."""
    scores: Mapping[str, Interval]
    """The mean over the networks with its 95 % interval; of a single network without one."""
    floor: Mapping[str, float]
    """What as many other real images score: no generator can be expected to do better."""

    def to_json(self) -> dict[str, Any]:
        """As ``manyfit evaluate --json`` prints it."""
        return {
            "rows": self.rows,
            "scores": {n: {"mean": s.mean, "low": s.low, "high": s.high} for n, s in self.scores.items()},
            "floor": dict(self.floor),
            "networks": {name: values.tolist() for name, values in self.networks.items()},
        }


def judge(
    predictor: Predictor, classifier: Predictor, pixels: np.ndarray, count: int | None = None, seed: int = 0
) -> Judged:
    """Score every network of a generative run against real images ``(rows, H, W, C)``.

    Features are what the last layer of the first network of ``classifier`` reads. ``count`` real images, half of
    them and at most 2,000 where None, are compared with as many samples of each network and as many others.

    Raises:
        ConfigError: a run that does not write images, a classifier that does not read such images.
        DataError: too few images.
    """
    objective = predictor.objective
    if not hasattr(objective, "sample"):
        raise ConfigError(
            f"{type(objective).__name__} does not generate: these scores are for runs of --model gan, vae and the like"
        )
    if "pixels" not in (classifier.data.get("inputs") or {}) or not classifier.classes:
        raise ConfigError(
            "--features: give the run of a classifier of images (manyfit fit IMAGES --target folder)"
        )
    read, made = classifier.data["inputs"]["pixels"].shape[1:], pixels.shape[1:]
    if read != made:
        raise ConfigError(
            f"--features: that classifier reads images of {read}, and these are {made} (--size)"
        )
    if len(pixels) < 2 * LEAST:
        raise DataError(
            f"{len(pixels)} images are too few to compare with samples and with each other: give at least {2 * LEAST}"
        )
    count = min(len(pixels) // 2, MOST) if count is None else count
    if count < LEAST or 2 * count > len(pixels):
        raise ConfigError(
            f"{count} images beside as many others, of {len(pixels)} (-n): give {LEAST} to {len(pixels) // 2}"
        )
    order = np.random.default_rng(seed).permutation(len(pixels))
    model = jax.tree.map(lambda leaf: leaf[0], classifier.models)

    def features(images: np.ndarray) -> np.ndarray:
        return hidden_features(classifier.objective, model, {"pixels": images})

    real, other = features(pixels[order[:count]]), features(pixels[order[count : 2 * count]])
    draw = jax.jit(lambda model, key: objective.sample(model, key, count))
    found: list[dict[str, float]] = []
    for member, key in enumerate(jax.random.split(key_of(seed), predictor.members)):
        samples = np.asarray(draw(jax.tree.map(lambda leaf, m=member: leaf[m], predictor.models), key))
        whole = np.isfinite(samples).all()
        images = np.clip(np.round(np.nan_to_num(samples)), 0, 255).astype(pixels.dtype)
        found.append(generative_scores(real, features(images) if whole else np.full_like(real, np.nan)))
    networks = {name: np.array([one[name] for one in found]) for name in found[0]}
    scores = {
        name: resampled_interval(values[:, None], 1, 1).within(*BOUNDS.get(name, (-np.inf, np.inf)))
        for name, values in networks.items()
    }
    return Judged(count, networks, scores, floor(real, other, count))
