"""Optimizers and schedules: descriptions whose every number may be searched, one entry a member."""

from manyfit.optim.accumulation import Accumulate
from manyfit.optim.adaptive import AdaGrad, Adam, AdamW, NAdam, RAdam, RMSProp
from manyfit.optim.averaging import EMA, SWA
from manyfit.optim.clipping import ClipAdaptive, ClipNorm, Clipping, ClipValue
from manyfit.optim.decay import Decay
from manyfit.optim.layers import Freeze, LayerDecay, LayerRates, Rate
from manyfit.optim.momentum import SGD, Lion
from manyfit.optim.muon import Muon
from manyfit.optim.names import OPTIMIZERS, PARTS, SCHEDULES, named, named_schedule
from manyfit.optim.optimizer import Optimizer, Rule, State, Step, Wrapper, evaluated, start, step
from manyfit.optim.plateau import Plateau
from manyfit.optim.precision import narrowed, rematerialised
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

__all__ = [
    "EMA",
    "LAMB",
    "OPTIMIZERS",
    "PARTS",
    "SAM",
    "SCHEDULES",
    "SGD",
    "SWA",
    "WSD",
    "Accumulate",
    "AdaGrad",
    "Adafactor",
    "Adam",
    "AdamW",
    "ClipAdaptive",
    "ClipNorm",
    "ClipValue",
    "Clipping",
    "Constant",
    "Cosine",
    "Decay",
    "Exponential",
    "Freeze",
    "LayerDecay",
    "LayerRates",
    "Linear",
    "Lion",
    "Muon",
    "NAdam",
    "OneCycle",
    "Optimizer",
    "Plateau",
    "Polynomial",
    "RAdam",
    "RMSProp",
    "Rate",
    "Rule",
    "Schedule",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "State",
    "Step",
    "Steps",
    "Wrapper",
    "evaluated",
    "named",
    "named_schedule",
    "narrowed",
    "rematerialised",
    "start",
    "step",
]
