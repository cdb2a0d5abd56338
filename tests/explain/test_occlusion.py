"""Occlusion against a model whose words' parts are known."""

import numpy as np

from manyfit.data.special_tokens import PAD, UNKNOWN
from manyfit.explain import occlusion


def test_of_an_additive_model_it_is_each_word_s_part():
    part = np.random.default_rng(0).normal(size=10)
    part[[PAD, UNKNOWN]] = 0.0
    tokens = np.array([4, 9, 4, 6, PAD, PAD])
    found = occlusion(lambda rows: part[rows].sum(axis=1), tokens)
    np.testing.assert_allclose(found, [*part[[4, 9, 4, 6]], 0, 0], atol=1e-12)


def test_words_that_say_the_same_hide_each_other():
    found = occlusion(lambda rows: (rows == 5).any(axis=1).astype(float), np.array([5, 5, 6]))
    assert found.tolist() == [0, 0, 0]
