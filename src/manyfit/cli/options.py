"""What ``manyfit fit`` may be asked: flags, or the same words in a YAML file."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from manyfit.errors import ConfigError, nearest


@dataclass
class Fit:
    """Train a tuned, cross-validated model on a table or a set of images.

    Every trial x seed x fold is one network; all of them train together in one
    compiled program. The score comes with its 95 % interval, and the chosen
    trial's networks predict together.

        manyfit fit adult.csv --target income
        manyfit fit images/ --target folder
        manyfit fit adult.csv --target income --trials 32 --seeds 3 --learning-rate 1e-4:1e-2
    """

    data: Annotated[Path | None, tyro.conf.Positional] = None
    """A table (CSV, TSV, Parquet, also .gz), a folder of images by class, .npz, or IDX files."""
    target: str | None = None
    """The column to predict; 'folder' where each class has a folder of images."""
    out: Path | None = None
    """The run folder; runs/<name of the data> where not given."""
    config: Path | None = None
    """A YAML file with these options; what is given on the command line wins."""
    test: Path | None = None
    """Labelled data that is kept apart: scored once, at the end, by the chosen model."""

    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    """What to learn; 'auto' looks at the target."""
    metric: str | None = None
    """The score to report first (accuracy, auroc, log_loss, f1, rmse, mae, r2 …)."""
    group: str | None = None
    """A column whose equal values stay together: all in training or all in testing."""
    time: str | None = None
    """A column to split by: every fold is tested on what came after its training rows."""
    weight: str | None = None
    """A column of row weights."""
    drop: tuple[str, ...] = ()
    """Columns to leave out."""
    kinds: tuple[str, ...] = ()
    """Column kinds to set, as NAME=KIND (number, category, boolean, date)."""
    missing_target: Literal["refuse", "drop"] = "refuse"
    """What to do with rows whose target is missing."""
    balance: bool = False
    """Weigh every class the same, however rare."""
    header: bool = True
    """Whether the table's first line names its columns."""
    size: int | None = None
    """Images: resize to this many pixels a side."""

    model: Literal["auto", "mlp", "cnn"] = "auto"
    """The network; 'auto' takes an MLP for tables and a small CNN for images."""
    hidden: tuple[int, ...] | None = None
    """Widths of the hidden layers."""
    embedding: Literal["auto", "none", "piecewise", "periodic"] = "auto"
    """How an MLP takes in numbers."""
    scaling: Literal["quantile", "standard", "robust", "none"] = "quantile"
    """How numbers are scaled, learned from each fold's training rows."""
    learning_rate: str | None = None
    """A value, or LOW:HIGH to search."""
    weight_decay: str | None = None
    """A value, or LOW:HIGH to search."""
    dropout: str | None = None
    """A value, or LOW:HIGH to search."""

    trials: int | None = None
    """Settings of the hyper-parameters to try."""
    seeds: int | None = None
    """Networks for each trial and fold."""
    folds: int = 5
    """Parts of the cross-validation; 1 is a single hold-out."""
    epochs: int | None = None
    """The most passes over the training rows."""
    patience: int | None = None
    """Epochs without a better validation loss before a network stops; 0 never stops early."""
    batch_size: int | None = None
    """Rows in a step."""
    validation: float = 0.2
    """The share of each fold's training rows that decides when to stop and which trial to choose."""
    seed: int = 0
    """Where all randomness derives from."""
    checkpoint_seconds: float = 15.0
    """Time between two checkpoints."""
    json: bool = False
    """Print the summary as JSON on standard output."""
    quiet: bool = False
    """Print no progress."""

    def asked(self) -> dict[str, Any]:
        """The options as plain values: what a run folder keeps to go on."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    @classmethod
    def of(cls, content: dict[str, Any], source: str) -> Fit:
        """The options of a mapping; raises ``ConfigError`` that names what is unknown or of a wrong type."""
        if not isinstance(content, dict):
            raise ConfigError(f"{source}: expected 'option: value' lines, found a {type(content).__name__}")
        fields = {f.name: f for f in dataclasses.fields(cls)}
        values = {}
        for key, value in content.items():
            name = str(key).replace("-", "_")
            if name not in fields:
                raise ConfigError(f"{source}: unknown option {key!r}; {nearest(name, fields)}")
            values[name] = _typed(name, value, str(fields[name].type), source)
        return cls(**values)


def read_config(path: Path) -> Fit:
    """The options of a YAML file."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such config file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    return Fit.of(content or {}, str(path))


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _typed(name: str, value: Any, kind: str, source: str) -> Any:
    """``value`` as the option's type."""

    def wrong(wanted: str) -> ConfigError:
        return ConfigError(f"{source}: {name} is {value!r}; give {wanted}")

    if value is None:
        return field_default(name)
    if kind.startswith("Literal"):
        options = [part.strip().strip("\"'") for part in kind[len("Literal[") : -1].split(",")]
        if value not in options:
            close = difflib.get_close_matches(str(value), options, 1)
            hint = f"did you mean {close[0]!r}?" if close else "one of " + ", ".join(options)
            raise ConfigError(f"{source}: {name} is {value!r}; {hint}")
        return value
    if kind.startswith("bool"):
        if not isinstance(value, bool):
            raise wrong("true or false")
        return value
    if kind.startswith("int"):
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong("a whole number")
        return value
    if kind.startswith("float"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise wrong("a number")
        return float(value)
    if kind.startswith("tuple[int"):
        items = value if isinstance(value, list) else [value]
        if any(isinstance(i, bool) or not isinstance(i, int) for i in items):
            raise wrong("a list of whole numbers")
        return tuple(items)
    if kind.startswith("tuple[str"):
        return tuple(str(i) for i in (value if isinstance(value, list) else [value]))
    if isinstance(value, (list, dict)):
        raise wrong("one value")
    return Path(str(value)) if "Path" in kind else str(value)


def field_default(name: str) -> Any:
    """The default of an option."""
    return next(f for f in dataclasses.fields(Fit) if f.name == name).default


@dataclass
class Predict:
    """Predict new rows with the model of a run; the networks of the chosen trial predict together.

    manyfit predict runs/adult new.csv --out scored.csv
    """

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder."""
    data: Annotated[Path, tyro.conf.Positional]
    """Rows like those it was trained on; the target may be missing, columns in any order."""
    out: Path | None = None
    """A CSV file for the predictions; standard output where not given."""


@dataclass
class Evaluate:
    """Score the model of a run on labelled rows that it has not seen.

    manyfit evaluate runs/adult adult-test.csv
    """

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder."""
    data: Annotated[Path, tyro.conf.Positional]
    """Labelled rows."""
    json: bool = False
    """Print JSON."""


@dataclass
class Resume:
    """Go on with a run that was stopped or killed; the result is that of a run that never stopped.

    manyfit resume runs/adult
    """

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder."""
    json: bool = False
    """Print the summary as JSON on standard output."""
    quiet: bool = False
    """Print no progress."""


@dataclass
class Report:
    """Write the report of a run anew, from its files.

    manyfit report runs/adult
    """

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder."""


@dataclass
class Compare:
    """Set runs side by side.

    manyfit compare runs/a runs/b
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders."""


@dataclass
class Inspect:
    """Look at data before training (column kinds, missing values, the task), or at a run's model.

    manyfit inspect adult.csv --target income
    manyfit inspect runs/adult
    """

    path: Annotated[Path, tyro.conf.Positional]
    """A table, images, or a run folder."""
    target: str | None = None
    """The column to predict."""
    json: bool = False
    """Print JSON."""


@dataclass
class Demo:
    """The main job on real data that comes inside scikit-learn: handwritten digits, 8 trials x 3 seeds x 5 folds."""

    out: Path = field(default_factory=lambda: Path("runs/demo"))
    """The run folder; an earlier demo there is replaced."""
