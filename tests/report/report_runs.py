"""Run folders written file by file, as docs/run-format.md has them, without training anything."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from manyfit.evaluate import resampled_interval

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
METRICS = {"binary": "accuracy", "multiclass": "accuracy", "tagging": "accuracy", "regression": "rmse"}


@dataclass
class Run:
    """What to write; ``lift`` is added to every score, ``split`` is the seed of the folds."""

    kind: str = "multiclass"
    classes: tuple[str, ...] = ("a", "b", "c")
    target: str = "label"
    name: str = "a run"
    rows: int = 90
    trials: int = 3
    seeds: int = 2
    folds: int = 3
    epochs: int = 4
    chosen: int | None = 1
    diverged: tuple[tuple[int, int, int], ...] = ()
    """(trial, seed, fold) of members without scores."""
    lift: float = 0.0
    split: int = 0
    fingerprint: str = "sha256:1"
    data_kind: str = "table"
    columns: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    interrupted: bool = False
    pruned: int = 0
    search: dict[str, float] | None = None

    def __post_init__(self) -> None:
        if self.kind == "regression":
            self.classes = ()

    @property
    def metric(self) -> str:
        return METRICS[self.kind]

    def members(self) -> list[dict[str, Any]]:
        return [
            self._member(t, s, f)
            for t in range(self.trials)
            for s in range(self.seeds)
            for f in range(self.folds)
        ]

    def _member(self, trial: int, seed: int, fold: int) -> dict[str, Any]:
        dead = (trial, seed, fold) in self.diverged
        score = 0.7 + self.lift + 0.05 * trial + 0.02 * fold + 0.005 * seed * (-1) ** fold
        test = self.rows // self.folds if self.folds > 1 else self.rows // 3
        return {
            "trial": trial,
            "seed": seed,
            "fold": fold,
            "hyper": self.hyper(trial),
            "status": "diverged" if dead else "finished",
            "epochs": 1 if dead else self.epochs,
            "best_epoch": 1 if dead else 2,
            "rows": {"train": self.rows - test - 10, "validation": 10, "test": test},
            "validation": {"loss": None if dead else 0.5 - 0.1 * trial},
            "test": {self.metric: None if dead else score},
        }

    def hyper(self, trial: int) -> dict[str, Any]:
        return {"optimizer.learning_rate": 0.001 * 3**trial, "model.activation": ["relu", "tanh"][trial % 2]}

    def scores(self, trial: int) -> np.ndarray:
        table = np.full((self.seeds, self.folds), np.nan)
        for row in self.members():
            if row["trial"] == trial and row["test"][self.metric] is not None:
                table[row["seed"], row["fold"]] = row["test"][self.metric]
        return table

    def interval(self, trial: int) -> dict[str, float | None]:
        sizes = self.members()[0]["rows"]
        found = resampled_interval(self.scores(trial), sizes["train"] + sizes["validation"], sizes["test"])
        values = {"mean": found.mean, "low": found.low, "high": found.high, "sd": found.sd}
        return {name: value if np.isfinite(value) else None for name, value in values.items()}

    def experiment(self) -> dict[str, Any]:
        regression = self.kind == "regression"
        return {
            "format": 1,
            "manyfit": "0.1.0",
            "name": self.name,
            "created": "2026-01-01T12:00:00Z",
            "command": ["/usr/bin/manyfit", "fit", "my data.csv", "--target", self.target],
            "task": {
                "kind": self.kind,
                "target": self.target,
                "classes": list(self.classes),
                "metric": self.metric,
                "direction": "minimize" if regression else "maximize",
            },
            "data": {
                "source": "my data.csv",
                "kind": self.data_kind,
                "rows": self.rows,
                "fingerprint": self.fingerprint,
                "columns": self.columns,
                "warnings": [],
            },
            "settings": {
                "trials": self.trials,
                "seeds": self.seeds,
                "folds": self.folds,
                "epochs": self.epochs,
            },
            "space": {
                "optimizer.learning_rate": {"kind": "loguniform", "low": 1e-4, "high": 1e-1},
                "model.activation": {"kind": "choice", "options": ["relu", "tanh"]},
            },
            "versions": {"python": "3.11.0", "jax": "0.10.1"},
            "machine": {"devices": 2, "platform": "cpu", "cores": 2},
        }

    def summary(self) -> dict[str, Any]:
        trials = [
            {
                "trial": t,
                "hyper": self.hyper(t),
                "members": self.seeds * self.folds,
                "diverged": sum(dead[0] == t for dead in self.diverged),
                "parameters": 12345,
                "score": self.interval(t),
                "validation": {"loss": 0.5 - 0.1 * t},
                "p_value": None if t == self.chosen else 0.2 + 0.1 * t,
            }
            for t in range(self.trials)
        ]
        scores = {self.metric: self.interval(self.chosen)} if self.chosen is not None else {}
        return {
            "trials": trials,
            "chosen": {"trial": self.chosen, "why": "lowest mean validation loss"},
            "pruned": [{"trial": 90 + i, "hyper": self.hyper(0), "epochs": 3} for i in range(self.pruned)],
            "search": self.search,
            "scores": scores,
            "ensemble": {self.metric: 0.8125},
            "timing": {"total": 4.0, "data": 0.5, "compile": 1.0, "train": 2.0},
            "memory": {"peak_rss_bytes": 500_000_000},
            "members": len(self.members()),
            "interrupted": self.interrupted,
            "warnings": self.warnings,
        }

    def predictions(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(self.split)
        row = rng.permutation(self.rows).astype(np.int32)
        found = {"row": row, "fold": np.arange(self.rows, dtype=np.int32) % self.folds}
        if self.kind == "regression":
            target = np.sin(row).astype(np.float32)
            return found | {"target": target, "output": target + 0.1 * np.cos(row).astype(np.float32)}
        width = len(self.classes)
        target = (row % width).astype(np.int32)
        output = np.random.default_rng(1).dirichlet(np.ones(width), self.rows)
        output[np.arange(self.rows), target] += 0.4
        output /= output.sum(axis=1, keepdims=True)
        return found | {"target": target, "output": output.astype(np.float32)}

    def history(self) -> dict[str, np.ndarray]:
        count = self.trials * self.seeds * self.folds
        curve = np.linspace(1.0, 0.2, self.epochs, dtype=np.float32)
        train = np.tile(curve, (count, 1)) + 0.01 * np.arange(count, dtype=np.float32)[:, None]
        return {"train/loss": train, "validation/loss": train + 0.1}


def write_run(folder: Path, run: Run, without: tuple[str, ...] = ()) -> Path:
    """Write the files of ``run`` but those named in ``without``."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in run.members())
    files = {
        "experiment.json": json.dumps(run.experiment()).encode(),
        "members.jsonl": lines.encode(),
        "summary.json": json.dumps(run.summary()).encode(),
        "history.safetensors": save(run.history()),
        "predictions.safetensors": save(run.predictions()),
    }
    for name, content in files.items():
        if name not in without:
            (folder / name).write_bytes(content)
    return folder


class Page(HTMLParser):
    """A page taken apart; an end tag that does not match what is open is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> repeats an attribute"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        """What a person reads, white space made one."""
        return " ".join(" ".join(self.words).split())

    def values(self) -> list[float]:
        """The exact numbers behind those that are shown."""
        return [float(attrs["value"] or "nan") for tag, attrs in self.tags if tag == "data"]

    def find(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every such tag."""
        return [attrs for name, attrs in self.tags if name == tag]
