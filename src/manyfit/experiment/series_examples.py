"""What labelled series look like, class by class, and a few that were called right and wrong, for the report."""

from __future__ import annotations

import numpy as np
from safetensors.numpy import save

from manyfit.engine import RunFolder
from manyfit.experiment.result import Result
from manyfit.experiment.telling_rows import telling_rows
from manyfit.tasks.task import Task

NAME = "series.safetensors"
MOST_STEPS, MOST_CHANNELS, MOST_CLASSES = 400, 4, 8


def write_series(folder: RunFolder, task: Task, result: Result) -> None:
    """``series.safetensors`` of a classification of series: see ``series_examples``."""
    found = series_examples(task, result)
    if found is not None:
        folder.write(NAME, save({name: np.asarray(values, order="C") for name, values in found.items()}))


def series_examples(task: Task, result: Result) -> dict[str, np.ndarray] | None:
    """Quartiles of each class over time, and series that were called right, wrong and with the least margin.

    ``quartiles`` float32 ``(classes, 3, T, C)``, NaN where no series of the class is so long; ``steps``
    ``(n, T, C)``, NaN after the end; ``place`` int32 ``(T,)``, the step of each column; ``row``, ``target``,
    ``called``, ``group`` int32 and ``probability`` float32 ``(n,)``. Of many steps every so manieth is kept, of many
    channels and classes the first.
    """
    if result.predictions is None or not task.classes:
        return None
    steps, lengths = task.data["inputs"]["steps"], task.data["inputs"]["lengths"]
    target = np.asarray(task.data["target"])
    place = np.arange(0, steps.shape[1], -(-steps.shape[1] // MOST_STEPS), dtype=np.int32)
    inside = place < lengths[:, None]
    shown = np.where(inside[..., None], steps[:, place, :MOST_CHANNELS], np.nan).astype(np.float32)
    classes = min(len(task.classes), MOST_CLASSES)
    quartiles = np.full((classes, 3, *shown.shape[1:]), np.nan, np.float32)
    for k in range(classes):
        here = shown[target == k]
        some = ~np.isnan(here).all(axis=(0, 2))
        if some.any():
            quartiles[k][:, some] = np.nanquantile(here[:, some], (0.25, 0.5, 0.75), axis=0)
    places, group = telling_rows(result.predictions["output"], result.predictions["target"])
    output = result.predictions["output"][places]
    row = result.predictions["row"][places]
    return {
        "quartiles": quartiles,
        "place": place,
        "steps": shown[row],
        "row": row.astype(np.int32),
        "target": result.predictions["target"][places].astype(np.int32),
        "called": output.argmax(axis=1).astype(np.int32),
        "probability": output.max(axis=1).astype(np.float32),
        "group": group,
    }
