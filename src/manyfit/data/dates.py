"""Dates and times as texts: which way of writing a column uses, and what it means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

STYLES = ("iso", "year first", "day first", "month first", "named month")
PARTS = ("year", "week", "day")
"""Cycles that a date may go through: the time of the year, of the week, of the day."""

_CLOCK = r"(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*([AaPp][Mm])?)?"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?!\d)")
_YEAR_FIRST = re.compile(r"(\d{4})([/.])(\d{1,2})\2(\d{1,2})" + _CLOCK)
_YEAR_LAST = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})" + _CLOCK)
_DAY_NAME = re.compile(r"(\d{1,2})[ -]([A-Za-z]{3,9})\.?[ -](\d{4})" + _CLOCK)
_NAME_DAY = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})" + _CLOCK)
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)


class Dates(NamedTuple):
    """Parsed texts: ``values`` datetime64[us] ``(n,)`` (UTC where a zone was given), NaT where ``bad``."""

    values: np.ndarray
    bad: np.ndarray
    style: str
    ambiguous: bool = False
    """Day first and month first were both possible: month first was taken."""


def style_of(values: Sequence[str]) -> tuple[str, bool] | None:
    """How the texts write a date, and whether that is a guess; None when the first is no date."""
    first = next(iter(values), "")
    if _ISO.match(first):
        return "iso", False
    if _YEAR_FIRST.fullmatch(first):
        return "year first", False
    if _DAY_NAME.fullmatch(first) or _NAME_DAY.fullmatch(first):
        return "named month", False
    if not _YEAR_LAST.fullmatch(first):
        return None
    found = [m for m in map(_YEAR_LAST.fullmatch, values) if m]
    if any(int(m[1]) > 12 for m in found) or found[0][2] == ".":
        return "day first", False
    return "month first", not any(int(m[3]) > 12 for m in found)


def parse_dates(values: Sequence[str], style: str | None = None) -> Dates | None:
    """The texts as dates of one style (found out where None); None when they are not dates at all."""
    ambiguous = False
    if style is None:
        found = style_of(values)
        if found is None:
            return None
        style, ambiguous = found
    parsed = [_parse(value, style) for value in values]
    dates = np.array([np.datetime64("NaT", "us") if d is None else d for d in parsed], "datetime64[us]")
    return Dates(dates, np.array([d is None for d in parsed], bool), style, ambiguous)


def _parse(text: str, style: str) -> datetime | None:
    try:
        if style == "iso":
            moment = datetime.fromisoformat(text)
            return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
        if style == "named month":
            match = _DAY_NAME.fullmatch(text)
            if match:
                return _moment(match[3], _month(match[2]), match[1], match.groups()[3:])
            match = _NAME_DAY.fullmatch(text)
            return match and _moment(match[3], _month(match[1]), match[2], match.groups()[3:])
        if style == "year first":
            match = _YEAR_FIRST.fullmatch(text)
            return match and _moment(match[1], match[3], match[4], match.groups()[4:])
        match = _YEAR_LAST.fullmatch(text)
        if match is None:
            return None
        day, month = (match[1], match[3]) if style == "day first" else (match[3], match[1])
        return _moment(match[4], month, day, match.groups()[4:])
    except ValueError:
        return None


def _moment(year: str, month: str | int, day: str, clock: Sequence[str | None]) -> datetime:
    hour, minute, second, fraction, half = clock
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError(hours)
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    return datetime(int(year), int(month), int(day), hours, int(minute or 0), int(second or 0), micro)


def _month(name: str) -> int:
    for number, month in enumerate(_MONTHS, 1):
        if month == name.lower() or month[:3] == name.lower():
            return number
    raise ValueError(name)


def days(dates: np.ndarray) -> np.ndarray:
    """Days since 1970 as float64, NaN for NaT."""
    whole = dates.astype("datetime64[us]").astype(np.int64).astype(np.float64) / 86_400_000_000
    return np.where(np.isnat(dates), np.nan, whole)


def phases(dates: np.ndarray) -> dict[str, np.ndarray]:
    """For each of ``PARTS`` how far through its cycle each date is, in [0, 1), NaN for NaT."""
    since = days(dates)
    years = dates.astype("datetime64[Y]").astype("datetime64[D]").astype("datetime64[us]")
    into_year = (since - days(years)) / 366
    return {"year": into_year, "week": (np.floor(since) + 3) % 7 / 7, "day": since % 1.0}


def varying_parts(dates: np.ndarray) -> tuple[str, ...]:
    """The cycles that the dates go through, as far as they can be told apart."""
    found = []
    known = dates[~np.isnat(dates)]
    for name, phase in phases(known).items():
        distinct = np.unique(np.round(phase, 4))
        if len(distinct) > 1 and (name != "year" or np.ptp(distinct) > 1 / 6):
            found.append(name)
    return tuple(found)
