"""``manyfit forecast``: its options and what it does."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from manyfit.cli import show
from manyfit.cli.arguments import arg, place
from manyfit.cli.output import write_table
from manyfit.cli.progress import Watcher, interrupts
from manyfit.cli.runs import finish, new_run, stem, voice
from manyfit.errors import ConfigError, DataError


@dataclass
class Forecast:
    """Backtest forecasts of a series, and say what comes next.

    Every fold is tested on what came after its training rows, beside the two
    naive forecasts; then the chosen setting trains on everything and
    forecasts the steps after the last row.

    Examples:
      manyfit forecast sales.csv --time Month --target Sales --horizon 12
      manyfit forecast energy.csv --time date --target OT --model dlinear
      manyfit predict runs/energy newer.csv --coverage 0.9
    """

    data: Annotated[Path | None, tyro.conf.Positional, place("DATA")] = None
    """A table (CSV, TSV, Parquet, also .gz), a row a step."""
    horizon: Annotated[int, arg("STEPS", "12")] = 12
    """How many steps to forecast."""
    time: Annotated[str | None, arg("COLUMN", "rows as they come")] = None
    """The column of stamps; of several that tell it together all names in quotes ("year month day hour")."""
    target: Annotated[tuple[str, ...], arg("COLUMN ...", "all numeric columns")] = ()
    """The columns to forecast."""
    known: Annotated[tuple[str, ...], arg("COLUMN ...")] = ()
    """Columns that are known of the future too (for nhits, nbeats, tcn, rnn, gru, lstm, mingru, lru), in rows whose
    target cells are empty; of other numeric columns the past is read (tcn and the recurrent ones)."""
    series: Annotated[str | None, arg("COLUMN")] = None
    """A column that says which of several series a row is of."""
    drop: Annotated[tuple[str, ...], arg("COLUMN ...")] = ()
    """Columns to leave out."""
    header: bool = True
    """Whether the table's first line names its columns."""
    calendar: bool = True
    """Whether hour, weekday and season of each stamp are inputs, where the network takes any."""
    out: Annotated[Path | None, arg("FOLDER", "runs/<name of the data>", "-o")] = None
    """The run folder; forecast.csv is written there."""

    lookback: Annotated[int | None, arg("STEPS", "four seasons or three horizons")] = None
    """How many steps a forecast sees."""
    season: Annotated[int | None, arg("STEPS", "by the stamps")] = None
    """Steps in a season, of the seasonal naive forecast."""
    model: Annotated[str, arg("NAME")] = "auto"
    """The network: dlinear, nlinear, rlinear, sparse, patchtst, nhits, nbeats, tcn, rnn, gru, lstm, mingru, lru; 'auto'
    takes nlinear, and gru where columns are known ahead."""
    loss: Annotated[str, arg("NAME")] = "squared"
    """What training minimises: squared, absolute, quantile, gaussian, student-t."""
    coverage: Annotated[float, arg("SHARE", "0.9")] = 0.9
    """The conformal interval of each step is to hold the truth in this share of cases."""
    learning_rate: Annotated[str | None, arg("VALUE|LOW:HIGH", "linear ones 3e-3, others 1e-3")] = None
    """A value, or a range to search."""
    weight_decay: Annotated[str | None, arg("VALUE|LOW:HIGH", "1e-2")] = None
    """A value, or a range to search."""
    optimizer: Annotated[str | None, arg("NAME", "adamw")] = None
    """How weights move."""
    schedule: Annotated[str | None, arg("NAME", "cosine")] = None
    """The learning rate over the training."""
    trials: Annotated[int | None, arg("N", "16 where a range is searched, else 1")] = None
    """Settings of the hyper-parameters to try."""
    seeds: Annotated[int | None, arg("N", "3")] = None
    """Networks for each trial and fold."""
    folds: Annotated[int | None, arg("N", "4")] = None
    """Blocks of origins that are tested one after the other."""
    epochs: Annotated[int | None, arg("N", "by the rows")] = None
    """The most passes over the training rows."""
    patience: Annotated[int | None, arg("N", "10")] = None
    """Epochs without a better validation loss before a network stops; 0 never stops early."""
    batch_size: Annotated[int | None, arg("ROWS", "32")] = None
    """Windows in a step."""
    validation: Annotated[float, arg("SHARE", "0.2")] = 0.2
    """The newest share of each fold's training rows that decides when to stop."""
    seed: Annotated[int, arg("N", "0")] = 0
    """Where all randomness derives from."""
    budget: Annotated[str | None, arg("TIME", "none")] = None
    """Stop after this long (90, 90s, 30m, 2h) with the trials that are complete."""
    json: bool = False
    """Print the summary as JSON on standard output."""
    quiet: bool = False
    """Print no progress."""
    verb: Annotated[Literal["forecast"], tyro.conf.Suppress] = "forecast"

    def asked(self) -> dict[str, Any]:
        """The options as plain values: what a run folder keeps to go on."""
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {
            name: str(value)
            if isinstance(value, Path)
            else list(value)
            if isinstance(value, tuple)
            else value
            for name, value in found.items()
        }

    @classmethod
    def of(cls, asked: dict[str, Any]) -> Forecast:
        """The options that ``asked`` gave."""
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in asked.items()}
        paths = {k: Path(given[k]) for k in ("data", "out") if given.get(k) is not None}
        given |= paths
        return cls(**given)


