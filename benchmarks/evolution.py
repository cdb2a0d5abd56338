"""What population-based training costs: the same networks with and without exploit and explore, and what they end at.

Digits, MLP 128-128, 16 trials x 5 folds, 30 epochs. Poor trials take over from good ones every 3 epochs, decided by
the host while all networks pause; between the two runs lies everything that this takes. Warm, medians of 3.

    python benchmarks/evolution.py
"""

from __future__ import annotations

import statistics
import time

import measure
import numpy as np
from sklearn.datasets import load_digits

import manyfit as mf
from manyfit.tasks import Task
from manyfit.tune import Evolution

RUNS, EPOCHS, EVERY = 3, 30, 3


def main() -> None:
    print(measure.machine())
    rows = [["training", "seconds (median)", "best trial's log loss on its test rows"]]
    for name, evolve in (("as drawn", None), (f"evolved every {EVERY} epochs", Evolution(every=EVERY))):
        trained = experiment(evolve)
        trained.run()  # compiles
        seconds = []
        for _ in range(RUNS):
            started = time.perf_counter()
            result = trained.run()
            seconds.append(time.perf_counter() - started)
        loss = result.scores["log_loss"]
        rows.append(
            [name, f"{statistics.median(seconds):.2f}", f"{loss.mean:.4f} [{loss.low:.4f}, {loss.high:.4f}]"]
        )
    print(measure.table(rows))


def experiment(evolve: Evolution | None) -> mf.Experiment:
    x, y = load_digits(return_X_y=True)
    model = mf.models.MLP(hidden=(128, 128), dropout=mf.uniform(0.0, 0.5))
    optimizer = mf.optim.AdamW(learning_rate=mf.loguniform(1e-4, 3e-2), weight_decay=mf.loguniform(1e-4, 0.3))
    inputs = {"numeric": (x / 16).astype(np.float32)}
    return mf.Experiment(
        mf.Supervised(model, optimizer=optimizer),
        Task(
            "multiclass",
            {"inputs": inputs, "target": y.astype(np.int32)},
            rows=len(x),
            classes=tuple(map(str, range(10))),
        ),
        trials=16,
        folds=5,
        epochs=EPOCHS,
        batch_size=64,
        patience=None,
        evolve=evolve,
    )


if __name__ == "__main__":
    main()
