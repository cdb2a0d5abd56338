"""The files of a run (docs/run-format.md), from an experiment and its result."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import resource
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from safetensors.numpy import save

from manyfit._environment import cores
from manyfit._version import __version__
from manyfit.engine import RunFolder
from manyfit.engine.folder import FORMAT
from manyfit.evaluate import Interval
from manyfit.experiment.describe import describe
from manyfit.experiment.preparation import Prepared
from manyfit.experiment.result import Result
from manyfit.experiment.template import unbound
from manyfit.experiment.trials import space_of
from manyfit.tasks.task import Task, fingerprint

if TYPE_CHECKING:
    from manyfit.experiment.experiment import Experiment

SETTINGS = (
    "trials",
    "seeds",
    "epochs",
    "patience",
    "batch_size",
    "validation",
    "repeats",
    "seed",
    "steps_per_epoch",
    "bootstrap",
    "gap",
    "window",
    "embargo",
    "search",
    "batch",
    "prune",
    "evolve",
    "nested",
)


def _command() -> list[str]:
    """The command line, without where on this machine the program lies."""
    name = Path(sys.argv[0]).name
    return ["manyfit" if name == "__main__.py" else name, *sys.argv[1:]]  # python -m manyfit is manyfit


def request_of(experiment: Experiment, prepared: Prepared, name: str) -> dict[str, Any]:
    """``experiment.json``: all that was asked."""
    task = prepared.task
    settings = {key: describe(getattr(experiment, key)) for key in SETTINGS}
    settings["folds"] = len(prepared.splits) // experiment.repeats
    if experiment.first_trials:
        settings["first_trials"] = describe(experiment.first_trials)
    if experiment.length_buckets is not None:
        settings["length_buckets"] = list(experiment.length_buckets)
    if experiment.given_trials is not None:
        settings["given_trials"] = describe(experiment.given_trials)
    return {
        "format": FORMAT,
        "manyfit": __version__,
        "name": name,
        "created": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": _command() if experiment.options is not None else None,
        "options": experiment.options,
        "task": {
            "kind": task.kind,
            "target": task.target,
            "classes": list(task.classes),
            "metric": prepared.metric,
            "direction": prepared.direction,
        },
        "data": _about(task),
        "settings": settings,
        "objective": describe(unbound(experiment.objective)),
        "space": {
            path: kind.describe()
            for path, kind in space_of(experiment.objective, experiment.batch_size).items()
        },
        "versions": {
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in ("jax", "flax", "optax", "numpy")},
        },
        "machine": {
            "devices": jax.device_count(),
            "platform": jax.devices()[0].platform,
            "kind": jax.devices()[0].device_kind,
            "cores": cores(),
        },
    }


def write_result(folder: RunFolder, result: Result) -> None:
    """Every file of a run but ``experiment.json``; the checkpoints go once the run is complete."""
    folder.write_lines("members.jsonl", [dict(row) for row in result.members])
    if result.history:
        folder.write("history.safetensors", save(_whole(result.history)))
    if result.predictions is not None:
        folder.write("predictions.safetensors", save(_whole(result.predictions)))
    for name, arrays in result.pictures.items():
        folder.write(name, save(_whole(arrays)))
    if result.predictor is not None:
        result.predictor.save(folder)
    folder.write_json("summary.json", summary_of(result))
    if not result.interrupted:
        shutil.rmtree(folder.checkpoints, ignore_errors=True)


def summary_of(result: Result) -> dict[str, Any]:
    """``summary.json``: what was found."""
    return {
        "trials": [
            {
                "trial": t.trial,
                "hyper": dict(t.hyper),
                "members": t.members,
                "diverged": t.diverged,
                "parameters": t.parameters,
                "score": _interval(t.score),
                "validation": {"loss": t.validation},
                "p_value": t.p_value,
                **({} if t.latency is None else {"latency": t.latency}),
            }
            for t in result.trials
        ],
        "chosen": {"trial": result.chosen, "why": result.why},
        "pruned": [
            {
                "trial": t.trial,
                "hyper": dict(t.hyper),
                "epochs": t.epochs,
                "validation": {"loss": t.validation},
            }
            for t in result.pruned
        ],
        "search": None
        if result.search is None
        else _interval(result.search) | {"steered": result.steered, "nested": result.nested},
        "metric": result.metric,
        "scores": {name: _interval(score) for name, score in result.scores.items()},
        "ensemble": dict(result.ensemble),
        "checks": dict(result.checks),
        "timing": dict(result.timing),
        "memory": {"peak_rss_bytes": peak_memory()},
        "members": len(result.members),
        "interrupted": result.interrupted,
        "warnings": list(result.warnings),
    }


def peak_memory() -> int:
    """The most memory that this process has held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _about(task: Task) -> dict[str, Any]:
    about = {"source": "arrays", "kind": "arrays", "rows": task.rows, "columns": [], "warnings": []}
    about |= task.about
    if "fingerprint" not in about:
        about["fingerprint"] = fingerprint(task.data)
    return about


def _interval(score: Interval) -> dict[str, float]:
    return {"mean": score.mean, "low": score.low, "high": score.high, "sd": score.sd}


def _whole(arrays: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(values, order="C") for name, values in arrays.items()}
