"""Labelled texts: a bag of words in three folds, and what it says of sentences that it has not seen."""

import random

import manyfit as mf
from manyfit.data import read_texts
from manyfit.models import BagOfWords
from manyfit.objectives import Supervised
from manyfit.optim import AdamW

random.seed(0)
THINGS = ["film", "story", "ending", "music", "cast", "dialogue"]
WORDS = {
    "good": ["wonderful", "moving", "clever", "a joy", "beautiful", "funny"],
    "bad": ["dull", "tedious", "a mess", "predictable", "awful", "empty"],
}
rows = [
    {
        "review": f"the {random.choice(THINGS)} was {random.choice(words)} and {random.choice(words)} .",
        "liked": liked,
    }
    for liked, words in WORDS.items()
    for _ in range(60)
]

texts = read_texts(rows, text="review", target="liked")
print(texts.summary())
objective = Supervised(BagOfWords(width=16), optimizer=AdamW(learning_rate=0.03))
result = mf.Experiment(objective, texts, folds=3, epochs=15, patience=5, batch_size=32).run()
print(result.trials[0].score)
new = ["a clever and moving story", "the music was awful"]
print(dict(zip(new, result.best.predict(new).tolist())))
