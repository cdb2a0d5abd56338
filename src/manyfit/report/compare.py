"""Several runs side by side: scores with intervals, paired differences, and what was asked differently."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from markupsafe import Markup

from manyfit.errors import ConfigError
from manyfit.evaluate import Comparison, holm, paired_test
from manyfit.report.board import axis, bar, board_scale, common_places, probability
from manyfit.report.files import RunFiles, nested, real
from manyfit.report.findings import Findings, Score, findings, repeats_of, score_table, sizes_of, whole
from manyfit.report.numbers import (
    NONE,
    PERCENT,
    clipped,
    data,
    decimals,
    duration,
    grouped,
    interval,
    legible,
    metric_name,
    minus,
    setting,
    short_name,
)

ALL_PAIRS = 6
"""Up to so many runs every pair is tested; of more, each against the first."""
MOST_DIFFERENCES = 60


@dataclass(frozen=True)
class Side:
    """One of the runs."""

    label: str
    run: RunFiles
    found: Findings

    def score(self, metric: str) -> Score:
        """The chosen trial's score by any metric; NaN where there is none."""
        if self.found.chosen is None:
            return Score(*[math.nan] * 4)
        if metric == self.run.metric:
            return self.found.chosen.score
        return Score.of(nested(self.run.summary, "scores").get(metric))


def comparison(runs: Sequence[RunFiles]) -> dict[str, Any]:
    """Everything that the page shows; the first run says which metric decides."""
    if len(runs) < 2:
        raise ConfigError("comparing needs at least two runs: manyfit compare runs/a runs/b")
    sides = [Side(label, run, findings(run)) for label, run in zip(labels(runs), runs)]
    metric, maximize = runs[0].metric, runs[0].maximize
    pairs, reasons = paired(sides, metric)
    return {
        "title": " · ".join(side.label for side in sides),
        "headline": headline(sides, metric, pairs),
        "metric": metric_name(metric),
        "maximize": maximize,
        "board": board(sides, metric),
        "searched": any(_search(side, metric, None) for side in sides),
        "axis": axis(_scale(sides, metric), f"Axis of {metric_name(metric)}"),
        "pairs": [pair_row(a, b, found, p, metric, maximize) for a, b, found, p in pairs],
        "reasons": reasons,
        "sides": [side.label for side in sides],
        "scores": all_scores(sides),
        "differences": differences(sides),
        "doubts": [f"{side.label}: {note}" for side in sides for note in _notes(side)],
    }


def labels(runs: Sequence[RunFiles]) -> list[str]:
    """Names of the runs, and where two are alike their folders."""
    names = [run.name for run in runs]
    return [name if names.count(name) == 1 else f"{name} ({run.path})" for name, run in zip(names, runs)]


def not_paired(a: Side, b: Side, metric: str) -> str:
    """Why two runs cannot be paired fold by fold; empty where they can."""
    (own, *task), (other, *other_task) = _aim(a), _aim(b)
    if own is None or own != other:
        return "their data are not the same (the fingerprints differ)"
    if task != other_task:
        return "they do not predict the same"
    if a.found.chosen is None or b.found.chosen is None:
        return "one of them has chosen no trial"
    if not all(np.isfinite(_table(side, metric)).any() for side in (a, b)):
        return f"one of them has no {metric_name(metric)}"
    test_rows = [rows_by_fold(side.run) for side in (a, b)]
    common = test_rows[0].keys() & test_rows[1].keys()
    if len(common) < 2:
        return "fewer than two folds have predictions in both, which would show that the folds are the same"
    if any(test_rows[0][fold] != test_rows[1][fold] for fold in common):
        return "their folds test different rows (another seed, or another number of folds)"
    return ""


def rows_by_fold(run: RunFiles) -> dict[int, frozenset[int]]:
    """The rows that each fold tested, as far as the predictions tell."""
    found = run.predictions
    if found is None or "row" not in found or "fold" not in found:
        return {}
    folds = np.unique(found["fold"])
    return {int(fold): frozenset(found["row"][found["fold"] == fold].tolist()) for fold in folds}


