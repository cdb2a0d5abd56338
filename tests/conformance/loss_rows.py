"""Every loss, one row each: how to call it, its arguments, and a number in it that may be traced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from manyfit import losses

RNG = np.random.default_rng(0)
N, K = 6, 5


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def indices(high: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, high, shape).astype(np.int32)


@dataclass(frozen=True)
class LossRow:
    """``function(*moving, *fixed, **hyper)``: gradients are taken in ``moving``, ``hyper`` is traced."""

    function: Callable[..., Any]
    moving: tuple[np.ndarray, ...]
    fixed: tuple[np.ndarray, ...] = ()
    hyper: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Two settings of every number."""
    extreme: float = 1e4
    """The size of outputs at which value and gradient still have to be finite."""


CLASSES, VALUES = indices(K, N), normal(N)
CHAIN, STEPS = (normal(N, 4, K), normal(K, K), normal(K), normal(K)), np.array([4, 1, 2, 3, 4, 4], np.int32)
ROWS = {
    "cross_entropy": LossRow(
        losses.cross_entropy, (normal(N, K),), (CLASSES,), {"label_smoothing": (0.1, 0.3)}
    ),
    "binary_cross_entropy": LossRow(
        losses.binary_cross_entropy, (normal(N, K),), (indices(2, N, K),), {"positive_weight": (2.0, 3.0)}
    ),
    "multi_label": LossRow(
        losses.multi_label, (normal(N, K),), (indices(2, N, K),), {"positive_weight": (2.0, 3.0)}
    ),
    "focal": LossRow(losses.focal, (normal(N, K),), (CLASSES,), {"gamma": (1.0, 2.0)}),
    "hinge": LossRow(losses.hinge, (normal(N, K),), (CLASSES,), {"margin": (1.0, 2.0)}),
    "binary_hinge": LossRow(losses.binary_hinge, (normal(N),), (indices(2, N),)),
    "kl_divergence": LossRow(losses.kl_divergence, (normal(N, K),), (RNG.dirichlet(np.ones(K), N),)),
    "squared_error": LossRow(losses.squared_error, (normal(N),), (VALUES,)),
    "absolute_error": LossRow(losses.absolute_error, (normal(N),), (VALUES,)),
    "huber": LossRow(losses.huber, (normal(N),), (VALUES,), {"delta": (0.5, 1.0)}),
    "log_cosh": LossRow(losses.log_cosh, (normal(N),), (VALUES,)),
    "quantile": LossRow(losses.quantile, (normal(N),), (VALUES,), {"level": (0.2, 0.9)}),
    "gaussian": LossRow(losses.gaussian, (normal(N), normal(N)), (VALUES,)),
    "poisson": LossRow(losses.poisson, (normal(N),), (indices(9, N),)),
    "negative_binomial": LossRow(losses.negative_binomial, (normal(N), normal(N)), (indices(9, N),)),
    "gaussian_divergence": LossRow(losses.gaussian_divergence, (normal(N, K), normal(N, K)), extreme=80.0),
    "bernoulli_divergence": LossRow(
        losses.bernoulli_divergence, (RNG.uniform(0.1, 0.9, N),), (np.float32(0.2),), extreme=1.0
    ),
    "triplet": LossRow(
        losses.triplet, (normal(N, 3), normal(N, 3), normal(N, 3)), hyper={"margin": (1.0, 2.0)}
    ),
    "contrastive": LossRow(
        losses.contrastive, (normal(N, 3), normal(N, 3)), (indices(2, N),), {"margin": (4.0, 6.0)}
    ),
    "info_nce": LossRow(losses.info_nce, (normal(N, 3), normal(N, 3)), hyper={"temperature": (0.1, 0.5)}),
    "nt_xent": LossRow(losses.nt_xent, (normal(N, 3), normal(N, 3)), hyper={"temperature": (0.1, 0.5)}),
    "dice": LossRow(losses.dice, (normal(N, 4, 3, K),), (indices(K, N, 4, 3),), {"smooth": (0.5, 1.0)}),
    "tversky": LossRow(
        losses.tversky,
        (normal(N, 4, 3, K),),
        (indices(K, N, 4, 3),),
        {"alpha": (0.3, 0.4), "beta": (0.7, 0.6)},
    ),
    "crf": LossRow(losses.crf, CHAIN, (indices(K, N, 4) - np.array([0, 0, 1, 0], np.int32), STEPS)),
    "crf_log_normaliser": LossRow(losses.crf_log_normaliser, CHAIN, (STEPS,)),
    "crf_marginals": LossRow(losses.crf_marginals, CHAIN, (STEPS,)),
    "ctc": LossRow(
        losses.ctc,
        (normal(N, 9, K),),
        (np.full(N, 9, np.int32), 1 + indices(K - 1, N, 3), np.full(N, 3, np.int32)),
        extreme=100.0,
    ),
}
