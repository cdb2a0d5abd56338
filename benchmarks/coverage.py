"""Whether intervals cover and tests keep their level: simulated experiments, trained as one population.

    python benchmarks/coverage.py [--experiments 1000] [--rows 100 300] [--folds 5 10]

Every simulated experiment draws its own data set from one known source (two classes, ten inputs, a product and
noise) and cross-validates a small network on it. What the learner is worth at this size is then the mean
over all experiments, and an interval covers if it holds that number. For the tests the same network is trained with
a second seed on the same folds, where there is no difference, and with a quarter of its epochs, where there is one.

The aims: a nominal 95 % interval covers in 93 to 97 %, a test at 5 % errs in at most 5 %.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import measure
import numpy as np
from flax import nnx

import manyfit as mf
from manyfit.evaluate import (
    hierarchical_interval,
    paired_test,
    plan,
    resampled_interval,
    row_interval,
)
from manyfit.models import Custom
from manyfit.tasks.task import Task

INPUTS = 10


class Net(nnx.Module):
    """A hidden layer of 8."""

    def __init__(self, inputs: object, outputs: int, rngs: nnx.Rngs) -> None:
        self.first = nnx.Linear(INPUTS, 8, rngs=rngs)
        self.last = nnx.Linear(8, outputs, rngs=rngs)

    def __call__(self, features: dict) -> object:
        return self.last(nnx.relu(self.first(features["x"])))


def source(rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the known source."""
    x = rng.normal(size=(rows, INPUTS)).astype(np.float32)
    signal = x[:, 0] + 0.7 * x[:, 1] + x[:, 2] * x[:, 3]
    return x, (signal + rng.normal(size=rows) > 0).astype(np.int32)


def trained(experiments: int, rows: int, folds: int, epochs: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Scores ``(experiments, seeds, folds)`` by metric, and whether each row was called right
    ``(experiments, rows)``, from ``experiments * folds * 2`` networks."""
    rng = np.random.default_rng(0)
    x, y = source(experiments * rows, rng)
    splits = []
    for e in range(experiments):
        start = e * rows
        here = plan(rows, folds=folds, target=y[start : start + rows], validation=0.0, seed=e)
        splits += [(s.train + start, s.test + start) for s in here]
    task = Task("binary", {"inputs": {"x": x}, "target": y}, rows=len(y), classes=("no", "yes"))
    result = mf.Experiment(
        mf.Supervised(Custom(Net, {}), optimizer=mf.optim.AdamW(learning_rate=0.02)),
        task,
        seeds=2,
        folds=splits,
        epochs=epochs,
        patience=None,
        validation=0.0,
        batch_size=32,
    ).run()
    scores = {}
    for metric in ("accuracy", "log_loss", "auroc"):
        table = np.full((2, experiments * folds), np.nan)
        for member in result.members:
            value = member["test"].get(metric)
            table[member["seed"], member["fold"]] = np.nan if value is None else value
        scores[metric] = table.reshape(2, experiments, folds).swapaxes(0, 1)
    found = result.predictions
    right = np.zeros(len(y), bool)
    right[found["row"]] = found["output"].argmax(axis=1) == found["target"]
    return scores, right.reshape(experiments, rows)


def share(flags: list[bool]) -> str:
    """A share with its binomial standard error."""
    p = float(np.mean(flags))
    return f"{100 * p:.1f} ± {100 * np.sqrt(max(p * (1 - p), 1e-9) / len(flags)):.1f} %"


def covered(intervals: list[mf.evaluate.Interval], truth: float) -> list[str]:
    """How often, and how wide."""
    return [
        share([i.low <= truth <= i.high for i in intervals]),
        f"{np.mean([i.high - i.low for i in intervals]):.4f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--folds", type=int, nargs="+", default=[5, 10])
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    intervals = [["rows", "folds", "score", "interval", "covers", "mean width"]]
    tests = [["rows", "folds", "score", "test at 5 %", "no difference", "a difference"]]
    for rows in given.rows:
        for folds in given.folds:
            started = time.perf_counter()
            scores, right = trained(given.experiments, rows, folds, 20)
            less, _ = trained(given.experiments, rows, folds, 5)
            networks = 4 * given.experiments * folds
            print(f"{networks} networks in {time.perf_counter() - started:.0f} s", flush=True)
            sizes = {"n_train": rows * (folds - 1) / folds, "n_test": rows / folds}
            for metric, tables in scores.items():
                truth = float(np.nanmean(tables))
                kinds: dict[str, Callable[[np.ndarray], mf.evaluate.Interval]] = {
                    "corrected resampled t (default)": lambda t, s=sizes: resampled_interval(t, **s),
                    "plain t over folds": lambda t: resampled_interval(t, 1e12, 1.0),
                    "hierarchical bootstrap": lambda t: hierarchical_interval(t, resamples=500),
                }
                for name, kind in kinds.items():
                    found = [kind(table) for table in tables]
                    intervals.append([str(rows), str(folds), metric, name, *covered(found, truth)])
                if metric == "accuracy":
                    found = [row_interval(r.astype(float)) for r in right]
                    whole = float(np.mean(right))
                    intervals.append(
                        [str(rows), str(folds), metric, "rows, seeds together", *covered(found, whole)]
                    )
                for name, judge in {
                    "corrected paired t (default)": lambda a, b, s=sizes: paired_test(a, b, **s).p < 0.05,
                    "plain paired t": lambda a, b: paired_test(a, b, 1e12, 1.0).p < 0.05,
                }.items():
                    same = [bool(judge(t[:1], t[1:])) for t in tables]
                    other = [bool(judge(t[:1], u[:1])) for t, u in zip(tables, less[metric])]
                    tests.append([str(rows), str(folds), metric, name, share(same), share(other)])
    print(measure.table(intervals))
    print(measure.table(tests))


if __name__ == "__main__":
    main()
