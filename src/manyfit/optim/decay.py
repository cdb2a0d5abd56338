"""Weight decay: which weights shrink, and whether through the gradient or beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import optax

from manyfit.errors import ConfigError
from manyfit.optim.numbers import off
from manyfit.optim.paths import chosen
from manyfit.space import Numeric


@dataclass(frozen=True)
class Decay:
    """Weights shrink by ``learning_rate * rate`` a step (decoupled: Loshchilov & Hutter 2019).

    ``on`` says which: ``"matrices"`` (arrays of two and more dimensions: no bias, no scale of a
    normalisation), ``"all"``, or patterns of parameter paths (``("head.*",)``). ``coupled`` adds
    ``rate * weight`` to the gradient instead, ahead of momentum and moments: the L2 penalty that
    PyTorch's SGD, Adam and RMSprop mean by ``weight_decay``.

    Raises ``ConfigError`` for another word, and for a pattern that matches no parameter.

    >>> from manyfit.optim import AdamW
    >>> optimizer = AdamW(weight_decay=Decay(0.05, on=("layers.*.kernel",)))
    """

    rate: Numeric = 1e-2
    on: str | tuple[str, ...] = "matrices"
    coupled: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.on, str) and self.on not in ("matrices", "all"):
            raise ConfigError(
                f"Decay(on={self.on!r}): give 'matrices', 'all', or a tuple of patterns of parameter paths"
            )

    def transform(self) -> optax.GradientTransformation:
        """Adds ``rate * weight``."""
        return optax.add_decayed_weights(self.rate, mask=self.mask)

    def mask(self, params: Any) -> Any:
        """True where a leaf of ``params`` decays."""
        if self.on == "all":
            return jax.tree.map(lambda leaf: True, params)
        if self.on == "matrices":
            return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
        return chosen(params, tuple(self.on))


def decay_of(asked: Any) -> list[optax.GradientTransformation]:
    """The transformation for a ``Decay`` or a rate; none for a rate of 0."""
    decay = asked if isinstance(asked, Decay) else Decay(asked)
    return [] if off(decay.rate) else [decay.transform()]
