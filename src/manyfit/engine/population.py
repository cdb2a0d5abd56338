"""The host's side of training: who sits in which slot, and what happens between chunks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.engine import devices
from manyfit.engine.checkpoint import Checkpoint
from manyfit.engine.compiled import Compiled
from manyfit.engine.lane import Lane, check, lane_of, pack, pack_rows, restack, rows_of, unpack, unpack_rows
from manyfit.engine.lengths import with_buckets
from manyfit.engine.member import Member, Rows, member_keys
from manyfit.engine.objective import Objective, PyTree
from manyfit.engine.plan import Plan, plan
from manyfit.engine.program import program_of
from manyfit.engine.slots import PAUSED, PRUNED, RUNNING, STATUS, Assignment, Limits, Shape, Slots

CHUNK_SECONDS = 0.4
"""About how long one chunk runs: short enough to show progress, long enough that the host costs nothing."""


@dataclass(frozen=True)
class Outcome:
    """What became of one member."""

    index: int
    """Its place in the list of members."""
    status: str
    epochs: int
    best_epoch: int
    best_value: float
    """The monitored metric at the best epoch, on the validation rows."""
    test: dict[str, float]
    """The objective's own metrics over the test rows of its fold."""
    model: PyTree
    """The exported model of the best epoch, numpy leaves; None where the member was dropped."""
    outputs: np.ndarray | None
    """Its predictions for the test rows of its fold, ``(rows, ...)``."""


class Progress(NamedTuple):
    """Where a population stands after a chunk."""

    members: int
    done: int
    running: int
    epochs: int
    """Member-epochs trained so far."""


@dataclass
class Hooks:
    """What the caller wants to hear and to decide between chunks."""

    finish: Callable[[Outcome], None] = lambda outcome: None
    """Receives each member once, as it ends."""
    progress: Callable[[Progress], None] = lambda progress: None
    stop: Callable[[], bool] = lambda: False
    """Asked between chunks; true ends the run early, its state saved."""
    save_due: Callable[[], bool] = lambda: False
    """Asked between chunks; true hands the whole state to ``save``."""
    save: Callable[[Checkpoint], None] = lambda checkpoint: None


