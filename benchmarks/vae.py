"""Negative log-likelihood of binarised MNIST by VAE and IWAE in the one-layer setting of Burda et al. (2016).

    python benchmarks/vae.py FOLDER --epochs 300 --seeds 3             # hours on two cores
    python benchmarks/vae.py FOLDER --epochs 20 --kinds "vae 1" --rows 1000 --batch 100

FOLDER holds MNIST's four IDX files. Two layers of 200 tanh units to a code of 50 numbers, mirrored; pixels drawn anew
as 0 or 1 in every step (dynamic binarisation; figures of the fixed one are about 2 nats higher and do not compare);
all 60,000 training images, batches of 20 and Adam as there, the learning rate from 1e-3 by a cosine to 0 in place of
their stair of 3,280 epochs. The estimate is from 5,000 importance samples an image of the official test part, drawn
once as 0 or 1. With ``--rows`` below 10,000 so many samples are drawn for that many images alone, and 100 for all: the
mean over all, corrected by the mean difference between both on those (``more samples`` with twice its standard error,
the mean of the networks). Published (their table 1, one stochastic layer): VAE k=1 86.76, IWAE k=5 85.54, IWAE k=50
84.78.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

import jax
import measure
import numpy as np

import manyfit as mf
from manyfit.data import Intensities, images
from manyfit.evaluate import resampled_interval
from manyfit.models.autoencoders import DenseCoder
from manyfit.objectives import autoencoding as ae
from manyfit.tasks.unsupervised import array_rows

PUBLISHED = {"vae 1": 86.76, "iwae 5": 85.54, "iwae 50": 84.78}
BLOCK, FEW = 100, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kinds", nargs="*", default=list(PUBLISHED), help="'vae 1', 'vae 5', 'iwae 50' ...")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--samples", type=int, default=5_000, help="importance samples of the estimate")
    parser.add_argument("--rows", type=int, default=10_000, help="images with that many samples")
    parser.add_argument("--train", type=int, default=60_000, help="images of the training part")
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    training, official = (images.read(given.folder, part=part).pixels for part in ("train", "test"))
    training = training[: given.train]
    rows = [["", "published", "NLL, nats", "bound, nats", "more samples", "training s", "estimate s"]]
    for kind in given.kinds:
        name, samples = kind.split()
        found = measured(name, int(samples), training, official, given)
        rows.append([kind, f"{PUBLISHED[kind]:.2f}" if kind in PUBLISHED else "", *found])
        print("  ".join(rows[-1]), flush=True)
    print(
        f"{given.seeds} seeds, {given.epochs} epochs of {len(training)} images, {given.batch} a batch, "
        f"{given.samples} importance samples of {given.rows} of {len(official)} test images"
    )
    print(measure.table(rows))


def measured(name: str, samples: int, training: np.ndarray, official: np.ndarray, given: Any) -> list[str]:
    """Means over seeds with their intervals, and seconds."""
    objective = {"vae": ae.VAE, "iwae": ae.IWAE}[name](
        coder=DenseCoder((200, 200), "tanh"),
        latent=50,
        likelihood="bernoulli",
        binarise=True,
        samples=samples,
        optimizer=mf.optim.Adam(learning_rate=1e-3, eps=1e-4, schedule=mf.optim.Cosine()),
        preprocess=Intensities(),
    )
    count = len(training)
    started = time.perf_counter()
    result = mf.Experiment(
        objective,
        array_rows({"pixels": np.concatenate([training, official])}),
        folds=[(np.arange(count), np.arange(count, count + len(official)))],
        seeds=given.seeds,
        epochs=given.epochs,
        patience=None,
        validation=0.0,
        batch_size=given.batch,
    ).run(progress=lambda now: print(f"{now.epochs} epochs, {now.elapsed:.0f} s", end="\r", file=sys.stderr))
    trained = time.perf_counter()
    bound = objective_of(result)
    nll, more, error = likelihoods(bound, result.best.models, official, given.samples, given.rows)
    bounds = np.array([row["test"]["loss"] for row in result.members])
    return [
        interval(nll),
        interval(bounds),
        f"{more:.2f} ± {2 * error:.2f}",
        f"{trained - started:.0f}",
        f"{time.perf_counter() - trained:.0f}",
    ]


def objective_of(result: Any) -> ae.Variational:
    found = result.best.objective
    assert isinstance(found, ae.Variational)
    return dataclasses.replace(found)


def likelihoods(
    objective: ae.Variational, models: Any, pixels: np.ndarray, samples: int, rows: int
) -> tuple[np.ndarray, float, float]:
    """The mean negative log-likelihood of each model, ``(members,)``; what more samples change, and its error."""
    drawn = np.random.default_rng(0).random(pixels.shape) * 255 < pixels
    # once for both estimates: drawing what is 0 or 255 again changes nothing
    pixels = np.where(drawn, 255, 0).astype(np.uint8)
    few = -estimates(objective, models, pixels, min(FEW, samples))
    some = np.linspace(0, len(pixels), rows, endpoint=False).astype(int)
    change = -estimates(objective, models, pixels[some], samples) - few[:, some]
    error = change.mean(axis=0).std() / np.sqrt(rows) * np.sqrt(1 - rows / len(pixels))
    return few.mean(axis=1) + change.mean(axis=1), float(change.mean()), float(error)


def estimates(objective: ae.Variational, models: Any, pixels: np.ndarray, samples: int) -> np.ndarray:
    """``log p(x)`` of every image by every model, ``(members, rows)``."""

    @jax.jit
    def one(model: Any, some: Any, key: Any) -> Any:
        return objective.log_likelihood(model, {"inputs": {"pixels": some}}, key, samples)

    members = len(jax.tree.leaves(models)[0])
    found = np.zeros((members, len(pixels)))
    for m in range(members):
        model = jax.tree.map(lambda leaf, m=m: leaf[m], models)
        for start in range(0, len(pixels), BLOCK):
            some = pixels[start : start + BLOCK]
            short = BLOCK - len(some)
            block = np.concatenate([some, some[:1].repeat(short, 0)]) if short else some
            found[m, start : start + len(some)] = one(model, block, jax.random.key(start))[: len(some)]
    return found


def interval(values: np.ndarray) -> str:
    if len(values) < 2:
        return f"{values[0]:.2f}"
    found = resampled_interval(values[:, None], 1, 1)
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"


if __name__ == "__main__":
    main()
