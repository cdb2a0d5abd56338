"""Whether statements about models that are given, from the rows that test them, cover and keep their level.

    python benchmarks/coverage_rows.py [--experiments 1000] [--rows 50 100 300]

Each simulated experiment trains two learners (logistic regression on ten inputs, and on all their products) on 200
rows of its own and tests both on further rows of its own; what a model is truly worth is its score on 10,000 rows
more. ``row_interval`` and ``bca_interval`` of its accuracy, BCa of its F1, DeLong's interval of its area under the
ROC curve, and all that ``manyfit evaluate`` says cover if they hold that. McNemar's and DeLong's tests are asked about
the two models as they are ("a difference"), and about the two with their answers exchanged row by row at the toss of a
coin: the same chance of being right on every row, which is no difference exactly.

The aims: a nominal 95 % interval covers in 93 to 97 %, a test at 5 % errs in at most 5 %.
"""

from __future__ import annotations

import argparse

import measure
import numpy as np
from coverage import share
from coverage_rules import LEARNERS, source

from manyfit.evaluate import Interval, bca_interval, delong, mcnemar, row_interval, score_intervals
from manyfit.metrics import score

TRAIN, POOL = 200, 10_000


def f1(y: np.ndarray, called: np.ndarray) -> float:
    """The harmonic mean of precision and recall; NaN where nothing is positive or called so."""
    both = y.sum() + called.sum()
    return float(2 * (y * called).sum() / both) if both else float("nan")


def area(y: np.ndarray, p: np.ndarray) -> float:
    """The area under the ROC curve of many rows, by ranks (no ties)."""
    rank = p.argsort().argsort() + 1
    positive = y.sum()
    return float((rank[y > 0.5].sum() - positive * (positive + 1) / 2) / (positive * (len(y) - positive)))


def covers(interval: Interval, truth: float) -> bool:
    """Whether it holds the truth."""
    return bool(interval.low <= truth <= interval.high)


def experiment(x: np.ndarray, y: np.ndarray, rows: int, rng: np.random.Generator) -> dict[str, bool]:
    """One experiment on ``TRAIN + rows`` rows: what held."""
    fit, test = slice(None, TRAIN), slice(TRAIN, TRAIN + rows)
    pool, truth = (part[0] for part in source("logistic", 1, POOL, rng))
    said, true = [], []
    for name in ("logistic", "products"):
        both = np.concatenate([x[test], pool])
        p = LEARNERS[name](x[None, fit], y[None, fit], both[None])[0]
        said.append(p[:rows])
        true.append(p[rows:])
    y = y[test]
    right = [(p > 0.5) == (y > 0.5) for p in said]
    called = (said[0] > 0.5).astype(float)
    accuracy = float(((true[0] > 0.5) == (truth > 0.5)).mean())
    found = {
        "accuracy: rows, t (row_interval)": covers(row_interval(right[0].astype(float)), accuracy),
        "accuracy: BCa": covers(bca_interval(right[0].astype(float), resamples=1000), accuracy),
        "F1: BCa": covers(
            bca_interval((y, called), f1, resamples=1000), f1(truth, (true[0] > 0.5).astype(float))
        ),
        "AUROC: DeLong": covers(delong(y, *said)[0], area(truth, true[0])),
    }
    worth = score("binary", truth.astype(int), true[0])
    for name, interval in score_intervals("binary", y.astype(int), said[0]).items():
        found[f"{name}: manyfit evaluate (score_intervals)"] = covers(interval, worth[name])
    coin = rng.random(rows) < 0.5

    def mixed(pair: list[np.ndarray]) -> list[np.ndarray]:
        return [np.where(coin, *pair), np.where(coin, *reversed(pair))]

    found |= {
        "McNemar, no difference": mcnemar(*mixed(right)).p < 0.05,
        "McNemar, a difference": mcnemar(*right).p < 0.05,
        "DeLong, no difference": delong(y, *mixed(said))[2].p < 0.05,
        "DeLong, a difference": delong(y, *said)[2].p < 0.05,
    }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--rows", type=int, nargs="+", default=[50, 100, 300])
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    columns = []
    for rows in given.rows:
        rng = np.random.default_rng([7, rows])
        x, y = source("logistic", given.experiments, TRAIN + rows, rng)
        found = [experiment(x[e], y[e], rows, rng) for e in range(given.experiments)]
        columns.append({name: share([one[name] for one in found]) for name in found[0]})
    head = ["", *[f"{rows} test rows" for rows in given.rows]]
    table = [head, *[[name, *[column[name] for column in columns]] for name in columns[0]]]
    print(measure.table(table))


if __name__ == "__main__":
    main()
