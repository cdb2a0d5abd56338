"""How narrow a multilayer perceptron's first layer should begin: one program a data set, a gain and a rate a trial.

    python benchmarks/input_gain.py FOLDER [--data phoneme abalone adult mnist]

Data, folds and network are those of ``benchmarks/search.py``; images stand there as columns, so that no default
hides behind another. Printed is the lowest validation loss of 27 epochs, its mean over five folds, at the learning
rate of four that suits each gain best.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import measure
import numpy as np
from search import data_of, folds_of

import manyfit as mf
from manyfit.tasks.task import Task

GAINS = (2**0.5, 1.0, 0.7, 0.5, 0.3, 0.17)  # the first is He's
RATES = (5e-4, 1e-3, 3e-3, 1e-2)


def losses(name: str, folder: Path) -> dict[float, float]:
    """The loss of each gain at its best rate."""
    x, y, classes = data_of(name, folder)
    names = tuple(str(k) for k in range(int(y.max()) + 1)) if classes else ()
    kind = ("binary" if len(names) == 2 else "multiclass") if classes else "regression"
    inputs = {"numeric": x, "categorical": np.zeros((len(x), 0), np.int32)}
    model = mf.models.MLP(hidden=(64, 64), dropout=0.0, input_gain=mf.uniform(0.1, 2.0))
    grid = list(itertools.product(GAINS, RATES))
    result = mf.Experiment(
        mf.Supervised(model, optimizer=mf.optim.AdamW(learning_rate=mf.loguniform(1e-4, 1e-1))),
        Task(kind, {"inputs": inputs, "target": y}, rows=len(y), classes=names),
        given_trials=[{"model.input_gain": gain, "optimizer.learning_rate": rate} for gain, rate in grid],
        folds=list(zip(*folds_of(y, classes))),
        epochs=27,
        patience=None,
        batch_size=128,
    ).run()
    found = {trial.trial: trial.validation for trial in result.trials}
    best: dict[float, float] = {}
    for number, (gain, _) in enumerate(grid):
        best[gain] = min(best.get(gain, np.inf), found[number])
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", nargs="+", default=["phoneme", "abalone", "adult", "mnist"])
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    rows = [["input_gain", *(f"{gain:.2f}" for gain in GAINS)]]
    for name in given.data:
        rows.append([name, *(f"{loss:.4f}" for loss in losses(name, given.folder).values())])
        print(" | ".join(rows[-1]), flush=True)
    print(measure.table(rows))


if __name__ == "__main__":
    main()
