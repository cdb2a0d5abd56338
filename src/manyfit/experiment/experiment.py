"""An experiment: what is trained, on which rows, how often; and its run to a result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyfit.engine import Checkpoint, Hooks, Outcome, Population, Progress, Rows, RunFolder, Shape
from manyfit.engine.devices import use_compilation_cache
from manyfit.engine.folder import plain
from manyfit.errors import RunError
from manyfit.experiment.examples import write_examples
from manyfit.experiment.files import request_of, write_result
from manyfit.experiment.preparation import prepare
from manyfit.experiment.records import Records
from manyfit.experiment.result import Result
from manyfit.experiment.summary import score_member, summarise
from manyfit.experiment.trials import Bucket
from manyfit.space import Distribution

if TYPE_CHECKING:
    from manyfit.inspect import NetworkReport


@dataclass(frozen=True)
class Status:
    """Where a run stands, for whoever watches it."""

    members: int
    done: int
    running: int
    epochs: int
    """Member-epochs trained so far."""
    epochs_expected: float
    elapsed: float
    """Seconds since training began."""
    trials_done: int
    best_trial: int | None
    best_score: float | None
    best_spread: float | None
    metric: str

    @property
    def remaining(self) -> float | None:
        """Seconds that are likely left, or None while nothing can be said."""
        if self.epochs <= 0 or self.elapsed <= 0:
            return None
        return max(0.0, (self.epochs_expected - self.epochs) * self.elapsed / self.epochs)


@dataclass
class Experiment:
    """Folds x seeds x trials of one objective on one data set.

    ``objective`` is a ``Supervised`` or any objective of one's own, with
    distributions where values are to be searched. ``data`` is a table, a set of
    images, a ``Task``, or for an objective of one's own a pytree of arrays or
    None. ``folds`` is a number, a scikit-learn splitter or a list of splits.
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
    width: int | None = None
    """Members abreast on one device; planned where None."""
    chunk: int | None = None
    """Epochs between two looks of the host; planned where None."""
    given_trials: Sequence[Mapping[str, Any]] | None = None
    """Settings to try instead of drawing them: dotted path -> value."""
    gap: float = 0.0
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
        return _Run(self, progress, stop, save_every).into(folder, resume)

    def network(self) -> NetworkReport:
        """The network that it would begin with, layer by layer on rows of the data; nothing is trained."""
        from manyfit.experiment.network import untrained_network

        return untrained_network(self)


