"""How long a search takes to reach a loss: TPE with Hyperband over cross-validated networks, ours and its peers.

    python benchmarks/search.py FOLDER [--data phoneme abalone adult mnist] [--trials 64] [--peers sklearn skorch keras]

FOLDER holds ``tabular/`` and ``vision/`` with the data sets. Everybody gets the same arrays, the same 5 folds of
60 % training, 20 % validation and 20 % test rows, the same network (64-64, batches of 128, at most 27 epochs), the
same two hyper-parameters and the same number of trials, suggested by TPE and given up by Hyperband from 3 epochs
on. The peers' trials are driven by Optuna, one after the other or by two processes. Time is that
of the whole process, imports and compilation included; the loss is the mean over folds of the lowest validation
loss. Printed is when each first reached the best loss that a peer ended with.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import measure
import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold

HERE = Path(__file__).parent
ADULT = (
    *("age", "work", "weight", "education", "years", "marital", "job", "role"),
    *("race", "sex", "gain", "loss", "hours", "country", "target"),
)
ABALONE = ["sex", *(f"x{i}" for i in range(7)), "target"]
PHONEME = [*(f"x{i}" for i in range(5)), "target"]


def table(path: Path, names: Sequence[str]) -> tuple[np.ndarray, pd.Series]:
    """Standardised inputs, texts as one column an option, and the target."""
    frame = pd.read_csv(path, header=None, names=list(names), skipinitialspace=True, na_values="?")
    x = pd.get_dummies(frame.drop(columns="target")).astype(np.float32).to_numpy()
    return (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-6), frame["target"]


def data_of(name: str, folder: Path) -> tuple[np.ndarray, np.ndarray, bool]:
    """``(x, y, whether y holds classes)``."""
    if name == "phoneme":
        x, y = table(folder / "tabular/phoneme/phoneme.csv.gz", PHONEME)
        return x, y.to_numpy(np.int32), True
    if name == "adult":
        x, y = table(folder / "tabular/adult/adult-train.csv.gz", ADULT)
        return x, (y == ">50K").to_numpy(np.int32), True
    if name == "abalone":
        x, y = table(folder / "tabular/abalone/abalone.csv.gz", ABALONE)
        values = y.to_numpy(np.float32)
        return x, (values - values.mean()) / values.std(), False
    from manyfit.data import images

    found = images.read(folder / "vision/mnist", part="train")
    return found.pixels[:5000].reshape(5000, -1).astype(np.float32) / 255, found.target[:5000], True


def folds_of(y: np.ndarray, classes: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers ``(5, rows)`` of the training, validation and test parts."""
    kind = StratifiedKFold if classes else KFold
    parts = [test for _, test in kind(5, shuffle=True, random_state=0).split(y, y)]
    size = min(map(len, parts))
    parts = [part[:size] for part in parts]
    train = [np.concatenate([parts[j] for j in range(5) if j not in (k, (k + 1) % 5)]) for k in range(5)]
    return np.stack(train), np.stack([parts[(k + 1) % 5] for k in range(5)]), np.stack(parts)


def traced(script: str, archive: str, trials: int, workers: int, scratch: str) -> list[tuple[float, float]]:
    """(seconds since the process began, best loss so far), as a search's process or processes tell."""
    command = [sys.executable, str(HERE / "peers" / f"search_{script}.py"), archive, str(trials)]
    started = time.time()
    journal = f"{scratch}/{script}-{workers}-{started}.log"
    shares = [trials // workers] * workers
    running = [
        subprocess.Popen(
            [*command[:-1], str(share), str(started), journal],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | ({"OPENBLAS_NUM_THREADS": "1"} if workers > 1 else {}),  # a core for each
        )
        for share in shares
    ]
    ended: list[tuple[float, float]] = []
    for process in running:
        out, _ = process.communicate()
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
        ended += [tuple(pair) for pair in json.loads(out.strip().splitlines()[-1])]
    ended.sort()
    best = np.minimum.accumulate([loss for _, loss in ended])
    return [(seconds, float(loss)) for (seconds, _), loss in zip(ended, best)]


def reached(trace: list[tuple[float, float]], loss: float) -> float:
    """When a loss was first reached; infinite if never."""
    return next((seconds for seconds, found in trace if found <= loss), float("inf"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", nargs="+", default=["phoneme", "abalone", "adult", "mnist"])
    parser.add_argument("--peers", nargs="+", default=["sklearn", "skorch"])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--trials", type=int, default=64)
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    rows = [
        [
            "data",
            "peer",
            "its end, s",
            "its best loss",
            "reached by it, s",
            "by ours, s",
            "ratio",
            "our end, s",
            "our best",
        ]
    ]
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.data:
            x, y, classes = data_of(name, given.folder)
            train, validation, test = folds_of(y, classes)
            archive = f"{scratch}/{name}.npz"
            parts = {"train": train, "validation": validation, "test": test}
            np.savez(archive, x=x, y=y, classes=classes, pixels=name == "mnist", **parts)
            ours = traced("manyfit", archive, given.trials, 1, scratch)
            for peer in given.peers:
                for workers in given.workers:
                    trace = traced(peer, archive, given.trials, workers, scratch)
                    loss = trace[-1][1]
                    theirs, mine = reached(trace, loss), reached(ours, loss)
                    rows.append(
                        [
                            name,
                            f"{peer}, {workers} at a time",
                            f"{trace[-1][0]:.1f}",
                            f"{loss:.4f}",
                            f"{theirs:.1f}",
                            f"{mine:.1f}",
                            f"{theirs / mine:.1f}",
                            f"{ours[-1][0]:.1f}",
                            f"{ours[-1][1]:.4f}",
                        ]
                    )
                    print(" | ".join(rows[-1]), flush=True)
    print(measure.table(rows))


if __name__ == "__main__":
    main()
