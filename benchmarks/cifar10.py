"""CIFAR-10 from nothing on two cores in twenty minutes: a small convolutional network of one's own, several seeds.

    python benchmarks/cifar10.py FOLDER_OR_TAR [--seeds 2] [--epochs 8] [--width 48]

The folder (or ``.tar.xz``) holds one folder of images a class. Every tenth image of a class, by its number,
is held out and seen once, after the last epoch; nothing decides when to stop. The network has the plan of
Jordan (2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU"): whitened 2x2 patches, then three blocks of
two convolutions, trained by Muon with flips, shifted crops, label smoothing and a one-cycle learning rate, and
tested on the image and its mirror image.

Published, for all 50,000 images without JPEG's losses: ResNet-20 0.9125 (He et al., 2016).
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import measure
import numpy as np
from flax import nnx

import manyfit as mf
from manyfit import nn


class Network(nnx.Module):
    """Whitened patches, three blocks, the greatest value of each map, one linear layer."""

    def __init__(self, inputs: Any, outputs: int, rngs: nnx.Rngs, width: int = 64, stem: Any = None) -> None:
        self.stem = nn.Conv2d(3, 24, 2, padding=0, rngs=rngs)
        self.stem.kernel[...] = stem
        widths = (24, width // 2, 2 * width, 2 * width)
        self.blocks = nnx.List([Block(a, b, rngs) for a, b in itertools.pairwise(widths)])
        self.head = nn.Linear(widths[-1], outputs, use_bias=False, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        x = jax.nn.gelu(self.stem(features["pixels"]))
        for block in self.blocks:
            x = block(x)
        return self.head(x.max((1, 2))) / 3


class Block(nnx.Module):
    """Convolution, 2x2 maximum, norm, convolution, norm."""

    def __init__(self, into: int, out: int, rngs: nnx.Rngs) -> None:
        self.first = nn.Conv2d(into, out, 3, use_bias=False, rngs=rngs)
        self.second = nn.Conv2d(out, out, 3, use_bias=False, rngs=rngs)
        self.norm, self.other = (nn.BatchNorm(out, rngs=rngs) for _ in range(2))

    def __call__(self, x: jax.Array) -> jax.Array:
        x = jax.nn.gelu(self.norm(nn.max_pool(self.first(x), 2)))
        return jax.nn.gelu(self.other(self.second(x)))


def whitening(pixels: np.ndarray) -> np.ndarray:
    """Filters ``(2, 2, 3, 24)``: the principal directions of 2x2 patches at variance 1, and their negatives."""
    images = pixels[:5000].astype(np.float64)
    images = (images - images.mean((0, 1, 2))) / images.std((0, 1, 2))
    patches = np.lib.stride_tricks.sliding_window_view(images, (2, 2), axis=(1, 2))  # (n, 31, 31, 3, 2, 2)
    flat = patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12)
    values, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    filters = (vectors / np.sqrt(values + 1e-2)).reshape(2, 2, 3, 12)
    return np.concatenate([filters, -filters], axis=-1).astype(np.float32)


def every(count: int, target: np.ndarray) -> np.ndarray:
    """Places of every ``count``-th image of each class, in the order of the files' names."""
    return np.sort(np.concatenate([np.flatnonzero(target == c)[::count] for c in np.unique(target)]))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("source", type=Path)
    options.add_argument("--seeds", type=int, default=2)
    options.add_argument("--epochs", type=int, default=8)
    options.add_argument("--width", type=int, default=48)
    options.add_argument("--optimizer", choices=("adamw", "muon"), default="muon")
    options.add_argument("--rate", type=float, default=3e-3)
    options.add_argument("--views", choices=("one", "flip", "shifts", "flip-shifts"), default="flip")
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--rows", type=int, help="train on so many images only, to try something out")
    given = options.parse_args()
    print(measure.machine())
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        source = given.source
        if source.is_file():
            with tarfile.open(source) as tar:
                tar.extractall(scratch, filter="data")
            source = Path(scratch)
            while len(inside := list(source.iterdir())) == 1:
                source = inside[0]
        images = mf.data.read_images(source)
    read = time.perf_counter() - started
    test = every(10, images.target)
    train = np.setdiff1d(np.arange(len(images)), test)
    if given.rows:
        train = np.random.default_rng(0).permutation(train)[: given.rows]
    model = mf.models.Custom(Network, {"width": given.width, "stem": whitening(images.pixels[train])})
    numbers: Any = {"learning_rate": given.rate, "weight_decay": 0.05, "schedule": mf.optim.OneCycle()}
    rule = mf.optim.AdamW(**numbers)
    if given.optimizer == "muon":
        rule = mf.optim.Muon(adamw=("head.*", "stem.*"), **numbers)
    optimizer = mf.optim.Freeze(rule, ("stem.kernel",))
    result = mf.Experiment(
        mf.Supervised(
            model,
            loss=mf.losses.CrossEntropy(label_smoothing=0.1),
            optimizer=optimizer,
            augment=(mf.augment.Crop(1 / 16, fill="mirror"), mf.augment.Flip()),
            views=given.views,
        ),
        images,
        folds=[(train, test)],
        seeds=given.seeds,
        epochs=given.epochs,
        patience=None,
        validation=0.0,
        batch_size=given.batch,
    ).run(progress=lambda now: print(f"{now.epochs} epochs, {now.elapsed:.0f} s", file=sys.stderr))
    print(result)
    seconds = time.perf_counter() - started
    rows = [
        ["", "value"],
        ["training images, held-out images", f"{len(train)}, {len(test)}"],
        ["epochs, seeds", f"{given.epochs}, {given.seeds}"],
        [
            "accuracy on the held-out images, each seed",
            " ".join(f"{m['test']['accuracy']:.4f}" for m in result.members),
        ],
        ["the networks together", f"{result.ensemble['accuracy']:.4f}"],
        ["seconds: reading, all", f"{read:.0f}, {seconds:.0f}"],
        ["peak memory, MiB", f"{measure.peak_memory():.0f}"],
    ]
    print(measure.table(rows))


if __name__ == "__main__":
    main()