@dataclass
class _Run:
    """One run of an experiment, from preparation to result."""

    experiment: Experiment
    progress: Callable[[Status], None] | None
    stop: Callable[[], bool]
    save_every: float
    warnings: list[str] = field(default_factory=list)
    timing: dict[str, float] = field(default_factory=dict)

    def into(self, path: str | Path | None, resume: bool) -> Result:
        self.started = time.perf_counter()
        use_compilation_cache()
        self.prepared = prepare(self.experiment)
        self.timing["data"] = time.perf_counter() - self.started
        if path is None:
            if resume:
                raise RunError("there is nothing to resume without a run folder")
            return self._train(None, False)
        with RunFolder(path) as folder:
            request = request_of(self.experiment, self.prepared, Path(path).name)
            if resume:
                self._check_same(folder, request)
            elif folder.exists():
                raise RunError(
                    f"{folder.path} holds a run already: resume it (manyfit resume {folder.path}), "
                    "or choose another folder"
                )
            else:
                folder.write_json("experiment.json", request)
            return self._train(folder, resume)

    def _check_same(self, folder: RunFolder, request: Mapping[str, Any]) -> None:
        asked = folder.read_experiment()
        for part in ("objective", "settings", "space", "task"):
            if asked.get(part) != plain(request[part]):
                raise RunError(
                    f"{folder.path} was begun with another {part}: resume with what was asked then "
                    f"({folder / 'experiment.json'}), or choose another folder"
                )
        before, now = asked["data"]["fingerprint"], request["data"]["fingerprint"]
        if before != now:
            raise RunError(
                f"{folder.path} was begun on other data ({asked['data']['source']} has changed): "
                "restore the data, or begin a new run in another folder"
            )

    def _train(self, folder: RunFolder | None, resume: bool) -> Result:
        experiment, prepared = self.experiment, self.prepared
        self.records = records = Records(folder)
        self.members = [
            m for b in prepared.buckets for m in b.members(experiment.seeds, len(prepared.splits))
        ]
        state: Checkpoint | None = None
        histories: dict[str, np.ndarray] = {}
        if resume:
            state, histories, warnings = records.load()
            self.warnings += warnings
        self.history = {name: values.copy() for name, values in histories.items()}
        self.training = time.perf_counter()
        self.saved = time.perf_counter()
        self.compile = 0.0
        finished = True
        first = 0
        try:
            for number, bucket in enumerate(prepared.buckets):
                count = len(bucket.trials) * experiment.seeds * len(prepared.splits)
                here = state if state is not None and state.meta["bucket"] == number else None
                finished = self._bucket(bucket, number, first, count, here) and finished
                first += count
                if not finished:
                    break
            records.wait()
            self.timing["train"] = time.perf_counter() - self.training - self.compile
            self.timing["compile"] = self.compile
            scoring = time.perf_counter()
            result = summarise(
                prepared,
                self.members,
                records,
                self.history,
                seeds=experiment.seeds,
                timing=self.timing,
                interrupted=not finished,
                warnings=self.warnings,
                folder=None if folder is None else folder.path,
            )
            self.timing["score"] = time.perf_counter() - scoring
            self.timing["total"] = time.perf_counter() - self.started
            if folder is not None:
                write_result(folder, result)
                write_examples(folder, prepared.task, result)
        except RunError as error:
            if folder is None:
                raise
            raise RunError(f"{error}. {records.kept(len(self.members))}") from error
        finally:
            records.close()
        return result

    def _bucket(self, bucket: Bucket, number: int, first: int, count: int, resume: Checkpoint | None) -> bool:
        """Train one population; false when it was stopped early."""
        experiment, prepared, records = self.experiment, self.prepared, self.records
        done = {i - first for i in records.rows if first <= i < first + count}
        if len(done) == count:
            return True
        longest = max(len(s.train) for s in prepared.splits)
        population = Population(
            bucket.objective,
            prepared.task.data,
            self.members[first : first + count],
            [Rows(s.train, s.validation, s.test) for s in prepared.splits],
            Shape(max(1, min(bucket.batch_size, longest)), experiment.steps_per_epoch),
            epochs=experiment.epochs,
            patience=experiment.patience,
            seed=experiment.seed,
            width=experiment.width,
            chunk=experiment.chunk,
            predict=prepared.task.kind != "own",
        )

        def finish(outcome: Outcome) -> None:
            index = first + outcome.index
            row = score_member(prepared, self.members[index], outcome)
            records.add(index, row, outcome.model, outcome.outputs)

        def save(checkpoint: Checkpoint) -> None:
            records.save(checkpoint, {"bucket": number}, self.history)
            self.saved = time.perf_counter()

        def watch(now: Progress) -> None:
            if self.progress is not None:
                self.progress(self._status(now, first))

        hooks = Hooks(
            finish=finish,
            progress=watch,
            stop=self.stop,
            save=save,
            save_due=lambda: time.perf_counter() - self.saved > self.save_every,
        )
        finished = population.run(hooks, resume=resume, done=done)
        self.compile += population.compile_seconds
        for name, values in population.history.items():
            if name not in self.history:
                self.history[name] = np.full((len(self.members), experiment.epochs), np.nan, np.float32)
            known = np.isfinite(values).any(axis=1)
            self.history[name][first : first + count][known] = values[known]
        return finished

    def _status(self, now: Progress, first: int) -> Status:
        metric = self.prepared.metric
        scores: dict[int, list[float]] = {}
        losses: dict[int, list[float]] = {}
        epochs = 0
        for row in self.records.rows.values():
            epochs += row["epochs"]
            scores.setdefault(row["trial"], []).append(row["test"].get(metric, np.nan))
            losses.setdefault(row["trial"], []).append(row["validation"].get("loss", np.nan))
        each = self.experiment.seeds * len(self.prepared.splits)
        whole = {t: s for t, s in scores.items() if len(s) == each}
        best = None
        if whole:
            best = min(whole, key=lambda t: np.inf if not np.isfinite(m := np.mean(losses[t])) else m)
        total = len(self.members)
        done = len(self.records.rows)
        typical = epochs / done if done else self.experiment.epochs
        trained = now.epochs + sum(r["epochs"] for i, r in self.records.rows.items() if i < first)
        return Status(
            members=total,
            done=done,
            running=now.running,
            epochs=trained,
            epochs_expected=max(trained, typical * total),
            elapsed=time.perf_counter() - self.training,
            trials_done=len(whole),
            best_trial=best,
            best_score=None if best is None else float(np.mean(whole[best])),
            best_spread=None if best is None else float(np.std(whole[best])),
            metric=metric,
        )
