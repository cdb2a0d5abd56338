"""The compiled part: what happens to a stack of members between two looks of the host.

One *chunk* is one XLA call: epochs, steps, evaluation on the validation rows,
the choice of the best epoch, early stopping and the freezing of members that
diverge all happen inside it. Loops stand outside the ``vmap`` over members, so
that a member that is done is masked and never turns the loop into a select over
the whole state at every level.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.engine import keys
from manyfit.engine.footprint import bytes_written
from manyfit.engine.lengths import bucket_of
from manyfit.engine.member import FoldTable, fold_weight
from manyfit.engine.objective import Array, BaseObjective, Batch, Fold, Metric, Objective, PyTree
from manyfit.engine.order import alike, shuffled
from manyfit.engine.plan import abreast
from manyfit.engine.slots import (
    DIVERGED,
    FINISHED,
    PAUSED,
    RUNNING,
    STOPPED,
    Assignment,
    Limits,
    Shape,
    Slots,
)

_INIT, _SHUFFLE, _STEP, _BATCHES = range(4)  # streams of a member's key


@dataclass(frozen=True, eq=False)  # compared by identity: jit asks, and an objective need not be hashable
class Program:
    """The pure functions of a population, over a stack of slots; no device axis yet."""

    objective: Objective
    shape: Shape

    def prepare(self, data: PyTree, table: FoldTable) -> PyTree:
        """What the objective learns from each fold's training rows; leaves ``(folds, ...)``."""

        def one(rows: tuple[Array, Array]) -> PyTree:
            index, count = rows
            return self.objective.prepare(Fold(data, index, fold_weight(count, index.shape[0])))

        return lax.map(one, (table.train, table.train_count))

    def transform(self, data: PyTree, prepared: PyTree) -> PyTree:
        """Every fold's view of the whole data set; leaves ``(folds, rows, ...)``."""
        return lax.map(lambda one: self.objective.transform(one, data), prepared)

    def refill(self, slots: Slots, assignment: Assignment, table: FoldTable) -> Slots:
        """The slots, with new members where ``assignment.fresh``."""
        started = self.fresh(assignment, table)
        return jax.vmap(_select)(assignment.fresh, started, slots)

    def place(self, slots: Slots, fresh: Array, rows: Slots) -> Slots:
        """The slots, with ``rows`` of members that trained before where ``fresh``; they go on from there."""
        going = rows._replace(status=jnp.full_like(rows.status, RUNNING))
        return jax.vmap(_select)(fresh, going, slots)

    def fresh(self, assignment: Assignment, table: FoldTable) -> Slots:
        """Every slot at its start."""

        state, best = self._start(assignment.key, assignment.hyper, assignment.fold, table)
        slots = assignment.key.shape[0]
        zero = jnp.zeros(slots, jnp.int32)
        return Slots(
            state=state,
            best=best,
            key=assignment.key,
            hyper=assignment.hyper,
            fold=assignment.fold,
            status=jnp.full(slots, RUNNING, jnp.int32),
            epoch=zero,
            best_epoch=zero,
            best_value=jnp.full(slots, jnp.inf, jnp.float32),
        )

    def chunk(
        self, slots: Slots, data: PyTree, table: FoldTable, limits: Limits, epochs: Array
    ) -> tuple[Slots, dict[str, Array]]:
        """Train every running slot for up to ``epochs`` epochs.

        Returns the slots and the history, ``(shape.history, slots)`` a metric,
        NaN where a slot did not train.
        """
        lengths = self.objective.lengths(data) if self.shape.buckets else None
        one_epoch = functools.partial(self._epoch, data=data, table=table, limits=limits, lengths=lengths)
        names = jax.eval_shape(one_epoch, slots)[1]
        blank = {
            name: jnp.full((self.shape.history, *leaf.shape), jnp.nan, jnp.float32)
            for name, leaf in names.items()
        }

        def going(carry: tuple[Slots, dict[str, Array], Array]) -> Array:
            slots, _, done = carry
            return (done < epochs) & jnp.any(slots.status == RUNNING)

        def epoch(
            carry: tuple[Slots, dict[str, Array], Array],
        ) -> tuple[Slots, dict[str, Array], Array]:
            slots, history, done = carry
            slots, values = one_epoch(slots)
            history = {
                name: lax.dynamic_update_index_in_dim(history[name], values[name], done, 0)
                for name in history
            }
            return slots, history, done + 1

        slots, history, _ = lax.while_loop(going, epoch, (slots, blank, jnp.int32(0)))
        return slots, history

    def score(self, slots: Slots, data: PyTree, table: FoldTable) -> dict[str, Metric]:
        """The best models' sums and counts over their fold's test rows, leaves ``(slots,)``."""
        return self._pass(slots.best, slots.fold, data, table, table.test, table.test_count)

    def outputs(self, slots: Slots, data: PyTree, table: FoldTable) -> PyTree:
        """The best models' predictions for their fold's test rows, ``(slots, padded, ...)``."""
        size = min(self.shape.evaluation_batch, max(1, table.test.shape[1]))
        gather = self._gather

        def one(model: PyTree, fold: Array) -> PyTree:
            rows = table.test[fold]
            blocks = -(-rows.shape[0] // size)
            padded = jnp.pad(rows, (0, blocks * size - rows.shape[0])).reshape(blocks, size)
            predicted = lax.map(lambda block: self.objective.predict(model, gather(data, block)), padded)
            return jax.tree.map(
                lambda leaf: leaf.reshape((blocks * size, *leaf.shape[2:]))[: rows.shape[0]], predicted
            )

        return _each(one, (slots.best, slots.fold))

    # One epoch of every slot

    def _epoch(
        self, slots: Slots, data: PyTree, table: FoldTable, limits: Limits, lengths: Array | None
    ) -> tuple[Slots, dict[str, Array]]:
        running = slots.status == RUNNING
        state, trained = self._train(slots, running, data, table, limits, lengths)
        models = jax.vmap(self.objective.export)(state)
        measured = self._pass(models, slots.fold, data, table, table.validation, table.validation_count)
        values = {f"train/{k}": m.value for k, m in trained.items()}
        values |= {f"validation/{k}": m.value for k, m in measured.items()}

        judged = measured or trained
        value = judged[self.objective.monitor].value
        healthy = jnp.isfinite(value)
        for metric in trained.values():
            healthy &= jnp.isfinite(metric.total)
        # without a held-out measure the latest epoch is the best one
        better = running & healthy & ((value < slots.best_value) if measured else True)
        now = slots.epoch + 1
        best_epoch = jnp.where(better, now, slots.best_epoch)
        over = now - best_epoch >= limits.patience
        over |= jax.vmap(lambda one: jnp.asarray(self.objective.over(one)))(state)
        status = jnp.select(
            [~healthy, now >= limits.epochs, over, now >= limits.until],
            [DIVERGED, FINISHED, STOPPED, PAUSED],
            RUNNING,
        )
        slots = slots._replace(
            state=state,
            best=jax.vmap(_select)(better, models, slots.best),
            status=jnp.where(running, status, slots.status).astype(jnp.int32),
            epoch=jnp.where(running, now, slots.epoch),
            best_epoch=best_epoch,
            best_value=jnp.where(better, value, slots.best_value),
        )
        return slots, {k: jnp.where(running, v, jnp.nan) for k, v in values.items()}

    def _train(
        self,
        slots: Slots,
        running: Array,
        data: PyTree,
        table: FoldTable,
        limits: Limits,
        lengths: Array | None,
    ) -> tuple[PyTree, dict[str, Metric]]:
        steps = self.steps(table)[slots.fold]
        hyper = {**slots.hyper, "total_steps": (steps * limits.epochs).astype(jnp.float32)}
        order = jax.vmap(self._order, in_axes=(0, 0, 0, None))(slots.key, slots.epoch, slots.fold, table)
        member = (order, slots.key, hyper, slots.epoch, slots.fold)
        steps = jnp.where(running, steps, 0)
        update = functools.partial(self._update, data, table)
        # a Python 0, as the loops below count: another kind of integer would be traced once more
        together, shapes = _abreast(functools.partial(update, 0), (slots.state, *member))
        zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape[1:], leaf.dtype), shapes[1])
        buckets = self.shape.buckets or ()

        def alone(one: tuple[PyTree, PyTree, Array]) -> tuple[PyTree, dict[str, Metric]]:
            state, member, steps = one
            if lengths is not None:
                order, key, _, epoch, fold = member
                drawn = jax.random.fold_in(_stream(key, _BATCHES), epoch)
                size = self.shape.batch_size
                member = (alike(drawn, order, lengths, table.train_count[fold], size), *member[1:])

            def step(t: Array, carry: tuple[PyTree, dict[str, Metric]]) -> tuple[PyTree, dict[str, Metric]]:
                state, sums = carry
                if lengths is None:
                    state, metrics = update(t, state, *member)
                else:
                    bucket = bucket_of(lengths[self._places(t, member[0])], buckets)
                    branches = [functools.partial(update, length=end) for end in buckets]
                    state, metrics = lax.switch(bucket, branches, t, state, *member)
                return state, jax.tree.map(jnp.add, sums, metrics)

            return lax.fori_loop(0, steps, step, (state, zero))

        if not together:
            return lax.map(alone, (slots.state, member, steps))

        def step(t: Array, carry: tuple[PyTree, dict[str, Metric]]) -> tuple[PyTree, dict[str, Metric]]:
            state, sums = carry
            new, metrics = jax.vmap(functools.partial(update, t))(state, *member)
            active = t < steps
            metrics = jax.tree.map(lambda part: jnp.where(active, part, 0.0), metrics)
            return jax.vmap(_select)(active, new, state), jax.tree.map(jnp.add, sums, metrics)

        sums = jax.tree.map(lambda leaf: jnp.zeros((len(steps), *leaf.shape), leaf.dtype), zero)
        return lax.fori_loop(0, jnp.max(steps), step, (slots.state, sums))

    @functools.cached_property
    def _start(self) -> Callable[..., tuple[PyTree, PyTree]]:
        """Every slot's first state and what is exported of it; traced once, like ``_update``."""

        def start(
            key: Array, hyper: dict[str, Array], fold: Array, table: FoldTable
        ) -> tuple[PyTree, PyTree]:
            prepared = jax.tree.map(lambda leaf: leaf[fold], table.prepared)
            state = self.objective.init(_stream(key, _INIT), hyper, prepared)
            return state, self.objective.export(state)

        return jax.jit(jax.vmap(start, in_axes=(0, 0, 0, None)))

    @functools.cached_property
    def _update(self) -> Callable[..., tuple[PyTree, dict[str, Metric]]]:
        """One step of one member; jitted inside the chunk so that it is traced once, whatever loops are around it."""

        def update(
            data: PyTree,
            table: FoldTable,
            t: Array,
            state: PyTree,
            order: Array,
            key: Array,
            hyper: dict[str, Array],
            epoch: Array,
            fold: Array,
            length: int | None = None,
        ) -> tuple[PyTree, dict[str, Metric]]:
            batch = self._batch(t, order, fold, data, table)
            if length is not None:
                batch = batch._replace(data=self.objective.shorten(batch.data, length))
            key = jax.random.fold_in(jax.random.fold_in(_stream(key, _STEP), epoch), t)
            return self.objective.update(state, batch, key, hyper)

        return jax.jit(update, static_argnames="length")

    def _pass(
        self,
        models: PyTree,
        fold: Array,
        data: PyTree,
        table: FoldTable,
        index: Array,
        count: Array,
    ) -> dict[str, Metric]:
        """Sums and counts over the rows ``index[fold]`` of every slot: each row once, none left out."""
        rows = index.shape[1]
        if data is None or rows == 0:
            return {}
        size = min(self.shape.evaluation_batch, rows)
        blocks = -(-rows // size)
        index = jnp.pad(index, ((0, 0), (0, blocks * size - rows)))

        def part(block: Array) -> dict[str, Metric]:
            here = lax.dynamic_slice_in_dim(index, block * size, size, axis=1)[fold]
            weight = (block * size + jnp.arange(size) < count[fold][:, None]).astype(jnp.float32)
            evaluate = functools.partial(self._evaluate, data, table)
            return _each(evaluate, (models, fold, here, weight))

        if blocks == 1:
            return part(jnp.int32(0))
        zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(part, jnp.int32(0)))
        return lax.fori_loop(0, blocks, lambda b, sums: jax.tree.map(jnp.add, sums, part(b)), zero)

    @functools.cached_property
    def _evaluate(self) -> Callable[..., dict[str, Metric]]:
        """The objective's measures of one model on its own rows; traced once, like ``_update``."""

        def evaluate(
            data: PyTree, table: FoldTable, model: PyTree, fold: Array, rows: Array, weight: Array
        ) -> dict[str, Metric]:
            return self.objective.evaluate(model, Batch(self._rows(data, table, fold, rows), weight))

        return jax.jit(evaluate)

    # Rows and batches of one member

    def steps(self, table: FoldTable) -> Array:
        """Updates in an epoch of each fold, ``(folds,)`` int32: the last batch may be partial."""
        if self.shape.steps_per_epoch is not None:
            return jnp.full(table.train_count.shape, self.shape.steps_per_epoch, jnp.int32)
        return -(-jnp.asarray(table.train_count) // self.shape.batch_size)

    def _order(self, key: Array, epoch: Array, fold: Array, table: FoldTable) -> Array:
        """The epoch's rows, shuffled, ``(batches * batch_size,)``."""
        drawn = jax.random.fold_in(_stream(key, _SHUFFLE), epoch)
        return shuffled(drawn, table.train[fold], table.train_count[fold], self.shape.batch_size)

    def _places(self, t: Array, order: Array) -> Array:
        """The rows of the batch ``t``."""
        return lax.dynamic_slice_in_dim(order, t * self.shape.batch_size, self.shape.batch_size)

    def _batch(self, t: Array, order: Array, fold: Array, data: PyTree, table: FoldTable) -> Batch:
        if data is None or order.shape[0] == 0:
            return Batch(None, jnp.zeros((0,), jnp.float32))
        size = self.shape.batch_size
        rows = self._places(t, order)
        weight = (t * size + jnp.arange(size) < table.train_count[fold]).astype(jnp.float32)
        return Batch(self._rows(data, table, fold, rows), weight)

    @property
    def leafwise(self) -> bool:
        """Whether a row is an entry of every leaf, so that all rows can be transformed at once."""
        own = getattr(type(self.objective), "gather", None)
        return own is None or own is BaseObjective.gather

    def _gather(self, data: PyTree, rows: Array) -> PyTree:
        if self.leafwise:
            return BaseObjective().gather(data, rows)
        return self.objective.gather(data, rows)

    def _rows(self, data: PyTree, table: FoldTable, fold: Array, rows: Array) -> PyTree:
        """The fold's view of some rows."""
        if table.rows is not None:
            return jax.tree.map(lambda leaf: leaf[fold, rows], table.rows)
        prepared = jax.tree.map(lambda leaf: leaf[fold], table.prepared)
        return self.objective.transform(prepared, self._gather(data, rows))


def program_of(objective: Objective, shape: Shape) -> Program:
    """The program of an objective: the same one for an equal objective, so that it is traced once a process.

    Only a frozen dataclass of hashable fields is looked up; what may change under its name is traced anew.
    """
    parameters = getattr(objective, "__dataclass_params__", None)
    if parameters is None or not parameters.frozen:
        return Program(objective, shape)
    try:
        hash(objective)
    except TypeError:  # a field that cannot be hashed
        return Program(objective, shape)
    hashable: Any = objective
    return _known_program(hashable, shape)


@functools.lru_cache(maxsize=16)
def _known_program(objective: Objective, shape: Shape) -> Program:
    return Program(objective, shape)


def _stream(key_data: Array, stream: int) -> Array:
    """One of a member's independent streams of randomness, as a typed key."""
    return jax.random.fold_in(keys.wrap(key_data), stream)


def _select(flag: Array, new: PyTree, old: PyTree) -> PyTree:
    """``new`` where the scalar ``flag`` holds, else ``old``; leaves that were passed through cost nothing."""
    return jax.tree.map(lambda n, o: o if n is o else jnp.where(flag, n, o), new, old)


def _each(function: Callable[..., PyTree], stacks: tuple[PyTree, ...]) -> PyTree:
    """The function of every slot: abreast, or one slot after the other where each has much to do."""
    if _abreast(function, stacks)[0]:
        return jax.vmap(function)(*stacks)
    return lax.map(lambda one: function(*one), stacks)


def _abreast(function: Callable[..., PyTree], stacks: tuple[PyTree, ...]) -> tuple[bool, PyTree]:
    """Whether slots go through the function abreast, and the shapes of what it gives them."""
    traced, shapes = jax.make_jaxpr(jax.vmap(function), return_shape=True)(*stacks)
    slots = jax.tree.leaves(stacks)[0].shape[0]
    return abreast(bytes_written(traced) // slots, jax.default_backend()), shapes
