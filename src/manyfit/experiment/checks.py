"""What a run's own predictions and rows say against its numbers: calibration, labels, rows that stand there twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manyfit.evaluate import Twins, cross_calibrated, label_suspects

MOST_SUSPECTS = 20
"""Rows that are named."""


def checks_of(
    predictions: Mapping[str, np.ndarray] | None, classes: Sequence[str], found: Twins | None
) -> dict[str, Any]:
    """The checks of ``summary.json``; what cannot be looked at is left out.

    Args:
        predictions: out of fold, as ``Result.predictions`` has them.
        classes: their names; empty for a regression.
        found: the rows of identical inputs.
    """
    checks: dict[str, Any] = {}
    if found is not None:
        checks["twins"] = {
            "rows": found.rows,
            "leaked": found.leaked,
            "contradicted": found.contradicted,
        }
    if predictions is None or not classes or predictions["output"].ndim != 2:
        return checks
    usable = np.isfinite(predictions["output"]).all(axis=1)
    output, target, row, fold = (predictions[name][usable] for name in ("output", "target", "row", "fold"))
    if len(target) < 2:
        return checks
    calibration = cross_calibrated(output, target, fold)
    checks["calibration"] = {
        "ece": calibration.ece,
        "log_loss": calibration.log_loss,
        "temperature": calibration.temperature,
        "best": calibration.best,
    }
    # of repeats the mean prediction; of sentences each word for itself
    word = predictions["place"][usable] if "place" in predictions else np.zeros_like(row)
    rows, place = np.unique(np.stack([row, word], axis=1), axis=0, return_inverse=True)
    place = place.reshape(-1)
    mean = np.zeros((len(rows), output.shape[1]))
    np.add.at(mean, place, output)
    truth = np.zeros(len(rows), np.int64)
    truth[place] = target
    suspects = label_suspects(truth, mean / np.bincount(place)[:, None])
    checks["label_suspects"] = {
        "count": len(suspects.rows),
        "first": [
            {
                "row": int(rows[i, 0]),
                **({"place": int(rows[i, 1])} if "place" in predictions else {}),
                "label": classes[truth[i]],
                "likelier": classes[likelier],
                "probability": float(confidence),
            }
            for i, likelier, confidence in zip(
                suspects.rows[:MOST_SUSPECTS], suspects.likelier, suspects.confidence
            )
        ],
    }
    return checks
