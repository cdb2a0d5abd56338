"""Pairs of texts as a task: translation, or anything else that makes one text of another."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfit.data import tokenizers
from manyfit.data.reading import load
from manyfit.data.special_tokens import BEGIN, END, PAD
from manyfit.data.texts import cells_of
from manyfit.data.tokenizers import Tokenizer
from manyfit.errors import ConfigError, DataError, nearest
from manyfit.experiment.experiment import Experiment
from manyfit.models.names import NAMES, PAIRS
from manyfit.objectives.translation import Translation
from manyfit.optim import Cosine
from manyfit.tasks.defaults import Plan, number_or_range, optimizer_for, planned
from manyfit.tasks.task import Task

MOST_TOKENS = 256
"""Texts are cut here."""
TEST = VALIDATION = 0.1
MOST_TESTED = 1000
"""Pairs of a hold-out at most: enough to tell a BLEU to about one point."""
STEPS = 4000
"""About how many updates are made where nothing is said."""


@dataclass(frozen=True)
class PairEncoder:
    """Texts by the tokenizer that both sides of the training pairs share."""

    tokenizer: Tokenizer
    text: str
    target: str
    source_length: int
    target_length: int
    header: bool = True

    def encode(self, rows: Any) -> dict[str, np.ndarray]:
        """``{"source": int32 (n, source_length)}`` of a table, or of a list of texts."""
        return {"source": self.sources(self.texts(rows))}

    def encode_target(self, rows: Any) -> np.ndarray:
        """int32 ``(n, target_length)``: ``BEGIN``, the tokens, ``END``."""
        return self.targets(self.references(rows))

    def texts(self, rows: Any) -> list[str]:
        """The texts to translate."""
        if isinstance(rows, (list, tuple)) and rows and all(isinstance(text, str) for text in rows):
            return list(rows)
        return cells_of(load(rows, header=self.header), self.text)

    def references(self, rows: Any) -> list[str]:
        """The texts that they are to become."""
        return cells_of(load(rows, header=self.header), self.target)

    def sources(self, texts: Sequence[str]) -> np.ndarray:
        """int32 ``(n, source_length)``: the tokens and ``END``, ``PAD`` after it."""
        return _padded([[*self.tokenizer.encode(text), END] for text in texts], self.source_length)

    def targets(self, texts: Sequence[str]) -> np.ndarray:
        """int32 ``(n, target_length)``; see ``encode_target``."""
        return _padded([[BEGIN, *self.tokenizer.encode(text), END] for text in texts], self.target_length)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able account."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**plain, "encoder": "pairs", "tokenizer": self.tokenizer.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> PairEncoder:
        """The encoder that ``to_json`` described."""
        given: dict[str, Any] = {name: content[name] for name in ("text", "target", "header")}
        given |= {name: int(content[name]) for name in ("source_length", "target_length")}
        return cls(tokenizer=tokenizers.from_json(content["tokenizer"]), **given)


@dataclass(frozen=True)
class Pairs(Task):
    """Pairs of texts as tokens, and which of them train, validate and test in each fold."""

    splits: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...] = ()
    vocabulary: int = 0


def pair_task(
    source: Any,
    text: str,
    target: str,
    *,
    tokenizer: str = "bpe",
    vocabulary: int | None = None,
    length: int | None = None,
    folds: int = 1,
    validation: float | None = None,
    seed: int = 0,
    header: bool = True,
    missing_target: str = "refuse",
    lowercase: bool = False,
) -> Pairs:
    """The task of making the text ``target`` of the text ``text``, two columns of a table.

    With one fold a tenth of the pairs, at most 1,000, is tested and the tokenizer, one for both sides, is learned from
    the others alone; with more folds it is learned from all pairs, as the spelling of a test text may then be known to
    it. ``length`` is how many tokens of a text are read, by default the 99th percentile, at most 256.

    Raises ``DataError`` for what cannot be learned from, naming the place and the mend.
    """
    if length is not None and length < 2:
        raise ConfigError(f"length={length}: give the number of tokens to read of a text, at least 2")
    share = VALIDATION if validation is None else validation
    if folds < 1 or not 0 <= share < 1:
        raise ConfigError(
            f"folds={folds}, validation={validation}: give at least 1 fold, and a share of the pairs in [0, 1)"
        )
    raw = load(source, header=header)
    for name, option in ((text, "text"), (target, "target-text")):
        raw.need(name, option)
    if text == target:
        raise ConfigError(f"{text!r} is both the text and the target text: name two columns")
    left, right = cells_of(raw, text), cells_of(raw, target)
    blank = np.array([not a.strip() or not b.strip() for a, b in zip(left, right)])
    if blank.any() and missing_target != "drop":
        raise DataError(
            f"{raw.source}, {raw.rows(np.flatnonzero(blank))}: a text of the pair is empty; fill it in, or leave such "
            "pairs out (--missing-target drop)"
        )
    warnings = [f"{int(blank.sum())} pairs with an empty text are left out"] if blank.any() else []
    kept = np.flatnonzero(~blank)
    left, right = [left[i] for i in kept], [right[i] for i in kept]
    if len(left) < max(10, 2 * folds):
        raise DataError(f"{raw.source}: {len(left)} pairs are too few to learn from; give at least 10")
    splits = _splits(len(left), folds, share, seed)
    seen = np.concatenate(splits[0][:2]) if folds == 1 else np.arange(len(left))
    kind = "character" if tokenizer == "char" else tokenizer
    learned = tokenizers.learn(
        [side[i] for side in (left, right) for i in seen], kind, size=vocabulary, lowercase=lowercase
    )
    source_length = _length([learned.encode(one) for one in left], length, 1)
    target_length = _length([learned.encode(one) for one in right], length, 2)
    encoder = PairEncoder(learned, text, target, source_length, target_length, raw.named)
    data = {"source": encoder.sources(left), "target": encoder.targets(right)}
    cut = int(((data["source"][:, -1] != PAD) & (data["source"][:, -1] != END)).sum())
    cut += int(((data["target"][:, -1] != PAD) & (data["target"][:, -1] != END)).sum())
    if cut:
        warnings.append(f"{cut} texts are longer than is read of them and were cut")
    digest = hashlib.sha256(repr(learned.to_json()).encode())
    for part in data.values():
        digest.update(part.tobytes())
    median = [int(np.median((part != PAD).sum(axis=1))) for part in data.values()]
    units = {"character": "characters", "byte": "bytes", "word": "words", "bpe": "byte pairs"}
    return Pairs(
        kind="own",
        data=data,
        rows=len(left),
        target=target,
        encoder=encoder,
        about={
            "source": raw.source,
            "kind": "pairs",
            "rows": len(left),
            "fingerprint": "sha256:" + digest.hexdigest(),
            "summary": f"{len(left):,} pairs of texts, {text!r} of {median[0]} and {target!r} of {median[1]} "
            f"{units.get(learned.kind, 'word pieces')} (medians), {learned.size:,} different ones",
            "columns": [],
            "warnings": warnings,
        },
        splits=tuple(splits),
        vocabulary=learned.size,
    )


def pairs_experiment(task: Task, asked: Mapping[str, Any]) -> Experiment:
    """The experiment for pairs of texts and the options of ``manyfit fit`` (None where open)."""
    assert isinstance(task, Pairs)
    for option, plain in (
        ("embedding", "auto"), ("scaling", "auto"), ("augment", None), ("views", "one"), ("balance", False),
        ("loss", None), ("probe", False), ("hidden", None),
    ):  # fmt: skip
        if (asked.get(option) or plain) != plain:
            raise ConfigError(f"{option}={asked[option]!r} is not for pairs of texts: leave it out")
    size = asked.get("batch_size") or 64
    rate = {
        "learning_rate": asked.get("learning_rate") or 1e-3,
        "schedule": asked.get("schedule") or "cosine",
    }
    optimizer: Any = optimizer_for({**asked, **rate}, search=False)
    if isinstance(getattr(optimizer, "schedule", None), Cosine):
        optimizer = dataclasses.replace(optimizer, schedule=Cosine(warmup=0.1))
    precision: Any = asked.get("precision") or "float32"
    objective = Translation(pairs_model(asked), task.vocabulary, optimizer, precision=precision)
    trained = min(len(train) for train, _, _ in task.splits)
    epochs = max(5, min(60, STEPS * size // max(1, trained)))
    experiment = planned(
        objective, task, {**asked, "folds": None, "validation": None}, Plan(None, 1, 1, epochs, 0, size)
    )
    validated = all(len(inner) for _, inner, _ in task.splits)
    return dataclasses.replace(
        experiment,
        folds=list(task.splits),
        metric=asked.get("metric") or "loss",
        patience=experiment.patience if validated else None,
        options=asked,
    )


def pairs_model(asked: Mapping[str, Any]) -> Any:
    """The network for pairs of texts; raises ``ConfigError`` for one that reads something else."""
    kind = asked.get("model") or "auto"
    kind = "transformer" if kind == "auto" else kind
    if kind not in PAIRS:
        if kind not in NAMES:
            raise ConfigError(f"unknown model {kind!r}: {nearest(kind, PAIRS)}")
        raise ConfigError(f"model {kind!r} reads no pairs of texts; use {', '.join(map(repr, PAIRS))}")
    model = PAIRS[kind]
    names = {"width": "width", "heads": "heads", "depth": "depth" if hasattr(model, "depth") else "layers"}
    given = {}
    for option, name in names.items():
        if asked.get(option) is None:
            continue
        if not hasattr(model, name):
            raise ConfigError(
                f"{option}={asked[option]} is for transformers, and this is {kind!r}: leave it out"
            )
        given[name] = asked[option]
    if "width" in given and hasattr(model, "hidden"):
        given["hidden"] = 2 * given["width"]
    rate = number_or_range("dropout", asked.get("dropout"), model.dropout, below=1)
    return dataclasses.replace(model, dropout=rate, **given)


def _splits(
    count: int, folds: int, validation: float, seed: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Train, validation and test rows of each fold, sorted."""
    order = np.random.default_rng(seed).permutation(count)
    tested = max(1, min(MOST_TESTED, round(TEST * count)))
    blocks = [order[:tested]] if folds == 1 else np.array_split(order, folds)
    splits = []
    for block in blocks:
        rest = order[~np.isin(order, block)]
        inner = rest[: min(MOST_TESTED, round(validation * len(rest)))]
        splits.append((np.sort(rest[len(inner) :]), np.sort(inner), np.sort(block)))
    return splits


def _length(encoded: Sequence[np.ndarray], asked: int | None, extra: int) -> int:
    counts = np.array([len(ids) for ids in encoded])
    most = int(min(np.ceil(np.percentile(counts, 99)), MOST_TOKENS)) if asked is None else asked
    return max(1, min(most, int(counts.max()))) + extra


def _padded(rows: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """int32 ``(n, length)``: ``PAD`` after the end; what is cut loses its ``END``, as it goes on."""
    found = np.full((len(rows), length), PAD, np.int32)
    for place, ids in enumerate(rows):
        found[place, : min(len(ids), length)] = ids[:length]
    return found
