"""The winner's curse: what the score of a chosen trial is worth once it is known to have been chosen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from manyfit.errors import DataError


def chosen_fold_by_fold(losses: npt.ArrayLike, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The scores of a search that chooses anew in each fold, by that fold's own validation rows.

    The best of many trials owes some of its score to luck: what chose it is correlated with what
    scores it, since the validation rows of one fold are test rows of the others. Here nothing is: the
    trial that stands for a fold was chosen by rows that are not tested in it. This is nested
    cross-validation with an inner hold-out, and costs nothing beyond what was trained. It estimates the
    whole procedure, search and choice; as a single inner hold-out chooses less well than all folds
    together do, it is a little on the safe side. All this holds where the trials were there before any
    fold was looked at: of trials that a learning search suggested, or that pruning left over, by the losses of all
    folds, some luck is left in the score.

    Args:
        losses: ``(trials, folds)`` on each fold's validation rows, lower is better; infinite or NaN for none.
        scores: ``(trials, seeds, folds)`` on each fold's test rows.

    Returns:
        ``(seeds, folds)``, ready for ``resampled_interval``; NaN in a fold that no trial can stand for.

    Raises:
        DataError: shapes that do not belong together.

    Source: Varma and Simon (2006), "Bias in error estimation when using cross-validation for model selection";
    Cawley and Talbot (2010), "On over-fitting in model selection".

    >>> chosen_fold_by_fold([[0.3, 0.9], [0.5, 0.2]], [[[0.8, 0.6]], [[0.7, 0.9]]]).tolist()
    [[0.8, 0.9]]
    """
    chooser, table = np.asarray(losses, np.float64), np.asarray(scores, np.float64)
    if table.ndim != 3 or chooser.shape != (table.shape[0], table.shape[2]) or not table.size:
        raise DataError(
            f"losses have shape {chooser.shape} and scores {table.shape}: give (trials, folds) and "
            "(trials, seeds, folds)"
        )
    chooser = np.where(np.isfinite(chooser), chooser, np.inf)
    best = chooser.argmin(axis=0)
    folds = np.arange(table.shape[2])
    chosen = table[best, :, folds].T
    return np.where(np.isfinite(chooser[best, folds]), chosen, np.nan)


def others_of(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """For each trial and fold the mean score in all other folds, ``(trials, folds)``, seeds averaged.

    What can choose where no validation rows were held out: the test rows of a fold have no say in its
    choice, though the networks of the other folds have trained on them.

    Source: the idea of Tibshirani and Tibshirani (2009), "A bias correction for the minimum error rate in
    cross-validation".
    """
    each = np.asarray(scores, np.float64).mean(axis=1)
    folds = each.shape[1]
    if folds < 2:
        raise DataError("a single fold has no others")
    return (each.sum(axis=1, keepdims=True) - each) / (folds - 1)