class Population:
    """Members that share one program, trained together.

    ``data`` is the data set's pytree (leaves ``(rows, ...)``, or None for an
    objective that makes its own); members name their fold by its place in
    ``folds``. What a member becomes does not depend on ``width``, the number
    of devices, the epochs of a ``chunk`` (planned where None) or the other members.
    """

    def __init__(
        self,
        objective: Objective,
        data: PyTree,
        members: Sequence[Member],
        folds: Sequence[Rows],
        shape: Shape,
        *,
        epochs: int,
        patience: int | None = None,
        seed: int = 0,
        width: int | None = None,
        device_count: int | None = None,
        chunk: int | None = None,
        predict: bool = True,
    ) -> None:
        self.members = list(members)
        self.epochs = epochs
        self._tested = any(len(f.test) for f in folds)
        self.predict = predict and self._tested
        self._tests = [len(f.test) for f in folds]
        self._limits = Limits(
            jnp.int32(epochs), jnp.int32(epochs + 1 if patience is None else patience), jnp.int32(epochs)
        )
        names = sorted(self.members[0].hyper)
        for other in (member for member in self.members if sorted(member.hyper) != names):
            raise ValueError(f"{other}: numeric hyper-parameters {sorted(other.hyper)}, others {names}")
        self._keys = member_keys(seed, self.members)
        self._hyper = {n: np.array([m.hyper[n] for m in self.members], np.float32) for n in names}
        self._fold = np.array([m.fold for m in self.members], np.int32)

        mesh = devices.mesh(device_count)
        program = program_of(objective, with_buckets(shape, objective, data))
        self._compiled = Compiled(program, mesh, data, folds)
        one = self._compiled.shape_of_slots(self._assign([0]))
        self._template = one
        self.state_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(one))
        """Bytes of one member's state, its best model included."""
        self.plan: Plan = plan(
            len(self.members),
            self.state_bytes,
            devices=mesh.size,
            platform=mesh.devices.flat[0].platform,
            memory=devices.memory_available(),
            width=width,
        )
        longest = shape.history if patience is None else min(shape.history, max(1, patience // 4))
        self._longest_chunk = min(longest, epochs)
        self._chunk_epochs = chunk or 0  # 0: not yet planned
        self._queue: deque[int] = deque()
        self._waiting: dict[int, Slots] = {}  # members that trained and sit nowhere, as rows on the host
        self._lanes: list[Lane] = []
        self._begun = False
        self._epochs_of = np.zeros(len(self.members), np.int32)
        self._done = 0
        self.history: dict[str, np.ndarray] = {}
        """Metric -> ``(members, epochs)`` float32, NaN where a member did not train."""

    @property
    def compile_seconds(self) -> float:
        """Wall time spent compiling so far."""
        return self._compiled.compile_seconds

    def run(
        self,
        hooks: Hooks | None = None,
        *,
        resume: Checkpoint | None = None,
        done: Collection[int] = (),
        until: int | None = None,
    ) -> bool:
        """Train every member; true when all are done, false when ``hooks.stop`` ended it.

        ``resume`` goes on from a state that ``hooks.save`` received; ``done``
        names the members (by place) that ended before and are left alone.
        With ``until`` members pause after so many epochs, unless they end before;
        the next call goes on with those that were not ``drop``-ped meanwhile.
        """
        hooks = hooks or Hooks()
        self._limits = self._limits._replace(until=jnp.int32(until or self.epochs))
        if not self._begun:
            self._begun = True
            self._done = len(done)
            self._queue = deque(i for i in range(len(self.members)) if i not in done)
            if resume is not None:
                self._restore(resume)
            else:
                self._lanes = [self._open_lane() for _ in range(self.plan.lanes)]
        else:
            self._queue = deque(sorted(self._waiting))
            for lane in self._lanes:
                self._fill(lane)
            while self._queue and len(self._lanes) < self.plan.lanes:
                self._lanes.append(self._open_lane())
        under_way: deque[Lane] = deque()
        while True:
            stopping = hooks.stop()
            if stopping or hooks.save_due():
                while under_way:
                    self._harvest(under_way.popleft(), hooks)
                hooks.save(self._snapshot())
                if stopping and self._seated:
                    return False
            for lane in self._lanes:
                if lane.history is None and lane.seated:
                    self._dispatch(lane)
                    under_way.append(lane)
            if not under_way:
                return True
            self._harvest(under_way.popleft(), hooks)
            if not self._queue and not under_way:
                self._compact()
            hooks.progress(Progress(len(self.members), self._done, self._seated, int(self._epochs_of.sum())))

    @property
    def paused(self) -> list[int]:
        """The members, by place, that wait for the next call of ``run``."""
        return sorted(self._waiting)

    def drop(self, members: Collection[int], hooks: Hooks) -> None:
        """End paused members as they are: nothing more is computed of them."""
        for member in sorted(members):
            row = self._waiting.pop(member)
            self._done += 1
            hooks.finish(
                Outcome(
                    index=member,
                    status=PRUNED,
                    epochs=int(row.epoch),
                    best_epoch=int(row.best_epoch),
                    best_value=float(row.best_value),
                    test={},
                    model=None,
                    outputs=None,
                )
            )

    def succeed(self, heirs: Mapping[int, int], hyper: Mapping[int, Mapping[str, float]]) -> None:
        """Let paused members go on from the state of others of their fold, with hyper-parameters of their own.

        ``heirs`` names the source of each member, ``hyper`` the member's values from now on. What it draws at
        random stays its own.
        """
        before = dict(self._waiting)
        for member, source in heirs.items():
            own, other = before[member], before[source]
            if int(own.fold) != int(other.fold):
                raise ValueError(f"member {member} and its source {source} are of different folds")
            values: dict[str, Any] = {name: np.float32(hyper[member][name]) for name in own.hyper}
            self._waiting[member] = other._replace(key=own.key, fold=own.fold, hyper=values)

    @property
    def _seated(self) -> int:
        return sum(lane.seated for lane in self._lanes)

    # One lane

    def _open_lane(self) -> Lane:
        """A lane with the next members of the queue."""
        nobody: list[int | None] = [None] * self.plan.slots
        lane = Lane(self._compiled.empty(self._assign(nobody)), nobody)
        self._fill(lane)
        return lane

    def _fill(self, lane: Lane) -> None:
        """Seat the next members of the queue where nobody sits."""
        fresh: list[int | None] = [None] * len(lane.seats)
        again: dict[int, Slots] = {}
        for slot, seat in enumerate(lane.seats):
            if seat is None and self._queue:
                member = lane.seats[slot] = self._queue.popleft()
                if member in self._waiting:
                    again[slot] = self._waiting.pop(member)
                else:
                    fresh[slot] = member
        if any(seat is not None for seat in fresh):
            lane.slots = self._compiled.refill(lane.slots, self._assign(fresh))
        if again:
            here = np.array([slot in again for slot in range(len(lane.seats))])
            rows = lane_of(again, len(lane.seats), self._template)
            lane.slots = self._compiled.place(lane.slots, here, rows)

    def _assign(self, seats: Sequence[int | None]) -> Assignment:
        index = np.array([0 if s is None else s for s in seats])
        return Assignment(
            fresh=np.array([s is not None for s in seats]),
            key=self._keys[index],
            hyper={name: values[index] for name, values in self._hyper.items()},
            fold=self._fold[index],
        )

    def _dispatch(self, lane: Lane) -> None:
        lane.slots, lane.history = self._compiled.chunk(lane.slots, self._limits, self._chunk_epochs or 1)

    def _harvest(self, lane: Lane, hooks: Hooks) -> None:
        """Wait for the lane's chunk, note what it brought, and give the slots of ended members to new ones."""
        assert lane.history is not None
        waiting = time.perf_counter()
        history = {name: np.array(values) for name, values in lane.history.items()}
        lane.history = None
        if not self._chunk_epochs:
            seconds = time.perf_counter() - waiting
            self._chunk_epochs = int(np.clip(CHUNK_SECONDS / max(seconds, 1e-6), 1, self._longest_chunk))
        status, epoch = np.array(lane.slots.status), np.array(lane.slots.epoch)
        ended, paused = [], []
        for slot, member in enumerate(lane.seats):
            if member is None:
                continue
            self._record(member, int(epoch[slot]), {n: v[:, slot] for n, v in history.items()})
            if status[slot] == PAUSED:
                paused.append(slot)
            elif status[slot] != RUNNING:
                ended.append(slot)
        if paused:
            self._pause(lane, paused)
        if ended:
            self._end(lane, ended, hooks)
        if paused or ended:
            self._fill(lane)

    def _pause(self, lane: Lane, slots: Sequence[int]) -> None:
        """Take members from their slots until the host has decided."""
        row = rows_of(lane.slots)
        for slot in slots:
            member = lane.seats[slot]
            assert member is not None
            self._waiting[member] = row(slot)
            lane.seats[slot] = None

    def _end(self, lane: Lane, slots: Sequence[int], hooks: Hooks) -> None:
        """Hand over members that ended, and free their slots."""
        status, epoch = np.array(lane.slots.status), np.array(lane.slots.epoch)
        best_epoch, best_value = np.array(lane.slots.best_epoch), np.array(lane.slots.best_value)
        models = jax.device_get(lane.slots.best)
        outputs = np.array(self._compiled.outputs(lane.slots)) if self.predict else None
        scores = {}
        if self._tested:
            scores = {n: np.array(m.value) for n, m in self._compiled.score(lane.slots).items()}
        for slot in slots:
            member = lane.seats[slot]
            assert member is not None
            hooks.finish(
                Outcome(
                    index=member,
                    status=STATUS[status[slot]],
                    epochs=int(epoch[slot]),
                    best_epoch=int(best_epoch[slot]),
                    best_value=float(best_value[slot]),
                    test={name: float(values[slot]) for name, values in scores.items()},
                    model=jax.tree.map(lambda leaf, s=slot: np.array(leaf[s]), models),
                    outputs=None if outputs is None else outputs[slot, : self._tests[self._fold[member]]],
                )
            )
            self._done += 1
            lane.seats[slot] = None

    def _record(self, member: int, epoch: int, columns: dict[str, np.ndarray]) -> None:
        before = self._epochs_of[member]
        for name, column in columns.items():
            if name not in self.history:
                self.history[name] = np.full((len(self.members), self.epochs), np.nan, np.float32)
            self.history[name][member, before:epoch] = column[: epoch - before]
        self._epochs_of[member] = epoch

    # The whole population

    def _compact(self) -> None:
        """Close lanes that the remaining members no longer need: dead members cost nothing.

        Narrower lanes would need another compilation; whole lanes do not.
        """
        needed = -(-self._seated // self.plan.slots)
        if 0 < needed < sum(lane.seated > 0 for lane in self._lanes):
            self._lanes = restack(self._lanes, self.plan.slots, self._compiled.put)

    def _snapshot(self) -> Checkpoint:
        """All that is needed to go on, as host arrays. No chunk may be under way.

        Copies throughout: a checkpoint is written in the background, while training goes on.
        """
        arrays = {f"history/{name}": values.copy() for name, values in self.history.items()}
        for i, lane in enumerate(self._lanes):
            arrays |= pack(lane, f"lane{i}/")
        arrays |= pack_rows(self._waiting, "waiting/")
        meta = {
            "waiting": list(self._waiting),
            "seats": [list(lane.seats) for lane in self._lanes],
            "queue": list(self._queue),
            "epochs": self._epochs_of.tolist(),
            "chunk_epochs": self._chunk_epochs,
        }
        return Checkpoint(arrays, meta)

    def _restore(self, checkpoint: Checkpoint) -> None:
        arrays, meta = checkpoint
        check(len(meta["epochs"]), len(self.members))
        self.history = {
            name.removeprefix("history/"): np.array(values)
            for name, values in arrays.items()
            if name.startswith("history/")
        }
        lanes = [unpack(arrays, f"lane{i}/", seats, self._template) for i, seats in enumerate(meta["seats"])]
        waiting = meta["waiting"]
        self._waiting = unpack_rows(arrays, "waiting/", waiting, self._template)
        known = {*meta["queue"], *waiting, *(seat for seats in meta["seats"] for seat in seats)}
        # a member that is neither done nor known here lost what was kept of it: it trains again, last
        lost = [i for i in self._queue if i not in known]
        self._queue = deque([*meta["queue"], *lost])
        self._epochs_of = np.array(meta["epochs"], np.int32)
        self._epochs_of[lost] = 0
        self._chunk_epochs = meta["chunk_epochs"]
        if all(len(lane.seats) == self.plan.slots for lane in lanes):
            self._lanes = [Lane(self._compiled.put(lane.slots), lane.seats) for lane in lanes]
        else:  # another machine: other devices or another width
            self._lanes = restack(lanes, self.plan.slots, self._compiled.put)
        for lane in self._lanes:
            self._fill(lane)
        while self._queue and len(self._lanes) < self.plan.lanes:
            self._lanes.append(self._open_lane())
