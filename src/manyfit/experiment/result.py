"""What an experiment found: scores with intervals, the chosen trial, the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.errors import RunError
from manyfit.evaluate import Interval
from manyfit.experiment.predictor import Predictor
from manyfit.tune import pareto_front


@dataclass(frozen=True)
class TrialScore:
    """One trial: its hyper-parameters, its score over folds and seeds, and its rank's reason."""

    trial: int
    hyper: Mapping[str, Any]
    members: int
    diverged: int
    parameters: int
    score: Interval
    validation: float
    """Mean of the monitored loss at the best epoch on the validation rows; infinite where a member diverged."""
    p_value: float | None = None
    """Corrected paired test of the score against the chosen trial's."""
    latency: float | None = None
    """Seconds that one network takes to predict a batch (``Experiment.latency`` rows), where it was measured."""


@dataclass(frozen=True)
class PrunedTrial:
    """A trial that was given up early: it has no score."""

    trial: int
    hyper: Mapping[str, Any]
    epochs: int
    validation: float
    """Mean of the lowest monitored loss on the validation rows until then; infinite where a member diverged."""


@dataclass(frozen=True)
class Result:
    """The outcome of a run."""

    metric: str
    direction: str
    trials: Sequence[TrialScore]
    """Best first."""
    chosen: int | None
    """The chosen trial's number, or None when no trial was finished."""
    why: str
    scores: Mapping[str, Interval]
    """Every metric of the chosen trial."""
    search: Interval | None
    """The score of the search itself, free of the winner's curse: in each fold the trial that this fold's
    validation rows alone would choose (``manyfit.evaluate.chosen_fold_by_fold``). None for a single trial or fold."""
    steered: bool
    """Whether what was tried was itself suggested, kept or bred by the validation rows of all folds: then some of
    the luck of the choice is left in ``search`` too, and rows kept apart (``--test``) are the last word."""
    pruned: Sequence[PrunedTrial]
    """Trials that were given up early, in the order of the search."""
    ensemble: Mapping[str, float]
    """The metrics of the out-of-fold predictions averaged over seeds."""
    members: Sequence[Mapping[str, Any]]
    """One row a member, as in ``members.jsonl``."""
    history: Mapping[str, np.ndarray]
    """Metric -> ``(members, epochs)``, rows as in ``members``."""
    timing: Mapping[str, float]
    interrupted: bool
    """Whether it can be resumed."""
    predictor: Predictor | None
    predictions: Mapping[str, np.ndarray] | None
    folder: Path | None = None
    warnings: Sequence[str] = ()
    out_of_budget: bool = False
    """Whether it was the budget that ended it."""
    nested: int | None = None
    """Inner folds of the searches that ``search`` scores, where every fold was searched anew."""
    checks: Mapping[str, Any] = field(default_factory=dict)
    """Calibration before and after, labels that may be wrong, rows of identical inputs: as in ``summary.json``."""
    pictures: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    """What autoencoders and games have to show, by file of the run folder: ``codes.safetensors`` (``experiment.codes``)
    and ``games.safetensors`` (``experiment.games``)."""

    @property
    def best(self) -> Predictor:
        """The chosen trial's members as one model; raises ``RunError`` when there is none."""
        if self.predictor is None:
            raise RunError("no trial was finished, so there is no model: resume the run or start it anew")
        return self.predictor

    @property
    def score(self) -> Interval:
        """The chosen trial's score with its 95 % interval."""
        for trial in self.trials:
            if trial.trial == self.chosen:
                return trial.score
        raise RunError("no trial was finished, so there is no score: resume the run or start it anew")

    def pareto(self) -> list[TrialScore]:
        """The trials that no other one beats in score, size and (where measured) latency at once, best score first."""
        sign = -1.0 if self.direction == "maximize" else 1.0
        costs = [
            (sign * t.score.mean, float(t.parameters), 0.0 if t.latency is None else t.latency)
            for t in self.trials
        ]
        if not costs:
            return []
        return [trial for trial, kept in zip(self.trials, pareto_front(costs)) if kept]

    @cached_property
    def searched(self) -> list[str]:
        """The names of the hyper-parameters that differ between trials."""
        return list(dict.fromkeys(name for trial in self.trials for name in trial.hyper))

    def table(self, most: int = 12) -> str:
        """The leaderboard as text: trial, score with its 95 % interval, p-value against the chosen one."""
        lines = [["", "trial", f"{self.metric}", "95 % interval", "p", *map(short_name, self.searched)]]
        for trial in self.trials[:most]:
            s = trial.score
            lines.append(
                [
                    "*" if trial.trial == self.chosen else "",
                    str(trial.trial),
                    number(s.mean),
                    f"{number(s.low)} to {number(s.high)}",
                    "" if trial.p_value is None else f"{trial.p_value:.3f}",
                    *(number(trial.hyper.get(name, "")) for name in self.searched),
                ]
            )
        widths = [max(len(row[i]) for row in lines) for i in range(len(lines[0]))]
        text = "\n".join("  ".join(c.rjust(w) for c, w in zip(row, widths)).rstrip() for row in lines)
        if len(self.trials) > most:
            text += f"\n({len(self.trials) - most} more)"
        return text

    def __str__(self) -> str:
        text = f"{self.table()}\n* chosen: {self.why}"
        if self.search is not None:
            how = "chosen anew in each fold"
            if self.nested:
                how = f"done anew within each fold's training rows, in {self.nested} inner folds"
            text += f"\nthe search itself, {how}: {self.metric} {self.search}"
            if self.steered:
                text += "; what there was to choose from was steered by all folds"
        return text


def short_name(path: str) -> str:
    """The last word of a dotted path."""
    return path.rsplit(".", 1)[-1]


def number(value: Any) -> str:
    """A value for a table: four significant digits, or its text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating, np.integer)):
        return str(value)
    return f"{value:.4g}" if np.isfinite(value) else "–"
