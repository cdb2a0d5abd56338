"""Tables from anywhere: delimited text, Parquet, data frames, arrays, columns by name."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.data.columns import MISSING, Column, array_column, column_of, parse_numbers
from manyfit.errors import ConfigError, DataError, nearest, no_column

_DELIMITERS = (",", ";", "\t", "|")
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True)
class Raw:
    """A table as read: columns of cells, and where its rows stand."""

    source: str
    columns: tuple[Column, ...]
    fingerprint: str
    named: bool = True
    """Whether the columns' names are the source's own."""
    lines: np.ndarray | None = None
    """int64 ``(rows,)``: the line of the file on which each row ends; None where there is no text file."""

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(c.name for c in self.columns)

    def __getitem__(self, name: str) -> Column:
        return self.columns[self.names.index(name)]

    def need(self, name: str, what: str) -> None:
        """Raise ``DataError`` where there is no such column; ``what`` is the option that asked for it."""
        if name not in self.names:
            raise no_column(self.source, name, self.names, what)

    def row(self, row: int) -> str:
        """What to call a row: its line in a text file, else its place counted from 0."""
        return f"row {row}" if self.lines is None else f"line {self.lines[row]}"

    def rows(self, rows: Sequence[int] | np.ndarray, most: int = 5) -> str:
        """What to call several rows."""
        word = "row" if self.lines is None else "line"
        numbers = [str(r if self.lines is None else self.lines[r]) for r in rows[:most]]
        more = f" and {len(rows) - most} more" if len(rows) > most else ""
        return f"{word}{'s' if len(rows) > 1 else ''} {', '.join(numbers)}{more}"

    def at(self, row: int, column: str) -> str:
        """The place of one cell, for messages."""
        return f"{self.source}, {self.row(row)}, column {column!r}"

    def take(self, rows: np.ndarray) -> Raw:
        """Some of the rows, in that order."""
        lines = None if self.lines is None else self.lines[rows]
        columns = tuple(c.take(rows) for c in self.columns)
        return Raw(self.source, columns, self.fingerprint, self.named, lines)


def load(
    source: Any, *, header: bool = True, missing: Iterable[str] = MISSING, encoding: str = "utf-8"
) -> Raw:
    """Read a table from a path, a pandas, polars or pyarrow frame, an array, columns by name, or records.

    A path holds CSV or TSV (comma, semicolon, tab or bar, plain or gzipped) or
    Parquet. ``header=False`` names a text file's columns x0, x1, ... as an
    array's ``(rows, columns)``. Cells equal to one of ``missing``, blanks
    aside, are missing.

    Raises ``DataError`` that names the file and the line for what cannot be read.
    """
    missing = frozenset(missing)
    if isinstance(source, Raw):
        return source
    if isinstance(source, (str, os.PathLike)):
        return _file(Path(source), header, missing, encoding)
    if isinstance(source, np.ndarray):
        return _array(source, missing)
    if isinstance(source, Mapping):
        return _mapping(source, missing)
    if isinstance(source, (list, tuple)):
        if source and all(isinstance(row, Mapping) for row in source):
            return _records(source, missing)
        return _array(np.asarray(source), missing)
    return _frame(source, type(source).__name__, missing)


# Files


def _file(path: Path, header: bool, missing: frozenset[str], encoding: str) -> Raw:
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the path of a CSV, TSV or Parquet file")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = nearest(path.name, near) if near and len(near) <= 50 else "check the path"
        raise DataError(f"{path}: there is no such file; {hint}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: the compressed file is damaged ({error}); fetch it anew") from error
    fingerprint = "sha256:" + hashlib.sha256(data).hexdigest()
    if data[:4] == b"PAR1" or path.suffix == ".parquet":
        return _parquet(path, data, fingerprint, missing)
    if data[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise DataError(f"{path} is a spreadsheet or an archive; export the sheet as CSV")
    tab = path.name.removesuffix(".gz").endswith((".tsv", ".tab"))
    return _delimited(str(path), decode(str(path), data, encoding), header, missing, fingerprint, tab)


def decode(source: str, data: bytes, encoding: str = "utf-8") -> str:
    """The text of a file's bytes; raises ``DataError`` that names the line and the byte that is none."""
    try:
        utf_8 = codecs.lookup(encoding).name in ("utf-8", "ascii")
    except LookupError:
        raise ConfigError(
            f"unknown encoding {encoding!r}: give utf-8, latin-1, cp1252, shift_jis …"
        ) from None
    if not utf_8:
        try:
            return data.decode(encoding).removeprefix("\ufeff")
        except UnicodeError as error:
            raise DataError(f"{source} is not in {encoding} ({error}); give its encoding") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{source} is in UTF-16; save it as UTF-8")
    zero = data.find(b"\0")
    if zero >= 0:
        line = data.count(b"\n", 0, zero) + 1
        raise DataError(f"{source}, line {line}: a NUL byte; this is no text file, or a damaged one")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = error.start + (3 if data[:3] == b"\xef\xbb\xbf" else 0)
        line = data.count(b"\n", 0, start) + 1
        byte = start - data.rfind(b"\n", 0, start)
        raise DataError(
            f"{source}, line {line}, byte {byte}: 0x{data[start]:02x} is not UTF-8; "
            "save the file as UTF-8 (iconv -f latin1 -t utf-8, say), or of labelled texts give --encoding"
        ) from None


