"""Fréchet and kernel distances, precision, recall, density and coverage of each adversarial game on MNIST.

    python benchmarks/mnist_gans.py FOLDER [--games r3gan gan] [--seeds 4] [--steps 4000] [--conditional]

FOLDER holds MNIST's four IDX files. All games have the same networks (convolutions as in DCGAN, ``--channels``), batch
and number of steps of the generator; the rest, rates too, is each game's recipe, with a cosine schedule.
Features are those of a classifier of digits that manyfit trained itself on the training part, so that figures compare
with each other and with ``real images`` alone, which is the floor: 2,000 images of the official test part beside 2,000
others of it. Each network writes 2,000 samples. Intervals are over seeds.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import measure
import numpy as np
from stacked_mnist import trained_classifier

import manyfit as mf
from manyfit.data import images
from manyfit.experiment.generative import judge
from manyfit.models.gan import DCGANDiscriminator, DCGANGenerator
from manyfit.objectives.adversarial.health import verdicts
from manyfit.objectives.adversarial.recipes import RECIPES, named
from manyfit.tasks.unsupervised import array_rows

MEASURES = ("frechet", "kernel", "precision", "recall", "density", "coverage")
COUNT = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--classifier", type=Path, help="the run of a classifier of digits")
    parser.add_argument("--games", nargs="*", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=4_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--channels", type=int, nargs=2, default=(64, 32), help="of the generator")
    parser.add_argument("--learning-rate", type=float, help="of the generator, in place of the recipe's")
    parser.add_argument("--decay", type=float, default=0.999, help="of the generator's average")
    parser.add_argument("--conditional", action="store_true", help="both networks are told the digit")
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    training, official = (images.read(given.folder, part=part) for part in ("train", "test"))
    classifier = mf.load(given.classifier) if given.classifier else trained_classifier(training)
    lines = [["", *MEASURES, "said of the seeds", "seconds a seed"]]
    for name in given.games:
        found, said, seconds = measured(name, training, official.pixels, classifier, given)
        if len(lines) == 1:
            lines.append(["real images", *[f"{found.floor[m]:.4g}" for m in MEASURES], "", ""])
        kinds = ", ".join(f"{said.count(kind)} {kind}" for kind in sorted(set(said)))
        lines.append([name, *[interval(found, m) for m in MEASURES], kinds, f"{seconds:.0f}"])
        print("  ".join(lines[-1]), flush=True)
    print(
        f"{given.seeds} seeds, {given.steps} generator steps of {given.batch} images, {COUNT} samples a network"
    )
    print(measure.table(lines))


def measured(
    name: str, training: Any, official: np.ndarray, classifier: Any, given: Any
) -> tuple[Any, list[str], float]:
    """One game, every seed in one program: its scores, verdicts and seconds a seed."""
    channels = tuple(given.channels)
    game = named(
        name,
        images=True,
        schedule=mf.optim.Cosine(),
        learning_rate=given.learning_rate,
        decay=given.decay,
        generator=DCGANGenerator(channels),
        discriminator=DCGANDiscriminator(channels[::-1]),
        classes=10 if given.conditional else None,
    )
    batch, count = given.batch * game.discriminator_steps, len(training)
    labels = {"target": np.asarray(training.target, np.int32)} if given.conditional else {}
    started = time.perf_counter()
    result = mf.Experiment(
        game,
        array_rows({"pixels": training.pixels}, **labels),
        seeds=given.seeds,
        folds=[(np.arange(512, count), np.arange(512))],
        epochs=max(1, round(given.steps * batch / (count - 512))),
        patience=None,
        validation=0.0,
        batch_size=batch,
    ).run(progress=lambda now: print(f"{now.epochs} epochs, {now.elapsed:.0f} s", end="\r", file=sys.stderr))
    seconds = (time.perf_counter() - started) / given.seeds
    said = verdicts(result.history, result.members)
    return judge(result.best, classifier, official, COUNT), said, seconds


def interval(found: Any, name: str) -> str:
    score = found.scores[name]
    if found.networks[name].size < 2:
        return f"{score.mean:.4g}"
    return f"{score.mean:.4g} [{score.low:.4g}, {score.high:.4g}]"


if __name__ == "__main__":
    main()
