"""A few images of a run with what the network looked at: kept in the run folder, since the images are not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from safetensors.numpy import save

from manyfit.engine import RunFolder
from manyfit.errors import ConfigError
from manyfit.experiment import generation, tag_examples, text_examples, translation
from manyfit.experiment.result import Result
from manyfit.experiment.series_examples import write_series
from manyfit.explain import agreement, class_activation_maps
from manyfit.tasks.task import Task

NAME = "examples.safetensors"
EACH = 4
"""Images of each group."""
MOST_MEMBERS = 15
"""Members whose maps are averaged."""
GROUPS = ("right", "wrong", "unsure")


def write_examples(folder: RunFolder, task: Task, result: Result) -> None:
    """``examples.safetensors`` of a classification of images; nothing where there is nothing to point at."""
    if task.about.get("kind") == "corpus":
        folder.write(generation.NAME, generation.samples_json(result).encode())
        return
    if task.about.get("kind") == "texts":
        folder.write(text_examples.NAME, text_examples.texts_json(task, result).encode())
        return
    if task.kind == "tagging":
        folder.write(tag_examples.NAME, tag_examples.tags_json(task, result).encode())
        return
    if task.about.get("kind") == "pairs":
        folder.write(translation.NAME, translation.translations_json(result, task).encode())
        return
    if task.about.get("kind") == "labelled series":
        write_series(folder, task, result)
        return
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
    places, group = chosen(result.predictions["output"], result.predictions["target"])
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


def chosen(output: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the surest right ones (each of another class), the surest wrong ones and those of least margin."""
    called, sure = output.argmax(axis=1), output.max(axis=1)
    ordered = np.sort(output, axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    right = np.flatnonzero(called == target)
    right = right[np.argsort(-sure[right], kind="stable")]
    _, first = np.unique(target[right], return_index=True)
    right = right[np.sort(first)][:EACH]
    wrong = np.flatnonzero(called != target)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")][:EACH]
    unsure = np.argsort(margin, kind="stable")
    unsure = unsure[~np.isin(unsure, np.concatenate([right, wrong]))][:EACH]
    groups = [np.full(len(part), i, np.int32) for i, part in enumerate((right, wrong, unsure))]
    return np.concatenate([right, wrong, unsure]), np.concatenate(groups)


def _first(models: object, most: int) -> object:
    import jax

    return jax.tree.map(lambda leaf: leaf[:most], models)


def _bytes(pixels: np.ndarray) -> np.ndarray:
    """Images as bytes: as they are, or from their own least to their greatest value."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    return np.round(255 * (pixels - low) / (high - low or 1.0)).astype(np.uint8)
