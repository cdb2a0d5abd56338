"""The sections of the report: what each shows, as plain values for the template."""

from __future__ import annotations

import json
import math
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from markupsafe import Markup

from manyfit.report import classification, effects, regression, words
from manyfit.report.agents import agents
from manyfit.report.baseline import baseline
from manyfit.report.board import board
from manyfit.report.checks import checks
from manyfit.report.curves import learning_curves
from manyfit.report.data import about_data
from manyfit.report.doubts import doubts
from manyfit.report.examples import examples
from manyfit.report.files import RunFiles, nested, real
from manyfit.report.findings import Findings, Score, findings
from manyfit.report.gradients import gradients
from manyfit.report.interaction import early_lesson, interactions
from manyfit.report.numbers import (
    PERCENT,
    capital,
    data,
    duration,
    grouped,
    interval,
    memory,
    metric_name,
    number,
    searched,
    setting,
    short_name,
)
from manyfit.report.pareto import pareto
from manyfit.report.pictures import lead, pictures
from manyfit.report.series import forecasts, labelled_series
from manyfit.report.spread import spread
from manyfit.report.svg import Chart, c, document
from manyfit.report.tags import tags
from manyfit.report.texts import texts
from manyfit.report.writing import translations, writing

MOST_DEAD = 10
MOST_DETAIL = 20_000


def context(run: RunFiles) -> dict[str, Any]:
    """Everything that the template shows."""
    found = findings(run)
    guess = baseline(run)
    told = effects.understood(run, found)
    return {
        "run": run,
        "title": run.name,
        "headline": words.headline(run, found),
        "baseline": guess.sentence if guess else "",
        "facts": facts(run, found),
        "created": created(run),
        "metric": metric_name(run.metric),
        "nouns": words.nouns(run),
        "chosen": chosen(run, found),
        "scores": scores(run),
        "spread": spread(run, found),
        "board": board(run, found),
        "pareto": pareto(run, found),
        "effects": effects.effects(run, found, told),
        "effects_lesson": effects.lesson(told),
        "interactions": interactions(run, told),
        "early_lesson": early_lesson(run, found, effects.kinds_of(run, found.searched)),
        "effects_legend": effects.legend(found),
        "agents": agents(run, found),
        "curves": learning_curves(run, found),
        "gradients": gradients(run, found),
        "predictions": predictions(run),
        "checks": checks(run),
        "examples": examples(run),
        "writing": writing(run),
        "pictures": pictures(run.path),
        "pictures_lead": lead(run.path),
        "series": labelled_series(run),
        "translations": translations(run),
        "tags": tags(run),
        "texts": texts(run),
        "forecasts": forecasts(run),
        "about": about_data(run),
        "how": how(run),
        "doubts": doubts(run, found),
    }


def created(run: RunFiles) -> str:
    """When the run began, to the minute."""
    text = str(run.experiment.get("created") or "")
    date, _, time = text.partition("T")
    return f"{date}, {time[:5]} UTC" if time.endswith("Z") else text


def facts(run: RunFiles, found: Findings) -> list[tuple[str, str]]:
    """The few numbers at the top."""
    done = grouped(len(run.members))
    if run.unfinished and run.expected and run.expected > len(run.members):
        done += f" of {grouped(run.expected)}"
    out = [("networks", done)]
    if found.trials:
        out.append(("trials", grouped(len(found.trials))))
    for name in ("seeds", "folds"):
        count = run.part("settings").get(name)
        if isinstance(count, int):
            out.append((name, grouped(count)))
    rows = run.part("data").get("rows")
    if isinstance(rows, int):
        out.append((words.nouns(run), grouped(rows)))
    if found.chosen and found.chosen.parameters:
        out.append(("parameters each", grouped(found.chosen.parameters)))
    total = real(nested(run.summary, "timing").get("total"))
    if math.isfinite(total):
        out.append(("wall clock", duration(total)))
    dead = sum(row.get("status") == "diverged" for row in run.members)
    if dead:
        out.append(("diverged", grouped(dead)))
    return out


