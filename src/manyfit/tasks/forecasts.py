"""Series as tasks: which steps forecasts begin at, how they are backtested, and what a run's model reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfit.data.series import SeriesData, calendar, read
from manyfit.data.stamps import Step
from manyfit.errors import ConfigError, DataError
from manyfit.tasks.task import Task

MOST_ORIGINS = 50_000
"""Origins beyond which a stride thins them out."""


@dataclass(frozen=True)
class SeriesEncoder:
    """The last steps of new series as the inputs of a forecast of what follows them."""

    time: str | None
    targets: tuple[str, ...]
    past: tuple[str, ...]
    known: tuple[str, ...]
    series: str | None
    step: Step
    lookback: int
    horizon: int
    calendar: bool
    header: bool = True

    def read(self, source: Any) -> SeriesData:
        """The table, by the roles that its columns had in training."""
        found = read(
            source,
            time=self.time,
            target=self.targets,
            known=self.known,
            series=self.series,
            header=self.header,
            step=self.step,
            future=bool(self.known),
        )
        lost = [name for name in self.past if name not in found.past]
        if lost:
            raise DataError(f"{found.source} has no column {lost[0]!r} of numbers, which the model reads")
        return found

    def encode(self, rows: Any) -> dict[str, np.ndarray]:
        """``past`` ``(series, lookback, C)`` and ``known`` ``(series, lookback + horizon, K)``."""
        found = rows if isinstance(rows, SeriesData) else self.read(rows)
        columns = list(range(len(self.targets)))
        columns += [len(self.targets) + found.past.index(name) for name in self.past]
        past, known = [], []
        for place, (first, last) in enumerate(found.series()):
            of = f" (series {found.ids[place]!r})" if found.ids[place] else ""
            if last - first < self.lookback:
                raise DataError(
                    f"{found.source}{of}: {last - first} steps, and a forecast needs the last {self.lookback}; "
                    "give a longer history"
                )
            past.append(found.values[last - self.lookback : last][:, columns])
            parts = []
            if self.known:
                after = found.after[place]
                if len(after) < self.horizon:
                    raise DataError(
                        f"{found.source}{of}: {', '.join(self.known)} are known of {len(after)} steps after the last "
                        f"target, and the forecast goes {self.horizon} ahead; add rows whose target cell is empty"
                    )
                parts.append(
                    np.concatenate([found.known[last - self.lookback : last], after[: self.horizon]])
                )
            if self.calendar:
                stamps = np.concatenate(
                    [found.stamps[last - self.lookback : last], self.future(found, place)]
                )
                parts.append(calendar(stamps, self.step))
            if parts:
                known.append(np.concatenate(parts, axis=1))
        encoded = {"past": np.stack(past)}
        if known:
            encoded["known"] = np.stack(known).astype(np.float32)
        return encoded

    def future(self, found: SeriesData, place: int) -> np.ndarray:
        """The stamps of the steps to come of one series."""
        last = found.stamps[found.starts[place + 1] - 1]
        return self.step.stamps(last, np.arange(1, self.horizon + 1))

    def encode_target(self, rows: Any) -> np.ndarray:
        """A forecast is scored by its backtest; raises ``DataError``."""
        raise DataError("forecasts are scored by their backtest (manyfit forecast), not row by row")

    def to_json(self) -> dict[str, Any]:
        """A JSON-able account."""
        return {"encoder": "series", **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> SeriesEncoder:
        """The encoder that ``to_json`` described."""
        given: dict[str, Any] = {name: value for name, value in content.items() if name != "encoder"}
        given["step"] = Step(**given["step"])
        for name, value in given.items():
            given[name] = tuple(value) if isinstance(value, list) else value
        return cls(**given)


def lookback_for(steps: int, horizon: int, season: int) -> int:
    """Four seasons or three horizons, as long as half of the shortest series is left to learn from."""
    return max(1, min(max(4 * season, 3 * horizon, 8), (steps - 2 * horizon) // 2))


def forecast_task(
    found: SeriesData,
    horizon: int,
    *,
    lookback: int | None = None,
    time: str | None = None,
    series: str | None = None,
    season: int | None = None,
    with_calendar: bool = True,
    header: bool = True,
) -> Task:
    """The task of forecasting: a row is a step at which a forecast may begin.

    Raises ``DataError`` where the series are too short for the look-back and the horizon.
    """
    lengths = [last - first for first, last in found.series()]
    season = found.step.season() if season is None else season
    for name, value in (("horizon", horizon), ("lookback", lookback), ("season", season)):
        if value is not None and value < 1:
            raise ConfigError(f"{name}={value}: give a whole number of steps, at least 1")
    if horizon >= max(lengths):
        raise DataError(
            f"{found.source}: a horizon of {horizon} steps is longer than the series ({max(lengths)} steps); shorten it"
        )
    lookback = lookback_for(max(lengths), horizon, season) if lookback is None else lookback
    steps = lookback + horizon
    usable = [length for length in lengths if length >= steps]
    if sum(length - steps + 1 for length in usable) < 2 or max(lengths) < steps + horizon:
        raise DataError(
            f"{found.source}: a look-back of {lookback} and a horizon of {horizon} leave nothing to train and to test "
            f"with in {max(lengths)} steps; shorten the look-back (--lookback) or the horizon"
        )
    warnings = list(found.warnings)
    short = len(lengths) - len(usable)
    if short:
        warnings.append(f"{short} of {len(lengths)} series are shorter than {steps} steps: not learned from")
    flat = [name for i, name in enumerate(found.targets) if float(np.ptp(found.values[:, i])) == 0.0]
    if flat:
        raise DataError(f"{found.source}: {flat[0]!r} is constant, so there is nothing to forecast; drop it")
    origin = np.concatenate(
        [np.arange(first + lookback, last - horizon + 1) for first, last in found.series()]
    )
    if len(origin) > MOST_ORIGINS:
        stride = -(-len(origin) // MOST_ORIGINS)
        warnings.append(f"every {stride}th origin of {len(origin)} is used")
        origin = origin[::stride]
    data: dict[str, np.ndarray] = {"series": found.values, "origin": origin.astype(np.int32)}
    parts = [found.known] if found.known.shape[1] else []
    waves = calendar(found.stamps, found.step) if with_calendar else np.zeros((0, 0))
    if waves.shape[1]:
        parts.append(waves)
    if parts:
        data["known"] = np.concatenate(parts, axis=1).astype(np.float32)
    if not found.observed.all():
        data["observed"] = found.observed
    if len(found.ids) > 1:
        data["which"] = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    encoder = SeriesEncoder(
        time=time,
        targets=found.targets,
        past=found.past,
        known=found.known_names,
        series=series,
        step=found.step,
        lookback=lookback,
        horizon=horizon,
        calendar=bool(waves.shape[1]),
        header=header,
    )
    many = f"{len(found.ids)} series, " if len(found.ids) > 1 else ""
    columns: list[dict[str, Any]] = [
        {
            "name": name,
            "kind": "number",
            "missing": int((~found.observed[:, i]).sum()),
            "of": len(found.values),
            "note": "a target",
        }
        for i, name in enumerate(found.targets)
    ]
    columns += [{"name": name, "kind": "number", "note": "its past"} for name in found.past]
    columns += [{"name": name, "kind": "number", "note": "known ahead"} for name in found.known_names]
    return Task(
        kind="own",
        data=data,
        rows=len(origin),
        target=", ".join(found.targets),
        time=np.round(found.step.places(found.stamps[origin])).astype(np.int64),
        encoder=encoder,
        about={
            "source": found.source,
            "kind": "series",
            "rows": len(origin),
            "fingerprint": found.fingerprint,
            "summary": f"{many}{len(found.values)} steps of one {found.step}, {len(origin)} origins of forecasts of "
            f"{horizon} steps from {lookback} before",
            "columns": columns,
            "warnings": warnings,
            "lookback": lookback,
            "horizon": horizon,
            "season": season,
        },
    )


def rolling_origins(
    times: np.ndarray, folds: int, horizon: int, validation: float = 0.2
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Train, validation and test rows: the newer half of the origins in ``folds`` blocks, each after its training.

    A training or validation row's last step to forecast lies before the first origin of the next part. Where the
    oldest fold would keep fewer than 10 training rows, no fold has validation rows.

    Raises ``DataError`` where a fold has nothing to train on.
    """
    distinct = np.unique(times)
    if folds < 1:
        raise ConfigError(f"folds={folds}: give at least 1 origin of a backtest")
    start = max(len(distinct) // 2, min(horizon + 1, len(distinct) - folds))
    if start < 1 or len(distinct) - start < folds:
        raise DataError(f"{len(distinct)} origins are too few for {folds} folds: give fewer (--folds)")
    blocks = np.array_split(distinct[start:], folds)
    splits = []
    for block in blocks:
        train = np.flatnonzero(times <= block[0] - horizon)
        test = np.flatnonzero((times >= block[0]) & (times <= block[-1]))
        if not len(train):
            raise DataError(
                f"nothing is left to train on before step {block[0]}, as forecasts go {horizon} steps ahead: "
                "give fewer folds (--folds), a shorter look-back or a shorter horizon"
            )
        seen = np.unique(times[train])
        cut = seen[-max(1, round(validation * len(seen)))]
        inner = train[times[train] >= cut] if validation > 0 else train[:0]
        splits.append((train, inner, test, train[times[train] <= cut - horizon]))
    if validation > 0 and all(len(older) >= 10 for *_, older in splits):
        return [(older, inner, test) for _, inner, test, older in splits]
    return [(train, train[:0], test) for train, _, test, _ in splits]
