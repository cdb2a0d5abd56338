"""A label for each word: parts of speech of a language whose endings tell them, of stems that are new in every test.

A sentence is an article, perhaps an adjective (-a), a noun (-o), and a verb (-as). "pura" alone is two things: an
adjective before a noun, and after "tre" an adverb, as its neighbours tell.

python examples/tagging.py
"""

import random

import manyfit as mf
from manyfit.data import read_tagged
from manyfit.models import Tagger
from manyfit.objectives import Tagging
from manyfit.optim import AdamW, Cosine

random.seed(0)


def stem() -> str:
    return "".join(random.choice("bdfgklmnprstv") + random.choice("aeiou") for _ in range(2)) + "n"


def sentence() -> tuple[list[str], list[str]]:
    said = [("la", "DET")]
    if random.random() < 0.5:
        said.append((stem() + "a" if random.random() < 0.5 else "pura", "ADJ"))
    said += [(stem() + "o", "NOUN"), (stem() + "as", "VERB")]
    if random.random() < 0.5:
        said += [("tre", "ADV"), ("pura", "ADV")]
    words, labels = zip(*said)
    return list(words), list(labels)


tagged = read_tagged([sentence() for _ in range(150)])
print(tagged.summary())
objective = Tagging(
    Tagger("gru", width=8, letters=8, filters=16, hidden=8),
    optimizer=AdamW(learning_rate=0.02, schedule=Cosine()),
)
result = mf.Experiment(objective, tagged, folds=3, epochs=12, patience=None, batch_size=16).run()
print({name: str(score) for name, score in result.scores.items()})
for one in result.best.tag([["la", "pura", "hundo", "kuras", "tre", "pura"]]):
    print(list(zip(one.words, one.labels, one.probability.round(2).tolist())))
