"""Whether the encoder of an autoencoder, trained without labels, helps a classifier of digits with few of them.

    python benchmarks/few_labels.py [--labels 5] [--draws 10] [--coder dense conv]

1,300 of scikit-learn's digits are there without labels, ``--labels`` of each class with, drawn anew ``--draws`` times;
the other 497 are the test. ``pretrained`` is ``manyfit fit FEW --target folder --encoder RUN`` after a denoising
autoencoder with a code of 64 numbers (``manyfit fit ALL --model denoising --latent 64``), ``from scratch`` the same
network from random weights, ``cnn`` the default for images, all for 60 epochs of batches of 16; ``linear on the code``
and ``linear on pixels`` are logistic regressions. The difference is to ``from scratch``, draw by draw; its interval
holds for these unlabelled and test images.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from typing import Any

import measure
import numpy as np
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from manyfit.data import ImagePreprocess
from manyfit.experiment.codes import Codes
from manyfit.tasks.defaults import experiment_for
from manyfit.tasks.task import Task
from manyfit.tasks.unsupervised import array_rows
from manyfit.tasks.unsupervised import experiment_for as autoencoder_for

UNLABELLED = 1_300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, default=5)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--coder", nargs="*", default=["dense", "conv"])
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int32)
    order = np.random.default_rng(0).permutation(len(labels))
    plenty, test = order[:UNLABELLED], order[UNLABELLED:]
    draws = [few(labels, plenty, given.labels, draw) for draw in range(given.draws)]
    task = Task(
        "multiclass",
        {"inputs": {"pixels": pixels}, "target": labels},
        len(labels),
        classes=tuple("0123456789"),
        preprocess=ImagePreprocess(),
        about={"kind": "images", "source": "arrays"},
    )

    def trained(asked: dict[str, Any], fresh: bool = False) -> np.ndarray:
        settings = {"epochs": given.epochs, "validation": 0.0, "patience": 0, "learning_rate": "1e-3"}
        experiment = experiment_for(task, asked | settings)
        if fresh:
            model = dataclasses.replace(experiment.objective.model, weights=None, source="")
            experiment.objective = dataclasses.replace(experiment.objective, model=model)
        splits = [(some, test) for some in draws]
        result = dataclasses.replace(experiment, folds=splits, batch_size=16).run()
        return np.array([row["test"]["accuracy"] for row in result.members])

    def linear(features: np.ndarray) -> np.ndarray:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1_000))
        return np.array(
            [model.fit(features[f], labels[f]).score(features[test], labels[test]) for f in draws]
        )

    rows = [["", f"accuracy, {given.labels} labels a class", "difference to from scratch"]]

    def line(name: str, found: np.ndarray, beside: np.ndarray | None = None) -> None:
        rows.append([name, spread(found), "" if beside is None else spread(found - beside)])
        print("  ".join(rows[-1]), flush=True)

    for coder in given.coder:
        with tempfile.TemporaryDirectory() as folder:
            run = f"{folder}/autoencoder"
            asked = {"model": "denoising", "latent": 64, "coder": coder, "folds": 1, "epochs": given.epochs}
            autoencoder_for(array_rows({"pixels": pixels[plenty]}), asked).run(run)
            scratch = trained({"encoder": run}, fresh=True)
            line(f"{coder}, from scratch", scratch)
            line(f"{coder}, pretrained", trained({"encoder": run}), scratch)
            line(
                f"{coder}, linear on the code", linear(Codes.load(run).transform({"pixels": pixels})), scratch
            )
    line("cnn", trained({"model": "cnn"}))
    line("linear on pixels", linear(pixels.reshape(len(pixels), -1) / 255.0))
    print(measure.table(rows))


def few(labels: np.ndarray, among: np.ndarray, each: int, draw: int) -> np.ndarray:
    """``each`` rows of every class."""
    rng = np.random.default_rng(draw)
    return np.concatenate([rng.choice(among[labels[among] == c], each, replace=False) for c in range(10)])


def spread(values: np.ndarray) -> str:
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.4f} [{values.mean() - half:.4f}, {values.mean() + half:.4f}]"


if __name__ == "__main__":
    main()
