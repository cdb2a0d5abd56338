"""From members to findings: a row a member, an interval a trial, one trial chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyfit import metrics
from manyfit.engine import PRUNED, Member, Outcome
from manyfit.evaluate import (
    Interval,
    chosen_fold_by_fold,
    others_of,
    paired_test,
    repeats_of,
    resampled_interval,
)
from manyfit.experiment.predictor import Predictor
from manyfit.experiment.preparation import Prepared
from manyfit.experiment.records import Records, from_named
from manyfit.experiment.result import PrunedTrial, Result, TrialScore
from manyfit.experiment.tagging import by_sentence, by_word, score_rows
from manyfit.experiment.template import spec_of, template_of
from manyfit.experiment.trials import Trial, buckets_of


def score_member(prepared: Prepared, trial: Trial, member: Member, outcome: Outcome) -> dict[str, Any]:
    """The member's row of ``members.jsonl``."""
    split = prepared.splits[member.fold]
    if outcome.outputs is not None and prepared.task.kind == "tagging":
        test = score_rows(prepared.task, split, outcome.outputs, prepared.metric)
    elif outcome.outputs is not None and prepared.task.kind != "own":
        data = prepared.task.data
        weight = data["weight"][split.test] if "weight" in data else None
        test = metrics.score(prepared.task.kind, data["target"][split.test], outcome.outputs, weight)
        if prepared.metric not in test:
            test |= metrics.score(
                prepared.task.kind, data["target"][split.test], outcome.outputs, weight, [prepared.metric]
            )
    else:
        test = outcome.test or {prepared.metric: outcome.best_value}
        test |= getattr(trial.objective, "derived", dict)(test)
    if outcome.status == PRUNED:  # it never saw its test rows
        test = {}
    elif len(split.test) == 1 and prepared.task.kind != "tagging":
        # a root or a rank of one row is not what it is of many
        test = {name: value for name, value in test.items() if name in metrics.ROW_MEANS}
    return {
        "trial": member.trial,
        "seed": member.seed,
        "fold": member.fold,
        "hyper": trial.shown,
        "status": outcome.status,
        "epochs": outcome.epochs,
        "best_epoch": outcome.best_epoch,
        "rows": {
            "train": split.trained,
            "validation": len(split.validation),
            "test": len(split.test),
        },
        "validation": {"loss": outcome.best_value},
        "test": test,
    }


def summarise(
    prepared: Prepared,
    members: Sequence[Member],
    records: Records,
    history: Mapping[str, np.ndarray],
    *,
    seeds: int,
    timing: Mapping[str, float],
    interrupted: bool,
    warnings: Sequence[str],
    folder: Path | None,
) -> Result:
    """The result of the members that ended; trials that are not complete are left out."""
    folds = len(prepared.splits)
    rows = records.rows
    places: dict[int, list[int]] = {}
    for index, member in enumerate(members):
        places.setdefault(member.trial, []).append(index)
    ended = {t: found for t, found in places.items() if all(i in rows for i in found)}
    complete = {t: f for t, f in ended.items() if all(rows[i]["status"] != PRUNED for i in f)}
    chosen, why = _choose(prepared, complete, rows)

    def table(trial: int, metric: str) -> np.ndarray:
        values = np.full((seeds, folds), np.nan)
        for i in complete[trial]:
            row = rows[i]
            score = row["test"].get(metric)
            values[row["seed"], row["fold"]] = (
                np.nan if score is None or row["status"] == "diverged" else score
            )
        return values

    def interval(trial: int, metric: str) -> Interval:
        found = resampled_interval(table(trial, metric), **sizes_of(prepared))
        return found.within(*bounds_of(prepared, metric))

    sizes = _parameters(prepared)
    scores = []
    for trial in prepared.trials:
        if trial.index not in complete:
            continue
        here = complete[trial.index]
        p = None
        if chosen is not None and trial.index != chosen and folds > 1:
            p = paired_test(
                table(chosen, prepared.metric), table(trial.index, prepared.metric), **sizes_of(prepared)
            )[1]
        scores.append(
            TrialScore(
                trial=trial.index,
                hyper=trial.shown,
                members=len(here),
                diverged=sum(rows[i]["status"] == "diverged" for i in here),
                parameters=sizes[trial.index],
                score=interval(trial.index, prepared.metric),
                validation=_validation(rows, here),
                p_value=p,
            )
        )
    sign = -1.0 if prepared.direction == "maximize" else 1.0
    scores.sort(key=lambda s: (not np.isfinite(s.score.mean), sign * s.score.mean))

    pruned = [
        PrunedTrial(
            trial=trial.index,
            hyper=trial.shown,
            epochs=max(rows[i]["epochs"] for i in ended[trial.index]),
            validation=_validation(rows, ended[trial.index]),
        )
        for trial in prepared.trials
        if trial.index in ended and trial.index not in complete
    ]
    search = None
    if chosen is not None and len(complete) > 1 and folds > 1:
        search = _search_score(prepared, complete, rows, lambda trial: table(trial, prepared.metric))

    predictor = predictions = None
    ensemble: dict[str, float] = {}
    names: list[str] = []
    if chosen is not None:
        predictions = _predictions(prepared, complete[chosen], rows, records)
        predictor = _predictor(prepared, chosen, complete[chosen], records, predictions)
        names = list(dict.fromkeys([prepared.metric, *rows[complete[chosen][0]]["test"]]))
    if predictions is not None and prepared.task.kind == "tagging":
        ensemble = metrics.score_tags(*by_sentence(predictions), prepared.task.classes)
    elif predictions is not None:
        weight = prepared.task.data.get("weight")
        weight = None if weight is None else weight[predictions["row"]]
        ensemble = metrics.score(prepared.task.kind, predictions["target"], predictions["output"], weight)
    return Result(
        metric=prepared.metric,
        direction=prepared.direction,
        trials=scores,
        pruned=pruned,
        chosen=chosen,
        why=why,
        search=search,
        steered=_steered(prepared),
        scores={name: interval(chosen, name) for name in names} if chosen is not None else {},
        ensemble=ensemble,
        members=[rows[i] for i in sorted(rows)],
        history={name: values[sorted(rows)] for name, values in history.items()},
        timing=timing,
        interrupted=interrupted,
        predictor=predictor,
        predictions=predictions,
        folder=folder,
        warnings=warnings,
    )


