"""What was lived through, kept to be learned from again: fixed-size arrays in a member's own state."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.objectives.reinforcement.priorities import Priorities

Array: TypeAlias = jax.Array


class Transition(NamedTuple):
    """A step of each environment; leaves ``(..., )`` and, of observations and actions, ``(..., numbers)``."""

    observation: Array
    action: Array
    """``(..., numbers)``: an index is one number."""
    reward: Array
    led_to: Array
    """What the step led to, before an ended episode began anew."""
    terminated: Array
    done: Array


class Drawn(NamedTuple):
    """What a lesson is made of, leaves ``(batch, ...)``.

    ``reward`` is the discounted sum over the steps that were taken together, ``led_to`` what the last of
    them led to, and ``discount`` what a value there counts for here: 0 where the episode terminated, and
    not where the time limit cut it.
    """

    observation: Array
    action: Array
    reward: Array
    led_to: Array
    discount: Array
    weight: Array
    """By how much the row counts, at most 1: less where it was drawn more often than evenly."""
    place: Array
    """Which row it is, for its new priority."""


class Replay(NamedTuple):
    """The latest steps of environments side by side; the oldest are written over.

    ``rows`` is one array ``(slots, environments, columns)``, so that a step is one write and a lesson one
    gather; ``written`` counts the slots ever written, int32.
    """

    rows: Array
    written: Array
    priorities: Priorities | None

    @classmethod
    def start(
        cls, slots: int, environments: int, features: int, actions: int, *, prioritised: bool
    ) -> Replay:
        """Nothing yet; ``actions`` is how many numbers an action is."""
        rows = jnp.zeros((slots, environments, 2 * features + actions + 3), jnp.float32)
        kept = Priorities.start(slots * environments) if prioritised else None
        return cls(rows, jnp.int32(0), kept)

    def added(self, seen: Transition, steps: int) -> Replay:
        """With a step of each environment; ``steps`` are how many are taken together when drawn."""
        flat = [seen.observation, seen.action, seen.led_to]
        flags = jnp.stack([seen.reward, *(f.astype(jnp.float32) for f in (seen.terminated, seen.done))], -1)
        row = jnp.concatenate([*flat, flags], axis=-1).astype(jnp.float32)
        slots, environments, _ = self.rows.shape
        slot = self.written % slots
        kept = self.priorities
        if kept is not None:
            here = jnp.arange(environments)
            # a row may be begun with once the steps that follow it are there
            kept = kept.set(slot * environments + here, jnp.zeros(environments))
            begun = (slot - (steps - 1)) % slots
            first = jnp.where(self.written >= steps - 1, kept.most, 0.0)
            kept = kept.set(begun * environments + here, jnp.full(environments, first))
        return Replay(lax.dynamic_update_index_in_dim(self.rows, row, slot, 0), self.written + 1, kept)

    def draw(self, key: Array, batch: int, steps: int, features: int, gamma: Any, importance: Any) -> Drawn:
        """``batch`` rows, each with the ``steps`` from it on that belong to its episode.

        Evenly, or by priority with the weights that make up for it to the power of ``importance``. At
        least ``steps`` slots have to be written.
        """
        slots, environments, _ = self.rows.shape
        if self.priorities is None:
            filled = jnp.minimum(self.written, slots)
            by_age, by_place = jax.random.split(key)
            age = jax.random.randint(by_age, (batch,), 0, jnp.maximum(filled - (steps - 1), 1))
            slot = (self.written - filled + age) % slots
            beside = jax.random.randint(by_place, (batch,), 0, environments)
            place, weight = slot * environments + beside, jnp.ones(batch)
        else:
            place, weight = self.priorities.draw(key, batch, importance)
            slot, beside = place // environments, place % environments
        ahead = (slot[:, None] + jnp.arange(steps)) % slots
        rows = self.rows[ahead, beside[:, None]]
        reward, terminated, done = (rows[..., -3], rows[..., -2], rows[..., -1])
        before = jnp.cumprod(1.0 - done[:, :-1], axis=1)
        alive = jnp.concatenate([jnp.ones((batch, 1)), before], axis=1)
        last = jnp.sum(alive, axis=1).astype(jnp.int32) - 1
        powers = jnp.asarray(gamma, jnp.float32) ** jnp.arange(steps + 1)
        end = jnp.take_along_axis(rows, last[:, None, None], axis=1)[:, 0]
        over = jnp.take_along_axis(terminated, last[:, None], axis=1)[:, 0]
        return Drawn(
            observation=rows[:, 0, :features],
            action=rows[:, 0, features : -3 - features],
            reward=jnp.sum(powers[:-1] * alive * reward, axis=1),
            led_to=end[:, -3 - features : -3],
            discount=powers[last + 1] * (1.0 - over),
            weight=weight,
            place=place,
        )

    def learned(self, place: Array, errors: Array, exponent: Any) -> Replay:
        """With the priorities that these errors give."""
        if self.priorities is None:
            return self
        return self._replace(priorities=self.priorities.seen(place, errors, exponent))
