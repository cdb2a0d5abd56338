"""Population-based training: poor trials go on from good ones, with hyper-parameters near theirs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from manyfit.errors import ConfigError
from manyfit.space import Choice, Distribution, Integer, LogUniform


class Heir(NamedTuple):
    """A trial that goes on from another one's networks."""

    source: int
    values: dict[str, Any]


@dataclass(frozen=True)
class Evolution:
    """Every ``every`` epochs the worst ``share`` of the trials take over the best ones' weights and settings.

    Each inherited number is then moved: multiplied or divided by ``factor`` (on a linear scale: shifted by as
    much of the range), or with probability ``resample`` drawn anew. What is learned is a schedule of
    hyper-parameters, not a setting: the final values alone, from the start, need not do as well.

    Source: Jaderberg et al. (2017), "Population based training of neural networks"; the 20 % and the factor
    of 1.2 are theirs.
    """

    every: int = 5
    share: float = 0.2
    factor: float = 1.2
    resample: float = 0.25

    def __post_init__(self) -> None:
        if self.every < 1 or not 0 < self.share <= 0.5 or self.factor <= 1 or not 0 <= self.resample <= 1:
            raise ConfigError(
                f"every={self.every}, share={self.share}, factor={self.factor}, resample={self.resample}: give at "
                "least 1 epoch, a share up to a half, a factor above 1 and a probability"
            )

    def rungs(self, epochs: int) -> list[int]:
        """Epochs below ``epochs`` after which trials are compared."""
        return list(range(self.every, epochs, self.every))

    def heirs(
        self,
        losses: Mapping[int, float],
        values: Mapping[int, Mapping[str, Any]],
        space: Mapping[str, Distribution],
        *,
        rung: int,
        seed: int,
    ) -> dict[int, Heir]:
        """Which trials take over from which, the same ones for the same arguments.

        Args:
            losses: trial -> its present loss; infinite where it diverged.
            values: trial -> its present numbers by name.
            space: the range of each name.
            rung: epochs trained.
            seed: of who inherits from whom, and of what is moved where.
        """
        order = sorted(losses, key=lambda trial: (losses[trial], trial))
        count = math.floor(self.share * len(order))
        alive = [trial for trial in order[: max(count, 1)] if math.isfinite(losses[trial])]
        if not count or not alive:
            return {}
        rng = np.random.default_rng([seed, rung])
        found = {}
        for trial in sorted(order[-count:]):
            source = int(rng.choice(alive))
            if not losses[source] < losses[trial]:
                continue
            near = {name: self._moved(space[name], value, rng) for name, value in values[source].items()}
            found[trial] = Heir(source, near)
        return found

    def _moved(self, kind: Distribution, value: Any, rng: np.random.Generator) -> Any:
        again, up = rng.random() < self.resample, rng.random() < 0.5
        drawn = kind.at(float(rng.random()))
        if again:
            return drawn
        low, high = kind.at(0.0), kind.at(1.0)
        if isinstance(kind, Choice):
            return value
        if isinstance(kind, LogUniform) or (isinstance(kind, Integer) and kind.log):
            near = value * self.factor if up else value / self.factor
        else:
            step = (self.factor - 1.0) * (high - low) / 2
            near = value + step if up else value - step
        near = min(high, max(low, near))
        return round(near) if isinstance(kind, Integer) else float(near)
