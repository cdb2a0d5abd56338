"""A few images of a run with what the network looked at: kept in the run folder, since the images are not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from safetensors.numpy import save

from manyfit.engine import RunFolder
from manyfit.errors import ConfigError
from manyfit.experiment.result import Result
from manyfit.experiment.telling_rows import telling_rows
from manyfit.explain import agreement, class_activation_maps
from manyfit.tasks.task import Task

NAME = "examples.safetensors"
MOST_MEMBERS = 15
"""Members whose maps are averaged."""


def write_images(folder: RunFolder, task: Task, result: Result) -> None:
    """``examples.safetensors`` of a classification of images; nothing where there is nothing to point at."""
    found = image_examples(task, result)
    if found is not None:
        folder.write(NAME, save({name: np.asarray(values, order="C") for name, values in found.items()}))


def image_examples(task: Task, result: Result) -> dict[str, np.ndarray] | None:
    """A few test images that were called right, wrong and with the least margin, each with its map.

    ``pixels`` uint8 ``(n, H, W, C)``, ``heat`` uint8 ``(n, H, W)``: the mean of the members' maps of
    the class that was called, ``agreement`` float32 ``(n,)`` of the maps, ``row``, ``target`` and
    ``called`` int32, ``probability`` float32 of the class called, ``group`` int32 into ``GROUPS``.
    """
    if result.predictor is None or result.predictions is None or not task.classes:
        return None
    pixels = task.data["inputs"].get("pixels") if isinstance(task.data["inputs"], Mapping) else None
    if pixels is None or np.ndim(pixels) != 4 or np.shape(pixels)[3] not in (1, 3):
        return None
    places, group = telling_rows(result.predictions["output"], result.predictions["target"])
    row = result.predictions["row"][places]
    output = result.predictions["output"][places]
    called = output.argmax(axis=1).astype(np.int32)
    few = {"inputs": {"pixels": np.asarray(pixels)[row]}, "target": np.asarray(task.data["target"])[row]}
    predictor = result.predictor
    models = _first(predictor.models, MOST_MEMBERS)
    try:
        maps = class_activation_maps(predictor.objective, models, few, called)
    except ConfigError:  # a network without feature maps
        return None
    return {
        "pixels": _bytes(few["inputs"]["pixels"]),
        "heat": np.round(255 * maps.mean(axis=0)).astype(np.uint8),
        "agreement": agreement(maps).astype(np.float32),
        "row": row.astype(np.int32),
        "target": result.predictions["target"][places].astype(np.int32),
        "called": called,
        "probability": output.max(axis=1).astype(np.float32),
        "group": group,
    }


def _first(models: object, most: int) -> object:
    import jax

    return jax.tree.map(lambda leaf: leaf[:most], models)


def _bytes(pixels: np.ndarray) -> np.ndarray:
    """Images as bytes: as they are, or from their own least to their greatest value."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    return np.round(255 * (pixels - low) / (high - low or 1.0)).astype(np.uint8)
