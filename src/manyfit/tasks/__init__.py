"""From raw data to a sensible task."""

from __future__ import annotations

from typing import Any

import numpy as np

from manyfit.errors import ConfigError
from manyfit.tasks.task import Task, from_arrays

__all__ = ["Task", "task_of"]


def task_of(data: Any) -> Task:
    """The task that a data set poses: a ``Table``, ``Images``, a ``Task``, arrays by name, or None."""
    if isinstance(data, Task):
        return data
    kind = type(data).__name__
    if kind == "Table":
        from manyfit.tasks.tables import table_task

        return table_task(data)
    if kind == "Images":
        from manyfit.tasks.images import image_task

        return image_task(data)
    if kind == "Texts":
        from manyfit.tasks.texts import text_task

        return text_task(data)
    if kind == "SeriesSet":
        from manyfit.tasks.series import series_task

        return series_task(data)
    if kind == "Tagged":
        from manyfit.tasks.tagging import tag_task

        return tag_task(data)
    if data is None or isinstance(data, (dict, np.ndarray)):
        return from_arrays(data)
    raise ConfigError(
        f"data is a {kind}: give manyfit.data.read_table(...), manyfit.data.read_images(...), "
        "manyfit.data.read_texts(...), manyfit.data.read_tagged(...), manyfit.data.read_series(...), "
        "an array, a dict of arrays or None"
    )
