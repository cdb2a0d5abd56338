"""``manyfit transform`` and ``manyfit anomalies``: what an autoencoder's run is for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from manyfit.cli.arguments import arg, place
from manyfit.cli.output import check_ending, image_files, write_table


@dataclass
class Transform:
    """Codes of rows, by the autoencoder of a run.

    Examples:
      manyfit transform runs/digits digits.csv -o codes.csv
    """

    run: Annotated[Path, tyro.conf.Positional, place("RUN")]
    """The folder of a run of an autoencoder (manyfit fit DATA --model vae)."""
    data: Annotated[Path, tyro.conf.Positional, place("DATA")]
    """Rows like those it was trained on, columns in any order."""
    out: Annotated[Path | None, arg("FILE", "CSV on standard output", "-o")] = None
    """A file for the codes: .csv, .tsv or .parquet."""


@dataclass
class Anomalies:
    """How strange rows are to the autoencoder of a run.

    The score grows with strangeness. The p-value is the share of held-out
    training rows that are at least as strange: of ordinary rows about 5 %
    have one below 0.05.

    Examples:
      manyfit anomalies runs/digits new.csv -o scores.csv
    """

    run: Annotated[Path, tyro.conf.Positional, place("RUN")]
    """The folder of a run of an autoencoder (manyfit fit DATA --model vae)."""
    data: Annotated[Path, tyro.conf.Positional, place("DATA")]
    """Rows like those it was trained on, columns in any order."""
    out: Annotated[Path | None, arg("FILE", "CSV on standard output", "-o")] = None
    """A file for the scores: .csv, .tsv or .parquet."""


def transform(options: Transform) -> int:
    """``manyfit transform``."""
    from manyfit.experiment.codes import Codes

    if options.out is not None:
        check_ending(options.out)
    run = Codes.load(options.run)
    codes = run.transform(options.data)
    columns = {f"code{i}": codes[:, i] for i in range(codes.shape[1])}
    return _write(run, options, columns, f"codes of {len(codes)} rows")


def anomalies(options: Anomalies) -> int:
    """``manyfit anomalies``."""
    from manyfit.experiment.codes import Codes

    if options.out is not None:
        check_ending(options.out)
    run = Codes.load(options.run)
    scores, p = run.anomalies(options.data)
    columns: dict[str, Any] = {"score": scores}
    if p is not None:
        columns["p"] = p
    return _write(run, options, columns, f"{len(scores)} rows scored by {run.predictor.members} networks")


def _write(run: Any, options: Transform | Anomalies, columns: dict[str, Any], said: str) -> int:
    files = image_files(run.predictor, options.data)
    write_table(({"file": files} if files else {}) | columns, options.out)
    if options.out is not None:
        print(f"{said}: {options.out}", file=sys.stderr)
    return 0
