"""Rare classes of PMLB tables as anomalies: AUROC of autoencoders beside an isolation forest and PCA.

    python benchmarks/anomalies.py PMLB_FOLDER [--seeds 5] [--tables ecoli yeast]

Protocol: the rarest class of a table is the anomaly, all other classes are ordinary. Half of the ordinary rows (at most
2,000), drawn anew for each seed, are trained on, without labels and without any anomaly; the other half (at most
2,000) and all anomalies are ranked. The list of tables is fixed: at least 300 rows, 6 columns and 20 anomalies, one
of each family of near-duplicates. Nothing is set per table.

Methods: ``mf.Autoencoder()`` and ``mf.VAE()`` as they come; scikit-learn's ``IsolationForest()`` as it comes; the
squared error of a reconstruction by PCA of standardised columns, of as many components as the autoencoder's code has
numbers. All columns are taken as numbers, as PMLB has them.

The interval of a table's AUROC is over seeds. ``difference`` is to the autoencoder, its interval over tables.
``p < 0.05`` is the share of ordinary test rows whose p-value is that small: 5 % is right.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import measure
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

import manyfit as mf

TABLES = (
    "car",
    "churn",
    "dermatology",
    "ecoli",
    "mfeat-fourier",
    "mfeat-morphological",
    "mfeat-zernike",
    "nursery",
    "page-blocks",
    "pendigits",
    "wine-quality-white",
    "yeast",
)
METHODS = ("autoencoder", "vae", "isolation forest", "PCA")
MOST = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pmlb", type=Path)
    parser.add_argument("--tables", nargs="*", default=TABLES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", type=json.loads, default={}, help="settings of both autoencoders, as JSON")
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    found = {}
    for name in given.tables:
        frame = pd.read_csv(given.pmlb / "classification" / f"{name}.tsv.gz", sep="\t")
        found[name] = [one(frame, seed, given.set) for seed in range(given.seeds)]
        print(name, "  ".join(f"{m} {cell(found[name], m)}" for m in METHODS), flush=True)
    rows = [["table", *METHODS, "p < 0.05"]]
    for name, runs in found.items():
        small = np.mean([run["small p"] for run in runs])
        rows.append([name, *[cell(runs, method) for method in METHODS], f"{small:.1%}"])
    means = {m: np.array([np.mean([run[m] for run in runs]) for runs in found.values()]) for m in METHODS}
    rows.append(["mean", *[f"{means[m].mean():.3f}" for m in METHODS], ""])
    rows.append(["difference", *[over(means[m] - means["autoencoder"]) for m in METHODS], ""])
    seconds = {m: np.mean([run[f"{m} s"] for runs in found.values() for run in runs]) for m in METHODS}
    rows.append(["seconds a fit", *[f"{seconds[m]:.1f}" for m in METHODS], ""])
    print(measure.table(rows))


def one(frame: pd.DataFrame, seed: int, settings: dict[str, object]) -> dict[str, float]:
    """The AUROC of every method on one table and one draw of its ordinary rows."""
    counts = frame["target"].value_counts()
    odd = (frame["target"] == counts.index[-1]).to_numpy()
    X = frame.drop(columns="target").to_numpy(float)
    ordinary = np.random.default_rng(seed).permutation(np.flatnonzero(~odd))
    half = len(ordinary) // 2
    train, rest = X[ordinary[:half][:MOST]], X[ordinary[half:][:MOST]]
    test = np.concatenate([rest, X[odd]])
    truth = np.r_[np.zeros(len(rest)), np.ones(odd.sum())]
    found: dict[str, float] = {}

    def timed(name: str, run: Callable[[], np.ndarray]) -> None:
        started = time.perf_counter()
        found[name] = float(roc_auc_score(truth, run()))
        found[f"{name} s"] = time.perf_counter() - started

    coder = mf.Autoencoder(random_state=seed, **settings)
    timed("autoencoder", lambda: -coder.fit(train).score_samples(test))
    timed("vae", lambda: -mf.VAE(random_state=seed, **settings).fit(train).score_samples(test))
    timed("isolation forest", lambda: -IsolationForest(random_state=seed).fit(train).score_samples(test))

    def pca() -> np.ndarray:
        scaler = StandardScaler().fit(train)
        model = PCA(min(coder.latent_, train.shape[1])).fit(scaler.transform(train))
        x = scaler.transform(test)
        return ((model.inverse_transform(model.transform(x)) - x) ** 2).sum(axis=1)

    timed("PCA", pca)
    found["small p"] = float(np.mean(coder.p_values(rest) < 0.05))
    return found


def cell(runs: list[dict[str, float]], method: str) -> str:
    return over(np.array([run[method] for run in runs]))


def over(values: np.ndarray) -> str:
    """The mean with its 95 % interval."""
    if len(values) < 2 or not values.std():
        return f"{values.mean():.3f}"
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.3f} [{values.mean() - half:.3f}, {values.mean() + half:.3f}]"


if __name__ == "__main__":
    main()
