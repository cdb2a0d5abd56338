"""A program on its devices: compiled functions over stacks whose leading axis is spread over a mesh."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from manyfit.engine.devices import MEMBER_AXIS, everywhere, memory_available, quickly, spread
from manyfit.engine.member import FoldTable, Rows
from manyfit.engine.objective import PyTree
from manyfit.engine.program import Program
from manyfit.engine.slots import EMPTY, Assignment, Limits, Slots
from manyfit.engine.stored import is_stored

_SPREAD, _WHOLE = PartitionSpec(MEMBER_AXIS), PartitionSpec()

TRANSFORMED_SHARE = 0.15
"""The part of the free memory that the folds' views of the data set may take."""


class Functions(NamedTuple):
    """A program's functions over a mesh, compiled when they are first called with a shape."""

    prepare: Any
    transform: Any
    refill: Any
    place: Any
    chunk: Any
    score: Any
    outputs: Any


@functools.lru_cache(maxsize=16)
def functions(program: Program, mesh: Mesh) -> Functions:
    """The functions of one program object; the same ones again for the next population that it trains."""
    whole = everywhere(mesh)

    def over_devices(
        function: Any, ins: Any, outs: Any, donate: tuple[int, ...] = (), options: Any = None
    ) -> Any:
        mapped = jax.shard_map(function, mesh=mesh, in_specs=ins, out_specs=outs, check_vma=False)
        return jax.jit(mapped, donate_argnums=donate, compiler_options=options)

    # Drawing weights runs seldom, and without this it takes the CPU's compiler longer than training's program.
    quick = quickly(mesh.devices.flat[0].platform)
    return Functions(
        prepare=jax.jit(program.prepare, out_shardings=whole, compiler_options=quick),
        transform=jax.jit(program.transform, out_shardings=whole),
        refill=over_devices(program.refill, (_SPREAD, _SPREAD, _WHOLE), _SPREAD, donate=(0,), options=quick),
        place=over_devices(program.place, (_SPREAD, _SPREAD, _SPREAD), _SPREAD, donate=(0,), options=quick),
        chunk=over_devices(
            program.chunk,
            (_SPREAD, _WHOLE, _WHOLE, _WHOLE, _WHOLE),
            (_SPREAD, PartitionSpec(None, MEMBER_AXIS)),
            donate=(0,),
        ),
        score=over_devices(program.score, (_SPREAD, _WHOLE, _WHOLE), _SPREAD),
        outputs=over_devices(program.outputs, (_SPREAD, _WHOLE, _WHOLE), _SPREAD),
    )


class Compiled:
    """The functions of a program, ready to call on whole lanes.

    The data set and the folds are put on every device once; what is learned
    from training rows before training is computed here, once per fold.
    """

    def __init__(self, program: Program, mesh: Mesh, data: PyTree, folds: Sequence[Rows]) -> None:
        self.program = program
        self.mesh = mesh
        self.compile_seconds = 0.0
        """Wall time of the calls that had to compile, their first execution's dispatch included."""
        self._seen: set[tuple[str, int]] = set()
        whole = everywhere(mesh)
        self.data = jax.device_put(data, whole)
        table = jax.device_put(FoldTable.of(folds), whole)
        calls = functions(program, mesh)
        prepared = calls.prepare(self.data, table)
        self.table = table._replace(prepared=prepared)
        if self._worth_transforming(data, prepared, len(folds)):
            self.table = self.table._replace(rows=calls.transform(self.data, prepared))
        self._calls = calls

    def _worth_transforming(self, data: PyTree, prepared: PyTree, folds: int) -> bool:
        """Whether rows change at all, and every fold's view of them fits into memory beside the rest."""
        if data is None or not self.program.leafwise:
            return False
        if any(map(is_stored, jax.tree.leaves(data, is_leaf=is_stored))):  # there because it is too large
            return False
        changed = []

        def look(data: PyTree, prepared: PyTree) -> PyTree:
            one = jax.tree.map(lambda leaf: leaf[0], prepared)
            found = self.program.objective.transform(one, data)
            before = {id(leaf) for leaf in jax.tree.leaves(data)}
            changed.append(any(id(leaf) not in before for leaf in jax.tree.leaves(found)))
            return found

        jax.eval_shape(look, self.data, prepared)
        if not changed[0]:
            return False
        shapes = jax.eval_shape(self.program.transform, self.data, prepared)
        size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
        copies = self.mesh.size if self.mesh.devices.flat[0].platform == "cpu" else 1
        return size * copies < TRANSFORMED_SHARE * memory_available()

    def empty(self, assignment: Assignment) -> Slots:
        """A lane in which nobody sits."""
        shapes = self.shape_of_slots(assignment)
        blank: Slots = jax.tree.map(_blank, shapes)
        status: Any = np.full(shapes.status.shape, EMPTY, shapes.status.dtype)
        return self._put(blank._replace(status=status))

    def refill(self, slots: Slots, assignment: Assignment) -> Slots:
        """The lane with new members where asked; ``slots`` is used up."""
        return self._timed("refill", slots, self._calls.refill, slots, self._put(assignment), self.table)

    def place(self, slots: Slots, fresh: np.ndarray, rows: Slots) -> Slots:
        """The lane with members that trained before in the slots of ``fresh``; ``slots`` is used up."""
        return self._timed("place", slots, self._calls.place, slots, self._put(fresh), self._put(rows))

    def chunk(self, slots: Slots, limits: Limits, epochs: int) -> tuple[Slots, dict[str, jax.Array]]:
        """Train a lane; returns at once, the result follows. ``slots`` is used up."""
        arguments = (slots, self.data, self.table, limits, jnp.int32(epochs))
        return self._timed("chunk", slots, self._calls.chunk, *arguments)

    def score(self, slots: Slots) -> PyTree:
        """Sums and counts of every slot's best model over its fold's test rows."""
        return self._timed("score", slots, self._calls.score, slots, self.data, self.table)

    def outputs(self, slots: Slots) -> PyTree:
        """Predictions of every slot's best model for its fold's test rows."""
        return self._timed("outputs", slots, self._calls.outputs, slots, self.data, self.table)

    def shape_of_slots(self, assignment: Assignment) -> Slots:
        """The lane's leaves as shapes and dtypes, nothing computed."""
        return jax.eval_shape(self.program.fresh, assignment, self.table)

    def put(self, slots: Slots) -> Slots:
        """A lane of host arrays, on the devices."""
        return self._put(slots)

    def _put(self, tree: PyTree) -> PyTree:
        return jax.device_put(tree, spread(self.mesh))

    def _timed(self, name: str, stack: Any, call: Any, *arguments: Any) -> Any:
        width = int(np.shape(stack.fold)[0])
        if (name, width) in self._seen:
            return call(*arguments)
        self._seen.add((name, width))
        started = time.perf_counter()
        result = call(*arguments)
        self.compile_seconds += time.perf_counter() - started
        return result


def _blank(leaf: jax.ShapeDtypeStruct) -> Any:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        inner = jax.eval_shape(jax.random.key_data, leaf).shape[leaf.ndim :]
        words: Any = np.zeros((*leaf.shape, *inner), np.uint32)
        return jax.random.wrap_key_data(words, dtype=leaf.dtype)
    return np.zeros(leaf.shape, leaf.dtype)