def chosen(run: RunFiles, found: Findings) -> dict[str, Any] | None:
    """The chosen trial: why, and with which hyper-parameters."""
    trial = found.chosen
    if trial is None:
        return None
    return {
        "trial": trial.trial,
        "why": found.why,
        "best": trial is found.trials[0],
        "search": _search(run, found),
        "nested": nested(run.summary, "search").get("nested"),
        "steered": bool(nested(run.summary, "search").get("steered")),
        "hyper": [(capital(short_name(k)), k, number(v, 4)) for k, v in trial.hyper.items()],
    }


def _search(run: RunFiles, found: Findings) -> str:
    """The score of the search itself, as text; empty where there is none."""
    s = found.search
    if s is None or not math.isfinite(s.mean):
        return ""
    mean, low, high = interval(s.mean, s.low, s.high, run.metric)
    return f"{mean} ({low} to {high})" if math.isfinite(s.low) else str(mean)


def scores(run: RunFiles) -> dict[str, Any]:
    """Every metric of the chosen trial: one network, all seeds together, and a further test set."""
    single = nested(run.summary, "scores")
    several = any(real(row.get("seed")) > 0 for row in run.members)  # of one seed there is nothing to average
    together = nested(run.summary, "ensemble") if several else {}
    test = nested(run.test, "scores")
    names = dict.fromkeys([*single, *together, *test])
    return {
        "rows": [_score_row(name, Score.of(single.get(name)), together, test) for name in names],
        "ensemble": bool(together),
        "test": str((run.test or {}).get("source") or "further data") if test else "",
    }


def _score_row(
    name: str, s: Score, together: Mapping[str, Any], test: Mapping[str, Any]
) -> dict[str, str | Markup]:
    mean, low, high = interval(s.mean, s.low, s.high, name)
    bounds = Markup("{} to {}").format(data(s.low, low), data(s.high, high))
    return {
        "name": capital(metric_name(name)),
        "meaning": words.meaning(name),
        "mean": data(s.mean, mean),
        "interval": bounds if math.isfinite(s.low) else Markup("–"),
        "sd": data(s.sd, _sd(s.sd, name)),
        "ensemble": _beside(together.get(name), s, name),
        "test": _beside(test.get(name), s, name),
    }


def _sd(value: float, metric: str) -> str:
    if metric in PERCENT and math.isfinite(value):
        return f"{number(100.0 * value, 2)} %"
    return number(value, 2)


def _beside(value: Any, s: Score, metric: str) -> Markup:
    """``value`` with the digits of the interval that it stands beside."""
    return data(real(value), interval(real(value), s.low, s.high, metric)[0])


def predictions(run: RunFiles) -> dict[str, Any] | None:
    """Charts of the out-of-fold predictions, of a classification the table of classes, and the worst rows."""
    found = run.predictions
    if found is None or not len(found["target"]):
        return None
    if found["output"].ndim == 1:
        target = str(run.part("task").get("target") or "target")
        return {
            "charts": regression.charts(target, found),
            "classes": [],
            "all": 0,
            "worst": regression.worst_rows(found),
        }
    classes = run.classes or [str(k) for k in range(found["output"].shape[1])]
    return {
        "charts": classification.charts(classes, found),
        "classes": classification.class_rows(classes, classification.confusion_table(found)),
        "all": len(classes),
        "worst": classification.surest_mistakes(classes, found),
    }