def _delimited(
    source: str, text: str, header: bool, missing: frozenset[str], fingerprint: str, tab: bool
) -> Raw:
    if not text.strip():
        raise DataError(f"{source} is empty")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    delimiter = "\t" if tab else _sniff(text)
    cells, lines = _records_of(source, text, delimiter)
    if header:
        names = [name.strip() for name in cells[0]]
        _check_names(names, source)
        if all(parse_numbers([n])[1][0] == np.False_ for n in names):
            raise DataError(
                f"{source}: line {lines[0]} holds numbers, not names of columns; "
                "write names there, or read it with header=False (--no-header)"
            )
        cells, lines = cells[1:], lines[1:]
        if not cells:
            raise DataError(f"{source} has a header but no rows")
    else:
        names = [f"x{i}" for i in range(len(cells[0]))]
    columns = [
        column_of(name, values, missing, comma=delimiter != ",")
        for name, values in zip(names, zip(*cells), strict=True)
    ]
    return Raw(source, tuple(columns), fingerprint, header, lines)


def _sniff(text: str) -> str:
    """The delimiter that cuts the first records into the most, equally many, cells."""
    end = 0
    for _ in range(50):
        end = text.find("\n", end) + 1 or len(text)
    best, most = ",", (0.0, 1)
    for delimiter in _DELIMITERS:
        try:
            rows = csv.reader(io.StringIO(text[:end]), delimiter=delimiter, skipinitialspace=True)
            widths = [len(row) for row in rows if row]
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        agree = sum(w == widths[0] for w in widths) / len(widths)
        if (round(agree, 1), widths[0]) > most:
            best, most = delimiter, (round(agree, 1), widths[0])
    return best


def _records_of(source: str, text: str, delimiter: str) -> tuple[list[list[str]], np.ndarray]:
    """Every record's cells, all equally many, and the line on which each ends."""
    reader = csv.reader(
        io.StringIO(text), delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=True
    )
    try:
        cells = list(reader)
    except csv.Error as error:
        raise DataError(
            f"{source}, line {reader.line_num}: {error}; look for a quotation mark that is not closed"
        ) from None
    lines = np.arange(1, len(cells) + 1)
    if reader.line_num != len(cells):  # cells with line breaks: count again
        reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=delimiter != "\t")
        lines = np.array([reader.line_num for _ in reader])
    if not all(cells):
        lines = lines[[bool(row) for row in cells]]
        cells = [row for row in cells if row]
    width = len(cells[0])
    wrong = [i for i, row in enumerate(cells) if len(row) != width]
    if wrong:
        found = len(cells[wrong[0]])
        more = f", and {len(wrong) - 1} more lines" if len(wrong) > 1 else ""
        raise DataError(
            f"{source}, line {lines[wrong[0]]}: {found} cells, but {width} in line {lines[0]} "
            f"(cut at each {_NAMES[delimiter]}){more}; put cells that hold a {_NAMES[delimiter]} in quotation marks"
        )
    return cells, lines


