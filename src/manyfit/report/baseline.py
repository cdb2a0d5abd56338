"""What guessing without looking at the inputs would score: the floor under every score."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from manyfit.report.files import RunFiles
from manyfit.report.numbers import number, share


@dataclass(frozen=True)
class Baseline:
    """The score of the best constant guess, and a sentence that says it."""

    score: float
    sentence: str


def baseline(run: RunFiles) -> Baseline | None:
    """The constant guess, for the metrics where it is well defined and known."""
    if run.predictions is None or not len(run.predictions["target"]):
        return None
    target, output = run.predictions["target"], run.predictions["output"]
    if output.ndim == 1:
        return _of_values(run.metric, target.astype(np.float64))
    counts = np.bincount(target, minlength=output.shape[1])
    return _of_classes(run, counts / counts.sum())


def _of_values(metric: str, values: np.ndarray) -> Baseline | None:
    if metric == "rmse":
        error = math.sqrt(float(np.mean((values - values.mean()) ** 2)))
        return Baseline(error, f"Always predicting the mean would have an error of {number(error, 3)}.")
    if metric == "mae":
        error = float(np.mean(np.abs(values - np.median(values))))
        return Baseline(error, f"Always predicting the median would have an error of {number(error, 3)}.")
    if metric == "r2":
        return Baseline(0.0, "Always predicting the mean would explain nothing (0).")
    return None


def _of_classes(run: RunFiles, shares: np.ndarray) -> Baseline | None:
    k = len(shares)
    if run.metric == "accuracy":
        top = int(shares.argmax())
        name = run.classes[top] if run.classes else str(top)
        sentence = (
            f"Always answering “{name}”, the most frequent class, would be right on {share(shares[top])}."
        )
        return Baseline(float(shares[top]), sentence)
    if run.metric == "balanced_accuracy":
        return Baseline(1.0 / k, f"Any constant answer would be right on {share(1.0 / k)}.")
    if run.metric == "auroc":
        return Baseline(0.5, "Guessing would rank with probability 0.5.")
    if run.metric == "log_loss":
        seen = shares[shares > 0]
        loss = float(-np.sum(seen * np.log(seen)))
        return Baseline(
            loss, f"Always answering the classes' shares would have a log loss of {number(loss, 3)}."
        )
    return None
