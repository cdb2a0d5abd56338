"""From the values of a page to one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from manyfit._version import __version__
from manyfit.report.numbers import capital


@cache
def _environment() -> Environment:
    """Everything is escaped but what is marked as markup; an unknown name is an error."""
    environment = Environment(
        loader=PackageLoader("manyfit.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = files("manyfit.report").joinpath("style.css").read_text(encoding="utf-8")
    environment.globals |= {"style": Markup(style), "version": __version__}
    environment.filters["capital"] = capital
    return environment


def page(template: str, content: Mapping[str, Any]) -> str:
    """The template with its values."""
    return _environment().get_template(template).render(content)