def _parameters(prepared: Prepared) -> dict[int, int]:
    """Trained values of one member by trial, 0 where the objective does not say: counted once a bucket."""
    sizes: dict[int, int] = {}
    for bucket in buckets_of(prepared.trials):
        count = getattr(bucket.trials[0].objective, "parameters", lambda: 0)()
        sizes |= {trial.index: count for trial in bucket.trials}
    return sizes


def _choose(
    prepared: Prepared, complete: Mapping[int, list[int]], rows: Mapping[int, Mapping[str, Any]]
) -> tuple[int | None, str]:
    """The trial to keep, and why: by validation rows where there are any, so that the test rows stay clean."""
    if not complete:
        return None, "no trial was finished"
    alive = {t: f for t, f in complete.items() if not all(rows[i]["status"] == "diverged" for i in f)}
    if not alive:
        return (
            None,
            "every member diverged: lower the learning rate, or look at the scale of what it learns from",
        )
    count = f"of {len(complete)} trials" if len(complete) > 1 else "of the only trial"
    best = min(alive, key=lambda t: (criterion(prepared, rows, alive[t]), t))
    if len(complete) == 1:
        given_up = len({rows[i]["trial"] for i in rows if rows[i]["status"] == PRUNED})
        if given_up:
            return best, f"the only one of {given_up + 1} trials that was not given up early"
        return best, "it is the only trial"
    if _validated(prepared):
        return best, f"lowest mean validation loss {count}"
    return best, (
        f"best mean test {prepared.metric} {count}; with no validation part it was chosen by the rows that score it, "
        "so its score flatters it"
    )


def criterion(prepared: Prepared, rows: Mapping[int, Mapping[str, Any]], members: Sequence[int]) -> float:
    """What trials are chosen by, the lower the better: the mean validation loss, or without validation rows
    the mean test score; infinite where a network diverged."""
    if _validated(prepared):
        return _validation(rows, members)
    values = [rows[i]["test"].get(prepared.metric) for i in members]
    found = float(np.mean([np.nan if v is None else v for v in values]))
    sign = -1.0 if prepared.direction == "maximize" else 1.0
    return sign * found if np.isfinite(found) else np.inf


def _steered(prepared: Prepared) -> bool:
    """Whether what was tried, or trained on, was itself chosen by the validation rows of all folds."""
    search, evolved = prepared.search, prepared.evolved
    return search.method in ("tpe", "cmaes") or search.pruner is not None or bool(search.first) or evolved


