"""A lane: a stack of slots on the devices, and who sits in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.engine.slots import EMPTY, Slots
from manyfit.errors import RunError


@dataclass
class Lane:
    """``seats[i]`` is the member in slot ``i``, or None for an empty slot."""

    slots: Slots
    seats: list[int | None]
    history: dict[str, jax.Array] | None = field(default=None)
    """What the chunk under way will bring, or None while the lane rests."""

    @property
    def seated(self) -> int:
        """How many members sit here."""
        return sum(seat is not None for seat in self.seats)


def pack(lane: Lane, prefix: str) -> dict[str, np.ndarray]:
    """The lane's leaves as host arrays named ``prefix`` + place; copies, since the devices reuse their buffers."""
    leaves = jax.tree.leaves(lane.slots)
    return {f"{prefix}{i}": _to_host(leaf) for i, leaf in enumerate(leaves)}


def unpack(
    arrays: Mapping[str, np.ndarray], prefix: str, seats: Sequence[int | None], template: Slots
) -> Lane:
    """The lane that ``pack`` packed; ``template`` has the tree and the dtypes of one slot's lane.

    Raises ``RunError`` where the arrays belong to another objective.
    """
    leaves, tree = jax.tree.flatten(template)
    found = []
    for i, leaf in enumerate(leaves):
        name = f"{prefix}{i}"
        if name not in arrays:
            raise RunError(
                f"the checkpoint has no array {name!r}: it belongs to another version of the experiment"
            )
        found.append(_from_host(arrays[name], leaf, len(seats), name))
    return Lane(jax.tree.unflatten(tree, found), list(seats))


def check(kept: int, asked: int) -> None:
    """Raise ``RunError`` where a checkpoint is of another number of members."""
    if kept != asked:
        raise RunError(
            f"the checkpoint is of {kept} networks, and {asked} are asked for: resume with what the run was begun with "
            "(its experiment.json, as it was)"
        )


def rows_of(slots: Slots) -> Callable[[int], Slots]:
    """The lane on the host, to take single slots from: copies, keys as plain words."""
    whole = jax.tree.map(_to_host, slots)
    return lambda slot: jax.tree.map(lambda leaf: leaf[slot].copy(), whole)


def lane_of(rows: Mapping[int, Slots], slots: int, template: Slots) -> Slots:
    """Host arrays of a lane with each row in its slot; what lies in the others means nothing."""
    anything = next(iter(rows.values()))
    each = [rows.get(slot, anything) for slot in range(slots)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *each)
    found: Slots = jax.tree.map(_wrap, stacked, template)
    return found


def pack_rows(rows: Mapping[int, Slots], prefix: str) -> dict[str, np.ndarray]:
    """Rows of members as arrays named ``prefix`` + place, the members in order along the first axis."""
    if not rows:
        return {}
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *rows.values())
    return {f"{prefix}{i}": leaf for i, leaf in enumerate(jax.tree.leaves(stacked))}


def unpack_rows(
    arrays: Mapping[str, np.ndarray], prefix: str, members: Sequence[int], template: Slots
) -> dict[int, Slots]:
    """The rows that ``pack_rows`` packed, by member; raises ``RunError`` where they belong to another objective."""
    if not members:
        return {}
    row = rows_of(unpack(arrays, prefix, members, template).slots)
    return {member: row(place) for place, member in enumerate(members)}


def restack(lanes: Sequence[Lane], slots: int, put: Callable[[Slots], Slots]) -> list[Lane]:
    """The seated members of ``lanes``, in order, in as few lanes of ``slots`` slots as hold them."""
    whole = [jax.tree.map(_to_host, lane.slots) for lane in lanes]
    stacked = jax.tree.map(lambda *leaves: np.concatenate(leaves), *whole)
    seats = [seat for lane in lanes for seat in lane.seats]
    taken = [place for place, seat in enumerate(seats) if seat is not None]
    result = []
    for start in range(0, len(taken), slots):
        here = taken[start : start + slots]
        filled = np.array(here + [here[-1]] * (slots - len(here)))
        cut: Slots = jax.tree.map(lambda leaf, index=filled: leaf[index], stacked)
        status = cut.status.copy()
        status[len(here) :] = EMPTY
        people: list[int | None] = [seats[place] for place in here]
        keyed = jax.tree.map(_wrap, cut._replace(status=status), lanes[0].slots)
        result.append(Lane(put(keyed), people + [None] * (slots - len(here))))
    return result


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _to_host(leaf: Any) -> np.ndarray:
    return np.array(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _wrap(array: np.ndarray, like: Any) -> Any:
    """Words as keys where ``like`` (which may be a mere shape) holds keys."""
    if not _is_key(like):
        return array
    return jax.random.wrap_key_data(jnp.asarray(array), dtype=like.dtype)


def _from_host(array: np.ndarray, like: Any, slots: int, name: str) -> Any:
    if _is_key(like):
        return _wrap(array, like)
    if array.shape != (slots, *like.shape[1:]) or array.dtype != like.dtype:
        raise RunError(
            f"the checkpoint's array {name!r} is {array.dtype} {array.shape} where the experiment has "
            f"{like.dtype} {(slots, *like.shape[1:])}: it belongs to another experiment"
        )
    return array
