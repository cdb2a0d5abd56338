"""What a trial costs before anything is trained: task, folds and settings of many trials on a small table.

python benchmarks/preparation.py [--trials 256]
"""

from __future__ import annotations

import argparse
import time

import measure
from sklearn.datasets import load_breast_cancer

import manyfit as mf
from manyfit.experiment.preparation import prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=256)
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    table = mf.data.read_table(load_breast_cancer(as_frame=True).frame, target="target")
    experiment = mf.Experiment(
        mf.Supervised(
            mf.models.MLP(dropout=mf.uniform(0.0, 0.5)),
            optimizer=mf.optim.AdamW(learning_rate=mf.loguniform(1e-4, 1e-1)),
        ),
        table,
        trials=given.trials,
    )
    started = time.perf_counter()
    prepare(experiment)
    seconds = time.perf_counter() - started
    print(f"{given.trials} trials prepared in {seconds:.2f} s, {1000 * seconds / given.trials:.2f} ms each")


if __name__ == "__main__":
    main()
