"""The run of an experiment, from preparation to result."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyfit.engine import (
    PRUNED,
    Checkpoint,
    Hooks,
    Member,
    Outcome,
    Population,
    Progress,
    Rows,
    RunFolder,
    Shape,
)
from manyfit.engine.devices import use_compilation_cache
from manyfit.engine.folder import plain
from manyfit.errors import ConfigError, RunError
from manyfit.experiment.checks import checks_of
from manyfit.experiment.codes import codes_of
from manyfit.experiment.examples import write_examples
from manyfit.experiment.files import request_of, write_result
from manyfit.experiment.games import games_of
from manyfit.experiment.latency import latencies
from manyfit.experiment.nested import nested_score
from manyfit.experiment.preparation import prepare, twin_warnings, twins_of
from manyfit.experiment.records import Records
from manyfit.experiment.result import Result
from manyfit.experiment.rungs import evolve, hand_over, losers
from manyfit.experiment.status import Status, status_of
from manyfit.experiment.summary import criterion, score_member, summarise
from manyfit.experiment.trials import Bucket, Trial, buckets_of
from manyfit.tune import Storage, Told

if TYPE_CHECKING:
    from manyfit.experiment.experiment import Experiment


@dataclass
class Run:
    """One run of an experiment: every batch of its trials, trained, scored and kept."""

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
        self.twins = twins_of(self.prepared)
        self.warnings += twin_warnings(self.twins)
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
            try:
                return self._train(folder, resume)
            except ConfigError:  # what a network is built of shows first where it is built
                if not resume and not self.records.rows:
                    folder.withdraw()
                raise

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
        self.trials: list[Trial] = []
        self.members: list[Member] = []
        self.places: dict[int, list[int]] = {}
        self.best: tuple[float, int] | None = None
        state: Checkpoint | None = None
        self.history: dict[str, np.ndarray] = {}
        if resume:
            state, histories, warnings = records.load()
            self.history = {name: values.copy() for name, values in histories.items()}
            self.warnings += warnings
            if records.seconds:
                self.timing["before"] = records.seconds
        self.storage = self._storage(folder, resume)
        self.training = time.perf_counter()
        self.saved = time.perf_counter()
        self.compile = 0.0
        try:
            finished = self._search(state)
            self._publish()
            records.wait()
            late = not finished and self._out_of_budget()
            if late:
                self.warnings.append(self._ended_by_budget())
            self.timing["train"] = time.perf_counter() - self.training - self.compile
            self.timing["compile"] = self.compile
            if finished and hasattr(prepared.objective, "doubts"):
                rows = [records.rows[i] for i in range(len(self.members))]
                self.warnings += prepared.objective.doubts(self.history, rows)
            scoring = time.perf_counter()
            result = summarise(
                dataclasses.replace(prepared, trials=self.trials),
                self.members,
                records,
                self.history,
                seeds=experiment.seeds,
                timing=self.timing,
                interrupted=not finished,
                warnings=self.warnings,
                folder=None if folder is None else folder.path,
            )
            if experiment.latency is not None:
                seconds = latencies(dataclasses.replace(prepared, trials=self.trials), experiment.latency)
                timed = [dataclasses.replace(t, latency=seconds[t.trial]) for t in result.trials]
                result = dataclasses.replace(result, trials=timed)
            if finished and experiment.nested is not None:
                nesting = time.perf_counter()
                result = self._nest(result, folder)
                self.timing["nested"] = time.perf_counter() - nesting
            checks = checks_of(result.predictions, prepared.task.classes, self.twins)
            result = dataclasses.replace(result, out_of_budget=late, checks=checks)
            result = dataclasses.replace(
                result, pictures=codes_of(prepared, result) | games_of(prepared, result)
            )
            self.timing["score"] = time.perf_counter() - scoring - self.timing.get("nested", 0.0)
            self.timing["total"] = self._spent()
            if folder is not None:
                write_result(folder, result)
                write_examples(folder, prepared.task, result)
        except RunError as error:
            if folder is None:
                raise
            raise RunError(f"{error}. {records.kept(self._members_in_all)}") from error
        finally:
            records.close()
        return result

    def _spent(self) -> float:
        """Seconds of the run, those before it was resumed too."""
        return self.records.seconds + time.perf_counter() - self.started

    @property
    def _members_in_all(self) -> int:
        return self.prepared.search.trials * self._each

    @property
    def _each(self) -> int:
        """Members of a trial."""
        return self.experiment.seeds * len(self.prepared.splits)

    # Batch after batch, population after population

    def _search(self, state: Checkpoint | None) -> bool:
        """Train every batch of trials; false when it was stopped early.

        After a restart the batches that are done are suggested again, from what is known of the ones before.
        """
        number = 0
        batch = self.prepared.trials
        while batch:
            self.trials += batch
            for bucket in buckets_of(batch):
                first = len(self.members)
                self.members += bucket.members(self.experiment.seeds, len(self.prepared.splits))
                for place in range(first, len(self.members)):
                    self.places.setdefault(self.members[place].trial, []).append(place)
                here = state if state is not None and state.meta["bucket"] == number else None
                if not self._bucket(bucket, number, first, here):
                    return False
                self._publish()
                number += 1
            if len(self.trials) == self.prepared.search.trials:
                break
            batch = self.prepared.search.next([self._told(trial) for trial in self.trials])
        return True

    def _told(self, trial: Trial) -> Told:
        """What the search hears of a trial that ended."""
        places, rows = self.places[trial.index], self.records.rows
        pruned = [rows[i]["epochs"] for i in places if rows[i]["status"] == PRUNED]
        loss = criterion(self.prepared, rows, places)
        return self.prepared.search.told(trial, loss, max(pruned) if pruned else None)

    def _nest(self, result: Result, folder: RunFolder | None) -> Result:
        """The result with the score of the search done anew within every fold; to be resumed where that was stopped."""
        if folder is not None:  # all of its own is done: what is stopped from here on need not train it again
            self.records.save(
                Checkpoint({}, {}), {"bucket": -1, "rung": 0, "seconds": self._spent()}, self.history
            )
            self.records.wait()
        found = nested_score(
            self.experiment,
            self.prepared,
            None if folder is None else folder.path,
            progress=self.progress,
            stop=self.stop,
            save_every=self.save_every,
        )
        if found is None:
            return dataclasses.replace(result, interrupted=True)
        return dataclasses.replace(result, search=found, steered=False, nested=self.experiment.nested)

    def _storage(self, folder: RunFolder | None, resume: bool) -> Storage | None:
        """The data base that is told of the trials, where one was asked for."""
        url = self.experiment.storage
        if url is None:
            return None
        if folder is None:
            raise ConfigError("storage takes its study's name from the run folder: give one")
        return Storage(url, folder.path.name, self.prepared.search.space, resume=resume)

    def _publish(self) -> None:
        """Tell the data base of every trial that has ended; where it does not answer, the run goes on without."""
        if self.storage is None:
            return
        rows = self.records.rows
        done = [t for t in self.trials if all(i in rows for i in self.places.get(t.index, [-1]))]
        try:
            self.storage.tell({trial.index: self._told(trial) for trial in done})
        except RunError as error:
            self.warnings.append(f"{error}; manyfit resume tells it what it has missed")

    def _bucket(self, bucket: Bucket, number: int, first: int, resume: Checkpoint | None) -> bool:
        """Train one population, pausing where trials may be given up; false when it was stopped early."""
        experiment, prepared, records = self.experiment, self.prepared, self.records
        count = len(self.members) - first
        done = {i - first for i in records.rows if first <= i < first + count}
        judge = prepared.search.pruner or experiment.evolve
        rungs = [] if judge is None else judge.rungs(experiment.epochs)
        if len(done) == count:
            if experiment.evolve is not None:  # which settings its trials ended with
                for rung in rungs:
                    evolve(self, experiment.evolve, bucket, rung)
            return True
        longest = max(len(s.train) for s in prepared.splits)
        population = Population(
            bucket.objective,
            prepared.task.data,
            self.members[first:],
            [Rows(s.train, s.validation, s.test) for s in prepared.splits],
            Shape(
                max(1, min(bucket.batch_size, longest)),
                experiment.steps_per_epoch,
                buckets=None if experiment.length_buckets is None else tuple(experiment.length_buckets),
            ),
            epochs=experiment.epochs,
            patience=experiment.patience,
            seed=experiment.seed,
            width=experiment.width,
            chunk=experiment.chunk,
            predict=prepared.task.kind != "own",
        )
        rung = 0

        def finish(outcome: Outcome) -> None:
            index = first + outcome.index
            member = self.members[index]
            row = score_member(prepared, self.trials[member.trial], member, outcome)
            records.add(index, row, outcome.model, outcome.outputs)
            self._forget(member.trial)

        def save(checkpoint: Checkpoint) -> None:
            self._merge(population, first)
            meta = {"bucket": number, "rung": rung, "seconds": self._spent()}
            records.save(checkpoint, meta, self.history)
            self.saved = time.perf_counter()

        def watch(now: Progress) -> None:
            if self.progress is not None:
                self.progress(
                    status_of(
                        records.rows,
                        members=self._members_in_all,
                        each=self._each,
                        epochs=experiment.epochs,
                        here=now.epochs,
                        first=first,
                        running=now.running,
                        elapsed=time.perf_counter() - self.training,
                        metric=prepared.metric,
                    )
                )

        hooks = Hooks(
            finish=finish,
            progress=watch,
            stop=self._stopping,
            save=save,
            save_due=lambda: time.perf_counter() - self.saved > self.save_every,
        )
        reached = 0 if resume is None else resume.meta["rung"]
        finished = True
        for rung, until in enumerate([*rungs, experiment.epochs]):
            if rung >= reached:
                finished = population.run(hooks, resume=resume, done=done, until=until)
                self._merge(population, first)
            if not finished or rung == len(rungs):
                break
            if experiment.evolve is not None:
                heirs = evolve(self, experiment.evolve, bucket, until)
                if rung >= reached:
                    hand_over(self, population, first, heirs)
            elif rung >= reached:
                given_up = losers(self, bucket, until)
                gone = [i for i in population.paused if self.members[first + i].trial in given_up]
                population.drop(gone, hooks)
        self.compile += population.compile_seconds
        return finished

    def _forget(self, trial: int) -> None:
        """When a trial is complete, let go of the models of it or of the best before it: one is kept."""
        rows = self.records.rows
        places = self.places[trial]
        if len(places) < self._each or not all(i in rows for i in places):
            return
        loss = np.inf
        if all(rows[i]["status"] != PRUNED for i in places):
            loss = criterion(self.prepared, rows, places)
        if not np.isfinite(loss):
            return
        if self.best is None or (loss, trial) < self.best:
            if self.best is not None:
                self.records.forget(self.places[self.best[1]])
            self.best = (loss, trial)
        else:
            self.records.forget(places)

    def _merge(self, population: Population, first: int) -> None:
        """Take over what the population's members have recorded."""
        count = len(population.members)
        for name, values in population.history.items():
            if name not in self.history:
                whole = (self._members_in_all, self.experiment.epochs)
                self.history[name] = np.full(whole, np.nan, np.float32)
            known = np.isfinite(values).any(axis=1)
            self.history[name][first : first + count][known] = values[known]

    # What is told on the way

    def _stopping(self) -> bool:
        return self._out_of_budget() or self.stop()

    def _out_of_budget(self) -> bool:
        budget = self.experiment.budget
        return budget is not None and time.perf_counter() - self.started > budget

    def _ended_by_budget(self) -> str:
        rows = self.records.rows
        done = sum(all(i in rows for i in self.places.get(trial.index, [-1])) for trial in self.trials)
        return (
            f"the budget of {self.experiment.budget:g} s ended the search after {done} of "
            f"{self.prepared.search.trials} trials"
        )
