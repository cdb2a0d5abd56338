"""Universal parts of speech beside published figures.

    python benchmarks/tagging.py TRAIN TEST --dev DEV --treebank English-LinES

The files are CoNLL-U, words as they stand there (gold tokenization). The network and all its settings are the defaults
of ``manyfit fit``; the dev part says when to stop, seeds are one population. No pretrained vectors. Published, on the
test part of other releases of the same treebanks (a release changes sentences and labels, so that the third digit means
nothing): RDRPOSTagger on UD 2.0 (its repository, dev/Models/UniPOS), UDPipe 1.2 on UD 2.3 (the README of its models
181115), neither with pretrained vectors for its labels; UDPipe 2 on UD 2.17 (docs/models_ud217.md of its repository),
which reads a pretrained language model.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np

from manyfit.data.tagged import read
from manyfit.tasks.tagging import tag_task, tagging_experiment

PUBLISHED = {
    "English-LinES": {"RDRPOSTagger": 94.00, "UDPipe 1.2": 94.7, "UDPipe 2 (pretrained)": 97.79},
    "English-ParTUT": {"RDRPOSTagger": 92.89, "UDPipe 1.2": 94.3, "UDPipe 2 (pretrained)": 97.68},
}
"""UPOS accuracy in percent, gold tokenization."""


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--dev", type=Path, help="without it a fifth of the training sentences")
    parser.add_argument("--target", default="upos")
    parser.add_argument("--treebank", choices=PUBLISHED)
    parser.add_argument("--models", nargs="+", default=["lstm"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    given = parser.parse_args()

    parts = [given.train, *([given.dev] if given.dev else []), given.test]
    said, of = [], []
    for number, path in enumerate(parts):
        schema = read(path, given.target, missing_target="drop").schema
        words, labels = schema.read(path, labels=True)
        said += list(zip(words, labels or ()))
        of += [number] * len(words)
    found = read(said, missing_target="drop")
    part = np.array(of)[found.sentence]
    train, dev, test = (np.flatnonzero(part == i) for i in (0, 1, len(parts) - 1))
    if not given.dev:
        order = np.random.default_rng(0).permutation(train)
        dev, train = np.sort(order[: len(order) // 5]), np.sort(order[len(order) // 5 :])
    print(
        f"{given.train}: {found.summary()}; {len(train)} rows train, {len(dev)} tell when to stop, {len(test)} test"
    )
    if given.treebank:
        print(
            "published: " + ", ".join(f"{name} {value}" for name, value in PUBLISHED[given.treebank].items())
        )
    for model in given.models:
        started = time.perf_counter()
        asked = {"model": model, "seeds": given.seeds, "epochs": given.epochs}
        experiment = dataclasses.replace(
            tagging_experiment(tag_task(found), asked), folds=[(train, dev, test)], options=None
        )
        result = experiment.run()
        shown = []
        for name in ("accuracy", "accuracy_unseen", "f1_macro"):
            score = result.scores[name]
            shown.append(f"{name} {100 * score.mean:.2f} ({100 * score.low:.2f} to {100 * score.high:.2f})")
        seconds = time.perf_counter() - started
        epochs = [member["best_epoch"] for member in result.members]
        print(
            f"{model}: {', '.join(shown)}, seeds together {100 * result.ensemble['accuracy']:.2f}; "
            f"{given.seeds} seeds, best at epochs {epochs} of {experiment.epochs}, {seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