def forecast(options: Forecast, resume: Path | None = None) -> int:
    """``manyfit forecast``, and the going on of one in the folder ``resume``."""
    from manyfit.data.series import read
    from manyfit.experiment.forecasts import forecast_run
    from manyfit.tasks.forecasting import forecast_experiment
    from manyfit.tasks.forecasts import forecast_task

    if options.data is None:
        raise ConfigError("say what to forecast: manyfit forecast TABLE --time COLUMN --target COLUMN")
    if not options.data.exists():
        raise DataError(f"{options.data}: there is no such file; check the path")
    if not 0 < options.coverage < 1:
        raise ConfigError(f"coverage={options.coverage}: give a share between 0 and 1, such as 0.9")
    out = resume or new_run(options.out, stem(options.data))
    found = read(
        options.data,
        time=options.time,
        target=options.target,
        known=options.known,
        series=options.series,
        drop=options.drop,
        header=options.header,
        future=bool(options.known),
    )
    task = forecast_task(
        found,
        options.horizon,
        lookback=options.lookback,
        time=options.time,
        series=options.series,
        season=options.season,
        with_calendar=options.calendar,
        header=options.header,
    )
    experiment = forecast_experiment(task, options.asked())
    task = experiment.data
    # what the forecast at the end needs: better missed now than after the training
    task.encoder.encode(found)
    say = voice(options.quiet or options.json)
    show.data(task, say)
    with Watcher(options.quiet or options.json) as watcher, interrupts(say) as stop:
        result = forecast_run(
            experiment,
            task,
            out,
            resume=resume is not None,
            progress=watcher,
            stop=stop,
            save_every=15.0,
        )
    if not result.interrupted and result.predictor is not None:
        columns = next_steps(result.predictor, found, out, options.coverage)
        write_table(columns, out / "forecast.csv")
    code = finish(result, out, options.json, say, None)
    if not result.interrupted and not options.json:
        _say_if_repeating_does_better(result)
        print(f"Forecast: {out / 'forecast.csv'}")
    return code


def _say_if_repeating_does_better(result: Any) -> None:
    """A line where forecasts that learn nothing come as near as the networks'."""
    from manyfit.report.words import repeating

    means = {name: score.mean for name, score in result.scores.items()}
    for name, error in repeating(result.metric, means):
        own = means[result.metric]
        print(f"Careful: {name} comes as near on the same windows ({error:.4g} beside {own:.4g}).")


def next_steps(predictor: Any, source: Any, run: Path, coverage: float | None) -> dict[str, Any]:
    """Columns of the steps after the last of each series: the forecast, its spread, quantiles and an interval."""
    from manyfit.data.series import SeriesData
    from manyfit.experiment.forecasts import intervals

    encoder, objective = predictor.encoder, predictor.objective
    found = source if isinstance(source, SeriesData) else encoder.read(source)
    each = predictor.predict_members(found)  # (members, series, horizon, targets, 1 + levels)
    mean, spread = each.mean(axis=0), each[..., 0].std(axis=0)
    ends = None if coverage is None else intervals(run, mean, coverage)
    columns: dict[str, list[Any]] = {}

    def add(name: str, values: Any) -> None:
        columns.setdefault(name, []).extend(list(values))

    for which in range(len(found.ids)):
        if encoder.series is not None:
            add(encoder.series, [found.ids[which]] * encoder.horizon)
        add(encoder.time or "step", [_stamp(value) for value in encoder.future(found, which)])
        for c, name in enumerate(encoder.targets):
            prefix = name if len(encoder.targets) > 1 else "prediction"
            add(prefix, mean[which, :, c, 0])
            add(f"{prefix} spread" if len(encoder.targets) > 1 else "spread", spread[which, :, c])
            for q, level in enumerate(objective.head.levels):
                add(
                    f"q{level:g}" if len(encoder.targets) == 1 else f"{name} q{level:g}",
                    mean[which, :, c, 1 + q],
                )
            if ends is not None:
                for side, end in enumerate(("low", "high")):
                    add(end if len(encoder.targets) == 1 else f"{name} {end}", ends[which, :, c, side])
    return columns


def _stamp(value: Any) -> str:
    if isinstance(value, np.datetime64):
        text = str(value.astype("datetime64[s]")).replace("T", " ")
        return text.removesuffix(" 00:00:00")
    return str(value)


def without_forecast(folder: Any, about: dict[str, Any]) -> bool:
    """Whether a run is a forecast's, and was stopped before it said what comes next."""
    asked = about.get("options") or {}
    return asked.get("verb") == "forecast" and not (folder / "forecast.csv").is_file()


def reads(encoder: Any) -> bool:
    """Whether a model reads series, so that it forecasts what comes after them."""
    from manyfit.tasks.forecasts import SeriesEncoder

    return isinstance(encoder, SeriesEncoder)


def predict(options: Any, predictor: Any) -> int:
    """``manyfit predict`` with the model of a forecast run: the steps after the last of a newer history."""
    columns = next_steps(predictor, options.data, options.run, options.coverage)
    write_table(columns, options.out)
    if options.out is not None:
        print(
            f"{predictor.encoder.horizon} steps ahead by {predictor.members} networks: {options.out}",
            file=sys.stderr,
        )
    return 0


def resume(run: Path, asked: dict[str, Any], as_json: bool, quiet: bool) -> int:
    """Go on with a forecast run."""
    return forecast(
        dataclasses.replace(Forecast.of(json.loads(json.dumps(asked))), json=as_json, quiet=quiet), run
    )