def paired(
    sides: Sequence[Side], metric: str
) -> tuple[list[tuple[Side, Side, Comparison, float]], list[str]]:
    """The pairs that can be tested, with p-values corrected for their number; and why the others cannot."""
    wanted = list(combinations(sides, 2)) if len(sides) <= ALL_PAIRS else [(b, sides[0]) for b in sides[1:]]
    tested, reasons = [], []
    for a, b in wanted:
        reason = not_paired(a, b, metric)
        if reason:
            reasons.append(f"{a.label} and {b.label} are not paired: {reason}.")
        else:
            tested.append((a, b, paired_difference(a, b, metric)))
    corrected = holm([found.p for _, _, found in tested])
    return [(a, b, found, p) for (a, b, found), p in zip(tested, corrected)], reasons


def paired_difference(a: Side, b: Side, metric: str) -> Comparison:
    """The corrected paired test over the folds that both have."""
    tables = _table(a, metric), _table(b, metric)
    folds = min(table.shape[1] for table in tables)
    both = rows_by_fold(a.run).keys() & rows_by_fold(b.run).keys()
    shared = sorted(fold for fold in both if fold < folds)
    sizes = [sizes_of([side.run.members[i] for i in side.found.rows(side.run)]) for side in (a, b)]
    n_train, n_test = np.mean(sizes, axis=0)
    repeats = {repeats_of(side.run) for side in (a, b)} | ({1} if len(shared) < folds else set())
    return paired_test(
        tables[0][:, shared],
        tables[1][:, shared],
        n_train,
        n_test,
        repeats=max(repeats) if len(repeats) == 1 else 1,
    )


def _table(side: Side, metric: str) -> np.ndarray:
    """(seeds, folds) scores of the chosen trial, a column for every fold number up to the last."""
    places = side.found.rows(side.run)
    last = max((whole(side.run.members[i].get("fold")) for i in places), default=0)
    return score_table(side.run, places, metric, range(last + 1))


def pair_row(
    a: Side, b: Side, found: Comparison, p: float, metric: str, maximize: bool
) -> dict[str, str | Markup | bool]:
    """One paired difference, in the metric's unit."""
    unit = 100.0 if metric in PERCENT else 1.0
    d = found.difference
    places = legible(decimals(unit * d.low, unit * d.high), unit * d.mean)
    places = 2 if places is None else places
    mean, low, high = (_signed(unit * value, places) for value in (d.mean, d.low, d.high))
    sure = p < 0.05
    better = a if (d.mean > 0) == maximize else b
    return {
        "pair": f"{a.label} − {b.label}",
        "difference": data(d.mean, mean + (" points" if unit == 100.0 else "")),
        "interval": f"{low} to {high}",
        "p": probability(p),
        "verdict": f"{better.label} is better" if sure else "no more than chance",
        "sure": sure,
    }


def _signed(value: float, places: int) -> str:
    if not math.isfinite(value):
        return NONE
    return minus(f"{value:+.{places}f}")


def headline(
    sides: Sequence[Side], metric: str, pairs: Sequence[tuple[Side, Side, Comparison, float]]
) -> Markup:
    """Which run is ahead, and whether by more than chance."""
    maximize = sides[0].run.maximize
    scored = [side for side in sides if math.isfinite(side.score(metric).mean)]
    if not scored:
        return Markup("None of the runs has a score yet.")
    if any(_aim(side) != _aim(sides[0]) for side in sides):
        return Markup("These runs are not of the same data and target: their scores cannot be ranked.")
    best = (max if maximize else min)(scored, key=lambda side: side.score(metric).mean)
    s = best.score(metric)
    mean, low, high = interval(s.mean, s.low, s.high, metric)
    alone = len(scored) == 1
    level = not alone and len({side.score(metric).mean for side in scored}) == 1
    if level:
        text = Markup("The runs are level with a mean {} of <strong>{}</strong>").format(
            metric_name(metric), data(s.mean, mean)
        )
    else:
        claim = "is the only one with a score yet," if alone else "is ahead with"
        text = Markup("<em>{}</em> {} a mean {} of <strong>{}</strong>").format(
            best.label, claim, metric_name(metric), data(s.mean, mean)
        )
    if math.isfinite(s.low):
        text += Markup(" (95\u00a0% interval {} to {})").format(data(s.low, low), data(s.high, high))
    return text + ("." if alone or level else _sureness(best, scored, pairs))


def _aim(side: Side) -> tuple[Any, ...]:
    """What a run learned from and what for."""
    task = side.run.part("task")
    return side.run.part("data").get("fingerprint"), task.get("kind"), task.get("target"), task.get("classes")


