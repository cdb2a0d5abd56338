"""Sensible experiments: what a task gets when nothing more is asked."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyfit.augment import named as named_augmentation
from manyfit.engine import RunFolder
from manyfit.errors import ConfigError, nearest
from manyfit.experiment.experiment import Experiment
from manyfit.losses import LOSSES, Loss
from manyfit.losses import named as named_loss
from manyfit.models import MLP
from manyfit.models import named as named_model
from manyfit.models.names import IMAGES, LANGUAGE, NAMES, PAIRS, PIXELS, SERIES, TABLES, TEXTS
from manyfit.objectives import Supervised
from manyfit.optim import EMA, SAM, SWA, Accumulate, LayerDecay, Optimizer, named, named_schedule
from manyfit.space import Distribution, collect, loguniform, uniform
from manyfit.tasks.task import Task
from manyfit.tune import Evolution, stored_settings

WEIGHT_DECAY = loguniform(1e-4, 3e-1)
DROPOUT = uniform(0.0, 0.5)

_SMALL = ("mlp", "cnn", "cnn-bn")
"""Networks that every option about a network's size and dropout is for."""

MOST_EMBEDDED = 24
"""Up to so many numbers a row each get a learned piecewise-linear function; beyond, it costs more than it brings."""


def batch_size_for(rows: int) -> int:
    """A power of two between 32 and 512, about a fiftieth to a twenty-fifth of the rows."""
    size = 32
    while size < 512 and size * 50 < rows:
        size *= 2
    return size


def hidden_for(rows: int) -> tuple[int, int]:
    """Two hidden layers: 128 wide for a few thousand rows (as good there as 256, and a third of the work)."""
    return (128, 128) if rows <= 5000 else (256, 256)


