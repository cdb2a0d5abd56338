"""Codes of ``manyfit fit --model autoencoder`` beside those of PCA of the same size.

    python benchmarks/reduction.py                          # digits, five folds
    python benchmarks/reduction.py --mnist FOLDER           # MNIST's four IDX files, its own test part, five seeds

Settings are the defaults but for the code's size. Three things of rows that training did not see:

- ``left``: the squared error of the reconstruction over the variance of the pixels;
- ``trustworthiness``: whether neighbours by the code are neighbours by the pixels (Venna & Kaski, 2001), of 5
  neighbours and at most 2,000 rows;
- ``probe``: the accuracy of a multinomial logistic regression from the standardised code to the class, trained on the
  training rows (at most 10,000).

An interval is over folds (resampled rows: Nadeau & Bengio's) or over seeds; PCA of MNIST has neither.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import measure
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import trustworthiness
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from manyfit.data import images
from manyfit.evaluate import resampled_interval
from manyfit.experiment.codes import in_blocks, members_of, method_of
from manyfit.tasks.unsupervised import array_rows, experiment_for

MEASURES = ("left", "trustworthiness", "probe")
COMPARED, PROBED = 2_000, 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path)
    parser.add_argument("--codes", type=int, nargs="*", default=[2, 8, 16, 32])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="in place of the default's")
    parser.add_argument("--model", default="autoencoder")
    parser.add_argument("--coder", default="dense")
    parser.add_argument("--rows", type=int, help="of MNIST's training part, so many")
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    if given.mnist:
        pixels, labels, splits = mnist(given.mnist, given.rows)
    else:
        pixels, labels, splits = digits()
    rows = [["code", "codes of", *MEASURES, "seconds"]]
    for latent in given.codes:
        asked = {
            "model": given.model,
            "latent": latent,
            "coder": given.coder,
            "epochs": given.epochs,
            "seeds": given.seeds if given.mnist else 1,
        }
        for name, found in (("PCA", pca(latent)), (given.model, ours(asked))):
            started = time.perf_counter()
            table, cells = np.array(found(pixels, labels, splits)), []
            for values in table.T:  # (members, measures)
                cells.append(interval(values, splits))
            rows.append([str(latent), name, *cells, f"{time.perf_counter() - started:.0f}"])
            print("  ".join(rows[-1]), flush=True)
    print(measure.table(rows))


def interval(values: np.ndarray, splits: list[Any]) -> str:
    """The mean of values by fold or by seed, with its 95 % interval."""
    if len(values) == 1:
        return f"{values[0]:.4f}"
    folds = len(splits)
    found = resampled_interval(values.reshape(-1, folds), *(map(len, splits[0]) if folds > 1 else (1, 1)))
    return f"{found.mean:.4f} [{found.low:.4f}, {found.high:.4f}]"


def digits() -> tuple[np.ndarray, np.ndarray, list[Any]]:
    data = load_digits()
    pixels = np.round(data.images * (255 / 16)).astype(np.uint8)[..., None]
    splits = StratifiedKFold(5, shuffle=True, random_state=0).split(data.data, data.target)
    return pixels, data.target, list(splits)


def mnist(folder: Path, rows: int | None) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    training, official = (images.read(folder, part=part) for part in ("train", "test"))
    count = min(rows or len(training), len(training))
    pixels = np.concatenate([training.pixels[:count], official.pixels])
    labels = np.concatenate([training.target[:count], official.target])
    return pixels, labels, [(np.arange(count), np.arange(count, len(pixels)))]


def pca(latent: int) -> Any:
    def run(pixels: np.ndarray, labels: np.ndarray, splits: list[Any]) -> list[list[float]]:
        flat = pixels.reshape(len(pixels), -1) / 255.0
        found = []
        for train, test in splits:
            model = PCA(latent, random_state=0).fit(flat[train])
            codes = model.transform(flat)
            found.append(measured(flat, labels, codes, model.inverse_transform(codes[test]), train, test))
        return found

    return run


def ours(asked: dict[str, Any]) -> Any:
    def run(pixels: np.ndarray, labels: np.ndarray, splits: list[Any]) -> list[list[float]]:
        experiment = experiment_for(array_rows({"pixels": pixels}), asked)
        result = dataclasses.replace(experiment, folds=splits).run()
        predictor, flat = result.best, pixels.reshape(len(pixels), -1) / 255.0
        encode, back = (method_of(predictor.objective, name) for name in ("predict", "reconstruct"))
        found = []
        for i, row in enumerate(result.members):
            train, test = splits[row["fold"]]
            model, rows = members_of(predictor, [i]), {"inputs": {"pixels": pixels}}
            codes = in_blocks(encode, model, rows)[0]
            again = in_blocks(back, model, jax.tree.map(lambda leaf, t=test: leaf[t], rows))[0]
            found.append(measured(flat, labels, codes, again.reshape(len(test), -1), train, test))
        return found

    return run


def measured(
    flat: np.ndarray, labels: np.ndarray, codes: np.ndarray, again: np.ndarray, train: Any, test: Any
) -> list[float]:
    """The three measures of one model."""
    variance = ((flat[test] - flat[train].mean(axis=0)) ** 2).sum()
    some, probed = test[:COMPARED], train[:PROBED]
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(
        codes[probed], labels[probed]
    )
    return [
        float(((again - flat[test]) ** 2).sum() / variance),
        float(trustworthiness(flat[some], codes[some], n_neighbors=5)),
        float(probe.score(codes[test], labels[test])),
    ]


if __name__ == "__main__":
    main()