def _validated(prepared: Prepared) -> bool:
    """Whether there is a loss to choose by that test rows have no part in."""
    return any(len(s.validation) for s in prepared.splits) or prepared.task.rows == 0


def _search_score(
    prepared: Prepared,
    complete: Mapping[int, list[int]],
    rows: Mapping[int, Mapping[str, Any]],
    table: Callable[[int], np.ndarray],
) -> Interval | None:
    """The score of the search itself: in each fold the trial that this fold alone would have chosen."""
    scores = np.stack([table(trial) for trial in complete])
    if _validated(prepared):
        losses = np.zeros((len(complete), scores.shape[2]))
        for place, members in enumerate(complete.values()):
            for i in members:
                row = rows[i]
                loss = np.inf if row["status"] == "diverged" else row["validation"]["loss"]
                losses[place, row["fold"]] += loss / scores.shape[1]
    else:
        losses = others_of(scores) * (-1.0 if prepared.direction == "maximize" else 1.0)
    found = resampled_interval(chosen_fold_by_fold(losses, scores), **sizes_of(prepared))
    return found.within(*bounds_of(prepared, prepared.metric))


def bounds_of(prepared: Prepared, metric: str) -> tuple[float, float]:
    """What a score lies between, by the metric of that name or by the objective's ``bounds``."""
    if prepared.task.kind == "tagging":
        return metrics.tag_metric(metric, prepared.task.classes).bounds
    if prepared.task.kind != "own" and metric in metrics.METRICS:
        return metrics.METRICS[metric].bounds
    known = getattr(prepared.objective, "bounds", {})
    return known.get(metric, (-np.inf, np.inf))


def _validation(rows: Mapping[int, Mapping[str, Any]], members: Sequence[int]) -> float:
    values = [np.inf if rows[i]["status"] == "diverged" else rows[i]["validation"]["loss"] for i in members]
    return float(np.mean(values))


def sizes_of(prepared: Prepared) -> dict[str, Any]:
    """Training rows (validation included) and test rows of a fold, on average, and how often the folds are repeated."""
    train = float(np.mean([s.trained + len(s.validation) for s in prepared.splits]))
    test = float(np.mean([len(s.test) for s in prepared.splits]))
    return {"n_train": max(train, 1.0), "n_test": max(test, 1.0), "repeats": repeats_of(prepared.splits)}


def _predictor(
    prepared: Prepared,
    chosen: int,
    members: Sequence[int],
    records: Records,
    predictions: Mapping[str, np.ndarray] | None,
) -> Predictor:
    trial = next(t for t in prepared.trials if t.index == chosen)
    spec = spec_of(prepared.task.data)
    usable = [i for i in members if records.rows[i]["status"] != "diverged"]
    named = [records.model(i) for i in usable]
    stacked = {name: np.stack([one[name] for one in named]) for name in named[0]}
    template = template_of(trial.objective, spec, tuple(trial.hyper))
    return Predictor(
        kind=prepared.task.kind,
        target=prepared.task.target,
        classes=prepared.task.classes,
        objective=trial.objective,
        models=from_named(stacked, template),
        data=spec,
        hyper=tuple(trial.hyper),
        encoder=prepared.task.encoder,
        calibration=predictions,
    )


def _predictions(
    prepared: Prepared,
    members: Sequence[int],
    rows: Mapping[int, Mapping[str, Any]],
    records: Records,
) -> dict[str, np.ndarray] | None:
    """Out-of-fold predictions of one trial, averaged over seeds, fold after fold.

    With repeats a row is there once a repeat: its folds tell which. Of sentences there is a row a labelled word.
    """
    if prepared.task.kind == "own":
        return None
    parts: list[dict[str, np.ndarray]] = []
    for fold, split in enumerate(prepared.splits):
        found = [
            records.outputs(i) for i in members if rows[i]["fold"] == fold and rows[i]["status"] != "diverged"
        ]
        outputs = [o for o in found if o is not None]
        if not outputs or not len(split.test):
            continue
        stack = np.stack(outputs).astype(np.float64)
        here = {
            "row": split.test,
            "fold": np.full(len(split.test), fold, np.int32),
            "output": stack.mean(axis=0).astype(np.float32),
            "std": stack.std(axis=0).astype(np.float32),
            "target": np.asarray(prepared.task.data["target"])[split.test],
        }
        parts.append(by_word(here) if prepared.task.kind == "tagging" else here)
    if not parts:
        return None
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
