"""MNIST with its official test part: the small CNN as ``manyfit fit`` makes it, five seeds.

    python benchmarks/mnist.py FOLDER      # FOLDER holds the four IDX files, .gz or not

A single hold-out: of the 60,000 training images a fifth is held out for the cross-validated score
and a tenth of the rest decides when to stop, so that every network learns from 43,200.

Published: LeNet-5 0.9905 (LeCun et al. 1998, all 60,000 images, no distortions); networks with two
convolutions 0.992 to 0.994 (the table of benchmarks in the README of Fashion-MNIST).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import measure
import numpy as np
from scipy import stats

import manyfit as mf
from manyfit.data import images

SEEDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=8)
    given = parser.parse_args()
    print(measure.machine())
    with tempfile.TemporaryDirectory() as scratch:
        run = f"{scratch}/run"
        command = [sys.executable, "-m", "manyfit", "fit", str(given.folder), "--target", "folder"]
        command += ["--out", run, "--seeds", str(SEEDS), "--folds", "1", "--validation", "0.1"]
        timed = measure.run("manyfit fit", [*command, "--epochs", str(given.epochs)], 1)
        model = mf.load(run)
        official = images.read(given.folder, target=None, part="test")
        outputs = model.predict_members(official.pixels)
    truth = np.array(official.target)
    each = (outputs.argmax(axis=2) == truth).mean(axis=1)
    half = stats.t.ppf(0.975, SEEDS - 1) * each.std(ddof=1) / np.sqrt(SEEDS)
    together = (outputs.mean(axis=0).argmax(axis=1) == truth).mean()
    rows = [
        ["", "value"],
        ["accuracy of a network on the official test part (10,000 images)", f"{each.mean():.4f}"],
        ["95 % interval of that mean over seeds", f"{each.mean() - half:.4f} to {each.mean() + half:.4f}"],
        ["worst and best seed", f"{each.min():.4f}, {each.max():.4f}"],
        ["five networks together", f"{together:.4f}"],
        ["most epochs", str(given.epochs)],
        ["seconds, whole process", f"{timed.median:.0f}"],
        ["peak memory, MiB", f"{timed.memory:.0f}"],
    ]
    print(measure.table(rows))


if __name__ == "__main__":
    main()
