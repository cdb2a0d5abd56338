"""Numbers as a person reads them: the digits that the uncertainty leaves, and no more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

NONE = "–"
PERCENT = frozenset({"accuracy", "balanced_accuracy", "accuracy_unseen"})
"""Metrics that are read as a share of the rows."""
BOUNDED = frozenset(
    {"accuracy", "balanced_accuracy", "auroc", "average_precision", "f1", "f1_macro", "brier", "ece"}
    | {"accuracy_unseen", "span_f1", "span_precision", "span_recall"}
)
"""Metrics that cannot leave [0, 1]."""


def number(value: Any, digits: int = 4) -> str:
    """A value with ``digits`` significant digits, or its text where it is none.

    >>> number(0.00186275), number(1797), number(None), number(1.5e9), number("relu")
    ('0.001863', '1,797', '–', '1.5e9', 'relu')
    """
    if value is None:
        return NONE
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return grouped(value)
    if not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -4 or size >= 7:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return minus(f"{_trimmed(mantissa)}e{int(exponent)}")
    return minus(_trimmed(f"{value:,.{max(0, digits - 1 - size)}f}"))


def grouped(value: int) -> str:
    """An integer with its thousands apart.

    >>> grouped(26122)
    '26,122'
    """
    return minus(f"{value:,}")


def minus(text: str) -> str:
    """A number's text with a true minus sign.

    >>> minus("-0.5")
    '−0.5'
    """
    return text.replace("-", "−")


def plural(count: int, noun: str) -> str:
    """``count`` and the noun in the right number.

    >>> plural(1, "network"), plural(1200, "network")
    ('1 network', '1,200 networks')
    """
    return f"{grouped(count)} {noun}{'' if count == 1 or noun.endswith('series') else 's'}"


def decimals(low: float, high: float, digits: int | None = None) -> int | None:
    """Digits after the point that an interval's width leaves; None if it has no width.

    Half the width shows ``digits`` digits, by default two where it begins with 1, 2 or 3, else one: so the
    last digit is never more than a third of it.

    >>> decimals(0.958, 0.988), decimals(0.967, 0.981), decimals(1.0, 1.0)
    (3, 3, None)
    """
    half = (high - low) / 2.0
    if not math.isfinite(half) or half <= 0:
        return None
    size = math.floor(math.log10(half))
    if digits is None:
        digits = 2 if half < 3.55 * 10.0**size else 1
    return min(max(digits - 1 - size, 0), 8)


def legible(places: int | None, mean: float) -> int | None:
    """``places``, and one more where a small mean would else be a lone digit or a zero.

    >>> legible(1, 0.097), legible(1, 1.0), legible(1, 73.2), legible(3, 0.973)
    (2, 1, 1, 3)
    """
    if places is None or not math.isfinite(mean) or mean == 0:
        return places
    wanted = 1 - math.floor(math.log10(abs(mean)))
    return places + 1 if wanted > places else places


def interval(
    mean: float, low: float, high: float, metric: str = "", *, places: int | None = None
) -> tuple[str, str, str]:
    """Mean and bounds, with ``places`` digits after the point or else those that the interval's width leaves.

    A wide interval still leaves a small mean two digits to read. Bounds of metrics that cannot leave
    [0, 1] are shown within it.

    >>> interval(0.97273496, 0.95765867, 0.98781116)
    ('0.973', '0.958', '0.988')
    >>> interval(0.97273496, 0.95765867, 0.98781116, "accuracy")
    ('97.3 %', '95.8 %', '98.8 %')
    >>> interval(0.0975, -0.52, 0.72)
    ('0.10', '−0.52', '0.72')
    """
    scale, unit = (100.0, " %") if metric in PERCENT else (1.0, "")
    if metric in BOUNDED:
        low = max(low, 0.0) if math.isfinite(low) else low
        high = min(high, 1.0) if math.isfinite(high) else high
    if places is None:
        places = legible(decimals(scale * low, scale * high), scale * mean)
    out = []
    for value in (mean, low, high):
        if not math.isfinite(value):
            out.append(NONE)
        elif places is None or abs(scale * value) >= 1e7:
            out.append(number(scale * value) + unit)
        else:
            out.append(minus(f"{scale * value:,.{places}f}{unit}"))
    return out[0], out[1], out[2]


def share(value: float) -> str:
    """A share as a percentage; only what is all or nothing reads 100 % or 0 %.

    >>> share(0.5), share(0.9996), share(1.0), share(0.0004)
    ('50 %', '99.9 %', '100 %', '0.1 %')
    """
    percent = 100.0 * float(value)
    if percent in (0.0, 100.0) or 1 <= percent < 99.5:
        return f"{percent:.0f} %"
    return f"{min(max(percent, 0.1), 99.9):.1f} %"


def data(value: Any, text: str | None = None) -> Markup:
    """A number with its exact value for machines: ``<data value="0.97273">0.973</data>``."""
    shown = number(value) if text is None else text
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return Markup("{}").format(shown)
    return Markup('<data value="{}">{}</data>').format(repr(value), shown)


def duration(seconds: float) -> str:
    """Seconds in the two units that matter.

    >>> duration(0.1234), duration(8.6), duration(134), duration(3800)
    ('0.12 s', '8.6 s', '2 min 14 s', '1 h 3 min')
    """
    if not math.isfinite(seconds):
        return NONE
    if seconds < 0.995:
        return f"{number(float(seconds), 2)} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


def memory(count: float) -> str:
    """Bytes in decimal units.

    >>> memory(614121472)
    '614 MB'
    """
    if not math.isfinite(count):
        return NONE
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{number(count / size, 3)} {unit}"
    return f"{number(count)} bytes"


_NAMES = {
    "auroc": "area under the ROC curve",
    "average_precision": "average precision",
    "f1": "F1",
    "f1_macro": "F1, mean of the classes",
    "accuracy_unseen": "accuracy of unseen words",
    "span_f1": "F1 of spans",
    "span_precision": "precision of spans",
    "span_recall": "recall of spans",
    "mcc": "Matthews correlation",
    "brier": "Brier score",
    "ece": "calibration error",
    "rmse": "RMSE",
    "mae": "MAE",
    "mse": "MSE",
    "mase": "MASE",
    "r2": "R²",
}


def metric_name(metric: str) -> str:
    """A metric as people write it.

    >>> metric_name("rmse"), metric_name("balanced_accuracy")
    ('RMSE', 'balanced accuracy')
    """
    return _NAMES.get(metric, short_name(metric))


def capital(text: str) -> str:
    """``text`` with a capital first letter, the others as they are."""
    return text[:1].upper() + text[1:]


def short_name(path: str) -> str:
    """The last word of a dotted path, in words.

    >>> short_name("optimizer.learning_rate")
    'learning rate'
    """
    return path.rsplit(".", 1)[-1].replace("_", " ")


def short_names(paths: list[str]) -> dict[str, str]:
    """Short names, and whole paths where two would read alike."""
    short = {path: short_name(path) for path in paths}
    alike = list(short.values())
    return {path: name if alike.count(name) == 1 else path for path, name in short.items()}


def clipped(text: str, most: int) -> str:
    """``text``, cut to ``most`` characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def told_apart(names: Sequence[str], most: int) -> list[str]:
    """Names cut to ``most`` characters: at the end, or in the middle where that would make two alike.

    >>> told_apart(["alpha", "a very long name 1", "a very long name 2"], 10)
    ['alpha', 'a ver…me 1', 'a ver…me 2']
    """
    short = [clipped(name, most) for name in names]
    tail = (most - 1) // 2
    return [
        cut if cut == name or short.count(cut) == 1 else f"{name[: most - 1 - tail]}…{name[-tail:]}"
        for name, cut in zip(names, short)
    ]


def setting(value: Any) -> str:
    """A setting of any kind on one line."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        if set(value) == {"distribution"}:
            return searched(value["distribution"])
        return ", ".join(f"{k} {setting(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(setting(v) for v in value) or "none"
    return number(value)


def searched(space: Any) -> str:
    """A search space in words.

    >>> searched({"kind": "loguniform", "low": 1e-4, "high": 0.1})
    '0.0001 to 0.1 (log)'
    """
    kinds = {"loguniform": "log", "uniform": "", "integer": "whole numbers"}
    if not isinstance(space, Mapping):
        return setting(space)
    if "options" in space and isinstance(space["options"], (list, tuple)):
        return "one of " + ", ".join(map(str, space["options"]))
    kind = str(space.get("kind", ""))
    if "low" in space and "high" in space:
        words = [kinds.get(kind, kind), "log" if space.get("log") else ""]
        how = ", ".join(word for word in words if word)
        return f"{number(space['low'])} to {number(space['high'])}" + (f" ({how})" if how else "")
    return setting({k: v for k, v in space.items() if k != "kind"}) or kind


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