def how(run: RunFiles) -> dict[str, Any]:
    """Task, settings, search space, command, time, machine and versions."""
    task, objective = run.part("task"), run.experiment.get("objective")
    about = [
        ("Task", words.task(run)),
        ("Target", str(task.get("target") or "none")),
        ("Data", str(run.part("data").get("source") or "arrays given from Python")),
        ("Compared by", f"{metric_name(run.metric)}, {'higher' if run.maximize else 'lower'} is better"),
    ]
    dead = [row for row in run.members if row.get("status") == "diverged"]
    versions = [("manyfit", str(run.experiment.get("manyfit") or "unknown"))]
    versions += [(str(k), setting(v)) for k, v in run.part("versions").items()]
    return {
        "about": about,
        "settings": [(capital(short_name(k)), setting(v)) for k, v in run.part("settings").items()],
        "space": [(capital(short_name(k)), k, searched(v)) for k, v in run.part("space").items()],
        "command": command(run),
        "objective": json.dumps(objective, indent=2, ensure_ascii=False)[:MOST_DETAIL] if objective else "",
        "timing": timing(run),
        "cost": cost(run),
        "machine": [(capital(short_name(k)), setting(v)) for k, v in run.part("machine").items()],
        "versions": versions,
        "dead": [_death(row) for row in dead[:MOST_DEAD]],
        "more_dead": max(0, len(dead) - MOST_DEAD),
    }


def command(run: RunFiles) -> str:
    """The command line that asks for the same again; empty where it was asked from Python."""
    asked = run.experiment.get("command")
    if not isinstance(asked, list) or not asked:
        return ""
    program = PurePath(str(asked[0])).name or "manyfit"
    return shlex.join([program, *map(str, asked[1:])])


def cost(run: RunFiles) -> list[tuple[str, str]]:
    """Time, memory and how the members ended."""
    rows = []
    total = real(nested(run.summary, "timing").get("total"))
    if total > 0:
        each = f", {duration(total / len(run.members))} a network" if run.members else ""
        rows.append(("Wall-clock time", duration(total) + each))
    peak = real(nested(run.summary, "memory").get("peak_rss_bytes"))
    if math.isfinite(peak):
        rows.append(("Peak memory", memory(peak)))
    status = Counter(str(row.get("status") or "unknown") for row in run.members)
    if status:
        rows.append(("Networks", ", ".join(f"{grouped(n)} {word}" for word, n in sorted(status.items()))))
    epochs = [row["epochs"] for row in run.members if isinstance(row.get("epochs"), int)]
    if epochs:
        mean = number(sum(epochs) / len(epochs), 3)
        rows.append(("Epochs trained", f"{grouped(sum(epochs))} ({mean} a network)"))
    return rows


def timing(run: RunFiles) -> Chart | None:
    """Where the time went, as one bar."""
    parts = {str(k): real(v) for k, v in nested(run.summary, "timing").items()}
    parts = {name: seconds for name, seconds in parts.items() if seconds >= 0}
    total = parts.pop("total", sum(parts.values()))
    rest = total - sum(parts.values())
    if parts and rest > 0.01 * total:
        parts["other"] = rest
    whole = sum(parts.values())
    if not whole > 0:
        return None
    kinds, x = ("a", "c", "d", "b", "e", "f"), 0.0
    drawn, legend = [], []
    longest_first = sorted(parts.items(), key=lambda part: -part[1])
    for place, (name, seconds) in enumerate(longest_first):
        kind, wide = kinds[place % len(kinds)], 400.0 * seconds / whole
        label = f"{words.stage(name)} {duration(seconds)} ({100 * seconds / whole:.0f} %)"
        size = f'x="{c(x)}" y="2" width="{c(max(wide - 1, 0.5))}" height="16"'
        drawn.append(
            str(Markup('<rect class="fill {}" {}><title>{}</title></rect>').format(kind, Markup(size), label))
        )
        legend.append((f"key-fill {kind}", label))
        x += wide
    title = "Time by stage: " + ", ".join(label for _, label in legend)
    return Chart("Where the time went", document(title, 400, 20, drawn), "", legend)


def _death(row: Mapping[str, Any]) -> dict[str, str]:
    hyper = nested(row, "hyper")
    return {
        "member": f"trial {row.get('trial')}, seed {row.get('seed')}, fold {row.get('fold')}",
        "epochs": number(row.get("epochs")),
        "hyper": ", ".join(f"{short_name(k)} {number(v, 3)}" for k, v in hyper.items()),
    }
