"""The digits experiment in manyfit; prints the best mean accuracy over folds and seeds."""

import sys

import numpy as np

import manyfit as mf
from manyfit.tasks import Task

RATES = np.logspace(-4, -1, 8)


def main() -> None:
    with np.load(sys.argv[1]) as digits:
        x, y = digits["x"], digits["y"]
    task = Task(
        "multiclass",
        {"inputs": {"numeric": (x / 16).astype(np.float32)}, "target": y.astype(np.int32)},
        rows=len(x),
        classes=tuple(map(str, range(10))),
    )
    experiment = mf.Experiment(
        mf.Supervised(mf.models.MLP(hidden=(128, 128)), optimizer=mf.optim.Adam()),
        task,
        given_trials=[{"optimizer.learning_rate": float(rate)} for rate in RATES],
        seeds=3,
        folds=5,
        epochs=20,
        batch_size=64,
        validation=0.0,
        patience=None,
    )
    result = experiment.run()
    print(f"{result.score.mean:.4f} [{result.score.low:.4f}, {result.score.high:.4f}]")


if __name__ == "__main__":
    main()
