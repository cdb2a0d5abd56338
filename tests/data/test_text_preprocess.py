from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfit.data import TextPreprocess
from manyfit.errors import ConfigError


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(4, 12), st.integers(1, 4))
def test_the_vocabulary_is_that_of_the_training_rows(seed, size, least):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 12, (5, 6)).astype(np.int32)
    weight = (rng.random(5) < 0.6).astype(np.float32)
    vocabulary = TextPreprocess(12, size, least)
    ids = np.asarray(vocabulary.fit({"tokens": jnp.asarray(tokens)}, jnp.asarray(weight))["ids"])
    counts = Counter(tokens[weight > 0].ravel().tolist())  # the slow obvious way
    ranked = sorted(range(4, 12), key=lambda t: (-counts[t], t))
    known = [t for t in ranked if counts[t] >= least][: size - 4]
    want = {0: 0} | {t: i for i, t in enumerate(known, 4)}
    assert ids.tolist() == [want.get(t, 1) for t in range(12)]


def test_a_word_of_test_rows_alone_is_unknown_and_changes_nothing():
    vocabulary = TextPreprocess(table=8, size=8)
    weight = jnp.array([1.0, 1.0, 0.0])
    train = [[4, 5, 0], [5, 5, 6]]
    one = {"tokens": jnp.array([*train, [7, 4, 0]])}
    other = {"tokens": jnp.array([*train, [6, 6, 6]])}
    np.testing.assert_array_equal(vocabulary.fit(one, weight)["ids"], vocabulary.fit(other, weight)["ids"])
    found = vocabulary.apply(vocabulary.fit(one, weight), one)
    assert found["tokens"][2].tolist() == [1, 5, 0] and found["lengths"].tolist() == [2, 3, 2]


def test_sizes_without_room_are_refused():
    with pytest.raises(ConfigError):
        TextPreprocess(table=8, size=3)
