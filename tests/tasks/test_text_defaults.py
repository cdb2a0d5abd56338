"""What labelled texts get where nothing more is asked."""

import pytest

from manyfit.data import read_texts
from manyfit.models import BagOfWords, TextCNN
from manyfit.tasks.defaults import experiment_for
from manyfit.tasks.texts import text_task


def experiment(words, rows=8, tokenizer="word", **asked):
    texts = [" ".join(f"w{(i * j) % 7}" for j in range(words)) for i in range(rows)]
    source = {"text": texts, "label": ["a", "b"] * (rows // 2)}
    return experiment_for(text_task(read_texts(source, "text", "label", tokenizer=tokenizer)), asked)


@pytest.mark.parametrize(
    ("words", "tokenizer", "network"),
    [(128, "word", TextCNN), (129, "word", BagOfWords), (129, "character", TextCNN)],
)
def test_the_network_by_the_length_of_the_texts(words, tokenizer, network):
    assert isinstance(experiment(words, tokenizer=tokenizer).objective.model, network)


def test_a_network_that_was_asked_for():
    assert isinstance(experiment(129, model="textcnn").objective.model, TextCNN)
    assert isinstance(experiment(5, model="bow").objective.model, BagOfWords)


def test_many_texts_leave_more_of_them_to_train_on():
    assert experiment(5).validation == 0.2
    assert experiment(5, rows=1000).validation == 0.1
    assert experiment(5, rows=1000, validation=0.3).validation == 0.3
