"""MNIST with its official test part: ten seeds of a small convolutional network, in one program.

    python benchmarks/mnist.py FOLDER [--seeds 10] [--epochs 12]      # the best that it can
    python benchmarks/mnist.py FOLDER --default [--seeds 5]           # as manyfit fit does by itself

FOLDER holds the four IDX files, .gz or not. The first trains ``cnn-bn`` on all 60,000 training images,
turned, shifted, scaled and sheared a little, for a fixed number of epochs on a one-cycle learning rate, and
predicts from an image and its four shifts by a pixel; nothing looks at the test part before the end. The
second goes through the command line, which holds out a fifth of the training images for the cross-validated
score and a tenth of the rest to decide when to stop.

Published: LeNet-5 0.9905, with distorted images 0.992 (LeCun et al. 1998); networks with two
convolutions 0.992 to 0.994 (the table of benchmarks in the README of Fashion-MNIST).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import measure
import numpy as np
from scipy import stats

import manyfit as mf
from manyfit.data import images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--default", action="store_true", help="as manyfit fit does by itself")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--epochs", type=int)
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    train = by_default if given.default else the_best
    usual = (5, 8) if given.default else (10, 12)
    started = time.perf_counter()
    outputs, memory = train(given.folder, given.seeds or usual[0], given.epochs or usual[1])
    seconds = time.perf_counter() - started
    truth = images.read(given.folder, part="test").target
    each = (outputs.argmax(axis=2) == truth).mean(axis=1)
    half = stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each))
    together = (outputs.mean(axis=0).argmax(axis=1) == truth).mean()
    rows = [
        ["", "value"],
        ["accuracy of a network on the official test part (10,000 images)", f"{each.mean():.4f}"],
        ["95 % interval of that mean over seeds", f"{each.mean() - half:.4f} to {each.mean() + half:.4f}"],
        ["each seed", " ".join(f"{a:.4f}" for a in sorted(each))],
        ["all of them together", f"{together:.4f}"],
        ["seconds", f"{seconds:.0f}"],
        ["peak memory, MiB", f"{memory:.0f}"],
    ]
    print(measure.table(rows))


def the_best(folder: Path, seeds: int, epochs: int) -> tuple[np.ndarray, float]:
    """Probabilities ``(seeds, 10,000, 10)`` for the official test part, and MiB."""
    training, official = (images.read(folder, part=part) for part in ("train", "test"))
    both = images.Images(
        np.concatenate([training.pixels, official.pixels]),
        np.concatenate([training.target, official.target]),
        training.classes,
    )
    test = np.arange(len(training), len(both))
    result = mf.Experiment(
        mf.Supervised(
            mf.models.CNN((32, 64, 128), dropout=0.3, norm="batch"),
            optimizer=mf.optim.AdamW(learning_rate=5e-3, weight_decay=0.05, schedule=mf.optim.OneCycle()),
            augment=mf.augment.named("digits"),
            views="shifts",
        ),
        both,
        folds=[(np.arange(len(training)), test)],
        seeds=seeds,
        epochs=epochs,
        patience=None,
        validation=0.0,
        batch_size=128,
    ).run(progress=lambda now: print(f"{now.epochs} epochs, {now.elapsed:.0f} s", file=sys.stderr))
    print(result)
    return result.best.predict_members(official.pixels), measure.peak_memory()


def by_default(folder: Path, seeds: int, epochs: int) -> tuple[np.ndarray, float]:
    """The same of ``manyfit fit`` with its defaults."""
    with tempfile.TemporaryDirectory() as scratch:
        run = f"{scratch}/run"
        command = [sys.executable, "-m", "manyfit", "fit", str(folder), "--target", "folder", "--out", run]
        command += ["--seeds", str(seeds), "--folds", "1", "--validation", "0.1", "--epochs", str(epochs)]
        timed = measure.run("manyfit fit", command, 1)
        return mf.load(run).predict_members(images.read(folder, part="test").pixels), timed.memory


if __name__ == "__main__":
    main()
