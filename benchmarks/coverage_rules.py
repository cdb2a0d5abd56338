"""Which rule for the width of a cross-validated score's interval covers as it says, over many quick learners.

    python benchmarks/coverage_rules.py [--experiments 1000] [--rows 100 300] [--folds 5 10] [--repeats 1 5] [--nested]

Every simulated experiment draws rows of its own from a known source and cross-validates a learner that numpy trains in
microseconds: logistic regression on ten inputs (stable), on all products of them (unstable), the nearest
neighbours, and ridge regression of a number. What the learner is worth at this size is the mean over all experiments.

Rules: the standard error of the mean of ``R`` repeats of ``K`` folds is ``sqrt(factor) S`` with ``S`` the standard
deviation of scores within a repeat. ``default`` is that of ``resampled_interval`` (``1/K + (1 + 1/R) / 2(K-1)``, t of
``K - 1``); ``resampled`` is Nadeau and Bengio's for all folds of all repeats (``1/RK + 1/(K-1)``, t of ``RK - 1``), the
same where there is one repeat; ``plain`` takes folds as independent (``1/K``, t of ``K - 1``); ``half`` is
``1/K + 1/(2K - 2)``, t of ``K - 1``; ``wide`` is ``1/K + 1/(K - 1)``, t of ``K - 1``, for any repeats. ``nested`` is
Bates, Hastie and Tibshirani's, and ``rows`` that of rows' losses.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import measure
import numpy as np
from scipy import stats

from manyfit.evaluate import nested_interval, nested_plan

INPUTS = 10
Learner = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(x ``(E, n, d)``, y ``(E, n)``, x to predict ``(E, m, d)``) -> predictions ``(E, m)``."""


