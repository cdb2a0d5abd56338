"""``docs/layers.md`` has one row for every public name of ``manyfit.nn``, and none for others."""

import re
from pathlib import Path

from manyfit import nn

PAGE = Path(__file__).parents[2] / "docs" / "layers.md"


def test_every_name_has_its_row_and_every_row_its_name():
    rows = re.findall(r"^\| `(\w+)` \| (\S[^|]*) \| (\S[^|]*) \|$", PAGE.read_text(), re.MULTILINE)
    names = [name for name, *_ in rows]
    assert len(names) == len(set(names))
    missing, unknown = set(nn.__all__) - set(names), set(names) - set(nn.__all__)
    assert not missing, f"{PAGE.name} says nothing of {sorted(missing)}: add a row"
    assert not unknown, f"{PAGE.name} has rows for what manyfit.nn lacks: {sorted(unknown)}"


def test_whose_a_layer_is_agrees_with_where_it_is_defined():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    for name, whose in rows:
        module = getattr(getattr(nn, name), "__module__", None)
        if module is not None and not whose.startswith("JAX"):
            assert (whose == "Flax") == module.startswith("flax"), f"{name} is defined in {module}"
