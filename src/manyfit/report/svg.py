"""The parts of a chart: scales with their ticks, a frame, marks. Every chart is an SVG in a string.

Charts are drawn about 400 units wide, which is the width of a phone: a page sets two beside each
other where it is wide enough, and the text keeps its size. Colours come from the page's style
through classes, so that one drawing serves light, dark and paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from markupsafe import Markup

from manyfit.report.numbers import minus, number

WIDTH, HEIGHT = 400.0, 270.0


@dataclass(frozen=True)
class Chart:
    """A drawing with what is read beside it."""

    heading: str
    svg: Markup
    caption: str = ""
    """One sentence that says how to read it."""
    legend: Sequence[tuple[str, str]] = ()
    """(mark's class, label) pairs."""


@dataclass(frozen=True)
class Scale:
    """From values in [low, high] to units in [start, end], linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    percent: bool = False
    """Whether ticks read as a percentage."""

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, 1e-300))
        share = 0.5 if high == low else (value - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def to(self, start: float, end: float) -> Scale:
        """The same values on other units."""
        return Scale(self.low, self.high, start, end, self.log, self.percent)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values inside the scale, at most about ``most``."""
        if self.log:
            return _log_ticks(self.low, self.high, most)
        step = _step(self.low, self.high, most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, min(last, first + 50) + 1)]

    def label(self, value: float, most: int = 6) -> str:
        """A tick in as many digits as its neighbours need."""
        if self.percent:
            plain = Scale(100 * self.low, 100 * self.high, 0, 1, self.log)
            return f"{plain.label(100 * value, most)} %"
        if self.log or value == 0:
            return _power(value) if value else "0"
        step = _step(self.low, self.high, most)
        if abs(value) >= 1e6 or abs(value) < 1e-4:
            return number(value, 3)
        return minus(f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}")


def scale(
    values: Sequence[float] | np.ndarray, *, log: bool = False, percent: bool = False, pad: float = 0.05
) -> Scale:
    """A scale over the finite values with some air; its units are set by the figure."""
    found = np.asarray(values, np.float64)
    found = found[np.isfinite(found)]
    if log:
        low, high = _log_ends(found[found > 0], pad)
    else:
        low, high = _ends(found, pad)
    return Scale(low, high, 0, 1, log, percent)


def _ends(found: np.ndarray, pad: float) -> tuple[float, float]:
    if not len(found):
        return 0.0, 1.0
    low, high = float(found.min()), float(found.max())
    air = (high - low) * pad
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-12):
        air = 0.1 * abs(low) or 1.0
    return low - air, high + air


def _log_ends(found: np.ndarray, pad: float) -> tuple[float, float]:
    if not len(found):
        return 0.1, 1.0
    low, high = float(found.min()), float(found.max())
    air = (high / low) ** pad if high > low else 2.0
    return low / air, high * air


