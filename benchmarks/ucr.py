"""Series classification on the archives' official splits, beside 1-NN and the archive's references.

    python benchmarks/ucr.py FOLDER --seeds 5

FOLDER holds NAME/NAME_TRAIN.ts.gz and NAME/NAME_TEST.ts.gz. Every set: a residual network, seeds as one population,
trained on all training series for a fixed number of epochs (no test series decides anything); 1-NN by Euclidean
distance in the same run. References: accuracy of InceptionTime and HIVE-COTE 2 on the same split (aeon's results).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from manyfit.data.series_sets import filled
from manyfit.data.ucr import read
from manyfit.experiment.experiment import Experiment
from manyfit.models.series_classifiers import SeriesResNet
from manyfit.objectives import Supervised
from manyfit.optim import AdamW, Cosine
from manyfit.tasks.task import Task

REFERENCES = {"GunPoint": (1.0, 1.0), "ItalyPowerDemand": (0.966, 0.970)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", default=["ItalyPowerDemand", "GunPoint", "BasicMotions"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--widths", type=int, nargs=3, default=(32, 64, 64))
    parser.add_argument("--epochs", type=int, default=100)
    options = parser.parse_args()
    print("set  accuracy (95 % interval over seeds)  seeds together  1-NN  InceptionTime  HC2  seconds")
    for name in options.sets:
        one(options.folder / name, name, options)


def one(folder: Path, name: str, options: argparse.Namespace) -> None:
    train, test = (read(folder / f"{name}_{part}.ts.gz") for part in ("TRAIN", "TEST"))
    classes = tuple(sorted(set(train.labels)))
    mean, scale = np.nanmean(train.steps, axis=(0, 1)), np.nanstd(train.steps, axis=(0, 1))
    steps, lengths, _ = filled((np.concatenate([train.steps, test.steps]) - mean) / scale)
    target = np.array([classes.index(label) for label in (*train.labels, *test.labels)], np.int32)
    n = len(train.labels)
    task = Task(
        kind="binary" if len(classes) == 2 else "multiclass",
        data={"inputs": {"steps": steps, "lengths": lengths}, "target": target},
        rows=len(target),
        classes=classes,
    )
    started = time.perf_counter()
    result = Experiment(
        Supervised(
            SeriesResNet(tuple(options.widths)), optimizer=AdamW(learning_rate=1e-3, schedule=Cosine())
        ),
        task,
        seeds=options.seeds,
        folds=[(np.arange(n), np.arange(n, len(target)))],
        epochs=options.epochs,
        patience=None,
        batch_size=16,
        validation=0.0,
        metric="accuracy",
    ).run()
    flat = steps.reshape(len(steps), -1)
    distance = ((flat[n:, None] - flat[None, :n]) ** 2).sum(axis=-1)
    nearest = float(np.mean(target[:n][distance.argmin(axis=1)] == target[n:]))
    score, known = result.score, REFERENCES.get(name)
    print(
        f"{name}  {score.mean:.3f} ({score.low:.3f} to {score.high:.3f})  {result.ensemble['accuracy']:.3f}  "
        f"{nearest:.3f}  {'  '.join(f'{v:.3f}' for v in known) if known else '-  -'}  "
        f"{time.perf_counter() - started:.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
