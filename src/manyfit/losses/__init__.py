"""Loss functions per example, and the small dataclasses that name them in a configuration.

The functions are pure and written for one member: ``(outputs, target) -> (batch,)``.
A configuration holds a dataclass, whose ``Numeric`` fields may be searched or traced::

    Supervised(MLP(), loss=CrossEntropy(label_smoothing=uniform(0.0, 0.2)))

Whatever the dtype of the outputs, losses are computed in float32 or wider.
"""

from __future__ import annotations

from typing import Any

from manyfit.errors import ConfigError, nearest
from manyfit.losses.classification import (
    CrossEntropy,
    Focal,
    Hinge,
    binary_cross_entropy,
    binary_hinge,
    cross_entropy,
    focal,
    hinge,
    kl_divergence,
    multi_label,
)
from manyfit.losses.crf import crf, crf_log_normaliser, crf_marginals
from manyfit.losses.embeddings import contrastive, info_nce, nt_xent, triplet
from manyfit.losses.likelihoods import (
    Gaussian,
    NegativeBinomial,
    Poisson,
    bernoulli_divergence,
    gaussian,
    gaussian_divergence,
    negative_binomial,
    poisson,
)
from manyfit.losses.loss import Loss
from manyfit.losses.regression import (
    AbsoluteError,
    Huber,
    LogCosh,
    Quantile,
    SquaredError,
    absolute_error,
    huber,
    log_cosh,
    quantile,
    squared_error,
)
from manyfit.losses.segmentation import dice, tversky
from manyfit.losses.sequences import ctc

LOSSES: dict[str, type[Any]] = {
    "cross_entropy": CrossEntropy,
    "focal": Focal,
    "hinge": Hinge,
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "log_cosh": LogCosh,
    "quantile": Quantile,
    "gaussian": Gaussian,
    "poisson": Poisson,
    "negative_binomial": NegativeBinomial,
}
"""Every loss that a configuration may name."""


def named(loss: str | Loss) -> Loss:
    """The loss of that name with its defaults; a loss is returned as it is.

    Raises ``ConfigError`` for an unknown name.

    >>> named("huber")
    Huber(delta=1.0)
    """
    if not isinstance(loss, str):
        return loss
    if loss not in LOSSES:
        raise ConfigError(f"unknown loss {loss!r}: {nearest(loss, LOSSES)}")
    return LOSSES[loss]()


__all__ = [
    "LOSSES",
    "AbsoluteError",
    "CrossEntropy",
    "Focal",
    "Gaussian",
    "Hinge",
    "Huber",
    "LogCosh",
    "Loss",
    "NegativeBinomial",
    "Poisson",
    "Quantile",
    "SquaredError",
    "absolute_error",
    "bernoulli_divergence",
    "binary_cross_entropy",
    "binary_hinge",
    "contrastive",
    "crf",
    "crf_log_normaliser",
    "crf_marginals",
    "cross_entropy",
    "ctc",
    "dice",
    "focal",
    "gaussian",
    "gaussian_divergence",
    "hinge",
    "huber",
    "info_nce",
    "kl_divergence",
    "log_cosh",
    "multi_label",
    "named",
    "negative_binomial",
    "nt_xent",
    "poisson",
    "quantile",
    "squared_error",
    "triplet",
    "tversky",
]