def logistic(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Probabilities by six Newton steps of ridge-penalised logistic regression."""
    a, b = (np.concatenate([part, np.ones((*part.shape[:2], 1), part.dtype)], axis=2) for part in (x, new))
    w = np.zeros((len(a), a.shape[2]))
    ridge = np.eye(a.shape[2])
    for _ in range(6):
        p = 1 / (1 + np.exp(-np.einsum("end,ed->en", a, w)))
        slope = np.einsum("end,en->ed", a, p - y) + w
        bend = np.matmul((a * (p * (1 - p))[..., None]).transpose(0, 2, 1), a) + ridge
        w = w - np.linalg.solve(bend, slope[..., None])[..., 0]
    return 1 / (1 + np.exp(-np.einsum("end,ed->en", b, w)))


def products(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The same on the inputs and all their products: 65 weights from a hundred rows."""
    first, second = np.triu_indices(x.shape[2])
    more = [np.concatenate([part, part[..., first] * part[..., second]], axis=2) for part in (x, new)]
    return logistic(more[0], y, more[1])


def neighbours(x: np.ndarray, y: np.ndarray, new: np.ndarray, k: int = 7) -> np.ndarray:
    """The smoothed share of the seven nearest rows."""
    far = -2 * np.matmul(new, x.transpose(0, 2, 1)) + (x**2).sum(axis=2)[:, None]
    near = np.argpartition(far, k, axis=2)[..., :k]
    return (np.take_along_axis(y[:, None].repeat(new.shape[1], 1), near, axis=2).sum(axis=2) + 0.5) / (k + 1)


def ridge(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Values by ridge regression."""
    a, b = (np.concatenate([part, np.ones((*part.shape[:2], 1), part.dtype)], axis=2) for part in (x, new))
    gram = np.matmul(a.transpose(0, 2, 1), a) + np.eye(a.shape[2])
    w = np.linalg.solve(gram, np.einsum("end,en->ed", a, y)[..., None])
    return np.matmul(b, w)[..., 0]


LEARNERS: dict[str, Learner] = {
    "logistic": logistic,
    "products": products,
    "neighbours": neighbours,
    "ridge": ridge,
}


def source(
    learner: str, experiments: int, rows: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the known source."""
    x = rng.normal(size=(experiments, rows, INPUTS))
    signal = x[..., 0] + 0.7 * x[..., 1] + x[..., 2] * x[..., 3] + rng.normal(size=(experiments, rows))
    return x, signal if learner == "ridge" else (signal > 0).astype(float)


def losses_of(learner: str, y: np.ndarray, p: np.ndarray) -> dict[str, np.ndarray]:
    """Row losses of each score that is a mean of them."""
    if learner == "ridge":
        return {"mse": (y - p) ** 2}
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return {
        "accuracy": ((p > 0.5) == (y > 0.5)).astype(float),
        "log_loss": -np.log(np.where(y > 0.5, p, 1 - p)),
    }


def auroc(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The area of each ``(E, m)``; NaN where a class is missing."""
    above = (p[:, :, None] > p[:, None, :]) + 0.5 * (p[:, :, None] == p[:, None, :])
    pairs = (y[:, :, None] > 0.5) & (y[:, None, :] < 0.5)
    count = pairs.sum(axis=(1, 2))
    return np.divide((above * pairs).sum(axis=(1, 2)), count, out=np.full(len(y), np.nan), where=count > 0)


def r2(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The coefficient of determination of each ``(E, m)``."""
    return 1 - ((y - p) ** 2).sum(axis=1) / ((y - y.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)


def cross_validated(
    learner: str, x: np.ndarray, y: np.ndarray, folds: int, repeats: int, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Scores ``(E, repeats, folds)`` and, of the first repeat, row losses ``(E, rows)`` by name."""
    count, rows = y.shape
    size = rows // folds
    scores: dict[str, np.ndarray] = {}
    whole: dict[str, np.ndarray] = {}
    for repeat in range(repeats):
        order = rng.permuted(np.tile(np.arange(rows), (count, 1)), axis=1)
        for fold in range(folds):
            test = order[:, fold * size : (fold + 1) * size]
            train = np.concatenate([order[:, : fold * size], order[:, (fold + 1) * size :]], axis=1)
            fit = np.take_along_axis(x, train[..., None], axis=1), np.take_along_axis(y, train, axis=1)
            seen, truth = np.take_along_axis(x, test[..., None], axis=1), np.take_along_axis(y, test, axis=1)
            said = np.concatenate(
                [LEARNERS[learner](fit[0][i : i + 200], fit[1][i : i + 200], seen[i : i + 200])
                 for i in range(0, count, 200)]
            )  # fmt: skip
            found = losses_of(learner, truth, said)
            means = {name: loss.mean(axis=1) for name, loss in found.items()}
            means |= {"r2": r2(truth, said)} if learner == "ridge" else {"auroc": auroc(truth, said)}
            for name, value in means.items():
                scores.setdefault(name, np.full((count, repeats, folds), np.nan))[:, repeat, fold] = value
            if repeat == 0:
                for name, loss in found.items():
                    np.put_along_axis(whole.setdefault(name, np.empty((count, rows))), test, loss, axis=1)
    return scores, whole


def rules(
    scores: np.ndarray, factor: Callable[[int, int], float], df: Callable[[int, int], int]
) -> np.ndarray:
    """Half widths ``(E,)``."""
    _, repeats, folds = scores.shape
    spread = np.nanvar(scores, axis=2, ddof=1).mean(axis=1)
    return stats.t.ppf(0.975, df(repeats, folds)) * np.sqrt(factor(repeats, folds) * spread)


def resampled(scores: np.ndarray) -> np.ndarray:
    """Half widths of Nadeau and Bengio's rule: the standard deviation is that of all folds of all repeats."""
    _, repeats, folds = scores.shape
    every = scores.reshape(len(scores), -1)
    spread = np.nanvar(every, axis=1, ddof=1)
    total = repeats * folds
    return stats.t.ppf(0.975, total - 1) * np.sqrt((1 / total + 1 / (folds - 1)) * spread)


def line(name: str, centre: np.ndarray, half: np.ndarray, truth: float) -> list[str]:
    """How often, and how wide."""
    inside = np.abs(centre - truth) <= half
    share = inside.mean()
    error = np.sqrt(max(share * (1 - share), 1e-9) / len(inside))
    return [name, f"{100 * share:.1f} ± {100 * error:.1f} %", f"{2 * half.mean():.4f}"]


def nested(
    learner: str, x: np.ndarray, y: np.ndarray, name: str, folds: int, repeats: int
) -> tuple[np.ndarray, ...]:
    """Centres and half widths of nested intervals; the same plan serves every experiment, whose rows are random."""
    plan = nested_plan(y.shape[1], folds=folds, repeats=repeats)
    losses = []
    for split in plan.splits:
        said = LEARNERS[learner](x[:, split.train], y[:, split.train], x[:, split.test])
        losses.append(losses_of(learner, y[:, split.test], said)[name])
    found = [nested_interval([loss[e] for loss in losses], plan) for e in range(len(y))]
    return np.array([i.mean for i in found]), np.array([(i.high - i.low) / 2 for i in found])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--folds", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--repeats", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--learners", nargs="+", choices=tuple(LEARNERS), default=list(LEARNERS))
    parser.add_argument("--nested", action="store_true", help="nested intervals of five repeats too")
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    out = [["learner", "rows", "folds", "repeats", "score", "rule", "covers", "mean width"]]
    for learner in given.learners:
        for rows in given.rows:
            x, y = source(learner, given.experiments, rows, np.random.default_rng([1, rows]))
            for folds in given.folds:
                for repeats in given.repeats:
                    rng = np.random.default_rng([2, folds, repeats])
                    scores, losses = cross_validated(learner, x, y, folds, repeats, rng)
                    for name, table in scores.items():
                        truth = float(np.nanmean(table))
                        centre = np.nanmean(table, axis=(1, 2))
                        head = [learner, str(rows), str(folds), str(repeats), name]
                        found = {
                            "default": rules(
                                table, lambda r, k: 1 / k + (1 + 1 / r) / 2 / (k - 1), lambda r, k: k - 1
                            ),
                            "resampled": resampled(table),
                            "plain": rules(table, lambda r, k: 1 / k, lambda r, k: k - 1),
                            "half": rules(table, lambda r, k: 1 / k + 0.5 / (k - 1), lambda r, k: k - 1),
                            "wide": rules(table, lambda r, k: 1 / k + 1 / (k - 1), lambda r, k: k - 1),
                        }
                        for rule, half in found.items():
                            out.append([*head, *line(rule, centre, half, truth)])
                        if name in losses and repeats == 1:
                            sd = losses[name].std(axis=1, ddof=1) / np.sqrt(rows)
                            out.append([*head, *line("rows", centre, 1.96 * sd, truth)])
                            if given.nested:
                                middle, half = nested(learner, x, y, name, folds, 5)
                                out.append([*head, *line("nested, 5 repeats", middle, half, truth)])
                    print(f"{learner}, {rows} rows, {folds} folds, {repeats} repeats", flush=True)
    print(measure.table(out))


if __name__ == "__main__":
    main()