def seeds_for(rows: int) -> int:
    """Three networks a fold where rows are few: they predict together, and cost seconds there."""
    return 3 if rows <= 1000 else 1


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is trained where the options of ``manyfit fit`` leave it open; ``trials=None``: 16 where something
    is searched, else 1."""

    trials: int | None
    seeds: int
    folds: int
    epochs: int
    patience: int
    batch_size: int
    validation: float = 0.2


def experiment_for(task: Task, asked: Mapping[str, Any]) -> Experiment:
    """The experiment for a task and the options of ``manyfit fit`` (None where open)."""
    if task.about.get("kind") == "corpus":
        from manyfit.tasks.language import language_experiment

        return language_experiment(task, asked)
    if task.about.get("kind") == "pairs":
        from manyfit.tasks.translation import pairs_experiment

        return pairs_experiment(task, asked)
    if task.kind == "own":
        from manyfit.tasks.unsupervised import experiment_for as unsupervised

        return unsupervised(task, asked)
    for option in ("latent", "coder", "likelihood", "samples", "strength"):
        if asked.get(option) is not None:
            raise ConfigError(f"--{option} is for autoencoders (--model vae, say): leave it out")
    if asked.get("conditional"):
        raise ConfigError("--conditional is for games (--model gan, say): leave it out")
    if task.about.get("kind") == "texts":
        from manyfit.tasks.text_defaults import text_experiment

        return text_experiment(task, asked)
    if task.kind == "tagging":
        from manyfit.tasks.tagging import tagging_experiment

        return tagging_experiment(task, asked)
    if task.about.get("kind") == "labelled series":
        from manyfit.tasks.series import series_experiment

        return series_experiment(task, asked)
    images = task.about.get("kind") == "images"
    if asked.get("encoder") is not None:
        from manyfit.tasks.pretrained import pretrained

        task, model = pretrained(task, asked)
    else:
        model = model_for(task, asked)
    optimizer = optimizer_for(asked, search=not images)
    precision: Any = asked.get("precision") or "float32"
    rematerialise: Any = asked.get("rematerialise") or "none"
    if asked.get("balance") and not task.classes:
        raise ConfigError("balance weighs classes, and a regression target has none: leave it out")
    objective = Supervised(
        model,
        loss=loss_for(asked, classes=bool(task.classes)),
        optimizer=optimizer,
        balance=bool(asked.get("balance")),
        precision=precision,
        rematerialise=rematerialise,
        augment=augment_for(asked, images=images),
        views=asked.get("views") or "one",
    )
    if asked.get("probe"):
        objective = dataclasses.replace(objective, probe=True)
    size = batch_size_for(task.rows)
    if images:
        return planned(objective, task, asked, Plan(1, 1, 5, 15, 5, size))
    return planned(objective, task, asked, Plan(None, seeds_for(task.rows), 5, 100, 12, size))


def planned(objective: Any, task: Task, asked: Mapping[str, Any], plan: Plan) -> Experiment:
    """The experiment that trains an objective as the options of ``manyfit fit`` say, by the plan where they are
    silent: the same for every kind of task."""
    patience = given(asked, "patience", plan.patience)
    trials = asked.get("trials")
    if trials is None:
        trials = plan.trials or (16 if _open(objective) else 1)
    first: tuple[Mapping[str, Any], ...] = ()
    if asked.get("warm_start") is not None:
        first = best_settings(asked["warm_start"], collect(objective), max(1, trials // 4))
    prune = asked.get("prune") or "none"
    if (asked.get("plan") or "folds") != "folds" and asked.get("folds") is not None:
        raise ConfigError(
            f"folds={asked['folds']} and plan={asked['plan']!r} contradict each other: give one of them"
        )
    return Experiment(
        objective,
        task,
        trials=trials,
        seeds=given(asked, "seeds", plan.seeds),
        folds="each" if asked.get("plan") == "each" else given(asked, "folds", plan.folds),
        bootstrap=asked.get("plan") == "bootstrap",
        gap=given(asked, "gap", 0.0),
        window=asked.get("window"),
        embargo=asked.get("embargo"),
        epochs=given(asked, "epochs", plan.epochs),
        patience=None if patience == 0 else patience,
        batch_size=given(asked, "batch_size", plan.batch_size),
        length_buckets=() if asked.get("length_buckets") == "none" else None,
        validation=given(asked, "validation", plan.validation),
        seed=given(asked, "seed", 0),
        repeats=given(asked, "repeats", 20 if asked.get("plan") == "bootstrap" else 1),
        metric=asked.get("metric"),
        search=asked.get("search") or "sobol",
        prune=None if prune == "none" else prune,
        evolve=None if asked.get("evolve") is None else Evolution(every=asked["evolve"]),
        budget=seconds_of(asked.get("budget")),
        nested=asked.get("nested"),
        storage=asked.get("storage"),
        first_trials=first,
        latency=asked.get("latency"),
        options=asked,
    )


def best_settings(
    run: str | Path, space: Mapping[str, Distribution], most: int
) -> tuple[dict[str, Any], ...]:
    """The best settings of an earlier run, by validation loss, as far as they are searched again now.

    ``run`` is a folder, or the URL of a data base (``manyfit.tune.Storage``), ``#STUDY`` behind it where it holds
    several. Raises ``ConfigError`` where the run shares no hyper-parameter with the space.
    """
    if "://" in str(run):
        url, _, study = str(run).partition("#")
        return stored_settings(url, space, most, study=study or None)
    folder = RunFolder(run)
    folder.read_experiment()
    trials = sorted(folder.read_json("summary.json")["trials"], key=lambda t: _loss(t["validation"]["loss"]))
    found = []
    for trial in trials[:most]:
        here = {path: v for path, v in trial["hyper"].items() if path in space and space[path].holds(v)}
        if here:
            found.append(here)
    if not found:
        raise ConfigError(
            f"{run} has no settings to begin with: it searched nothing that is searched now "
            f"({', '.join(space) or 'nothing'}), or other ranges"
        )
    return tuple(found)


def seconds_of(text: str | float | None) -> float | None:
    """``"90"``, ``"90s"``, ``"1.5h"`` -> seconds; raises ``ConfigError`` for anything else."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(text).strip())
    if match is None or not float(match[1]) > 0:
        raise ConfigError(f"budget is {text!r}; give seconds above 0, or a time such as 90s, 30m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def model_for(task: Task, asked: Mapping[str, Any]) -> Any:
    """The network for a task and the options of ``manyfit fit``; raises ``ConfigError`` where they do not fit."""
    images = task.about.get("kind") == "images"
    kind, hidden = asked.get("model") or "auto", asked.get("hidden")
    if kind == "auto":
        kind = "cnn" if images else "mlp"
    if kind not in NAMES:
        from manyfit.tasks.unsupervised import NAMES as UNSUPERVISED

        raise ConfigError(f"unknown model {kind!r}: {nearest(kind, [*NAMES, *UNSUPERVISED])}")
    model = named_model(kind)
    fitting = {**IMAGES, "mlp": MLP()} if images else TABLES
    if kind in LANGUAGE:
        raise ConfigError(f"model {kind!r} reads running text (a .txt file without --target): leave it out")
    if kind in TEXTS:
        raise ConfigError(
            f"model {kind!r} reads texts (--text COLUMN, or a folder of .txt files): leave it out"
        )
    if kind in {**SERIES, **PAIRS} and kind not in {**TABLES, **IMAGES, **TEXTS, **LANGUAGE}:
        raise ConfigError(
            f"model {kind!r} reads labelled series (a .ts file, or --series COLUMN): leave it out"
        )
    if kind not in fitting:
        read, given = ("images", "a table") if kind in {**IMAGES, **PIXELS} else ("tables", "images")
        use = ", ".join(f"'{name}'" for name in fitting)
        if kind in PIXELS and images:
            raise ConfigError(
                f"model {kind!r} answers for each pixel; for a class or value of an image use {use}"
            )
        raise ConfigError(f"model {kind!r} reads {read}; for {given} use {use}")
    if hidden and kind not in _SMALL:
        raise ConfigError(
            f"hidden={list(hidden)} is for 'mlp', 'cnn' and 'cnn-bn'; the widths of {kind!r} go with its name"
        )
    for option in ("embedding", "scaling"):
        given = asked.get(option) or "auto"
        if given != "auto" and (images or (option == "embedding" and kind != "mlp")):
            use = "'mlp'" if option == "embedding" else "tables"
            raise ConfigError(f"{option}={given!r} is for {use}, and this is {kind!r}: leave it out")
    dropout = asked.get("dropout")
    if kind not in _SMALL:
        if dropout is None:
            return model
        if not hasattr(model, "dropout"):
            raise ConfigError(f"dropout={dropout!r}: {kind!r} has no dropout; leave it out")
        return dataclasses.replace(model, dropout=number_or_range("dropout", dropout, None, below=1))
    rate = number_or_range("dropout", dropout, 0.3 if images else DROPOUT, below=1)
    if kind in ("cnn", "cnn-bn"):
        if hidden and len(hidden) > 1:
            raise ConfigError(
                f"hidden={list(hidden)}: a cnn has one hidden layer behind its convolutions; give one"
            )
        return dataclasses.replace(model, dropout=rate, **({"hidden": hidden[0]} if hidden else {}))
    embedding: Any = asked.get("embedding") or "auto"
    if embedding == "auto":
        numbers = 0 if images else task.data["inputs"]["numeric"].shape[1]
        embedding = "piecewise" if 0 < numbers <= MOST_EMBEDDED else "none"
    return MLP(hidden=tuple(hidden or hidden_for(task.rows)), dropout=rate, embedding=embedding)


def augment_for(asked: Mapping[str, Any], *, images: bool | None = None) -> tuple[Any, ...]:
    """The augmentations for the options of ``manyfit fit``; raises ``ConfigError`` for a name, and for tables."""
    if images is False and (asked.get("augment") is not None or (asked.get("views") or "one") != "one"):
        raise ConfigError("augment and views are for images, and these data are a table: leave them out")
    return () if asked.get("augment") is None else named_augmentation(str(asked["augment"]))


def loss_for(asked: Mapping[str, Any], *, classes: bool | None = None) -> Loss | None:
    """The loss for the options of ``manyfit fit``, None where nothing is said; ``classes`` where the target is known.

    Raises ``ConfigError`` for an unknown name, and for a loss of the other kind of target.
    """
    if asked.get("loss") is None:
        return None
    loss = named_loss(str(asked["loss"]).replace("-", "_"))
    if classes is not None and loss.classification != classes:
        fitting = ", ".join(name for name, kind in LOSSES.items() if kind.classification == classes)
        raise ConfigError(
            f"loss {asked['loss']!r} is for {'classes' if loss.classification else 'numbers'}, and the target "
            f"holds {'classes' if classes else 'numbers'}: choose among {fitting}"
        )
    return loss


def optimizer_for(asked: Mapping[str, Any], *, search: bool) -> Optimizer:
    """The optimizer for the options of ``manyfit fit``; ``search`` leaves its numbers open where nothing is said.

    Raises ``ConfigError`` for an unknown name and for numbers out of range.
    """
    rule = named(asked.get("optimizer") or "adamw")
    schedule = named_schedule(asked.get("schedule") or "constant")
    rate, decay = (loguniform(*rule.search), WEIGHT_DECAY) if search else (rule().learning_rate, 1e-2)
    optimizer: Optimizer = rule(
        learning_rate=number_or_range("learning_rate", asked.get("learning_rate"), rate),
        weight_decay=number_or_range("weight_decay", asked.get("weight_decay"), decay),
        clip=number_or_range("clip", asked.get("clip"), 1.0),
        schedule=schedule(),
    )
    if asked.get("layer_decay") is not None:
        optimizer = LayerDecay(optimizer, number_or_range("layer_decay", asked["layer_decay"], None, below=1))
    if asked.get("sam") is not None:
        optimizer = SAM(optimizer, rho=number_or_range("sam", asked["sam"], None))
    if asked.get("swa") is not None and asked.get("ema") is not None:
        raise ConfigError("swa and ema are both averages of the weights: give one of them")
    if asked.get("swa") is not None:
        optimizer = SWA(optimizer, start=number_or_range("swa", asked["swa"], None, below=1))
    if asked.get("ema") is not None:
        optimizer = EMA(optimizer, decay=number_or_range("ema", asked["ema"], None, below=1))
    if (count := given(asked, "accumulate", 1)) != 1:
        optimizer = Accumulate(optimizer, count)
    return optimizer


def number_or_range(name: str, text: str | float | None, default: Any, below: float = math.inf) -> Any:
    """``"0.01"`` -> 0.01, ``"1e-4:1e-1"`` -> a range to search (logarithmic over positive bounds a decade apart)."""
    if text is None:
        return default
    try:
        values = [float(part) for part in str(text).split(":")]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(map(math.isfinite, values)):
        raise ConfigError(f"{name} is {text!r}; give a number, or LOW:HIGH to search")
    if min(values) < 0 or max(values) >= below:
        limit = "at least 0" if below == math.inf else f"at least 0 and below {below:g}"
        raise ConfigError(f"{name} is {text!r}; give a number of {limit}")
    if len(values) == 1:
        return values[0]
    low, high = values
    if high <= low:
        raise ConfigError(f"{name} is {text!r}; LOW has to be below HIGH")
    return loguniform(low, high) if low > 0 and high / low >= 10 else uniform(low, high)


def given(asked: Mapping[str, Any], name: str, default: Any) -> Any:
    """What was asked, 0 too, or the default."""
    value = asked.get(name)
    return default if value is None else value


def _loss(value: float | None) -> float:
    return math.inf if value is None else value


def _open(objective: Any) -> bool:
    return bool(collect(objective))
