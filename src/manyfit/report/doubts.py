"""What to distrust: every reason that the run's own files give to believe its score less."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfit import metrics
from manyfit.report.baseline import baseline
from manyfit.report.curves import kept_epochs
from manyfit.report.effects import is_log, range_of
from manyfit.report.files import RunFiles, nested, real
from manyfit.report.findings import Findings
from manyfit.report.numbers import capital, clipped, grouped, number, plural, share, short_name
from manyfit.report.words import repeating

FEW_FOLDS, FEW_ROWS, FEW_OF_CLASS, UNEVEN, MISCALIBRATED, EDGE = 5, 200, 20, 10.0, 0.1, 0.05


@dataclass(frozen=True)
class Doubt:
    """One reason to believe less, and what can be done."""

    title: str
    text: str
    serious: bool = False


def doubts(run: RunFiles, found: Findings) -> list[Doubt]:
    """All of them, the serious ones first."""
    sources = (
        _state(run, found),
        _told(run),
        _diverged(run, found),
        _floor(run, found),
        _naive(run, found),
        _evidence(run, found),
        _choice(run, found),
        _range(run, found),
        _training(run, found),
        _rows(run),
        _confidence(run),
    )
    every = [doubt for source in sources for doubt in source]
    return sorted(every, key=lambda doubt: not doubt.serious)


def _state(run: RunFiles, found: Findings) -> Iterator[Doubt]:
    if run.unfinished:
        done = plural(len(run.members), "network")
        of = f" of {grouped(run.expected)}" if run.expected else ""
        text = f"{done}{of} ended; trials that are missing could change the choice and every score."
        yield Doubt("The run has not finished", f"{text} manyfit resume goes on with it.", serious=True)
    elif found.chosen is None:
        yield Doubt("No trial was chosen", f"{found.why or 'No trial has a score'}.", serious=True)


def _told(run: RunFiles) -> Iterator[Doubt]:
    """What the run itself warned of, and files that are missing."""
    for warning in (run.summary or {}).get("warnings") or ():
        yield Doubt("The run warned", str(warning))
    for note in run.notes:
        yield Doubt("Something is missing", note)


def _diverged(run: RunFiles, found: Findings) -> Iterator[Doubt]:
    chosen = found.chosen
    if chosen is not None and chosen.diverged:
        yield Doubt(
            "Networks of the chosen trial diverged",
            f"{chosen.diverged} of {chosen.members} have no score and are left out of its mean, which flatters it: "
            "lower the learning rate.",
            serious=True,
        )
    others = [t for t in found.trials if t is not chosen and t.diverged]
    if others:
        lost = sum(t.diverged for t in others)
        trials = plural(len(others), "other trial")
        yield Doubt("Networks diverged", f"{plural(lost, 'network')} of {trials} ended without a score.")


def _floor(run: RunFiles, found: Findings) -> Iterator[Doubt]:
    guess = baseline(run)
    if guess is None or found.chosen is None or not math.isfinite(found.chosen.score.mean):
        return
    s = found.chosen.score
    worst = s.low if run.maximize else s.high
    ahead = 1.0 if run.maximize else -1.0
    if ahead * (s.mean - guess.score) <= 0:
        text = f"{guess.sentence} The networks do no better: the inputs may not tell of the target."
        yield Doubt("Guessing does as well", text, serious=True)
    elif math.isfinite(worst) and ahead * (worst - guess.score) <= 0:
        text = f"{guess.sentence} That lies within the interval: the lead over guessing is not sure."
        yield Doubt("Guessing may do as well", text, serious=True)


def _naive(run: RunFiles, found: Findings) -> Iterator[Doubt]:
    """Forecasts that learn nothing and come as near on the same windows."""
    if found.chosen is None or not math.isfinite(found.chosen.score.mean):
        return
    scores = nested(run.summary, "scores")
    better = repeating(run.metric, {name: real(nested(scores, name).get("mean")) for name in scores})
    if better:
        said = " and ".join(f"{name} comes to {number(error, 3)}" for name, error in better)
        text = (
            f"On the same windows {said}, the networks to {number(found.chosen.score.mean, 3)}: as they are, forecast "
            "by repeating. More epochs, a longer look-back or another model may change it."
        )
        yield Doubt("Repeating does as well", text, serious=True)


def _evidence(run: RunFiles, found: Findings) -> Iterator[Doubt]:
    if found.chosen is None:
        return
    members = [run.members[i] for i in found.rows(run)]
    folds = len({row.get("fold") for row in members})
    seeds = len({row.get("seed") for row in members})
    if folds == 1:
        rests = "the interval holds the luck of the seed alone" if seeds > 1 else "there is no interval"
        text = f"All networks were tested on the same rows, so {rests}: use five folds or more."
        yield Doubt("One fold only", text, serious=True)
    elif 1 < folds < FEW_FOLDS:
        text = f"The interval rests on {folds} folds, so its width is itself uncertain: use five or more."
        yield Doubt("Few folds", text)
    if seeds == 1 and folds:
        text = "Luck of the split and luck of the seed cannot be told apart: train with three seeds or more."
        yield Doubt("One seed only", text)


def _choice(run: RunFiles, found: Findings) -> Iterator[Doubt]:
    if len(found.trials) == 1 and found.settled and not found.pruned:
        text = "Its hyper-parameters were compared with no others: a better setting may be near."
        yield Doubt("One trial only", text)
    if found.chosen is None or len(found.trials) < 2:
        return
    sizes = [real(nested(row, "rows").get("validation")) for row in run.members]
    if sizes and all(size == 0 for size in sizes):
        text = (
            "With no validation rows, the trial was chosen by the rows that score it: its score flatters it."
        )
        yield Doubt("Chosen by its test rows", text, serious=True)
    tested = [t for t in found.trials if math.isfinite(t.p_value)]
    alike = [t for t in tested if t.p_value >= 0.05]
    if alike:
        each = "one does" if len(alike) == 1 else f"{len(alike)} do"
        text = (
            f"Of {plural(len(tested), 'other trial')}, {each} not differ from the chosen one by more than chance "
            "(p at least 0.05): read the choice as one good setting, not as the best."
        )
        yield Doubt("The choice is not unique", text)


def _range(run: RunFiles, found: Findings) -> Iterator[Doubt]:
    """Chosen values at the edge of what was searched."""
    if found.chosen is None or len(found.trials) < 4:
        return
    for name in found.searched:
        about, value = range_of(run, name), found.chosen.hyper.get(name)
        end = _edge(about, value)
        if end:
            text = f"{number(value, 3)} lies at the {end} end of what was searched: widen the range there."
            yield Doubt(f"{capital(short_name(name))} at the edge", text)


def _edge(about: Mapping[str, Any], value: Any) -> str:
    low, high, at = real(about.get("low")), real(about.get("high")), real(value)
    if not low < high or not math.isfinite(at):
        return ""
    if is_log(about) and low > 0 and at > 0:
        low, high, at = math.log(low), math.log(high), math.log(at)
    place = (at - low) / (high - low)
    if place <= EDGE and real(about.get("low")) != 0:
        return "lower"
    return "upper" if place >= 1 - EDGE else ""


def _training(run: RunFiles, found: Findings) -> Iterator[Doubt]:
    most = run.part("settings").get("epochs")
    if found.chosen is None or not isinstance(most, int) or most < 2:
        return
    kept = kept_epochs(run, found.rows(run), most)
    late = [epoch for epoch in kept if epoch >= most - max(1, most // 50)]
    if kept and len(late) > len(kept) / 2:
        text = (
            f"{len(late)} of {len(kept)} networks were best at the end of their {most} epochs: more epochs would "
            "probably help."
        )
        yield Doubt("Still learning when it stopped", text)


def _rows(run: RunFiles) -> Iterator[Doubt]:
    rows = run.part("data").get("rows")
    if isinstance(rows, int) and 0 < rows < FEW_ROWS:
        yield Doubt("Few rows", f"{plural(rows, 'row')} bear only coarse claims.")
    if run.predictions is None or run.predictions["output"].ndim == 1:
        return
    width = run.predictions["output"].shape[1]
    counts = np.bincount(run.predictions["target"], minlength=width)
    names = run.classes or [str(k) for k in range(width)]
    rare, top = int(counts.argmin()), int(counts.argmax())
    if counts[top] >= UNEVEN * max(counts[rare], 1):
        text = (
            f"“{clipped(names[top], 40)}” has {grouped(int(counts[top]))} rows ({share(counts[top] / counts.sum())}), "
            f"“{clipped(names[rare], 40)}” {grouped(int(counts[rare]))}: read balanced accuracy and the table of "
            "classes rather than accuracy."
        )
        yield Doubt("Uneven classes", text)
    few = int(np.sum(counts < FEW_OF_CLASS))
    if few:
        are = "class has" if few == 1 else "classes have"
        text = f"{few} {are} fewer than {FEW_OF_CLASS} rows: what is said of each of them is rough."
        yield Doubt("Rare classes", text)


def _confidence(run: RunFiles) -> Iterator[Doubt]:
    if run.predictions is None or run.predictions["output"].ndim == 1:
        return
    target, output = run.predictions["target"], run.predictions["output"]
    error = metrics.ece(target, output, np.ones(len(target)))
    if error > MISCALIBRATED:
        text = f"Confidence and accuracy are {number(error, 2)} apart on average: its probabilities are no chances."
        yield Doubt("Probabilities are off", text)
