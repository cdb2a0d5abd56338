"""A few sentences as they were labelled, kept in the run folder for the report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from manyfit.data.special_tokens import PAD

if TYPE_CHECKING:
    from manyfit.experiment.result import Result
    from manyfit.tasks.task import Task

NAME = "tags.json"
EACH = 6
"""Sentences of each group."""
LONGEST = 60
"""Words of a sentence that are shown: the beginning."""


def tag_examples(task: Task, result: Result) -> list[dict[str, Any]]:
    """The sentences with the surest mistakes, and others spread evenly over the data, by networks that never saw them.

    Each has ``words``, ``labels``, ``called`` and the ``probability`` of what was called, word by word.
    """
    found = result.predictions
    if found is None:
        return []
    called = found["output"].argmax(axis=1)
    sure = np.where(called != found["target"], found["output"].max(axis=1), 0.0)
    surest = [int(found["row"][i]) for i in np.argsort(-sure, kind="stable") if sure[i] > 0]
    wrong = list(dict.fromkeys(surest))[:EACH]
    others = np.setdiff1d(np.unique(found["row"]), wrong)
    spread = others[np.unique(np.linspace(0, len(others) - 1, min(EACH, len(others))).round().astype(int))]
    return [
        _told(task, found, called, row, group)
        for group, rows in ((1, wrong), (0, spread.tolist()))
        for row in rows
    ]


def _told(task: Task, found: Any, called: np.ndarray, row: int, group: int) -> dict[str, Any]:
    mine = np.flatnonzero(found["row"] == row)
    mine = mine[found["fold"][mine] == found["fold"][mine[0]]]  # of repeats the first
    at = {int(found["place"][i]): i for i in mine}
    count = int((task.data["inputs"]["tokens"][row] != PAD).sum())
    words = _words(task, row)
    known = [at.get(place) for place in range(min(count, LONGEST))]
    return {
        "group": group,
        "row": row,
        "words": words[: len(known)],
        "labels": [None if i is None else task.classes[int(found["target"][i])] for i in known],
        "called": [None if i is None else task.classes[int(called[i])] for i in known],
        "probability": [None if i is None else round(float(found["output"][i].max()), 4) for i in known],
    }


def _words(task: Task, row: int) -> list[str]:
    """The words of a row, by their letters: of a long one the middle is not there."""
    encoder: Any = task.encoder
    schema = encoder.schema
    return [schema.spelling(letters) for letters in task.data["inputs"]["characters"][row]]


def tags_json(task: Task, result: Result) -> str:
    """``tag_examples`` as the content of ``tags.json``."""
    return json.dumps({"sentences": tag_examples(task, result)}, ensure_ascii=False, indent=1)
