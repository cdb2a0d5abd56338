"""A few labelled texts as they were called, word by word: kept in the run folder for the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.data.special_tokens import PAD
from manyfit.experiment.telling_rows import telling_rows
from manyfit.explain.occlusion import occlusion

if TYPE_CHECKING:
    from manyfit.experiment.result import Result
    from manyfit.tasks.task import Task

NAME = "texts.json"
LONGEST = 300
"""Words of a text that are shown: the beginning."""


def text_examples(task: Task, result: Result) -> list[dict[str, Any]]:
    """The surest right and wrong texts and the least sure: ``tokens`` and, a number each, ``weights``.

    A weight is how far the probability of the class that was called falls without that word, by the networks of the
    fold that tested the text: none of them had seen it.
    """
    found, predictor = result.predictions, result.predictor
    encoder: Any = task.encoder
    if found is None or predictor is None or not task.classes or "fold" not in found:
        return []
    rows = [m for m in result.members if m["trial"] == result.chosen and m["status"] != "diverged"]
    folds = np.array([m["fold"] for m in rows])
    tokenizer = encoder.schema.tokenizer
    objective = predictor.objective
    many = jax.jit(jax.vmap(lambda model, inputs: objective.predict(model, {"inputs": inputs}), (0, None)))
    told = []
    places, group = telling_rows(found["output"], found["target"])
    for place, kind in zip(places, group):
        row, output = int(found["row"][place]), found["output"][place]
        called = int(output.argmax())
        members = np.flatnonzero(folds == found["fold"][place])
        if not len(members):
            continue
        models = jax.tree.map(lambda leaf, m=members: jnp.asarray(leaf[m]), predictor.models)
        beside = {name: x[row] for name, x in task.data["inputs"].items() if name != "tokens"}
        tokens = task.data["inputs"]["tokens"][row]
        weights = occlusion(_probability(many, models, called, beside), tokens)
        real = np.flatnonzero(tokens != PAD)[:LONGEST]
        told.append(
            {
                "group": int(kind),
                "row": row,
                "target": task.classes[int(found["target"][place])],
                "called": task.classes[called],
                "probability": float(output[called]),
                "tokens": [tokenizer.token(int(tokens[i])) for i in real],
                "weights": [round(float(weights[i]), 5) for i in real],
            }
        )
    return told


def _probability(
    many: Any, models: Any, called: int, beside: Mapping[str, np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """The probability of a class by tokens ``(B, T)``, all other inputs being those of one row."""

    def probability(tokens: np.ndarray) -> np.ndarray:
        rest = {name: np.broadcast_to(x, (len(tokens), *x.shape)) for name, x in beside.items()}
        return np.asarray(many(models, {"tokens": tokens, **rest})).mean(axis=0)[:, called]

    return probability


def texts_json(task: Task, result: Result) -> str:
    """``text_examples`` as the content of ``texts.json``."""
    return json.dumps({"texts": text_examples(task, result)}, ensure_ascii=False, indent=1)
