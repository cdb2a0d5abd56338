"""A run for test_kill.py: begun or gone on with, checkpointing as often as it can."""

import sys
from typing import Any

import numpy as np
from flax import nnx

import manyfit as mf
from manyfit.models import Custom
from manyfit.tasks.task import Task
from manyfit.tune import Halving


class Net(nnx.Module):
    def __init__(self, inputs, outputs, rngs, dropout):
        self.first = nnx.Linear(inputs["x"].shape[1], 24, rngs=rngs)
        self.drop = mf.nn.Dropout(dropout, rngs=rngs)
        self.last = nnx.Linear(24, outputs, rngs=rngs)

    def __call__(self, features):
        return self.last(self.drop(nnx.relu(self.first(features["x"]))))


SEARCH = {"search": "tpe", "trials": 12, "batch": 4, "prune": Halving(first=4)}
"""Batches that hang on one another, and trials that are given up."""


def experiment(**changes: Any) -> mf.Experiment:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 6)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.int32)
    task = Task("binary", {"inputs": {"x": x}, "target": y}, rows=240, classes=("no", "yes"))
    return mf.Experiment(
        mf.Supervised(
            Custom(Net, {"dropout": mf.uniform(0.0, 0.5)}),
            optimizer=mf.optim.AdamW(learning_rate=mf.loguniform(1e-3, 1e-1)),
        ),
        task,
        **{
            "trials": 4,
            "seeds": 3,
            "folds": 4,
            "epochs": 60,
            "patience": 25,
            "batch_size": 16,
            "width": 2,
            "chunk": 2,
            **changes,
        },
    )


if __name__ == "__main__":
    folder, *more = sys.argv[1:]
    experiment(**(SEARCH if more == ["search"] else {})).run(
        folder,
        resume=(mf.engine.RunFolder(folder) / "experiment.json").exists(),
        save_every=0.0,
        progress=lambda status: print(status.done, flush=True),
    )
    print("complete", flush=True)
