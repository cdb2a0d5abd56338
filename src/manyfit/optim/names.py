"""Optimizers and schedules by name, for the faces and for models on disk."""

from __future__ import annotations

from manyfit.errors import ConfigError, nearest
from manyfit.optim.accumulation import Accumulate
from manyfit.optim.adaptive import AdaGrad, Adam, AdamW, NAdam, RAdam, RMSProp
from manyfit.optim.averaging import EMA, SWA
from manyfit.optim.clipping import ClipAdaptive, ClipNorm, ClipValue
from manyfit.optim.decay import Decay
from manyfit.optim.layers import Freeze, LayerDecay, LayerRates, Rate
from manyfit.optim.momentum import SGD, Lion
from manyfit.optim.muon import Muon
from manyfit.optim.optimizer import Rule
from manyfit.optim.plateau import Plateau
from manyfit.optim.relative import LAMB, Adafactor
from manyfit.optim.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from manyfit.optim.schedules import (
    WSD,
    Constant,
    Cosine,
    Exponential,
    Linear,
    OneCycle,
    Polynomial,
    Schedule,
    Steps,
)
from manyfit.optim.sharpness import SAM

OPTIMIZERS: dict[str, type[Rule]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": NAdam,
    "radam": RAdam,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "adafactor": Adafactor,
    "lion": Lion,
    "lamb": LAMB,
    "muon": Muon,
    "schedule_free_sgd": ScheduleFreeSGD,
    "schedule_free_adamw": ScheduleFreeAdamW,
}
SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "cosine": Cosine,
    "linear": Linear,
    "polynomial": Polynomial,
    "exponential": Exponential,
    "steps": Steps,
    "one_cycle": OneCycle,
    "wsd": WSD,
    "plateau": Plateau,
}
PARTS: tuple[type, ...] = (
    *(*OPTIMIZERS.values(), *SCHEDULES.values()),
    *(SAM, EMA, SWA, Accumulate, Freeze, LayerDecay, LayerRates, Rate),
    *(ClipNorm, ClipValue, ClipAdaptive, Decay),
)
"""Every part that a configuration may hold."""


def named(name: str) -> type[Rule]:
    """The optimizer of that name (``-`` and ``_`` are one); raises ``ConfigError`` with the nearest one."""
    key = name.lower().replace("-", "_")
    if key not in OPTIMIZERS:
        raise ConfigError(f"unknown optimizer {name!r}: {nearest(key, OPTIMIZERS)}")
    return OPTIMIZERS[key]


def named_schedule(name: str) -> type[Schedule]:
    """The schedule of that name (``-`` and ``_`` are one); raises ``ConfigError`` with the nearest one."""
    key = name.lower().replace("-", "_")
    if key not in SCHEDULES:
        raise ConfigError(f"unknown schedule {name!r}: {nearest(key, SCHEDULES)}")
    return SCHEDULES[key]
