"""Modes of Stacked-MNIST: three digits at random as the channels of an image, a thousand combinations.

    python benchmarks/stacked_mnist.py FOLDER [--games r3gan gan] [--seeds 4] [--steps 20000]
    python benchmarks/stacked_mnist.py FOLDER --classifier RUN      # a saved classifier of single MNIST digits

FOLDER holds MNIST's four IDX files. A classifier of single digits that manyfit trained itself (``cnn`` on the training
part) reads each channel of 25,600 samples a seed; modes are the combinations that it reads at least once, KL
is the divergence of their distribution from the even one, in nats. All games have the same networks, convolutions as
in DCGAN (``--channels``, of the generator).

Published, with about as many samples but other networks and classifiers and far longer training: DCGAN 99 modes / KL
3.40, WGAN-GP 959 / 0.73, PacGAN 992 / 0.28, a small ResNet with the relativistic loss and R1+R2 1,000 / 0.078 and with
the plain loss 693 / 0.927, either loss with R1 alone diverging (Huang et al., 2024, arXiv 2501.05441). They are no
peers of a short run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import measure
import numpy as np

import manyfit as mf
from manyfit.data import images
from manyfit.evaluate import resampled_interval
from manyfit.models.gan import DCGANDiscriminator, DCGANGenerator
from manyfit.objectives.adversarial.health import verdicts
from manyfit.objectives.adversarial.recipes import RECIPES, named
from manyfit.tasks.unsupervised import array_rows

SAMPLES, BLOCK = 25_600, 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--classifier", type=Path, help="the run of a classifier of single digits")
    parser.add_argument("--games", nargs="*", default=["r3gan", "gan"], choices=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--channels", type=int, nargs=2, default=(64, 32))
    parser.add_argument("--rows", type=int, default=25_600, help="stacked images to learn from")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    training = images.read(given.folder, part="train")
    rng = np.random.default_rng(0)
    place = rng.integers(0, len(training), (given.rows + 512, 3))
    stacked = np.concatenate([training.pixels[place[:, c]] for c in range(3)], axis=3)
    classifier = mf.load(given.classifier) if given.classifier else trained_classifier(training)
    real = np.stack([training.target[place[:, c]] for c in range(3)], axis=1)
    modes, kl = counted(np.asarray(real[: given.samples]))
    lines = [["", "modes of 1,000", "KL, nats", "verdicts", "seconds a seed"]]
    lines.append(["the training images themselves", str(modes), f"{kl:.3f}", "", ""])
    for name in given.games:
        lines.append(measured(name, stacked, classifier, given))
        print("  ".join(lines[-1]), flush=True)
    print(
        f"{given.seeds} seeds, {given.steps} generator steps of {given.batch} images, {given.samples} samples a seed"
    )
    print(measure.table(lines))


def trained_classifier(training: Any) -> Any:
    """A classifier of single digits, as ``manyfit fit FOLDER --target folder --folds 1`` trains it."""
    with tempfile.TemporaryDirectory() as folder:
        result = mf.Experiment(
            mf.Supervised(mf.models.CNN((16, 32), hidden=64), optimizer=mf.optim.AdamW(learning_rate=2e-3)),
            training,
            folds=1,
            epochs=4,
            batch_size=256,
        ).run(f"{folder}/classifier")
        print(f"classifier of single digits: {result.metric} {result.score.mean:.4f}", flush=True)
        return mf.load(f"{folder}/classifier")


def measured(name: str, stacked: np.ndarray, classifier: Any, given: Any) -> list[str]:
    """One game, every seed in one program."""
    channels = tuple(given.channels)
    game = named(
        name,
        images=True,
        schedule=mf.optim.Cosine(),
        generator=DCGANGenerator(channels),
        discriminator=DCGANDiscriminator(channels[::-1]),
    )
    batch = given.batch * game.discriminator_steps
    count = given.rows
    started = time.perf_counter()
    result = mf.Experiment(
        game,
        array_rows({"pixels": stacked}),
        seeds=given.seeds,
        folds=[(np.arange(count), np.arange(count, len(stacked)))],
        epochs=max(1, round(given.steps * batch / count)),
        patience=None,
        validation=0.0,
        batch_size=batch,
    ).run(progress=lambda now: print(f"{now.epochs} epochs, {now.elapsed:.0f} s", end="\r", file=sys.stderr))
    seconds = time.perf_counter() - started
    said = verdicts(result.history, result.members)
    found = np.array(
        [counted(read(result.best, classifier, m, given.samples)) for m in range(result.best.members)]
    )
    kinds = ", ".join(f"{said.count(kind)} {kind}" for kind in sorted(set(said)))
    return [
        name,
        interval(found[:, 0], 1_000.0),
        interval(found[:, 1]),
        kinds,
        f"{seconds / given.seeds:.0f}",
    ]


def read(predictor: Any, classifier: Any, member: int, samples: int) -> np.ndarray:
    """The three digits of every sample of one network, ``(samples, 3)``."""
    model = jax.tree.map(lambda leaf: leaf[member], predictor.models)
    draw = jax.jit(lambda key: predictor.objective.sample(model, key, BLOCK))
    parts = []
    for i in range(-(-samples // BLOCK)):
        some = np.asarray(draw(jax.random.fold_in(jax.random.key(member), i)))
        pixels = np.clip(np.round(np.nan_to_num(some)), 0, 255).astype(np.uint8)
        digits = [classifier.predict_proba(pixels[..., c : c + 1]).argmax(axis=1) for c in range(3)]
        parts.append(np.stack(digits, axis=1))
    return np.concatenate(parts)[:samples]


def counted(digits: np.ndarray) -> tuple[int, float]:
    """How many combinations there are, and how far their distribution is from the even one."""
    counts = np.bincount(digits @ np.array([100, 10, 1]), minlength=1_000)
    share = counts[counts > 0] / counts.sum()
    return int((counts > 0).sum()), float((share * np.log(share * 1_000)).sum())


def interval(values: np.ndarray, most: float = float("inf")) -> str:
    if len(values) < 2:
        return f"{values[0]:.4g}"
    found = resampled_interval(values[:, None], 1, 1).within(0.0, most)
    return f"{found.mean:.4g} [{found.low:.4g}, {found.high:.4g}]"


if __name__ == "__main__":
    main()
