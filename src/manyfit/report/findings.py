"""What a run found so far: the trials with their intervals, from the summary or else from the members."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfit.evaluate import resampled_interval
from manyfit.report.files import RunFiles, nested, real


@dataclass(frozen=True)
class Score:
    """A mean with its 95 % interval; NaN where there is none."""

    mean: float
    low: float
    high: float
    sd: float

    @classmethod
    def of(cls, content: Any) -> Score:
        """From an object of ``summary.json``."""
        part = nested(content)
        return cls(*(real(part.get(name)) for name in ("mean", "low", "high", "sd")))


@dataclass(frozen=True)
class Trial:
    """One row of the leaderboard."""

    trial: int
    hyper: Mapping[str, Any]
    members: int
    diverged: int
    parameters: int | None
    score: Score
    validation: float
    p_value: float
    latency: float = math.nan
    """Seconds a batch of predictions; NaN where it was not measured."""


@dataclass(frozen=True)
class Findings:
    """Everything that several sections need."""

    trials: Sequence[Trial]
    """Best score first; those without a score last."""
    chosen: Trial | None
    why: str
    searched: Sequence[str]
    """Hyper-parameters that differ between trials."""
    search: Score | None
    """The score of the search itself, a trial chosen anew in each fold."""
    pruned: int
    """Trials that were given up early."""
    settled: bool
    """Whether the numbers are those of the summary rather than of the members so far."""

    def rows(self, run: RunFiles, trial: int | None = None) -> list[int]:
        """Places in ``members.jsonl`` of a trial (the chosen one by default)."""
        wanted = trial if trial is not None else self.chosen.trial if self.chosen else None
        return [i for i, row in enumerate(run.members) if row.get("trial") == wanted]


def findings(run: RunFiles) -> Findings:
    """The trials of a run, and which was chosen."""
    listed = (run.summary or {}).get("trials")
    settled = isinstance(listed, list) and bool(listed)
    trials = [_listed(t) for t in listed if isinstance(t, Mapping)] if settled and listed else _counted(run)
    sign = -1.0 if run.maximize else 1.0
    trials.sort(key=lambda t: (not math.isfinite(t.score.mean), sign * t.score.mean, t.trial))
    choice = nested(run.summary, "chosen")
    chosen = next((t for t in trials if t.trial == choice.get("trial")), None)
    names = dict.fromkeys(name for t in trials for name in t.hyper)
    space = run.part("space")
    differ = [n for n in names if n in space or len({str(t.hyper.get(n)) for t in trials}) > 1]
    search = nested(run.summary, "search")
    given_up = (run.summary or {}).get("pruned")
    return Findings(
        trials,
        chosen,
        str(choice.get("why") or ""),
        differ,
        search=Score.of(search) if search else None,
        pruned=len(given_up) if isinstance(given_up, list) else 0,
        settled=settled,
    )


def score_of(row: Mapping[str, Any], metric: str) -> float:
    """A member's test score; NaN where it diverged or has none."""
    if row.get("status") == "diverged":
        return math.nan
    return real(nested(row, "test").get(metric))


def member_scores(run: RunFiles, places: Sequence[int]) -> dict[tuple[int, int], float]:
    """(fold, seed) -> score of the members at ``places``."""
    rows = [run.members[i] for i in places]
    return {(whole(row.get("fold")), whole(row.get("seed"))): score_of(row, run.metric) for row in rows}


def score_table(run: RunFiles, places: Sequence[int], metric: str, folds: Iterable[int]) -> np.ndarray:
    """(seeds, folds) scores of the members at ``places``, NaN where there is none."""
    rows = [run.members[i] for i in places]
    scores = {(whole(row.get("seed")), whole(row.get("fold"))): score_of(row, metric) for row in rows}
    seeds, columns = sorted({seed for seed, _ in scores}), list(folds)
    return np.array([[scores.get((seed, fold), math.nan) for fold in columns] for seed in seeds])


def sizes_of(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Mean rows of a fold that trained (validation rows among them) and that tested, at least 1."""
    sizes = [nested(row, "rows") for row in rows]
    train = [real(size.get("train")) + real(size.get("validation")) for size in sizes]
    test = [real(size.get("test")) for size in sizes]
    return max(1.0, _mean(train, 1.0)), max(1.0, _mean(test, 1.0))


def repeats_of(run: RunFiles) -> int:
    """How often the folds of a run are repeated; 1 where its test parts are drawn one by one."""
    settings = run.part("settings")
    folded = whole(settings.get("folds")) > 1 and not settings.get("bootstrap")
    return max(1, whole(settings.get("repeats"))) if folded else 1


def _listed(content: Mapping[str, Any]) -> Trial:
    parameters = content.get("parameters")
    return Trial(
        trial=whole(content.get("trial")),
        hyper=nested(content, "hyper"),
        members=whole(content.get("members")),
        diverged=whole(content.get("diverged")),
        parameters=parameters if isinstance(parameters, int) and parameters > 0 else None,
        score=Score.of(content.get("score")),
        validation=real(nested(content, "validation").get("loss")),
        p_value=real(content.get("p_value")),
        latency=real(content.get("latency")),
    )


def _counted(run: RunFiles) -> list[Trial]:
    """The trials as far as their members have ended."""
    places: dict[int, list[int]] = {}
    for i, row in enumerate(run.members):
        places.setdefault(row["trial"], []).append(i)
    return [_so_far(run, trial, found) for trial, found in places.items()]


def _so_far(run: RunFiles, trial: int, places: Sequence[int]) -> Trial:
    rows = [run.members[i] for i in places]
    folds = sorted({whole(row.get("fold")) for row in rows})
    repeats = repeats_of(run)
    if repeats > 1:  # in their places, the missing ones too
        folds = list(range(whole(run.part("settings").get("folds")) * repeats))
    n_train, n_test = sizes_of(rows)
    table = score_table(run, places, run.metric, folds)
    found = resampled_interval(table, n_train, n_test, repeats=repeats)
    diverged = sum(row.get("status") == "diverged" for row in rows)
    losses = [real(nested(row, "validation").get("loss")) for row in rows]
    return Trial(
        trial=trial,
        hyper=nested(rows[0], "hyper"),
        members=len(rows),
        diverged=diverged,
        parameters=None,
        score=Score(found.mean, found.low, found.high, found.sd),
        validation=math.nan if diverged else _mean(losses, math.nan),
        p_value=math.nan,
    )


def _mean(values: Sequence[float], otherwise: float) -> float:
    found = [v for v in values if math.isfinite(v)]
    return sum(found) / len(found) if found else otherwise


def whole(value: Any) -> int:
    """An integer of a JSON file; 0 for whatever is none."""
    return value if isinstance(value, int) else 0
