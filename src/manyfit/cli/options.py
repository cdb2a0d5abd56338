"""What each verb may be asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from manyfit.cli.arguments import Switch, arg, place
from manyfit.cli.fit_options import Fit

__all__ = ["Compare", "Curve", "Demo", "Evaluate", "Fit", "Inspect", "Predict", "Range", "Report", "Resume"]


@dataclass
class Predict:
    """Predict new rows with the model of a run.

    The networks of the chosen trial predict together; the last column says
    how far they agree.

    Examples:
      manyfit predict runs/adult new.csv
      manyfit predict runs/adult new.csv -o scored.parquet --coverage 0.9
    """

    run: Annotated[Path, tyro.conf.Positional, place("RUN")]
    """A run folder."""
    data: Annotated[Path, tyro.conf.Positional, place("DATA")]
    """Rows like those it was trained on; the target may be missing, columns in any order."""
    out: Annotated[Path | None, arg("FILE", "CSV on standard output", "-o")] = None
    """A file for the predictions: .csv, .tsv or .parquet."""
    coverage: Annotated[float | None, arg("SHARE", "none")] = None
    """Add what each row may be, the set of classes or the interval that holds the truth in this share of rows."""


@dataclass
class Evaluate:
    """Score the model of a run on labelled rows that it has not seen.

    A run that generates images is scored against real ones: in the features
    of a classifier of your own, network by network, beside what other real
    images score.

    Examples:
      manyfit evaluate runs/adult adult-test.csv
      manyfit evaluate runs/adult adult-test.csv --json
      manyfit evaluate runs/gan images/ --features runs/classifier
    """

    run: Annotated[Path, tyro.conf.Positional, place("RUN")]
    """A run folder."""
    data: Annotated[Path, tyro.conf.Positional, place("DATA")]
    """Labelled rows; for a run that generates, images."""
    features: Annotated[Path | None, arg("RUN")] = None
    """For a run that generates images: the run of a classifier of such images."""
    count: Annotated[int | None, arg("N", "half of the images, 2,000 at most", "-n")] = None
    """With --features: how many images are compared with as many samples."""
    json: Annotated[bool, Switch] = False
    """Print JSON."""


@dataclass
class Resume:
    """Go on with a run that was stopped or killed.

    The result is that of a run that never stopped.

    Examples:
      manyfit resume runs/adult
    """

    run: Annotated[Path, tyro.conf.Positional, place("RUN")]
    """A run folder."""
    trust: Annotated[bool, Switch] = False
    """Agents: import the module that an environment MODULE:NAME names, which runs its code."""
    json: Annotated[bool, Switch] = False
    """Print the summary as JSON on standard output."""
    quiet: Annotated[bool, Switch] = False
    """Print no progress."""


@dataclass
class Report:
    """Write the report of a run anew, from its files.

    Examples:
      manyfit report runs/adult
    """

    run: Annotated[Path, tyro.conf.Positional, place("RUN")]
    """A run folder."""


@dataclass
class Compare:
    """Set runs side by side.

    A line each in the terminal; with --out also a page with the differences
    paired fold by fold.

    Examples:
      manyfit compare runs/a runs/b
      manyfit compare runs/a runs/b -o compared.html
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, place("RUN RUN ...")] = ()
    """Run folders, two or more."""
    out: Annotated[Path | None, arg("FILE", short="-o")] = None
    """An HTML file for the comparison."""


@dataclass
class Inspect:
    """Look at data before training, or into the networks of a run.

    Of data: the task, the column kinds, missing values and warnings; with
    --model also the network before training. Of a run: its networks layer by
    layer, on the data that it was trained on or on --data, and what --probe
    recorded while they trained.

    Examples:
      manyfit inspect adult.csv --target income
      manyfit inspect adult.csv --target income --model mlp
      manyfit inspect runs/adult
      manyfit inspect runs/adult --graph network.svg
    """

    path: Annotated[Path, tyro.conf.Positional, place("DATA|RUN")]
    """A table, images, or a run folder."""
    target: Annotated[str | None, arg("COLUMN")] = None
    """The column to predict."""
    text: Annotated[str | None, arg("COLUMN")] = None
    """Labelled texts and words: the column that holds them, as for manyfit fit."""
    sentence: Annotated[str | None, arg("COLUMN|blank")] = None
    """Labelled words: of a table the column that says of which sentence each is, as for manyfit fit."""
    header: bool = True
    """Whether the table's first line names its columns."""
    size: Annotated[int | None, arg("PIXELS")] = None
    """Images: resize to this many pixels a side."""
    model: Annotated[str | None, arg("NAME")] = None
    """The network to look at before training, named as for manyfit fit."""
    data: Annotated[Path | None, arg("DATA", "what the run was trained on")] = None
    """Of a run: labelled rows to look at its networks with."""
    graph: Annotated[Path | None, arg("FILE")] = None
    """Write the computational graph: .svg, .html (with the table), .dot (Graphviz) or .json."""
    json: Annotated[bool, Switch] = False
    """Print JSON."""


