"""Sentence classification beside Kim (2014) and scikit-learn: ``python benchmarks/text.py FOLDER [SET ...]``.

FOLDER holds ``rt-polarity.all.gz``, ``subj.all.gz``, ``mpqa.all.gz`` and ``TREC.train.all.gz`` (of Kim's repository, or
folders with them): a sentence a line, its label first. Ten folds, of TREC within its training part. The peer is
logistic regression on TF-IDF of words and pairs of words, on the same number of folds.
"""

from __future__ import annotations

import argparse
import gzip
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
}
"""File, and accuracy of Kim's CNN-rand (table 2), in percent; of TREC on its test part."""


def main() -> None:
    """Print a line for each set and network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--models", nargs="+", default=["bow"])
    parser.add_argument("--folds", type=int, default=10)
    given = parser.parse_args()
    for name in given.sets:
        file, published = SETS[name]
        lines = (
            gzip.decompress(next(given.folder.rglob(file)).read_bytes()).decode("latin-1").strip().split("\n")
        )
        labels, sentences = zip(*(line.split(" ", 1) for line in lines))
        started = time.perf_counter()
        peer = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+"),
            LogisticRegression(C=10, max_iter=1000),
        )
        folds = StratifiedKFold(given.folds, shuffle=True, random_state=0)
        scores = 100 * cross_val_score(peer, np.array(sentences), np.array(labels), cv=folds)
        print(f"{name}: Kim's CNN-rand {published}")
        print(f"  TF-IDF and logistic regression {scores.mean():.1f} ({time.perf_counter() - started:.0f} s)")
        for model in given.models:
            started = time.perf_counter()
            texts = read_texts({"text": list(sentences), "label": [f"c{x}" for x in labels]}, "text", "label")
            result = experiment_for(
                text_task(texts), {"model": model, "folds": given.folds, "seeds": 1}
            ).run()
            score = result.trials[0].score
            print(
                f"  {model} {100 * score.mean:.1f} ({100 * score.low:.1f} to {100 * score.high:.1f}, "
                f"{time.perf_counter() - started:.0f} s)",
                flush=True,
            )


if __name__ == "__main__":
    main()
