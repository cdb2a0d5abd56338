"""Forecasters by the names that the field gives them."""

from __future__ import annotations

from typing import Any

from manyfit.errors import ConfigError, nearest
from manyfit.models.linear_forecasters import LinearForecaster, SparseForecaster
from manyfit.models.nhits import NHiTS
from manyfit.models.patch_transformer import PatchTransformer
from manyfit.models.recurrent_forecaster import RecurrentForecaster
from manyfit.models.tcn import TCN

FORECASTERS: dict[str, Any] = {
    "dlinear": LinearForecaster(kernel=25),
    "nlinear": LinearForecaster(instance="last"),
    "rlinear": LinearForecaster(instance="standard"),
    "sparse": SparseForecaster(),
    "patchtst": PatchTransformer(),
    "rnn": RecurrentForecaster("rnn"),
    "lstm": RecurrentForecaster(),
    "gru": RecurrentForecaster("gru"),
    "mingru": RecurrentForecaster("mingru", layers=2),
    "lru": RecurrentForecaster("lru", layers=2),
    "tcn": TCN(),
    "nhits": NHiTS(),
    "nbeats": NHiTS(pools=(1, 1, 1), ratios=(1, 1, 1)),
}
"""Every forecaster that a configuration may name.

One whose class has ``reads_known`` reads what is known of steps to come, with ``reads_channels`` other columns than the
target; the others read the past of each target by itself.
"""

FORECASTER_PARTS = (LinearForecaster, SparseForecaster, PatchTransformer, RecurrentForecaster, TCN, NHiTS)


def named_forecaster(name: str) -> Any:
    """The forecaster of that name; raises ``ConfigError`` with the nearest one.

    >>> named_forecaster("dlinear").kernel
    25
    """
    if name not in FORECASTERS:
        raise ConfigError(f"unknown forecaster {name!r}: {nearest(name, FORECASTERS)}")
    return FORECASTERS[name]
