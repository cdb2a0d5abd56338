"""Who may import whom: the floors of docs/architecture.md, read from the source."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

import manyfit

ROOT = Path(manyfit.__file__).parent
FLOORS = {
    **dict.fromkeys(("errors", "space", "calls", "nn", "losses", "metrics", "_environment", "_version"), 0),
    **dict.fromkeys(("models", "augment", "data", "environments", "optim", "trace"), 1),
    **dict.fromkeys(("engine", "objectives"), 2),
    **dict.fromkeys(("tune", "evaluate", "inspect", "explain"), 3),
    **dict.fromkeys(("tasks", "experiment"), 4),
    **dict.fromkeys(("cli", "report", "estimators", "__main__"), 5),
}
APART = {
    ("engine", "models"),
    ("engine", "losses"),
    ("engine", "data"),
    ("engine", "metrics"),
    ("models", "engine"),
}


def imports(path: Path) -> list[str]:
    """The modules of this package that a file imports, wherever it does so."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if name.startswith("manyfit.")]


FILES = sorted(p for p in ROOT.rglob("*.py") if p.parent != ROOT or p.name != "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_room_has_a_floor():
    assert {room(path) for path in FILES} <= set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    here = room(path)
    for name in imports(path):
        other = name.split(".")[1]
        if other == here or other not in FLOORS:
            continue
        assert FLOORS[other] <= FLOORS[here], f"{here} (floor {FLOORS[here]}) imports {name} from above"
        assert (here, other) not in APART, f"{here} must know nothing of {other}"
        private = [part for part in name.split(".")[2:] if part.startswith("_") and not part.endswith("__")]
        assert not private, f"{here} imports {name}, which is private to {other}"


def test_nothing_unpickles_or_evaluates():
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
            assert not {"pickle", "joblib", "dill", "cloudpickle"} & set(names), f"{path} imports a pickler"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), f"{path}:{node.lineno}"


def test_no_two_test_files_share_a_name():
    """Those of folders without ``__init__`` are modules by their bare name: the second would hide the first."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("*.py") if path.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []


def test_long_tests_are_there():
    """A name in the list that is no test's any more would let a long one back in."""
    here = Path(__file__).parent
    for name in (here / "long.txt").read_text().splitlines():
        place, function = name.split("[")[0].split("::")
        assert f"def {function}(" in (here / place).read_text(), name
