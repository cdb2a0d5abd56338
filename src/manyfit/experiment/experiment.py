"""An experiment: what is trained, on which rows, how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyfit.experiment.result import Result
from manyfit.experiment.run import Run
from manyfit.experiment.status import Status
from manyfit.space import Distribution
from manyfit.tune import Evolution, Method, Pruner

if TYPE_CHECKING:
    from manyfit.inspect import NetworkReport

__all__ = ["Experiment", "Status"]


@dataclass
class Experiment:
    """Folds x seeds x trials of one objective on one data set.

    ``objective`` is a ``Supervised`` or any objective of one's own, with
    distributions where values are to be searched. ``data`` is a table, a set of
    images, a ``Task``, or for an objective of one's own a pytree of arrays or
    None. ``folds`` is a number, ``"each"``, a scikit-learn splitter or a list of splits.
    ``patience`` is in epochs without a better validation loss; None trains to
    the last epoch, and with ``validation=0`` nothing is held out for it.
    """

    objective: Any
    data: Any
    trials: int = 1
    seeds: int = 1
    folds: Any = 5
    epochs: int = 100
    patience: int | None = 16
    batch_size: int | Distribution = 256
    validation: float = 0.2
    repeats: int = 1
    seed: int = 0
    metric: str | None = None
    steps_per_epoch: int | None = None
    """Updates in an epoch, for an objective without rows."""
    length_buckets: Sequence[int] | None = None
    """Of texts: lengths to which batches are cut, their rows being of about one length; planned by the lengths of the
    rows where None, and none where empty: then rows meet by chance alone, padded to the longest."""
    width: int | None = None
    """Members abreast on one device; planned where None."""
    chunk: int | None = None
    """Epochs between two looks of the host; planned where None."""
    search: Method = "sobol"
    """How trials are suggested: all at the start (``"sobol"``, ``"random"``), or batch after batch from what
    the ones before were worth (``"tpe"``, ``"cmaes"``)."""
    batch: int | None = None
    """Trials suggested at once; planned where None."""
    prune: Pruner | str | None = None
    """Which trials are given up early: ``"halving"``, ``"hyperband"``, ``"racing"`` or a ``manyfit.tune.Pruner``."""
    evolve: Evolution | None = None
    """Population-based training: poor trials go on from good ones (``manyfit.tune.Evolution``)."""
    budget: float | None = None
    """Seconds after which no more is trained; the trials that are complete then are the result."""
    nested: int | None = None
    """Inner folds in which the search runs anew within the training rows of every fold: ``Result.search`` is then the
    score of the whole procedure, whatever steered it; these searches begin without ``first_trials``."""
    storage: str | None = None
    """A data base (URL) that is told of every trial, as an Optuna study by the name of the run folder."""
    first_trials: Sequence[Mapping[str, Any]] = ()
    """Settings to begin the search with: label -> value, what they leave open being suggested."""
    given_trials: Sequence[Mapping[str, Any]] | None = None
    """Settings to try instead of any search: dotted path -> value."""
    bootstrap: bool = False
    """``repeats`` bootstrap resamples in place of folds (``manyfit.evaluate.plan``)."""
    gap: float = 0.0
    """Of data with a time, in its units: left out between training and test rows."""
    window: float | None = None
    """Of data with a time: how far back training rows may lie; all the way where None."""
    embargo: float | None = None
    """Of data with a time: train on later rows too, from so long after the test rows on."""
    latency: int | None = None
    """Rows of a batch whose prediction is timed for a network of each trial, after training."""
    options: Mapping[str, Any] | None = None
    """How a face asked for this experiment; kept in ``experiment.json`` so that it can go on from there."""

    def run(
        self,
        folder: str | Path | None = None,
        *,
        resume: bool = False,
        progress: Callable[[Status], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
        save_every: float = 15.0,
    ) -> Result:
        """Train everything and say what was found.

        With a ``folder`` the run lies on disk and can be resumed: ``resume``
        goes on from what is there. ``stop`` is asked between chunks.
        ``save_every`` is in seconds.

        Raises ``ConfigError`` or ``DataError`` before any training where
        something cannot be done, ``RunError`` where the folder cannot be used.
        """
        return Run(self, progress, stop, save_every).into(folder, resume)

    def network(self) -> NetworkReport:
        """The network that it would begin with, layer by layer on rows of the data; nothing is trained."""
        from manyfit.experiment.network import untrained_network

        return untrained_network(self)
