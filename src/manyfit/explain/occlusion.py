"""What each word of a text speaks for: how far a prediction falls when the word is hidden."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from manyfit.data.special_tokens import PAD, UNKNOWN


def occlusion(
    predict: Callable[[np.ndarray], np.ndarray], tokens: np.ndarray, *, hidden: int = UNKNOWN
) -> np.ndarray:
    """The fall of ``predict`` when each token is replaced by ``hidden``: float ``(T,)``, 0 for padding.

    ``predict`` maps ``(T + 1, T)`` tokens to a number each, the probability of a class, say; ``tokens`` is ``(T,)``.
    Above 0 a word speaks for the class, below 0 against it. Words that say the same hide each other: of two each
    alone may count nothing.

    Source: Zeiler and Fergus (2014), "Visualizing and understanding convolutional networks", section 4.2; Li et al.
    (2016), "Understanding neural networks through representation erasure".

    >>> occlusion(lambda rows: (rows == 7).sum(axis=1) / 2, np.array([7, 5, PAD])).tolist()
    [0.5, 0.0, 0.0]
    """
    tokens = np.asarray(tokens)
    rows = np.repeat(tokens[None], len(tokens) + 1, axis=0)
    places = np.arange(len(tokens))
    rows[places + 1, places] = np.where(tokens == PAD, PAD, hidden)
    found = np.asarray(predict(rows), np.float64)
    return found[0] - found[1:]
