"""Steps measured against the size of the weights that they change: LAMB and Adafactor."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import optax

from manyfit.optim.adaptive import AdamW
from manyfit.optim.clipping import clipped
from manyfit.optim.optimizer import Rule
from manyfit.space import Numeric


@dataclass(frozen=True)
class LAMB(AdamW):
    """Adam's direction, scaled layer by layer to the length of the weights: for large batches.

    The decay is part of what is scaled.

    Source: You et al. (2020), "Large batch optimization for deep learning".
    """

    learning_rate: Numeric = 2e-3
    eps: Numeric = 1e-6

    def transform(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs:
        """Clip, Adam's direction, decay, trust ratio, learning rate."""
        bounded = [*clipped(self.clip), *self._decayed(), optax.scale_by_trust_ratio()]
        return optax.chain(*bounded, *self._descend(total_steps))


@dataclass(frozen=True)
class Adafactor(Rule):
    """The second moment of a matrix from its row and column means alone: memory of a vector, not a matrix.

    Steps are relative to the root mean square of each array (at least ``eps``), and bounded at
    ``limit`` in their own. The decay of the moments grows as ``1 - t^-decay``. Arrays whose two largest
    axes have at least ``factor_from`` entries are factored.

    Source: Shazeer & Stern (2018), "Adafactor: adaptive learning rates with sublinear memory cost".
    """

    learning_rate: Numeric = 1e-2
    limit: Numeric = 1.0
    decay: Numeric = 0.8
    eps: Numeric = 1e-3
    factor_from: int = 2

    def direction(self) -> list[optax.GradientTransformation]:
        """Factored moments, bounded, relative to the weights."""
        return [
            optax.scale_by_factored_rms(decay_rate=self.decay, min_dim_size_to_factor=self.factor_from),
            optax.clip_by_block_rms(self.limit),
            optax.scale_by_param_block_rms(self.eps),
        ]
