"""Search spaces: a value that is to be searched stands where the value would stand.

Any field of a (nested) dataclass may hold a distribution instead of a value::

    Supervised(MLP(hidden=(128, 128), dropout=uniform(0.0, 0.5)))

A tuple or list may hold distributions and nodes too, its items named by their place
(``hidden.0``). ``collect`` lists them by dotted path, ``resolve`` puts values in their place.
A path is *numeric* when its field is annotated ``Numeric`` (it leaves every
shape alone and may be traced) and *structural* otherwise.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import math
import re
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, TypeVar

from manyfit.errors import ConfigError, nearest

T = TypeVar("T")


class _NumericMark:
    """Marks a field whose value is a traced hyper-parameter."""


@dataclass(frozen=True)
class Distribution(ABC):
    """A set of values to search, with the measure to draw from."""

    @abstractmethod
    def at(self, unit: float) -> Any:
        """The value at quantile ``unit`` in [0, 1]."""

    def holds(self, value: Any) -> bool:
        """Whether the value may come of it."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and self.at(0.0) <= value <= self.at(1.0)

    def describe(self) -> dict[str, Any]:
        """A JSON-able account of the distribution."""
        return {"kind": type(self).__name__.lower(), **dataclasses.asdict(self)}


@dataclass(frozen=True)
class Uniform(Distribution):
    """Uniform on [low, high]."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ConfigError(f"uniform({self.low}, {self.high}): give two finite bounds, the smaller first")

    def at(self, unit: float) -> float:
        # A convex combination: no overflow, and both ends exactly.
        return min(self.high, max(self.low, (1.0 - unit) * self.low + unit * self.high))


@dataclass(frozen=True)
class LogUniform(Distribution):
    """Uniform in the logarithm on [low, high], low > 0."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (0.0 < self.low <= self.high < math.inf):
            raise ConfigError(
                f"loguniform({self.low}, {self.high}): give two positive bounds, the smaller first"
            )

    def at(self, unit: float) -> float:
        value = math.exp((1.0 - unit) * math.log(self.low) + unit * math.log(self.high))
        return self.low if unit <= 0.0 else self.high if unit >= 1.0 else min(self.high, max(self.low, value))


