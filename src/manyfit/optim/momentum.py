"""Descent along the gradient's running mean: SGD with momentum, and Lion, which takes its sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import optax

from manyfit.optim.numbers import off
from manyfit.optim.optimizer import Rule
from manyfit.space import Numeric


@dataclass(frozen=True)
class SGD(Rule):
    """Stochastic gradient descent with momentum (Polyak 1964), on request Nesterov's.

    The momentum is PyTorch's: ``m = momentum * m + gradient``. Weight decay is decoupled;
    ``Decay(rate, on="all", coupled=True)`` is the L2 penalty of other libraries.

    >>> optimizer = SGD(learning_rate=0.1, momentum=0.9, nesterov=True)
    """

    learning_rate: Numeric = 1e-2
    momentum: Numeric = 0.9
    nesterov: bool = False

    search: ClassVar[tuple[float, float]] = (3e-3, 3e-1)

    def direction(self) -> list[optax.GradientTransformation]:
        """The momentum."""
        return [] if off(self.momentum) else [optax.trace(self.momentum, nesterov=self.nesterov)]


@dataclass(frozen=True)
class Lion(Rule):
    """The sign of a running mean: every weight moves by the same amount (Chen et al. 2023).

    Its rate is to be 3 to 10 times smaller than Adam's, its weight decay as much larger.

    >>> optimizer = Lion(learning_rate=1e-4, weight_decay=0.1)
    """

    learning_rate: Numeric = 3e-4
    b1: Numeric = 0.9
    b2: Numeric = 0.99

    search: ClassVar[tuple[float, float]] = (3e-5, 1e-3)

    def direction(self) -> list[optax.GradientTransformation]:
        """The sign."""
        return [optax.scale_by_lion(self.b1, self.b2)]
