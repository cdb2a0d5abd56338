"""Texts as tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from manyfit.data.preprocess import TablePreprocess
from manyfit.data.special_tokens import SPECIAL
from manyfit.data.text_preprocess import TextAndTablePreprocess, TextPreprocess
from manyfit.data.texts import Texts, TextSchema
from manyfit.errors import ConfigError
from manyfit.tasks.tables import BINS
from manyfit.tasks.task import Kind, Task

MOST_WORDS = 20_000
"""Ids that a network knows at most: each has a vector of its own to train."""


@dataclass(frozen=True)
class TextsEncoder:
    """Texts, by the tokenizer and the length of the training texts."""

    schema: TextSchema

    def encode(self, rows: Any) -> dict[str, np.ndarray]:
        """Tokens; see ``TextSchema.encode``."""
        return self.schema.encode(rows)

    def encode_target(self, rows: Any) -> np.ndarray:
        """The labels of labelled texts."""
        return self.schema.encode_target(rows)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able account."""
        return {"encoder": "texts", "schema": self.schema.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TextsEncoder:
        """The encoder that ``to_json`` described."""
        return cls(TextSchema.from_json(content["schema"]))


def check_vocabulary(vocabulary: int | None, min_count: int | None) -> None:
    """Refuse a vocabulary in which no token of a text has room, and counts that no token has."""
    if vocabulary is not None and vocabulary <= len(SPECIAL):
        raise ConfigError(f"vocabulary={vocabulary}: {len(SPECIAL)} ids are special; give room for more")
    if min_count is not None and min_count < 1:
        raise ConfigError(f"min_count={min_count}: a token that is known occurs at least once")


def text_task(
    texts: Texts, *, vocabulary: int | None = None, min_count: int | None = None, metric: str | None = None
) -> Task:
    """The task of labelled texts: tokens on the device, the vocabulary learned per fold.

    Of words a network knows the ``vocabulary`` most frequent in its training rows (20,000 ids unless given) that
    occur ``min_count`` times there (twice unless given, so that the others teach it what an unknown word is like);
    of characters, bytes and pieces of words all that occur. Columns beside the text are scaled per fold, as a table's.
    """
    tokenizer = texts.schema.tokenizer
    words = tokenizer.kind == "word"
    least = (2 if words else 1) if min_count is None else min_count
    check_vocabulary(vocabulary, min_count)
    most = MOST_WORDS if vocabulary is None else vocabulary
    known = TextPreprocess.of(texts.tokens, tokenizer.size, most, least)
    if known.size <= len(SPECIAL) and min_count is not None:
        raise ConfigError(
            f"min_count={least}: no token occurs that often, so that the network would know none; give a smaller one"
        )
    preprocess: Any = known
    counts = tuple(texts.schema.labels.cardinalities)
    if texts.beside:
        preprocess = TextAndTablePreprocess(known, TablePreprocess(bins=BINS, cardinalities=counts))
    data: dict[str, Any] = {"inputs": {"tokens": texts.tokens, **texts.beside}, "target": texts.target}
    if texts.weight is not None:
        data["weight"] = texts.weight
    return Task(
        kind=cast(Kind, texts.schema.labels.task),
        data=data,
        rows=len(texts),
        metric=metric,
        target=texts.schema.labels.target,
        classes=texts.classes,
        preprocess=preprocess,
        cardinalities=(known.size, *(count + 2 for count in counts)),
        groups=texts.groups,
        time=texts.time,
        encoder=TextsEncoder(texts.schema),
        about={
            "source": texts.source,
            "kind": "texts",
            "rows": len(texts),
            "fingerprint": texts.fingerprint,
            "summary": f"{texts.summary()}; a network knows at most {known.size - len(SPECIAL):,} of its training rows",
            "columns": list(texts.columns),
            "warnings": list(texts.warnings),
        },
    )