class Figure:
    """A frame with axes, to which marks are added; those added last lie on top."""

    def __init__(
        self,
        title: str,
        x: Scale,
        y: Scale,
        x_label: str,
        y_label: str,
        *,
        width: float = WIDTH,
        height: float = HEIGHT,
        x_ticks: Sequence[tuple[float, str]] | None = None,
        y_ticks: Sequence[tuple[float, str]] | None = None,
    ) -> None:
        y_marks = [(t, y.label(t)) for t in y.ticks()] if y_ticks is None else y_ticks
        left = 14.0 + 6.2 * max((len(text) for _, text in y_marks), default=1)
        self.width, self.height = width, height
        self.left, self.right, self.top, self.bottom = left, width - 16.0, 26.0, height - 40.0
        self.x, self.y = x.to(self.left, self.right), y.to(self.bottom, self.top)
        self.title, self.parts = title, list[str]()
        most = max(2, int((self.right - self.left) / 62))
        x_marks = [(t, x.label(t, most)) for t in x.ticks(most)] if x_ticks is None else x_ticks
        for at, label in y_marks:
            place = self.y(at)
            self.add(f'<path class="grid" d="M{c(left)} {c(place)}H{c(self.right)}"/>')
            self.text(left - 7, place + 3.8, label, "tick end")
        for at, label in x_marks:
            self.text(self.x(at), self.bottom + 17, label, "tick mid")
            self.add(f'<path class="axis" d="M{c(self.x(at))} {c(self.bottom)}v4"/>')
        self.add(f'<path class="axis" d="M{c(left)} {c(self.bottom)}H{c(self.right)}"/>')
        self.text(0, 12, y_label, "label")
        self.text((self.left + self.right) / 2, height - 5, x_label, "label mid")

    def add(self, part: str) -> None:
        """Add markup."""
        self.parts.append(part)

    def text(self, x: float, y: float, content: str, kind: str) -> None:
        """Add text, escaped."""
        self.add(f'<text class="{kind}" x="{c(x)}" y="{c(y)}">{escape(content)}</text>')

    def line(self, xs: Sequence[float] | np.ndarray, ys: Sequence[float] | np.ndarray, kind: str) -> None:
        """A line, broken where a value is not finite."""
        pieces, pen = [], "M"
        for a, b in zip(xs, ys):
            drawable = math.isfinite(a) and math.isfinite(b) and not (self.y.log and b <= 0)
            if drawable:
                pieces.append(f"{pen}{c(self.x(a))} {c(self.y(b))}")
            pen = "L" if drawable else "M"
        if pieces:
            self.add(f'<path class="{kind}" d="{"".join(pieces)}"/>')

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], kind: str) -> None:
        """The area between two lines."""
        rows = [
            (a, b, d)
            for a, b, d in zip(xs, low, high)
            if math.isfinite(b) and math.isfinite(d) and not (self.y.log and b <= 0)
        ]
        if len(rows) < 2:
            return
        there = [f"{c(self.x(a))} {c(self.y(d))}" for a, _, d in rows]
        back = [f"{c(self.x(a))} {c(self.y(b))}" for a, b, _ in reversed(rows)]
        self.add(f'<path class="{kind}" d="M{"L".join(there + back)}Z"/>')

    def cloud(self, xs: Sequence[float] | np.ndarray, ys: Sequence[float] | np.ndarray, kind: str) -> None:
        """Many dots in one path: a line of no length with round ends each."""
        dots = [f"M{c(self.x(a))} {c(self.y(b))}h0" for a, b in zip(xs, ys)]
        if dots:
            self.add(f'<path class="{kind}" d="{"".join(dots)}"/>')

    def dot(self, x: float, y: float, kind: str, note: str, radius: float = 4.0) -> None:
        """One dot that tells of itself when pointed at."""
        self.add(
            f'<circle class="{kind}" cx="{c(self.x(x))}" cy="{c(self.y(y))}" r="{c(radius)}">'
            f"<title>{escape(note)}</title></circle>"
        )

    def bar(self, left: float, right: float, value: float, kind: str, note: str) -> None:
        """A bar from the bottom up to ``value``, a hair apart from the next one."""
        start, end, top = self.x(left), self.x(right), self.y(value)
        self.add(
            f'<rect class="{kind}" x="{c(start + 0.5)}" y="{c(top)}" width="{c(max(end - start - 1, 0.5))}" '
            f'height="{c(max(self.bottom - top, 0))}"><title>{escape(note)}</title></rect>'
        )

    def whisker(self, x: float, low: float, high: float, kind: str) -> None:
        """An interval of the upward axis."""
        self.add(f'<path class="whisker {kind}" d="M{c(self.x(x))} {c(self.y(low))}V{c(self.y(high))}"/>')

    def mark(self, x: Sequence[float], y: Sequence[float]) -> None:
        """A dashed line of reference between two points."""
        (x0, x1), (y0, y1) = map(self.x, x), map(self.y, y)
        self.add(f'<path class="mark" d="M{c(x0)} {c(y0)}L{c(x1)} {c(y1)}"/>')

    def render(self) -> Markup:
        """The drawing."""
        return document(self.title, self.width, self.height, self.parts)


def document(title: str, width: float, height: float, parts: Sequence[str], kind: str = "chart") -> Markup:
    """An SVG element with an accessible name."""
    name = escape(title, quote=True)
    return Markup(
        f'<svg class="{kind}" role="img" aria-label="{name}" viewBox="0 0 {c(width)} {c(height)}" '
        f'style="--w:{c(width)}px"><title>{name}</title>{"".join(parts)}</svg>'
    )


def c(value: float) -> str:
    """A coordinate, to a tenth of a unit."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def _step(low: float, high: float, most: int) -> float:
    raw = (high - low) / max(most, 1)
    if not raw > 0:
        return 1.0
    base = 10.0 ** math.floor(math.log10(raw))
    for factor in (1.0, 2.0, 5.0, 10.0):
        if factor * base >= raw * (1 - 1e-9):
            return float(factor * base)
    return 10.0 * base


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [f * 10.0**e for e in range(first, last + 1) for f in factors]
        found = [v for v in found if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]
        if len(found) <= most:
            break
    if len(found) > most:
        found = found[:: math.ceil(len(found) / most)]
    if len(found) < 2:
        linear = [v for v in Scale(low, high, 0, 1).ticks(min(most, 4)) if v > 0]
        return linear or found
    return found


def _power(value: float) -> str:
    if 1e-4 <= abs(value) < 1e5:
        return number(value, 3)
    exponent = math.floor(math.log10(abs(value)) + 1e-9)
    factor = value / 10.0**exponent
    raised = "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return raised if abs(factor - 1) < 1e-6 else f"{factor:.0f}·{raised}"