@dataclass(frozen=True)
class Integer(Distribution):
    """A whole number in [low, high], both included; ``log`` spreads it over magnitudes."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        if self.low > self.high or (self.log and self.low < 1):
            raise ConfigError(f"integer({self.low}, {self.high}): give the smaller first, above 0 with log")

    def at(self, unit: float) -> int:
        if self.log:
            value = math.exp(math.log(self.low) + unit * math.log((self.high + 1) / self.low))
        else:
            value = self.low + unit * (self.high + 1 - self.low)
        return min(self.high, max(self.low, math.floor(value)))


@dataclass(frozen=True)
class Choice(Distribution):
    """One of ``options``, each as likely."""

    options: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise ConfigError("choice() needs at least one option")

    def at(self, unit: float) -> Any:
        return self.options[min(len(self.options) - 1, int(unit * len(self.options)))]

    def holds(self, value: Any) -> bool:
        return value in self.options

    def place(self, value: Any) -> int:
        """The place of an option; raises ``ConfigError`` for a value that is none."""
        for place, option in enumerate(self.options):
            if option is value:
                return place
        for place, option in enumerate(self.options):  # True is not 1
            if option == value and isinstance(option, bool) == isinstance(value, bool):
                return place
        raise ConfigError(f"{value!r} is none of the options {list(self.options)}")

    def describe(self) -> dict[str, Any]:
        plain = (str, int, float, bool, type(None))
        return {"kind": "choice", "options": [o if isinstance(o, plain) else repr(o) for o in self.options]}


Numeric: TypeAlias = Annotated[float | Distribution, _NumericMark()]
"""The type of a field whose value never changes a shape: traced, one entry a member."""


def uniform(low: float, high: float) -> Any:
    """A value drawn uniformly from [low, high]."""
    return Uniform(float(low), float(high))


def loguniform(low: float, high: float) -> Any:
    """A value drawn from [low, high], uniform in its logarithm."""
    return LogUniform(float(low), float(high))


def integer(low: int, high: int, *, log: bool = False) -> Any:
    """A whole number from [low, high], both included; ``log`` spreads it over magnitudes.

    Raises ``ConfigError`` for bounds that are not whole numbers.
    """
    if int(low) != low or int(high) != high:
        raise ConfigError(f"integer({low}, {high}): give whole bounds, or use uniform")
    return Integer(int(low), int(high), log)


def choice(*options: Any) -> Any:
    """One of the options: ``choice("relu", "gelu")`` or ``choice(["relu", "gelu"])``."""
    if len(options) == 1 and isinstance(options[0], Sequence) and not isinstance(options[0], str):
        options = tuple(options[0])
    return Choice(tuple(options))


def collect(tree: Any) -> dict[str, Distribution]:
    """Every distribution in a tree of dataclasses (and mappings), by dotted path."""
    return {path: value for path, value, _ in _fields(tree) if isinstance(value, Distribution)}


def labelled(tree: Any) -> dict[str, Distribution]:
    """Every distribution that may come to be searched, by label.

    The label is the dotted path, but for what lies inside an option of a choice, which is there
    only where that option is taken: ``model[1].dropout`` for the second option's ``model.dropout``.
    """
    found: dict[str, Distribution] = {}
    for path, kind in collect(tree).items():
        found[path] = kind
        for place, option in enumerate(kind.options) if isinstance(kind, Choice) else ():
            found |= {f"{path}[{place}].{label}": inner for label, inner in labelled(option).items()}
    return found


def settle(tree: Any, pick: Callable[[str, Distribution], Any]) -> dict[str, Any]:
    """A value for every distribution of the tree and of the options that are picked: dotted path -> value.

    ``pick`` is asked by label (see ``labelled``).
    """
    values: dict[str, Any] = {}
    for path, kind in sorted(collect(tree).items()):
        values[path] = pick(path, kind)
        if isinstance(kind, Choice):
            place = kind.place(values[path])
            inside = settle(kind.options[place], _below(pick, f"{path}[{place}]."))
            values |= {f"{path}.{below}": value for below, value in inside.items()}
    return values


def _below(pick: Callable[[str, Distribution], Any], prefix: str) -> Callable[[str, Distribution], Any]:
    return lambda label, kind: pick(prefix + label, kind)


def labels_of(tree: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of ``settle`` by label again."""
    found: dict[str, Any] = {}
    for path, kind in collect(tree).items():
        if path not in values:
            continue
        found[path] = values[path]
        if isinstance(kind, Choice):
            place = kind.place(values[path])
            below = {k.removeprefix(f"{path}."): v for k, v in values.items() if k.startswith(f"{path}.")}
            inside = labels_of(kind.options[place], below)
            found |= {f"{path}[{place}].{label}": value for label, value in inside.items()}
    return found


def numeric_paths(tree: Any) -> dict[str, float | Distribution]:
    """Every numeric hyper-parameter of the tree by dotted path: a value or a distribution.

    A structural choice between nodes hides the paths below it until it is resolved. A
    ``Numeric`` field that holds no number (``None``, a name, a choice with such an
    option) is structural.
    """
    return {path: value for path, value, numeric in _fields(tree) if numeric and _is_number(value)}


def resolve(tree: T, values: Mapping[str, Any]) -> T:
    """The tree with ``values`` (dotted path -> value, traced arrays too) in place.

    Shorter paths are set first: a choice between nodes opens paths below it.
    Raises ``ConfigError`` for a path that the tree does not have.
    """
    result = tree
    for path, value in sorted(values.items(), key=lambda item: item[0].count(".")):
        result = _replace(result, path.split("."), value, path)
    return result


def _is_node(value: Any) -> bool:
    return (
        dataclasses.is_dataclass(value)
        and not isinstance(value, type)
        and not isinstance(value, Distribution)
    )


