"""One network and one optimizer: the state that most objectives hold, and a step of it.

All for one member. ``state`` has ``weights`` and ``optimizer``, and whatever else its objective keeps there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from manyfit.engine.objective import Array, Hyper, PyTree
from manyfit.objectives.module import Weights
from manyfit.optim import Optimizer, evaluated, start, step
from manyfit.space import resolve

Settled = TypeVar("Settled")


def settled(objective: Settled, hyper: Hyper) -> Settled:
    """The objective with a member's numbers in place, without what the engine adds to them."""
    found: Settled = resolve(
        objective, {name: value for name, value in hyper.items() if name != "total_steps"}
    )
    return found


def begun(optimizer: Optimizer, weights: Weights) -> dict[str, PyTree]:
    """Weights and the optimizer's moments, before the first step."""
    return {"weights": weights, "optimizer": start(optimizer, weights.params, weights.rest)}


def learned(
    optimizer: Optimizer,
    mean_loss: Callable[[PyTree], tuple[Array, tuple[PyTree, Any]]],
    state: dict[str, PyTree],
    hyper: Hyper,
    weight: Array,
) -> tuple[dict[str, PyTree], Any]:
    """The state after a step down ``mean_loss``, and what was measured on the way.

    ``mean_loss`` takes the trained values and gives the loss with the module's other arrays and what was measured;
    ``weight``, a scalar, is how much of the batch is real.
    """
    taken = step(
        optimizer,
        mean_loss,
        state["weights"].params,
        state["optimizer"],
        hyper["total_steps"],
        weight=weight,
    )
    return {**state, "weights": Weights(taken.params, taken.rest), "optimizer": taken.state}, taken.found


def final(optimizer: Optimizer, state: dict[str, PyTree]) -> Weights:
    """The weights to evaluate with: an average of them, where the optimizer keeps one."""
    return Weights(*evaluated(optimizer, state["optimizer"], *state["weights"]))