def _sureness(
    best: Side, scored: Sequence[Side], pairs: Sequence[tuple[Side, Side, Comparison, float]]
) -> str:
    own = [p for a, b, _, p in pairs if best is a or best is b]
    if len(own) < len(scored) - 1:
        return "; not every run can be paired with it, so read the intervals."
    if all(p < 0.05 for p in own):
        return ", by more than chance."
    if all(not p < 0.05 for p in own):
        return ", but by no more than chance."
    return ", by more than chance over some of the others only."


def _scale(sides: Sequence[Side], metric: str) -> Any:
    return board_scale([side.score(metric) for side in sides], percent=metric in PERCENT)


def board(sides: Sequence[Side], metric: str) -> list[dict[str, Any]]:
    """A row a run, in the order they were named."""
    scores = [side.score(metric) for side in sides]
    x, places = _scale(sides, metric), common_places(scores, metric)
    rows = []
    for side, s in zip(sides, scores):
        mean, low, high = interval(s.mean, s.low, s.high, metric, places=places)
        between = f"{low.removesuffix(' %')} to {high}" if math.isfinite(s.low) else NONE
        rows.append(
            {
                "label": side.label,
                "source": str(side.run.part("data").get("source") or ""),
                "score": data(s.mean, mean),
                "interval": between,
                "bar": bar(s, x, f"{side.label}: {mean} ({between})", chosen=True),
                "search": _search(side, metric, places),
                "trials": _with(len(side.found.trials) + side.found.pruned, side.found.pruned),
                "networks": grouped(len(side.run.members)),
                "time": duration(real(nested(side.run.summary, "timing").get("total"))),
            }
        )
    return rows


def _search(side: Side, metric: str, places: int | None) -> str:
    """The score of the whole search, free of the luck of the choice; empty where there is none."""
    s = side.found.search
    if s is None or metric != side.run.metric or not math.isfinite(s.mean):
        return ""
    mean, low, high = interval(s.mean, s.low, s.high, metric, places=places)
    return f"{mean} ({low.removesuffix(' %')} to {high})"


def _with(count: int, pruned: int) -> str:
    return grouped(count) + (f", {grouped(pruned)} given up early" if pruned else "")


def all_scores(sides: Sequence[Side]) -> list[dict[str, Any]]:
    """Every metric that a run has, a column a run."""
    names = dict.fromkeys(name for side in sides for name in nested(side.run.summary, "scores"))
    rows = []
    for name in names:
        scores = [side.score(name) for side in sides]
        places = common_places(scores, name)
        cells = []
        for s in scores:
            mean, low, high = interval(s.mean, s.low, s.high, name, places=places)
            low = low.removesuffix(" %")
            cells.append((data(s.mean, mean), f"{low} to {high}" if math.isfinite(s.low) else ""))
        rows.append({"name": metric_name(name), "cells": cells})
    return rows


def differences(sides: Sequence[Side]) -> list[dict[str, Any]]:
    """What was asked or was the case in one run and not in another."""
    asked = [_asked(side) for side in sides]
    names = dict.fromkeys(name for one in asked for name in one)
    rows = [{"name": name, "values": [one.get(name, NONE) for one in asked]} for name in names]
    return [row for row in rows if len(set(row["values"])) > 1][:MOST_DIFFERENCES]


def _asked(side: Side) -> dict[str, str]:
    run, about = side.run, side.run.part("data")
    parts: list[tuple[str, Mapping[str, Any]]] = [
        ("", {"data": about.get("source"), "rows": about.get("rows")}),
        ("", {"fingerprint": clipped(str(about.get("fingerprint")), 20)}),
        ("", run.part("settings")),
        ("chosen: ", side.found.chosen.hyper if side.found.chosen else {}),
        ("", run.part("machine")),
        ("version of ", {"manyfit": run.experiment.get("manyfit"), **run.part("versions")}),
    ]
    return {
        f"{before}{short_name(name)}": setting(value)
        for before, part in parts
        for name, value in part.items()
    }


def _notes(side: Side) -> list[str]:
    notes = ["the run has not finished."] if side.run.unfinished else []
    chosen = side.found.chosen
    if chosen is not None and chosen.diverged:
        notes.append(
            f"{chosen.diverged} of {chosen.members} networks of the chosen trial diverged and are left out of its mean."
        )
    return notes