@dataclass
class Range:
    """Try learning rates: many, a few hundred steps each, all at once.

    Prints the validation loss against the rate with its spread over seeds,
    the rate to take and the range to search.

    Examples:
      manyfit range adult.csv --target income
      manyfit range adult.csv --target income --optimizer sgd --low 1e-3 --high 10
    """

    data: Annotated[Path, tyro.conf.Positional, place("DATA")]
    """A table, images, texts or sentences, as for manyfit fit."""
    target: Annotated[str | None, arg("COLUMN")] = None
    """The column to predict."""
    text: Annotated[str | None, arg("COLUMN")] = None
    """Labelled texts and words: the column that holds them, as for manyfit fit."""
    sentence: Annotated[str | None, arg("COLUMN|blank")] = None
    """Labelled words: of a table the column that says of which sentence each is, as for manyfit fit."""
    model: Annotated[str, arg("NAME")] = "auto"
    """The network, as for manyfit fit."""
    optimizer: Annotated[str | None, arg("NAME", "adamw")] = None
    """How weights move."""
    schedule: Annotated[str | None, arg("NAME", "constant")] = None
    """The learning rate over the training; played whole within the steps."""
    low: Annotated[float, arg("RATE", "1e-5")] = 1e-5
    """The smallest rate."""
    high: Annotated[float, arg("RATE", "1")] = 1.0
    """The largest rate."""
    rates: Annotated[int, arg("N", "16")] = 16
    """How many rates, evenly spread in the logarithm."""
    seeds: Annotated[int, arg("N", "3")] = 3
    """Networks for each rate."""
    steps: Annotated[int, arg("N", "300")] = 300
    """Updates of each network, rounded up to whole epochs."""
    header: bool = True
    """Whether the table's first line names its columns."""
    size: Annotated[int | None, arg("PIXELS")] = None
    """Images: resize to this many pixels a side."""
    json: Annotated[bool, Switch] = False
    """Print JSON."""


@dataclass
class Curve:
    """The score against the training rows, and what more would bring.

    One setting, trained on growing parts of every fold's training rows, all at
    once; the score at each size comes with its 95 % interval.

    Examples:
      manyfit curve adult.csv --target income
      manyfit curve images/ --target folder --shares 0.1 0.3 1 --seeds 2
    """

    data: Annotated[Path, tyro.conf.Positional, place("DATA")]
    """A table, images, texts or sentences, as for manyfit fit."""
    target: Annotated[str | None, arg("COLUMN")] = None
    """The column to predict."""
    text: Annotated[str | None, arg("COLUMN")] = None
    """Labelled texts and words: the column that holds them, as for manyfit fit."""
    sentence: Annotated[str | None, arg("COLUMN|blank")] = None
    """Labelled words: of a table the column that says of which sentence each is, as for manyfit fit."""
    model: Annotated[str, arg("NAME")] = "auto"
    """The network, as for manyfit fit."""
    metric: Annotated[str | None, arg("NAME")] = None
    """The score."""
    shares: Annotated[tuple[float, ...], arg("SHARE ...", "1/16 1/8 1/4 1/2 1")] = ()
    """Parts of the training rows, in (0, 1]."""
    folds: Annotated[int, arg("N", "5")] = 5
    """Parts of the cross-validation."""
    seeds: Annotated[int | None, arg("N", "1; 3 for a table of at most 1,000 rows")] = None
    """Networks for each size and fold."""
    epochs: Annotated[int | None, arg("N", "tables 100, images 15")] = None
    """The most passes over the training rows."""
    header: bool = True
    """Whether the table's first line names its columns."""
    size: Annotated[int | None, arg("PIXELS")] = None
    """Images: resize to this many pixels a side."""
    json: Annotated[bool, Switch] = False
    """Print JSON."""


@dataclass
class Demo:
    """The main job on real data that comes inside scikit-learn.

    Handwritten digits: 8 trials x 3 seeds x 5 folds, 120 networks at once.

    Examples:
      manyfit demo
      manyfit demo --out runs/digits
    """

    out: Annotated[Path, arg("FOLDER", "runs/demo", "-o")] = field(default_factory=lambda: Path("runs/demo"))
    """The run folder; an earlier demo there is replaced."""