def _parquet(path: Path, data: bytes, fingerprint: str, missing: frozenset[str]) -> Raw:
    try:
        import pyarrow.parquet as engine

        frame = engine.read_table(io.BytesIO(data))
    except ModuleNotFoundError:
        try:
            import polars

            frame = polars.read_parquet(io.BytesIO(data))
        except ModuleNotFoundError:
            raise DataError(
                f"{path}: reading Parquet needs pyarrow: pip install 'manyfit[parquet]'"
            ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no Parquet file, or a damaged one: {error}") from error
    return _frame(frame, str(path), missing, fingerprint)


# Objects in memory


def _frame(native: Any, source: str, missing: frozenset[str], fingerprint: str | None = None) -> Raw:
    import narwhals as nw

    if hasattr(native, "collect"):  # a lazy frame: its rows are needed now
        native = native.collect()
    if hasattr(native, "columns"):
        _check_names([str(c) for c in getattr(native, "column_names", native.columns)], source)
    try:
        frame = nw.from_native(native, eager_only=True)
    except TypeError:
        raise DataError(
            f"a {source} is no table; give a path, a pandas or polars frame, a 2-D array or a dict of columns"
        ) from None
    columns = tuple(_series(str(s.name), s, source, missing) for s in frame.iter_columns())
    return _in_memory(source, columns, fingerprint)


def _series(name: str, series: Any, source: str, missing: frozenset[str]) -> Column:
    import narwhals as nw

    dtype = series.dtype
    if dtype.is_numeric():
        return Column(name, numbers=np.asarray(series.cast(nw.Float64).to_numpy(), np.float64))
    if dtype in (nw.Datetime, nw.Date):
        if getattr(dtype, "time_zone", None):
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return array_column(name, np.asarray(series.to_numpy()).astype("datetime64[us]"))
    if dtype == nw.Duration:
        return array_column(name, np.asarray(series.to_numpy()).astype("timedelta64[us]"))
    return _cells(name, series.to_list(), source, missing)


def _cells(name: str, cells: Sequence[Any], source: str, missing: frozenset[str]) -> Column:
    try:
        return column_of(name, cells, missing)
    except TypeError as error:
        raise DataError(
            f"{source}, column {name!r}: a cell is no single value ({error}); drop the column"
        ) from None


def _array(array: np.ndarray, missing: frozenset[str]) -> Raw:
    if array.ndim != 2:
        raise DataError(f"an array of shape {array.shape} is no table; give (rows, columns)")
    if array.dtype.kind in "cV":
        raise DataError(f"an array of {array.dtype} is no table; give real numbers, texts or objects")
    columns = tuple(array_column(f"x{i}", array[:, i], missing) for i in range(array.shape[1]))
    return _in_memory("the array", columns, named=False)


def _mapping(table: Mapping[Any, Any], missing: frozenset[str]) -> Raw:
    single = [name for name, v in table.items() if isinstance(v, (str, bytes)) or not hasattr(v, "__len__")]
    if len(single) == len(table):
        table = {name: [value] for name, value in table.items()}
    elif single:
        raise DataError(f"the dict's {single[0]!r} is a single value beside columns; give a list or an array")
    columns = []
    for name, values in table.items():
        if hasattr(values, "to_numpy") and not isinstance(values, np.ndarray):
            values = values.to_list() if hasattr(values, "to_list") else values.to_numpy()
        if isinstance(values, np.ndarray) or hasattr(values, "__array__"):
            array = np.asanyarray(values)
            if array.ndim != 1:
                raise DataError(f"the dict's column {str(name)!r} has shape {array.shape}; give (rows,)")
            columns.append(array_column(str(name), array, missing))
        else:
            columns.append(_cells(str(name), list(values), "the dict", missing))
    lengths = {len(c): c.name for c in columns}
    if len(lengths) > 1:
        counts = ", ".join(f"{name!r} {count}" for count, name in lengths.items())
        raise DataError(f"the dict's columns differ in length ({counts} rows); give as many cells to each")
    return _in_memory("the dict", tuple(columns))


def _records(rows: Sequence[Mapping[Any, Any]], missing: frozenset[str]) -> Raw:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [_cells(str(n), [row.get(n) for row in rows], "the records", missing) for n in names]
    return _in_memory("the records", tuple(columns))


def _in_memory(
    source: str, columns: tuple[Column, ...], fingerprint: str | None = None, named: bool = True
) -> Raw:
    _check_names([c.name for c in columns], source)
    if not columns or len(columns[0]) == 0:
        raise DataError(f"{source} is empty: it has {'no columns' if not columns else 'columns but no rows'}")
    if fingerprint is None:
        digest = hashlib.sha256()
        for column in columns:
            digest.update(repr((column.name, column.values)).encode())
            for cells in (column.codes, column.numbers, column.dates):
                if cells is not None:
                    digest.update(np.ascontiguousarray(cells).view(np.uint8).data)
        fingerprint = "sha256:" + digest.hexdigest()
    return Raw(source, columns, fingerprint, named)


def _check_names(names: Sequence[str], source: str) -> None:
    """Refuse columns of one name, and of none."""
    twice = sorted({repr(name) for name in names if names.count(name) > 1 and name})
    if twice:
        raise DataError(
            f"{source}: more than one column is named {', '.join(twice)}; rename them, or, if the first line "
            "is no header, read it with header=False (--no-header)"
        )
    blank = [i for i, name in enumerate(names) if not name]
    if len(blank) > 1 or (blank and len(names) == 1):
        raise DataError(f"{source}: columns {', '.join(str(i + 1) for i in blank)} have no name; name them")
