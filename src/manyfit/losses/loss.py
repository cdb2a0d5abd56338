"""What a configuration says of a loss."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

import jax

from manyfit.errors import ConfigError
from manyfit.losses._arrays import Array, wide


@runtime_checkable
class Loss(Protocol):
    """What a configuration says of a loss.

    A loss of numbers may also have ``standardised = False``, where the target has to stay in its own
    units (counts), and ``judges = True``, where it compares epochs and trials itself instead of the
    squared error.
    """

    classification: ClassVar[bool]
    """Whether the target is a class index (else a value)."""

    def __call__(self, outputs: Array, target: Array) -> Array:
        """The loss of each example: ``(batch, outputs)``, ``(batch,)`` -> ``(batch,)``."""
        ...

    def outputs(self, classes: int | None) -> int:
        """How many outputs the model needs; ``classes`` is ``None`` for regression."""
        ...

    def predict(self, outputs: Array) -> Array:
        """What the outputs mean: probabilities ``(batch, classes)`` or values ``(batch,)``."""
        ...


class Classification:
    """A loss of class indices, one output a class."""

    classification: ClassVar[bool] = True

    def outputs(self, classes: int | None) -> int:
        """One logit a class, for two classes as well."""
        if classes is None or classes < 2:
            raise ConfigError(
                f"{type(self).__name__} needs a target of at least 2 classes, and this one has "
                f"{'none (it is a number)' if classes is None else classes}: use a regression loss "
                "such as 'squared_error', or another target"
            )
        return classes

    def predict(self, outputs: Array) -> Array:
        """Probabilities, of the shape of ``outputs``."""
        return jax.nn.softmax(wide(outputs), axis=-1)


class Regression:
    """A loss of values."""

    classification: ClassVar[bool] = False
    standardised: ClassVar[bool] = True
    judges: ClassVar[bool] = False
    width: ClassVar[int] = 1
    """Outputs for one value."""

    def outputs(self, classes: int | None) -> int:
        """As many as the loss has parameters for one value."""
        if classes is not None:
            raise ConfigError(
                f"{type(self).__name__} is for numbers, and this target has {classes} classes: "
                "use 'cross_entropy', or a numeric target"
            )
        return self.width

    def predict(self, outputs: Array) -> Array:
        """Values ``(batch,)`` from ``(batch, 1)``; several outputs stay as they are."""
        return outputs[..., 0] if outputs.shape[-1] == 1 else outputs
