"""Encoders from disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manyfit.errors import RunError
from manyfit.tasks.task import Encoder


def encoder_from_json(content: Mapping[str, Any] | None) -> Encoder | None:
    """The encoder that ``to_json`` described; raises ``RunError`` for a kind that is not known."""
    if content is None:
        return None
    kind = content.get("encoder")
    if kind == "table":
        from manyfit.tasks.tables import TableEncoder

        return TableEncoder.from_json(content)
    if kind == "images":
        from manyfit.tasks.images import ImageEncoder

        return ImageEncoder.from_json(content)
    if kind == "text":
        from manyfit.tasks.corpus import TextEncoder

        return TextEncoder.from_json(content)
    if kind == "series":
        from manyfit.tasks.forecasts import SeriesEncoder

        return SeriesEncoder.from_json(content)
    if kind == "texts":
        from manyfit.tasks.texts import TextsEncoder

        return TextsEncoder.from_json(content)
    if kind == "pairs":
        from manyfit.tasks.translation import PairEncoder

        return PairEncoder.from_json(content)
    if kind == "labelled series":
        from manyfit.tasks.series import SeriesSetEncoder

        return SeriesSetEncoder.from_json(content)
    if kind == "tags":
        from manyfit.tasks.tagging import TagEncoder

        return TagEncoder.from_json(content)
    raise RunError(f"the model reads {kind!r}, which this version of manyfit does not know")
