"""The encoder of a trained autoencoder as the beginning of another network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.autoencoders import Coder, DenseCoder
from manyfit.nn.linear import Linear


@dataclass(frozen=True)
class TrainedEncoder:
    """The code of an encoder that is trained already, and one linear layer on it; all of it is trained on.

    Pretraining on rows without labels (Hinton & Salakhutdinov, 2006; Erhan et al., 2010, "Why does unsupervised
    pre-training help deep learning?"). ``tasks.pretrained.encoder_of`` makes one of a run folder.

    ``weights`` are the encoder's parameters, and ``source`` names them: equal sources have equal weights.
    Where they are shapes alone, as in a model read from disk, the encoder begins like any other, its own weights
    following. Features are ``values``, as the autoencoder's preprocessing gives them.
    """

    coder: Coder = field(default_factory=DenseCoder)
    latent: int = 16
    heads: int = 1
    """Numbers that the encoder gives for each of the code, of which the first is read."""
    marked: bool = False
    """Whether the encoder also reads which values are shown: all of them."""
    source: str = ""
    weights: Any = field(default=None, compare=False, repr=False)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """From ``values`` ``(B, ...)`` to ``(B, outputs)``.

        Raises ``ConfigError`` for features without values, and weights of an encoder of another shape.
        """
        if "values" not in inputs:
            raise ConfigError(
                "TrainedEncoder reads 'values', as the preprocessing of its autoencoder makes them"
            )
        return _Encoded(self, inputs["values"].shape[1:], outputs, rngs)


class _Encoded(nnx.Module):
    def __init__(self, spec: TrainedEncoder, shape: tuple[int, ...], outputs: int, rngs: nnx.Rngs) -> None:
        if spec.marked:
            shape = (*shape[:-1], shape[-1] + 1) if len(shape) == 3 else (*shape[:-1], 2 * shape[-1])
        self.encoder = spec.coder.encoder(shape, spec.heads * spec.latent, rngs=rngs)
        leaves = jax.tree.leaves(spec.weights)
        if leaves and not isinstance(leaves[0], jax.ShapeDtypeStruct):
            begin(self.encoder, spec.weights)
        self.head = Linear(spec.latent, outputs, rngs=rngs)
        self.latent, self.marked = spec.latent, spec.marked

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x = features["values"]
        if self.marked:
            x = jnp.concatenate([x, jnp.ones_like(x[..., :1] if x.ndim == 4 else x)], axis=-1)
        encoder: Any = self.encoder
        return self.head(encoder(x)[:, : self.latent])


def begin(module: nnx.Module, weights: Any) -> None:
    """Give a module these parameters; raises ``ConfigError`` where they are not its own in number or shape."""
    state = nnx.state(module, nnx.Param)
    own = nnx.to_pure_dict(state)
    shapes = [jax.tree.map(jnp.shape, tree) for tree in (own, weights)]
    if shapes[0] != shapes[1]:
        raise ConfigError(
            "the trained weights are of another network than this: give the coder, the code's size and rows of the "
            "shape that they were trained on"
        )
    nnx.replace_by_pure_dict(state, jax.tree.map(jnp.asarray, weights))
    nnx.update(module, state)
