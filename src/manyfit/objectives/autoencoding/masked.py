"""The masked autoencoder: the hidden part of a row from the part that is shown."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from manyfit.engine.objective import Array, Key
from manyfit.models.images import check_whole
from manyfit.objectives.autoencoding.base import Autoencoding, Lost, Net, axes_of
from manyfit.optim.numbers import number
from manyfit.space import Numeric

MASKS = 8
"""Masks behind the strangeness of a row."""


@dataclass(frozen=True)
class Masked(Autoencoding):
    """Predict what is hidden of each row: ``share`` of its values, or of an image's patches of ``patch`` pixels.

    The encoder reads the shown values, zeros elsewhere, and which are shown; only hidden values
    cost anything. Codes, reconstructions and scores are of whole rows.

    Source: He et al. (2022), "Masked autoencoders are scalable vision learners", whose encoder leaves hidden
    patches out altogether: there a transformer, here any coder.
    """

    share: Numeric = 0.5
    patch: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self, patch=self.patch)

    def read(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A channel more for an image, twice as many values for a vector."""
        return (*shape[:-1], shape[-1] + 1) if len(shape) == 3 else (*shape[:-1], 2 * shape[-1])

    def codes(self, net: Net, values: Array) -> Array:
        """The codes of whole rows."""
        return net.encode(self.shown(values, jnp.ones_like(values)))

    def lost(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The distance at the hidden places, for as many values as the whole row has."""
        return Lost(self.hidden(net, values, observed, self.mask(values, key)), {})

    def hidden(self, net: Net, values: Array, observed: Array, shown: Array) -> Array:
        """What the hidden places cost, for as many values as the whole row has: ``(B,)``."""
        hidden = observed * (1.0 - shown)
        outputs = net.decode(net.encode(self.shown(values * observed, shown)))
        axes = axes_of(values)
        far = jnp.sum(self.distances(net, outputs, values) * hidden, axis=axes)
        whole, part = jnp.sum(observed, axis=axes), jnp.sum(hidden, axis=axes)
        return far * whole / jnp.maximum(part, 1.0)

    def judged(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The same at places that are always alike."""
        return self.lost(net, values, observed, key)

    def strange(self, net: Net, values: Array, observed: Array, key: Key) -> Array:
        """The mean over some masks, the same for every row, of what the hidden part costs."""
        masks = [
            jnp.broadcast_to(self.mask(values[:1], k), values.shape) for k in jax.random.split(key, MASKS)
        ]
        return jnp.mean(jnp.stack([self.hidden(net, values, observed, one) for one in masks]), axis=0)

    def mask(self, values: Array, key: Key) -> Array:
        """1 where a value is shown, 0 where it is hidden, of the values' shape; patches of images as one."""
        if values.ndim != 4:
            return (jax.random.uniform(key, values.shape) >= number(self.share)).astype(values.dtype)
        rows, height, width, channels = values.shape
        grid = (rows, -(-height // self.patch), -(-width // self.patch))
        shown = (jax.random.uniform(key, grid) >= number(self.share)).astype(values.dtype)
        shown = jnp.repeat(jnp.repeat(shown, self.patch, axis=1), self.patch, axis=2)
        return jnp.broadcast_to(shown[:, :height, :width, None], (rows, height, width, channels))

    def shown(self, values: Array, shown: Array) -> Array:
        """What the encoder reads: the shown values, and where they are."""
        marks = shown[..., :1] if values.ndim == 4 else shown
        return jnp.concatenate([values * shown, marks], axis=-1)