def _is_number(value: Any) -> bool:
    """Whether it can be traced: a number, an array, or a distribution of numbers."""
    if isinstance(value, Choice):
        return all(_is_number(option) for option in value.options)
    if isinstance(value, (bool, str, type(None), tuple, list, Mapping)) or callable(value):
        return False
    return isinstance(value, (int, float, Distribution)) or hasattr(value, "dtype")


_HINTS: dict[type, dict[str, bool]] = {}


def _numeric_fields(kind: type) -> dict[str, bool]:
    """Field name -> whether it is annotated ``Numeric`` (also as ``Numeric | None``)."""
    if kind not in _HINTS:
        try:
            hints = typing.get_type_hints(kind, include_extras=True)
        except NameError:
            # Some annotation names what exists in a function or for the type checker only:
            # then each is looked at by itself, and what cannot be resolved stays text.
            hints = {name: hint for base in reversed(kind.__mro__) for name, hint in _each_hint(base)}
        _HINTS[kind] = {name: _marked(hint) for name, hint in hints.items()}
    return _HINTS[kind]


def _each_hint(kind: type) -> list[tuple[str, Any]]:
    """The annotations of one class, each resolved where it can be; the others stay text."""
    found = []
    for name, hint in inspect.get_annotations(kind).items():
        alone = type(kind.__name__, (), {"__annotations__": {name: hint}, "__module__": kind.__module__})
        with contextlib.suppress(NameError):
            hint = typing.get_type_hints(alone, localns=dict(vars(kind)), include_extras=True)[name]
        found.append((name, hint))
    return found


def _marked(hint: Any) -> bool:
    if isinstance(hint, str):
        return re.search(r"\bNumeric\b", hint) is not None
    if any(isinstance(m, _NumericMark) for m in getattr(hint, "__metadata__", ())):
        return True
    return any(_marked(argument) for argument in typing.get_args(hint))


def _fields(tree: Any, prefix: str = "", numeric: bool = False) -> list[tuple[str, Any, bool]]:
    found: list[tuple[str, Any, bool]] = []
    if _is_node(tree):
        marks = _numeric_fields(type(tree))
        entries = [
            (f.name, getattr(tree, f.name), marks.get(f.name, False))
            for f in dataclasses.fields(tree)
            if f.init
        ]
    elif isinstance(tree, Mapping):
        entries = [(str(k), v, isinstance(v, (float, Uniform, LogUniform))) for k, v in tree.items()]
    elif isinstance(tree, (tuple, list)):
        entries = [(str(i), v, numeric) for i, v in enumerate(tree)]
    else:
        return found
    for name, value, marked in entries:
        path = prefix + name
        if _has_inside(value) or (marked and isinstance(value, (tuple, list))):
            found += _fields(value, path + ".", marked)
        else:
            found.append((path, value, marked))
    return found


def _has_inside(value: Any) -> bool:
    """Whether paths go on below: in nodes, mappings, and sequences that hold these or are searched."""
    if isinstance(value, (tuple, list)):
        return any(isinstance(item, Distribution) or _has_inside(item) for item in value)
    return _is_node(value) or isinstance(value, Mapping)


def _replace(tree: Any, parts: list[str], value: Any, path: str) -> Any:
    name, rest = parts[0], parts[1:]
    children: dict[Any, Any]
    if isinstance(tree, Mapping):
        children = {str(k): v for k, v in tree.items()}
    elif isinstance(tree, (tuple, list)):
        children = {str(i): v for i, v in enumerate(tree)}
    elif _is_node(tree):
        children = {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree) if f.init}
    else:
        raise ConfigError(f"{path!r}: there is nothing named {name!r} to set here")
    if name not in children:
        raise ConfigError(f"{path!r} is not a hyper-parameter: {nearest(name, children)}")
    new = _replace(children[name], rest, value, path) if rest else value
    if isinstance(tree, Mapping):
        return {k: new if str(k) == name else v for k, v in tree.items()}
    if isinstance(tree, (tuple, list)):
        items = [new if str(i) == name else v for i, v in enumerate(tree)]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return dataclasses.replace(tree, **{name: new})
