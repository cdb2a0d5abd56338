"""What a run found, in sentences that need no glossary."""

from __future__ import annotations

import math
from collections.abc import Mapping

from markupsafe import Markup

from manyfit.report.files import RunFiles, nested, real
from manyfit.report.findings import Findings
from manyfit.report.numbers import data, interval, metric_name

_CLAIMS = {
    "accuracy": "is right on {} of the {rows} it never saw",
    "balanced_accuracy": "is right, averaged over the classes, on {} of the {rows} it never saw",
    "auroc": "ranks a random {row} of a class above a random other one with probability {}",
    "rmse": "has a typical error (root mean square) of {} on {rows} it never saw",
    "mae": "has a mean absolute error of {} on {rows} it never saw",
    "median_absolute_error": "has half of its errors on {rows} it never saw below {}",
    "r2": "explains a share of {} of the variance (R²) of {rows} it never saw",
}
_MEANING = {
    "accuracy": "share of rows predicted right",
    "balanced_accuracy": "mean over the classes of the share predicted right",
    "log_loss": "surprise at the true class, in nats; lower is better",
    "auroc": "chance that a row of the class is ranked above another; 0.5 is guessing",
    "accuracy_unseen": "share of the words that training did not have labelled right",
    "span_f1": "balance of precision and recall of whole spans: both ends and the kind have to agree",
    "span_precision": "share of the spans called that are there",
    "span_recall": "share of the spans there that are called",
    "average_precision": "area under the precision-recall curve",
    "f1": "balance of precision and recall",
    "f1_macro": "mean over the classes of the balance of precision and recall",
    "mcc": "correlation of predicted and true class; 0 is guessing",
    "brier": "squared error of the probabilities; lower is better",
    "ece": "distance between confidence and accuracy; lower is better",
    "return": "rewards of an episode, added; higher is better",
    "length": "steps of an episode",
    "rmse": "root of the mean squared error, in units of the target; lower is better",
    "mae": "mean absolute error, in units of the target; lower is better",
    "r2": "share of the variance explained; 0 is always predicting the mean",
    "mse": "mean squared error; lower is better",
    "mase": "absolute error over that of repeating the last season in training; lower is better",
    "pinball": "mean loss of the quantiles; lower is better",
    "median_absolute_error": "half of the errors are smaller; lower is better",
}
_TASKS = {
    "binary": "telling two classes apart",
    "multiclass": "telling {} classes apart",
    "tagging": "giving each word of a sentence one of {} labels",
    "regression": "predicting a number",
}


REPEATING = {"naive_": "repeating the last value", "seasonal_": "repeating the last season"}
NAIVE = {"naive_": "the last value has", "seasonal_": "the last season"}
"""Forecasts that learn nothing, by the prefix of their measures; the second in the words of the headline."""

_STAGES = {
    "data": "reading",
    "compile": "compiling",
    "train": "training",
    "score": "scoring",
    "nested": "searching anew in folds",
    "before": "until it was resumed",
}


def stage(name: str) -> str:
    """A stage of the run's timing as a doing."""
    return _STAGES.get(name, name)


def meaning(metric: str) -> str:
    """What a metric measures, in a few words; empty for one that is not known here."""
    return _MEANING.get(metric, "")


def noun(run: RunFiles) -> str:
    """What a row of the data is."""
    words = {"images": "image", "labelled series": "series", "environment": "episode", "tags": "sentence"}
    return words.get(str(run.part("data").get("kind")), "row")


def nouns(run: RunFiles) -> str:
    """What several rows of the data are."""
    word = noun(run)
    return word if word == "series" else f"{word}s"


def task(run: RunFiles) -> str:
    """The kind of task in words."""
    kind = str(run.part("task").get("kind") or "")
    return _TASKS.get(kind, kind or "its own objective").format(len(run.classes))


def repeating(metric: str, means: Mapping[str, float]) -> list[tuple[str, float]]:
    """The forecasts that learn nothing whose mean error is no greater than the networks' own, and their errors."""
    own = means.get(metric, math.nan)
    errors = [(name, means.get(f"{prefix}{metric}", math.nan)) for prefix, name in REPEATING.items()]
    return [(name, error) for name, error in errors if error <= own]


def headline(run: RunFiles, found: Findings) -> Markup:
    """The finding in one sentence."""
    if found.chosen is None:
        return _without_choice(run, found)
    s = found.chosen.score
    if not math.isfinite(s.mean):
        return Markup(
            "Trial {} was chosen, but it has no score: its networks diverged or could not be scored."
        ).format(found.chosen.trial)
    mean, low, high = interval(s.mean, s.low, s.high, run.metric)
    value = Markup("<strong>{}</strong>").format(data(s.mean, mean))
    rows = nouns(run)
    agent = rows == "episodes"
    if agent:
        said = Markup("has a mean {} of {} in episodes that did not choose it").format(
            metric_name(run.metric), value
        )
    elif run.metric in _CLAIMS:
        words = str(run.part("task").get("kind")) == "tagging"
        units = ("words", "word") if words else (rows, noun(run))
        said = Markup(_CLAIMS[run.metric]).format(value, rows=units[0], row=units[1])
    else:
        said = Markup("has a {} of {} on {} it never saw").format(metric_name(run.metric), value, rows)
    if math.isfinite(s.low) and math.isfinite(s.high):
        bounds = data(s.low, low), data(s.high, high)
        tail = Markup("; its 95\u00a0% interval runs from {} to {}.").format(*bounds)
    else:
        tail = Markup("; there are too few folds and seeds for an interval.")
    target = run.part("task").get("target")
    subject = Markup("A network of this run ")
    if agent:
        subject = Markup("An agent of this run ")
    elif target:
        subject = Markup("A network trained to predict <em>{}</em> ").format(target)
    return subject + said + tail + _beside(run)


def _beside(run: RunFiles) -> Markup:
    """What forecasts that learn nothing come to on the same windows, as a sentence; empty for other tasks."""
    scores, found = nested(run.summary, "scores"), []
    for prefix, name in NAIVE.items():
        one = nested(scores, f"{prefix}{run.metric}")
        mean, low, high = (real(one.get(end)) for end in ("mean", "low", "high"))
        if math.isfinite(mean):
            found.append(Markup("{} {}").format(name, data(mean, interval(mean, low, high, run.metric)[0])))
    if not found:
        return Markup("")
    return Markup(" On the same windows {}.").format(Markup(", ").join(found))


def _without_choice(run: RunFiles, found: Findings) -> Markup:
    done, expected = len(run.members), run.expected
    best = next((t for t in found.trials if math.isfinite(t.score.mean)), None)
    if not run.unfinished:
        return Markup("Nothing was chosen: {}.").format(found.why or "no trial has a score")
    if not done:
        return Markup("This run has not finished: no network has been recorded yet.")
    of = f" of {expected:,}" if expected else ""
    text = Markup("This run has not finished: {}{} networks have ended").format(f"{done:,}", of)
    if best is None:
        return text + Markup(".")
    mean, low, high = interval(best.score.mean, best.score.low, best.score.high, run.metric)
    between = f" ({low} to {high})" if math.isfinite(best.score.low) else ""
    return text + Markup("; the best trial so far, {}, has a mean {} of <strong>{}</strong>{}.").format(
        best.trial, metric_name(run.metric), data(best.score.mean, mean), between
    )
