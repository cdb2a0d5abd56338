"""What is written where the user says: predictions as CSV, TSV or Parquet, and pages."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.engine.checkpoint import write_file
from manyfit.errors import ConfigError, RunError
from manyfit.experiment.predictor import Predictor

ENDINGS = (".csv", ".tsv", ".parquet")


def check_ending(path: Path) -> None:
    """Refuse a file whose format is not written, before anything is computed."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a file, such as {path / 'predictions.csv'}")
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"{path}: predictions are written as {', '.join(ENDINGS)}; give such a name")
    if path.suffix.lower() == ".parquet":
        _pyarrow(path)


def image_files(predictor: Predictor, data: Path) -> list[str]:
    """The file of each image, where images are files; none for tables and arrays."""
    from manyfit.data.image_files import files_of
    from manyfit.tasks.images import ImageEncoder

    if not isinstance(predictor.encoder, ImageEncoder):
        return []
    return [str(path) for path in files_of(data)]


def write_table(columns: Mapping[str, Any], path: Path | None) -> None:
    """Columns of equal length, to standard output or to a file (whole or not at all)."""
    if path is None:
        _write_text(columns, sys.stdout, ",")
        return
    if path.suffix.lower() == ".parquet":
        arrow, parquet = _pyarrow(path)
        buffer = arrow.BufferOutputStream()
        # an object array of texts, as numpy's fixed-width ones are unknown to pyarrow
        arrays = {name: arrow.array(np.asarray(v).tolist()) for name, v in columns.items()}
        parquet.write_table(arrow.table(arrays), buffer)
        _write(path, buffer.getvalue().to_pybytes())
        return
    text = io.StringIO()
    _write_text(columns, text, "\t" if path.suffix.lower() == ".tsv" else ",")
    _write(path, text.getvalue().encode())


def write_page(path: Path, page: str) -> None:
    """A page of HTML, whole or not at all."""
    _write(path, page.encode("utf-8", "replace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Anything else, whole or not at all."""
    _write(path, content)


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path.parent}: cannot be made ({error.strerror}); choose another place") from error
    write_file(path, content)


def _write_text(columns: Mapping[str, Any], file: Any, delimiter: str) -> None:
    writer = csv.writer(file, lineterminator="\n", delimiter=delimiter)
    writer.writerow(columns)
    writer.writerows(zip(*(map(_text, values) for values in columns.values())))


def _text(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, (float, np.floating)) else str(value)


def _pyarrow(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ConfigError(
            f"{path}: writing Parquet needs pyarrow: pip install 'manyfit[parquet]', or name a .csv file"
        ) from None
    return pyarrow, pyarrow.parquet
