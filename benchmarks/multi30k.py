"""Multi30k, English to German, a small transformer: BLEU on the 2016 test set by sacrebleu.

    python benchmarks/multi30k.py FOLDER --seeds 3

FOLDER holds train, val and test_2016_flickr as NAME.en.gz and NAME.de.gz. One byte-pair vocabulary for both languages
is learned from the training texts alone; the weights of the lowest validation loss are kept. Beams of 4, each network
alone and all together. The published text-only baseline is a tiny transformer's 41.0 (Wu et al., 2021, of lowercased,
tokenized text after 10 checkpoints were averaged, so that it is near to these figures and not the same measure).
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from pathlib import Path

import numpy as np

from manyfit import metrics
from manyfit.evaluate import row_interval
from manyfit.experiment.experiment import Experiment, Status
from manyfit.experiment.translation import translate
from manyfit.models import EncoderDecoder
from manyfit.objectives.translation import Translation
from manyfit.optim import AdamW, Cosine
from manyfit.tasks.translation import PairEncoder, Pairs, pair_task


def main() -> None:
    """Train and print one line a network, then all together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--pairs", type=int, default=29_000, help="training pairs that are used")
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    given = parser.parse_args()
    train = {side: lines(given.folder, "train", side)[: given.pairs] for side in ("en", "de")}
    val = {side: lines(given.folder, "val", side) for side in ("en", "de")}
    test = {side: lines(given.folder, "test_2016_flickr", side) for side in ("en", "de")}
    started = time.perf_counter()
    # the vocabulary and the lengths come from the training pairs; the others are encoded by them
    learned = pair_task(train, "en", "de", vocabulary=given.vocabulary, folds=2)
    encoder = learned.encoder
    assert isinstance(encoder, PairEncoder)
    data = {
        "source": np.concatenate([learned.data["source"], encoder.sources(val["en"] + test["en"])]),
        "target": np.concatenate([learned.data["target"], encoder.targets(val["de"] + test["de"])]),
    }
    count, held = len(train["en"]), len(val["en"])
    rows = np.arange(len(data["source"]))
    task = Pairs(kind="own", data=data, rows=len(rows), encoder=encoder, vocabulary=learned.vocabulary)
    model = EncoderDecoder(given.width, given.depth, 4, 2 * given.width, dropout=given.dropout)
    optimizer = AdamW(
        learning_rate=given.learning_rate, weight_decay=1e-2, b2=0.98, clip=1.0, schedule=Cosine(warmup=0.1)
    )
    objective = Translation(model, learned.vocabulary, optimizer, precision=given.precision)
    result = Experiment(
        objective,
        task,
        seeds=given.seeds,
        folds=[(rows[:count], rows[count : count + held], rows[count + held :])],
        epochs=given.epochs,
        patience=None,
        batch_size=given.batch_size,
        metric="loss",
    ).run(progress=told)
    trained = time.perf_counter() - started
    loss = result.scores["loss"].mean
    print(f"{objective.parameters():,} parameters; test loss {loss:.4f} nats a token; {trained:.0f} s")
    scores = []
    for member in range(result.best.members):
        said = [one.text for one in translate(result.best, test["en"], member=member)]
        scores.append(metrics.bleu(said, test["de"]))
        print(f"  seed {member}: BLEU {scores[-1]:.2f}", flush=True)
    if len(scores) > 1:
        mean = row_interval(scores)
        said = [one.text for one in translate(result.best, test["en"])]
        print(f"  mean {mean.mean:.2f} ({mean.low:.2f} to {mean.high:.2f} over {mean.n} seeds)")
        print(f"  all together: BLEU {metrics.bleu(said, test['de']):.2f}")
    print(f"{time.perf_counter() - started:.0f} s in all")


def told(now: Status) -> None:
    """A line a chunk, for it takes long."""
    print(f"  {now.epochs} epochs of a network after {now.elapsed:.0f} s", file=sys.stderr, flush=True)


def lines(folder: Path, part: str, side: str) -> list[str]:
    """The sentences of one file."""
    return gzip.decompress((folder / f"{part}.{side}.gz").read_bytes()).decode("utf-8").splitlines()


if __name__ == "__main__":
    main()
