"""What a trained network makes of rows before it decides: the values that its last layer reads.

They are the space in which generated images are compared with real ones (Heusel et al., 2017, there by a network
trained on ImageNet; here by one that this program trained itself).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.errors import ConfigError, DataError
from manyfit.objectives.opened import opened_members
from manyfit.trace import Program, trace

BLOCK = 250


def hidden_features(objective: Any, model: Any, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """What the last layer of one network reads, float32 ``(rows, features)``.

    ``model`` is what ``objective.export`` gave, ``inputs`` rows as read. Where the last layer reads what no layer
    or activation gives by itself, it is the mean over the positions of the last feature map.

    Raises:
        ConfigError: the objective is no ``Supervised``, or its network has a single layer.
        DataError: there are no rows.
    """
    count = len(next(iter(inputs.values())))
    if not count:
        raise DataError("there are no rows to take features of")
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], model)
    run: Callable[[Any], Any] | None = None
    parts = []
    for start in range(0, count, BLOCK):
        place = np.minimum(np.arange(start, start + BLOCK), count - 1)  # what is short repeats the last row
        rows = {"inputs": {name: leaf[place] for name, leaf in inputs.items()}}
        many = opened_members(objective, one, rows | {"target": np.zeros(BLOCK, np.int32)}, train=False)
        weights, features = jax.tree.map(lambda leaf: leaf[0], (many.weights, many.features))
        if run is None:
            program = trace(many.call, weights, features)
            run = jax.jit(_reader(program, weights, last_read(program)))
        parts.append(np.asarray(run(features))[: count - start])
    return np.concatenate(parts)


def _reader(program: Program, weights: Any, place: int) -> Callable[[Any], jax.Array]:
    def read(features: Any) -> jax.Array:
        value = program.run(weights, features)[1][place]
        return value.reshape(len(value), -1, value.shape[-1]).mean(axis=1).astype(jnp.float32)

    return read


def last_read(program: Program) -> int:
    """The tap whose value the last layer reads: the last before it that has features.

    Raises ``ConfigError`` where there is none.
    """
    taps = program.taps
    layers = [i for i, tap in enumerate(taps) if tap.leaf and not tap.activation]
    for place in reversed(range(layers[-1] if layers else 0)):
        if taps[place].leaf and len(taps[place].shape) in (2, 3, 4):
            return place
    raise ConfigError("the network has a single layer, and so no features of its own: train a deeper one")
