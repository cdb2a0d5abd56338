"""Which rows of a classification are worth showing: surely right, surely wrong, hardly decided."""

from __future__ import annotations

import numpy as np

EACH = 4
"""Rows of each group."""
GROUPS = ("right", "wrong", "unsure")


def telling_rows(output: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the surest right ones (each of another class), the surest wrong ones and those of least margin.

    ``output`` is ``(rows, classes)``, ``target`` ``(rows,)``; of each place comes its group in ``GROUPS``, too.
    """
    called, sure = output.argmax(axis=1), output.max(axis=1)
    ordered = np.sort(output, axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    right = np.flatnonzero(called == target)
    right = right[np.argsort(-sure[right], kind="stable")]
    _, first = np.unique(target[right], return_index=True)
    right = right[np.sort(first)][:EACH]
    wrong = np.flatnonzero(called != target)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")][:EACH]
    unsure = np.argsort(margin, kind="stable")
    unsure = unsure[~np.isin(unsure, np.concatenate([right, wrong]))][:EACH]
    groups = [np.full(len(part), i, np.int32) for i, part in enumerate((right, wrong, unsure))]
    return np.concatenate([right, wrong, unsure]), np.concatenate(groups)
