"""What every metric of predictions is made of."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]


def ratio(total: Any, count: Any) -> float:
    """``total / count``, NaN of nothing."""
    return float(total / count) if count > 0 else float("nan")
