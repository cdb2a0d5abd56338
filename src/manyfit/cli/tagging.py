"""Labels of words from the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.cli.options import Predict
from manyfit.cli.output import write_table
from manyfit.experiment.predictor import Prediction, Predictor


def tag_words(options: Predict, predictor: Predictor) -> int:
    """``manyfit predict`` of sentences: a line a word."""
    found = predictor.tag(options.data)
    encoder: Any = predictor.encoder
    schema = encoder.schema
    columns: dict[str, Any] = {
        schema.sentence if schema.form == "table" else "sentence": [
            one.name for one in found for _ in one.words
        ],
        "word": [word for one in found for word in one.words],
        "prediction": [label for one in found for label in one.labels],
        "probability": np.concatenate([one.probability for one in found]),
        "spread": np.concatenate([one.spread for one in found]),
    }
    if options.coverage is not None:
        output = np.concatenate([one.output for one in found])
        sets = predictor.sets(Prediction(output, output, None), options.coverage)
        columns["set"] = ["|".join(c for c, inside in zip(predictor.classes, row) if inside) for row in sets]
    write_table(columns, options.out)
    if options.out is not None:
        said = (
            f"{len(columns['word'])} words in {len(found)} sentences labelled by {predictor.members} networks"
        )
        print(f"{said}: {options.out}", file=sys.stderr)
    return 0


def say_notes(encoder: Any, data: Path) -> None:
    """What the encoder has to say of labelled data before they are scored."""
    for note in getattr(encoder, "notes", lambda rows: ())(data):
        print(f"manyfit: {data}: {note}", file=sys.stderr)
