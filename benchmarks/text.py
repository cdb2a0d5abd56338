"""Sentence classification beside Kim (2014) and scikit-learn: ``python benchmarks/text.py FOLDER [SET ...]``.

FOLDER holds ``rt-polarity.all.gz``, ``subj.all.gz``, ``mpqa.all.gz`` and ``TREC.train.all.gz`` (of Kim's repository, or
folders with them), a sentence a line, its label first; and ``review_polarity.tar.gz``,
whole reviews (Pang & Lee, 2004). Ten folds, of TREC within its training part. The peer is logistic regression on
TF-IDF of words and pairs of words, on the same number of folds. ``auto`` is what ``manyfit fit`` takes by itself.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import tarfile
import time
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from manyfit.data import read_texts
from manyfit.tasks.defaults import experiment_for
from manyfit.tasks.texts import text_task

SETS = {
    "rt-polarity": ("rt-polarity.all.gz", 76.1),
    "subj": ("subj.all.gz", 89.6),
    "mpqa": ("mpqa.all.gz", 83.4),
    "trec": ("TREC.train.all.gz", 91.2),
    "reviews": ("review_polarity.tar.gz", 87.2),
}
"""File, and a published accuracy without pretrained vectors, in percent: of Kim's CNN-rand (2014, table 2; of TREC on
its test part), of reviews of Pang and Lee's support vector machine (2004)."""


def sentences_of(path: Path) -> tuple[list[str], list[str]]:
    """Labels and texts of a file."""
    if path.suffixes[0] == ".tar":
        with tarfile.open(path) as archive:
            files = [
                m for m in archive.getmembers() if m.isfile() and Path(m.name).parent.name in ("pos", "neg")
            ]
            texts = [archive.extractfile(m).read().decode("latin-1") for m in files]
        return [Path(m.name).parent.name for m in files], texts
    lines = gzip.decompress(path.read_bytes()).decode("latin-1").strip().split("\n")
    labels, _, texts = zip(*(line.partition(" ") for line in lines))
    return list(labels), list(texts)


def main() -> None:
    """Print a line for each set and network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--models", nargs="+", default=["auto"])
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--length-buckets", nargs="+", choices=("auto", "none"), default=["auto"])
    given = parser.parse_args()
    for name in given.sets:
        file, published = SETS[name]
        labels, sentences = sentences_of(next(given.folder.rglob(file)))
        started = time.perf_counter()
        peer = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+"),
            LogisticRegression(C=10, max_iter=1000),
        )
        folds = StratifiedKFold(given.folds, shuffle=True, random_state=0)
        scores = 100 * cross_val_score(peer, np.array(sentences), np.array(labels), cv=folds)
        print(f"{name}: published {published}")
        print(f"  TF-IDF and logistic regression {scores.mean():.1f} ({time.perf_counter() - started:.0f} s)")
        for model, buckets in itertools.product(given.models, given.length_buckets):
            started = time.perf_counter()
            texts = read_texts({"text": sentences, "label": [f"c{x}" for x in labels]}, "text", "label")
            asked = {"model": model, "folds": given.folds, "seeds": given.seeds, "length_buckets": buckets}
            result = experiment_for(text_task(texts), asked).run()
            score, epochs = result.trials[0].score, sum(row["epochs"] for row in result.members)
            print(
                f"  {model} {100 * score.mean:.1f} ({100 * score.low:.1f} to {100 * score.high:.1f}, "
                f"{time.perf_counter() - started:.0f} s; length buckets {buckets}: "
                f"{1000 * result.timing['train'] / epochs:.0f} ms an epoch of a network, "
                f"{result.timing['compile']:.0f} s of compiling)",
                flush=True,
            )


if __name__ == "__main__":
    main()
