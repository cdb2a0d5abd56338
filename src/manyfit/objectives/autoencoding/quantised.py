"""VQ-VAE: codes from a learned list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.engine.objective import Array, Key, PyTree
from manyfit.errors import ConfigError, nearest
from manyfit.models.images import check_whole
from manyfit.objectives.autoencoding.base import Autoencoding, Lost, Net
from manyfit.optim.numbers import number
from manyfit.space import Distribution, Numeric

_LEARNED = ("average", "gradient")
_DEAD = 0.05
"""A word used less often than this, for each that would be its even share, is given a new place."""


@dataclass(frozen=True)
class VQVAE(Autoencoding):
    """Reproduce rows from words: the code's ``latent`` numbers are ``latent / width`` words of one codebook.

    The encoder's vector becomes the nearest of ``words`` vectors; the gradient goes past that choice as if it
    were the identity (straight through), and ``commitment`` holds the encoder to its word. The
    codebook follows the vectors that chose it: by their moving ``average`` of decay ``decay``, or by ``gradient``.
    A word that hardly anybody chooses moves to a vector of the batch (Dhariwal et al., 2020, "Jukebox",
    random restarts), which also places the codebook at the first step.

    Source: van den Oord et al. (2017), "Neural discrete representation learning", eq. 3 and appendix A.1.
    ``used`` reports the share of words that are alive.
    """

    words: int = 64
    width: int = 4
    commitment: Numeric = 0.25
    decay: Numeric = 0.99
    learned: Literal["average", "gradient"] = "average"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self, words=self.words, width=self.width)
        if isinstance(self.learned, str) and self.learned not in _LEARNED:
            raise ConfigError(f"learned={self.learned!r}: {nearest(self.learned, _LEARNED)}")
        numbers = (self.latent, self.width)
        if not any(isinstance(n, Distribution) for n in numbers) and self.latent % self.width:
            raise ConfigError(
                f"latent={self.latent} is no whole number of words of width={self.width}: choose a multiple"
            )

    def parts(self, key: Key) -> tuple[dict[str, PyTree], PyTree]:
        """The codebook ``(words, width)``, and how often each word was chosen of late."""
        book = jax.random.normal(key, (self.words, self.width))
        own = {"counts": jnp.zeros(self.words), "dead": jnp.ones(self.words), "spare": book}
        if self.learned == "gradient":
            return {"book": book}, own
        return {}, own | {"book": book, "sums": jnp.zeros_like(book)}

    def book(self, net: Net) -> Array:
        """The codebook, ``(words, width)``."""
        return net.params["book"] if self.learned == "gradient" else net.own["book"]

    def chosen(self, net: Net, vectors: Array) -> Array:
        """The nearest word of each vector ``(n, width)``: int32 ``(n,)``."""
        book = self.book(net)
        square = jnp.sum(book**2, axis=1) - 2.0 * vectors @ book.T
        return jnp.argmin(square, axis=1)

    def codes(self, net: Net, values: Array) -> Array:
        """The words of each row, side by side: ``(B, latent)``."""
        vectors = net.encode(values).reshape(-1, self.width)
        return self.book(net)[self.chosen(net, vectors)].reshape(len(values), self.latent)

    def lost(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The distance, the commitment, and of a codebook that learns by gradient its own pull."""
        vectors = net.encode(values).reshape(-1, self.width)
        place = self.chosen(net, lax.stop_gradient(vectors))
        words = self.book(net)[place]
        through = straight_through(vectors, words).reshape(len(values), self.latent)
        each = self.distance(net, net.decode(through), values, observed)

        def apart(a: Array, b: Array) -> Array:
            return jnp.sum(((a - b) ** 2).reshape(len(values), -1), axis=1)

        each = each + number(self.commitment) * apart(vectors, lax.stop_gradient(words))
        if self.learned == "gradient":
            each = each + apart(lax.stop_gradient(vectors), words)
        own = self._moved(net, lax.stop_gradient(vectors), place, key)
        used = jnp.broadcast_to(1.0 - jnp.mean(own["dead"]), each.shape)
        return Lost(each, {"used": used}, own)

    def after(self, params: PyTree, own: PyTree) -> tuple[PyTree, PyTree]:
        """Dead words take a vector of the batch."""
        dead = own["dead"][:, None] > 0
        if self.learned == "gradient":
            return params | {"book": jnp.where(dead, own["spare"], params["book"])}, own
        return params, own

    def _moved(self, net: Net, vectors: Array, place: Array, key: Key) -> PyTree:
        """The counts, and where the codebook is an average its sums, one step on."""
        vectors, own, decay = vectors.astype(jnp.float32), net.own, number(self.decay)
        hot = jax.nn.one_hot(place, self.words)
        counts = decay * own["counts"] + (1 - decay) * jnp.sum(hot, axis=0)
        even = jnp.sum(counts) / self.words
        spare = vectors[jax.random.randint(key, (self.words,), 0, len(vectors))]
        dead = counts < _DEAD * even
        # a word that is moved starts with an even share, so that it has time to be chosen
        moved: dict[str, Array] = {
            "counts": jnp.where(dead, even, counts),
            "dead": dead.astype(jnp.float32),
            "spare": spare,
        }
        if self.learned == "average":
            sums = decay * own["sums"] + (1 - decay) * hot.T @ vectors
            sums = jnp.where(dead[:, None], spare * even, sums)
            moved |= {"sums": sums, "book": sums / jnp.maximum(moved["counts"], 1e-12)[:, None]}
        return moved


def straight_through(value: Array, other: Array) -> Array:
    """``other``, with the gradient of ``value`` (Bengio et al., 2013)."""
    return value + lax.stop_gradient(other - value)
