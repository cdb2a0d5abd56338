"""Whether probabilities and labels can be trusted: calibration, suspect rows, rows that stand twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfit.evaluate import Calibration, cross_calibrated, label_suspects
from manyfit.report.classification import row_name
from manyfit.report.files import Arrays, RunFiles, nested
from manyfit.report.numbers import clipped, grouped, number, share
from manyfit.report.svg import Chart, Figure, Scale

MOST_SUSPECTS = 8
BINS = 15
KINDS = {"none": ("as they are", "b"), "temperature": ("temperature", "a"), "isotonic": ("isotonic", "c")}


@dataclass(frozen=True)
class Suspect:
    """A row whose label may be wrong."""

    row: str
    label: str
    likelier: str
    probability: str


def checks(run: RunFiles) -> dict[str, Any] | None:
    """What the section shows; None where there is nothing to say."""
    twins = _twins(run)
    found = run.predictions
    if found is None or found["output"].ndim != 2 or len(found["target"]) < 2:
        return {"twins": twins, "chart": None} if twins else None
    classes = run.classes or [str(k) for k in range(found["output"].shape[1])]
    calibration = cross_calibrated(found["output"], found["target"], found.get("fold"))
    suspects, count = suspect_rows(classes, found)
    return {
        "twins": twins,
        "chart": _chart(calibration, found["target"]),
        "calibration": [
            (words, number(calibration.ece[name], 3), number(calibration.log_loss[name], 4))
            for name, (words, _) in KINDS.items()
        ],
        "verdict": _verdict(calibration),
        "suspects": suspects,
        "suspected": grouped(count),
        "suspected_share": share(count / _rows(found)) if "row" in found else "",
    }


def suspect_rows(classes: Sequence[str], predictions: Arrays) -> tuple[list[Suspect], int]:
    """The likeliest wrong labels, and how many there are in all."""
    if "row" not in predictions:
        return [], 0
    word = predictions.get("place", np.zeros_like(predictions["row"]))
    both = np.stack([predictions["row"], word], axis=1)
    rows, first, place = np.unique(both, axis=0, return_index=True, return_inverse=True)
    place = place.reshape(-1)
    mean = np.zeros((len(rows), predictions["output"].shape[1]))
    np.add.at(mean, place, predictions["output"])
    target = np.zeros(len(rows), np.int64)
    target[place] = predictions["target"]
    found = label_suspects(target, mean / np.bincount(place)[:, None])
    some = [
        Suspect(
            row_name(predictions, int(first[i])),
            clipped(classes[target[i]], 40),
            clipped(classes[likelier], 40),
            share(p),
        )
        for i, likelier, p in zip(found.rows[:MOST_SUSPECTS], found.likelier, found.confidence)
    ]
    return some, len(found.rows)


def _rows(predictions: Arrays) -> int:
    """How many rows were predicted, each of repeats once; of sentences words."""
    if "place" in predictions:
        return len(np.unique(np.stack([predictions["row"], predictions["place"]]), axis=1).T)
    return len(np.unique(predictions["row"]))


def _twins(run: RunFiles) -> str:
    twins = nested(run.summary, "checks", "twins")
    rows, leaked, contradicted = (twins.get(name) for name in ("rows", "leaked", "contradicted"))
    if not isinstance(rows, int) or not isinstance(leaked, int) or not isinstance(contradicted, int):
        return ""
    if not leaked and not contradicted:
        return f"No two of the {grouped(rows)} rows have the same inputs across training and test parts."
    return (
        f"{grouped(leaked)} of {grouped(rows)} rows were tested by networks that trained on a row of the same inputs; "
        f"{grouped(contradicted)} have a twin of the same inputs with another target."
    )


def _verdict(found: Calibration) -> str:
    best = found.best
    if best == "none":
        return "By log loss, on rows that calibrated nothing, neither calibration improves on them: leave them be."
    way = "too sure" if found.temperature > 1 else "too modest"
    return (
        f"By log loss, on rows that calibrated nothing, {KINDS[best][0]} calibration is best: it goes "
        f"from {number(found.log_loss['none'], 4)} to {number(found.log_loss[best], 4)}. The networks are "
        f"{way} (temperature {number(found.temperature, 3)})."
    )


def _chart(found: Calibration, target: np.ndarray) -> Chart:
    lines = {}
    for name, p in found.calibrated.items():
        sure, right = p.max(axis=1), p.argmax(axis=1) == target
        place = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
        used = np.unique(place)
        lines[name] = (
            [float(sure[place == b].mean()) for b in used],
            [float(right[place == b].mean()) for b in used],
        )
    low = min(x[0] for x, _ in lines.values())
    x = Scale(max(0.0, low - 0.02), 1.0, 0, 1, percent=True)
    ends = ", ".join(f"{KINDS[name][0]} {number(value, 3)}" for name, value in found.ece.items())
    figure = Figure(
        f"Reliability before and after calibration; expected calibration error: {ends}",
        x,
        Scale(0, 1, 0, 1, percent=True),
        "confidence (probability of the predicted class)",
        "share right",
        height=300,
    )
    figure.mark((x.low, 1.0), (x.low, 1.0))
    for name, (across, up) in lines.items():
        words, kind = KINDS[name]
        figure.line(across, up, f"line {kind}")
        for at, part in zip(across, up):
            figure.dot(at, part, f"dot {kind}", f"{words}: confidence {share(at)}, {share(part)} right")
    return Chart(
        "Before and after calibration",
        figure.render(),
        "On the dashed line, 90 % sure is right 9 times in 10. Each fold was calibrated by the other folds’ rows.",
        [(f"key-dot {kind}", words) for words, kind in KINDS.values()],
    )
