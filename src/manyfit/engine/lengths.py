"""Length buckets: rows of about one length share a batch, which is cut to the shortest bucket that holds them.

Where rows of different lengths are padded to the longest, most of what a step computes may be padding. Cutting a
batch changes nothing but rounding, as nothing looks at padding; which rows share a batch changes (``order.alike``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from manyfit.engine.objective import Array, Objective, PyTree
from manyfit.engine.slots import Shape
from manyfit.errors import ConfigError

MOST_BUCKETS = 3
"""Each is a program of its own to compile."""
WORTH = 0.75
"""The part of the padded rows that buckets may leave over at most to be worth compiling them."""
FEW_ROWS = 4000
"""Rows up to which compiling further programs takes longer than they save."""
_TRIED = 48
"""Lengths at which a bucket may end, spread over the rows."""


def buckets_for(lengths: np.ndarray, most: int = MOST_BUCKETS) -> tuple[int, ...]:
    """The ends of up to ``most`` buckets, ascending, that leave the least padding to rows of these lengths.

    The last is the longest row's. None, ``()``, where rows padded to its length lose little.

    >>> buckets_for(np.array([3, 3, 4, 4, 20]), most=2)
    (4, 20)
    >>> buckets_for(np.array([20, 21, 20, 24]))
    ()
    """
    if len(lengths) == 0:
        return ()
    ordered = np.sort(np.maximum(lengths, 1))
    ends = np.unique(np.quantile(ordered, np.linspace(0, 1, _TRIED), method="higher")).astype(int)
    below = np.searchsorted(ordered, ends, side="right")
    # cost[i]: of all rows up to ends[i] with the buckets so far; a further one ends at ends[i]
    cost, chosen = ends * below, [(int(end),) for end in ends]
    for _ in range(most - 1):
        before = np.concatenate([[0], cost])
        rows = np.concatenate([[0], below])
        table = before[:, None] + ends[None, :] * (below[None, :] - rows[:, None])
        table[np.arange(len(before))[:, None] > np.arange(len(ends))[None, :]] = np.iinfo(np.int64).max
        source = table.argmin(axis=0)
        cost = table[source, np.arange(len(ends))]
        chosen = [
            (int(end),) if source[i] == 0 else (*chosen[source[i] - 1], int(end))
            for i, end in enumerate(ends)
        ]
    return chosen[-1] if cost[-1] <= WORTH * ends[-1] * len(ordered) else ()


def with_buckets(shape: Shape, objective: Objective, data: PyTree) -> Shape:
    """The shape with its buckets settled: those asked for, or planned by the lengths of all rows there are.

    Raises ``ConfigError`` for buckets that are none, or of rows without a length.
    """
    known = getattr(objective, "lengths", None)
    found = None if known is None or data is None else known(data)
    lengths, asked = np.asarray([] if found is None else found), shape.buckets
    if not asked:
        planned = asked is None and len(lengths) >= FEW_ROWS
        return dataclasses.replace(shape, buckets=buckets_for(lengths) if planned else ())
    if found is None:
        raise ConfigError(f"length buckets {list(asked)}: these rows have no length; leave them out")
    if min(asked) < 1 or list(asked) != sorted(set(asked)):
        raise ConfigError(f"length buckets {list(asked)}: give whole numbers that rise from 1 on")
    longest = int(lengths.max(initial=1))
    return dataclasses.replace(shape, buckets=(*(end for end in asked if end < longest), longest))


def bucket_of(lengths: Array, buckets: Sequence[int]) -> Array:
    """The place of the shortest bucket that holds all of ``lengths``, int32 scalar."""
    return jnp.sum(jnp.max(lengths) > jnp.array(buckets[:-1], jnp.int32), dtype=jnp.int32)
