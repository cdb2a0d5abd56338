"""Dropout whose rate may be traced, one entry a member, with masks that are cheap to draw."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

_STEPS = 1 << 24


class HyperParam(nnx.Variable):
    """A numeric hyper-parameter that a module holds: state that rides through ``vmap``, never trained.

    ``nnx.state(model, HyperParam)`` lists them; an optimizer told to train
    ``nnx.Param`` leaves them alone.
    """


class Dropout(nnx.Module):
    """Sets each input to 0 with probability ``rate`` and scales the others by ``1 / (1 - rate)``.

    It follows ``flax.nnx.Dropout``: active after ``model.train()``, the identity
    after ``model.eval()``, keys from the stream ``dropout``. What differs:

    - ``rate`` may be a traced scalar, so that each member of a population has its
      own. It is kept in ``self.rate`` as a ``HyperParam``; one ``HyperParam`` may
      be shared by several layers. Python's ``0`` is known to be 0 before anything
      is traced: such a layer keeps no state and costs nothing.
    - At a traced rate of 0 the output equals the input bit for bit; at 1 it is 0.
      No gradient flows to the rate.
    - The mask is a counter-based hash of the key (two rounds of a 32-bit mixer)
      rather than one Threefry block an element, which made dropout the dearest
      layer of a small network on a CPU: many times faster there. The rate is
      rounded to a multiple of 2**-24, and the scale is that of the rounded rate,
      so that the expectation is kept exactly.

    Args:
        rate: probability of a zero, in [0, 1].
        broadcast_dims: dimensions along which one mask is shared.
        deterministic: whether to do nothing.
        rng_collection: the stream of ``rngs`` to draw keys from.
        rngs: where keys come from; needed unless ``rate`` is Python's 0 or a call brings its own.

    Raises:
        ValueError: a rate outside [0, 1], or no ``rngs`` when a mask is to be drawn.

    Source: Srivastava et al. (2014), "Dropout", JMLR 15. The mixer's constants were found by
    hash-prospector (C. Wellons, public domain).

    >>> layer = Dropout(0.5, rngs=nnx.Rngs(0))
    >>> y = layer(jnp.ones((4, 8)))                # zeros and twos
    >>> layer.eval()
    >>> y = layer(jnp.ones((4, 8)))                # ones
    """

    def __init__(
        self,
        rate: float | jax.Array | HyperParam,
        *,
        broadcast_dims: Sequence[int] = (),
        deterministic: bool | None = False,
        rng_collection: str = "dropout",
        rngs: nnx.Rngs | nnx.RngStream | None = None,
    ):
        self.broadcast_dims = tuple(broadcast_dims)
        self.deterministic = deterministic
        self.rng_collection = rng_collection
        if isinstance(rate, (int, float)):
            if not 0.0 <= rate <= 1.0 or math.isnan(rate):
                raise ValueError(f"Dropout(rate={rate}): the rate is a probability, give a value in [0, 1]")
            if rate == 0.0:
                self.rate = None
                self.rngs = None
                return
        if not isinstance(rate, HyperParam):
            rate = HyperParam(jnp.asarray(rate, jnp.float32))
        self.rate = rate
        if rngs is None:
            self.rngs = nnx.data(None)
        else:
            stream = rngs[rng_collection] if isinstance(rngs, nnx.Rngs) else rngs
            self.rngs = stream.fork()

    def __call__(
        self,
        inputs: jax.Array,
        *,
        deterministic: bool | None = None,
        rngs: nnx.Rngs | nnx.RngStream | jax.Array | None = None,
    ) -> jax.Array:
        """The masked inputs, of the shape and dtype of ``inputs``."""
        if self.rate is None or (self.deterministic if deterministic is None else deterministic):
            return inputs
        key = self._key(rngs)
        shape = [1 if axis in self._shared(inputs.ndim) else n for axis, n in enumerate(inputs.shape)]
        # 2**24 steps: integers that float32 holds exactly. NaN ends up at 0 rather than anywhere.
        threshold = jnp.clip(jnp.round(lax.stop_gradient(self.rate[...]) * _STEPS), 0, _STEPS)
        keep_rate = 1.0 - threshold / _STEPS
        scale = jnp.where(keep_rate > 0, 1.0 / jnp.maximum(keep_rate, 1.0 / _STEPS), 0.0)
        keep = random_bits(key, tuple(shape)) >> 8 >= threshold.astype(jnp.uint32)
        wide = jnp.promote_types(inputs.dtype, jnp.float32)
        scaled = (inputs.astype(wide) * scale.astype(wide)).astype(inputs.dtype)
        return jnp.where(keep, scaled, jnp.zeros((), inputs.dtype))

    def set_view(self, deterministic: bool | None = None) -> None:
        """What ``nnx.view`` may change."""
        if deterministic is not None:
            self.deterministic = deterministic

    def _shared(self, ndim: int) -> set[int]:
        return {axis % ndim for axis in self.broadcast_dims}

    def _key(self, rngs: nnx.Rngs | nnx.RngStream | jax.Array | None) -> jax.Array:
        source = self.rngs if rngs is None else rngs
        if source is None:
            raise ValueError("Dropout needs keys: give `rngs` to the constructor or to the call")
        if isinstance(source, nnx.Rngs):
            source = source[self.rng_collection]
        return source if isinstance(source, jax.Array) else source()


def random_bits(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Uniform ``uint32`` of ``shape`` from a typed ``key``: a hash of key and position.

    One element-wise expression that XLA fuses into its consumer, so that nothing
    is stored. Good enough for masks and noise; not for cryptography, and not for
    deriving keys (that is ``jax.random``'s work).
    """
    words = jax.random.key_data(key)[..., -2:]
    position = lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    return _mix(_mix(position ^ words[0]) + words[1])


def _mix(x: jax.Array) -> jax.Array:
    """A bijection of 32-bit words in which each input bit flips each output bit about half of the time."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x21F0AAAD)
    x = (x ^ (x >> 15)) * jnp.uint32(0xD35A2D97)
    return x ^ (x >> 15)
