"""How many members abreast train fastest on a core: what ``engine/plan.py`` chooses, beside other widths.

Digits, MLP 128-128 (430 kB a member with its moments), 40 networks of 20 epochs; training alone, warm.

    python benchmarks/width.py
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import measure
import numpy as np
from sklearn.datasets import load_digits

import manyfit as mf
from manyfit.tasks import Task

WIDTHS = (1, 2, 4, 10, 20)
RUNS = 3


def main() -> None:
    print(measure.machine())
    chosen = experiment(None)
    print(f"the plan takes {abreast(chosen)} abreast")
    rows = [["members abreast on a core", "seconds (median)"]]
    for width in WIDTHS:
        trained = experiment(width)
        trained.run()  # compiles
        seconds = []
        for _ in range(RUNS):
            started = time.perf_counter()
            trained.run()
            seconds.append(time.perf_counter() - started)
        rows.append([str(width), f"{statistics.median(seconds):.2f}"])
    print(measure.table(rows))


def experiment(width: int | None) -> mf.Experiment:
    x, y = load_digits(return_X_y=True)
    data: dict[str, Any] = {
        "inputs": {"numeric": (x / 16).astype(np.float32)},
        "target": y.astype(np.int32),
    }
    return mf.Experiment(
        mf.Supervised(mf.models.MLP(hidden=(128, 128)), optimizer=mf.optim.Adam()),
        Task("multiclass", data, rows=len(x), classes=tuple(map(str, range(10)))),
        seeds=8,
        folds=5,
        epochs=20,
        batch_size=64,
        validation=0.0,
        patience=None,
        width=width,
    )


def abreast(chosen: mf.Experiment) -> int:
    """The width of the plan of an experiment that leaves it open."""
    from manyfit.engine import Population, Rows, Shape
    from manyfit.experiment.preparation import prepare

    prepared = prepare(chosen)
    bucket = prepared.buckets[0]
    population = Population(
        bucket.objective,
        prepared.task.data,
        bucket.members(chosen.seeds, len(prepared.splits)),
        [Rows(s.train, s.validation, s.test) for s in prepared.splits],
        Shape(bucket.batch_size),
        epochs=chosen.epochs,
    )
    return population.plan.width


if __name__ == "__main__":
    main()
