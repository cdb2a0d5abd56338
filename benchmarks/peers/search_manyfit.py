"""The search of ``benchmarks/search.py`` by this library: every trial and fold a member of a population."""

import json
import sys
import time

import numpy as np

import manyfit as mf
from manyfit.experiment import Status
from manyfit.tasks.task import Task
from manyfit.tune import Hyperband


def main() -> None:
    archive, trials, started = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with np.load(archive) as data:
        x, y, classes, pixels = data["x"], data["y"], bool(data["classes"]), bool(data["pixels"])
        folds = list(zip(data["train"], data["validation"], data["test"]))
    columns = {"numeric": x, "categorical": np.zeros((len(x), 0), np.int32)}
    inputs = {"pixels": x.reshape(len(x), 28, 28, 1)} if pixels else columns
    names = tuple(str(k) for k in range(int(y.max()) + 1)) if classes else ()
    kind = ("binary" if len(names) == 2 else "multiclass") if classes else "regression"
    task = Task(kind, {"inputs": inputs, "target": y}, rows=len(y), classes=names)
    trace: list[tuple[float, float]] = []

    def watch(status: Status) -> None:
        if status.best_loss is not None and (not trace or status.best_loss < trace[-1][1]):
            trace.append((time.time() - started, status.best_loss))

    mf.Experiment(
        mf.Supervised(
            mf.models.MLP(hidden=(64, 64), dropout=0.0, embedding="none"),
            optimizer=mf.optim.AdamW(
                learning_rate=mf.loguniform(1e-4, 1e-1), weight_decay=mf.loguniform(1e-6, 1e-1)
            ),
        ),
        task,
        trials=trials,
        folds=folds,
        epochs=27,
        patience=None,
        batch_size=128,
        search="tpe",
        prune=Hyperband(first=3, factor=3),
    ).run(progress=watch)
    trace.append((time.time() - started, trace[-1][1]))
    print(json.dumps(trace))


if __name__ == "__main__":
    main()
