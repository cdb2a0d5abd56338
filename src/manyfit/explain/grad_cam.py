"""Where in an image a network finds the class: gradient-weighted class activation.

Source: Selvaraju et al. (2017), "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization". With a linear head behind a global average it is the class activation map of Zhou et
al. (2016), up to its negative part, which is cut off.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.errors import ConfigError
from manyfit.objectives.opened import opened_members
from manyfit.trace import Program, trace


def class_activation(features: jax.Array, gradient: jax.Array) -> jax.Array:
    """The map ``(B, h, w)`` of feature maps ``(B, h, w, C)`` and the gradient of the class's logit by them.

    Each channel is weighed by the mean of its gradient over the positions; what speaks against the
    class is cut off at 0.
    """
    weight = jnp.mean(gradient, axis=(1, 2), keepdims=True)
    return jax.nn.relu(jnp.sum(weight * features, axis=-1))


def class_activation_maps(objective: Any, models: Any, data: Any, classes: np.ndarray) -> np.ndarray:
    """Every member's map of the class asked for, ``(members, B, H, W)`` in [0, 1], as large as the image.

    ``models`` is a stack of exported models, ``data`` rows as read with ``inputs["pixels"]``
    ``(B, H, W, C)`` and a ``target``, ``classes`` ``(B,)`` int. Maps are taken at the last feature map
    that has positions and scaled by their greatest value; a map that is 0 everywhere stays so.

    Raises:
        ConfigError: the network has no such feature map, or there are no images.
    """
    if "pixels" not in data["inputs"]:
        raise ConfigError("class activation is of images: the data have no pixels")
    height, width = data["inputs"]["pixels"].shape[1:3]
    many = opened_members(objective, models, data, train=False)
    one = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), (many.weights, many.features)
    )
    program = trace(many.call, *one)
    place = feature_map(program)
    wanted = jnp.asarray(classes)

    def maps(weights: Any, inputs: Any) -> jax.Array:
        def logit(push: jax.Array) -> tuple[jax.Array, jax.Array]:
            pushes: list[Any] = [None] * len(program.taps)
            pushes[place] = push
            outputs, values = program.run(weights, inputs, push=pushes)
            column = jnp.minimum(wanted, outputs.shape[1] - 1)[:, None]
            return jnp.sum(jnp.take_along_axis(outputs, column, axis=1)), values[place]

        gradient, features = jax.grad(logit, has_aux=True)(program.zeros()[place])
        found = class_activation(features, gradient)
        grown = jax.image.resize(found, (found.shape[0], height, width), "linear")
        top = jnp.max(grown, axis=(1, 2), keepdims=True)
        return jnp.clip(grown / jnp.where(top > 0, top, 1.0), 0.0, 1.0)

    return np.asarray(jax.jit(jax.vmap(maps))(many.weights, many.features))


def feature_map(program: Program) -> int:
    """The last tap whose value has rows, columns and channels.

    Raises ``ConfigError`` where there is none.
    """
    for place in reversed(range(len(program.taps))):
        shape = program.taps[place].shape
        if len(shape) == 4 and shape[1] * shape[2] > 1:
            return place
    raise ConfigError("the network has no feature map with positions, so that there is nowhere to point at")


def agreement(maps: np.ndarray) -> np.ndarray:
    """How alike the members' maps are, ``(members, B, H, W)`` -> ``(B,)``: the mean correlation of two members.

    NaN with fewer than two members whose maps are not flat.

    >>> one = np.array([[[0.0, 1.0], [0.0, 0.0]]])
    >>> agreement(np.stack([one, one])).round(6).tolist()
    [1.0]
    """
    members, rows = maps.shape[:2]
    flat = maps.reshape(members, rows, -1).astype(np.float64)
    flat = flat - flat.mean(axis=2, keepdims=True)
    size = np.linalg.norm(flat, axis=2, keepdims=True)
    unit = np.divide(flat, size, out=np.zeros_like(flat), where=size > 0)
    real = (size[:, :, 0] > 0).sum(axis=0)
    total = (unit.sum(axis=0) ** 2).sum(axis=1) - real  # the sum over pairs, without each with itself
    pairs = real * (real - 1)
    return np.divide(total, pairs, out=np.full(rows, np.nan), where=pairs > 0)
