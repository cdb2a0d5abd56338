"""From the options of ``manyfit fit`` to a task: which reader a path needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manyfit.data.conll import form_of
from manyfit.data.text_files import holds_texts
from manyfit.data.ucr import is_archive
from manyfit.errors import ConfigError, DataError
from manyfit.tasks.corpus import is_corpus
from manyfit.tasks.task import Task

UNSUPERVISED = (
    *("autoencoder", "denoising", "sparse", "contractive", "vae", "beta-vae", "iwae", "vq-vae", "fsq"),
    *("masked", "gan", "wgan-gp", "hinge-gan", "r3gan"),
)
"""Models of ``manyfit fit`` that need no target (``tasks.unsupervised``, ``tasks.adversarial``)."""


def read_task(options: Any) -> Task:
    """The task of ``options`` (see ``cli.options.Fit``): images where the path holds images, else a table."""
    path = Path(options.data)
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder; check the path")
    if options.model in UNSUPERVISED:
        from manyfit.tasks.unsupervised import unsupervised_task

        return unsupervised_task(options, as_images=is_images(path, options.target))
    if options.target_text is not None:
        return _pairs(path, options)
    if options.sentence is not None or (path.is_file() and form_of(path) is not None):
        return _tags(path, options)
    if options.series is not None or (options.target is None and not path.is_dir() and is_archive(path)):
        return _series(path, options)
    if options.text is not None or (path.is_dir() and holds_texts(path)):
        return _texts(path, options)
    _refuse(
        options,
        path,
        _TEXTS_ONLY,
        "is for labelled texts (--text COLUMN, or a folder of .txt files) or series",
    )
    if not is_corpus(path, options.target) and options.stream:
        raise ConfigError(f"{path}: --stream is for running text, a .txt file without --target; leave it out")
    if is_corpus(path, options.target):
        from manyfit.tasks.language import corpus_of

        _refuse(options, path, {**_TABLES_ONLY, "size": None}, "does not go with a running text")
        return corpus_of(path, options)
    if is_images(path, options.target):
        from manyfit.data import images
        from manyfit.tasks.images import image_task

        _refuse(options, path, _TABLES_ONLY, "is for tables, and this holds images")
        _refuse(options, path, _CORPUS_ONLY, "is for running text, and this holds images")
        target = None if options.target in (None, "folder") else options.target
        return image_task(images.read(path, target=target, size=options.size), metric=options.metric)
    if options.target is None:
        raise ConfigError(f"{path}: say which column to predict with --target")
    _refuse(
        options, path, _CORPUS_ONLY, "is for running text, a .txt file without --target, and this is a table"
    )
    _refuse(options, path, {"size": None}, "is for images, and this is a table")
    from manyfit.data import table
    from manyfit.tasks.tables import BINS, table_task

    found = table.read(
        path,
        options.target,
        task=None if options.task == "auto" else options.task,
        group=options.group,
        time=options.time,
        weight=options.weight,
        drop=options.drop,
        kinds=_kinds(options.kinds),
        header=options.header,
        missing_target=options.missing_target,
    )
    bins = BINS if options.embedding in ("auto", "piecewise") else 0
    return table_task(found, scaling=options.scaling, bins=bins, metric=options.metric)


def _pairs(path: Path, options: Any) -> Task:
    from manyfit.tasks.translation import pair_task

    if options.text is None:
        raise ConfigError(f"{path}: --target-text goes with --text, the column that it is to be made of")
    other = {**_TABLES_ONLY, "target": None, "size": None, "series": None, "context": None, "steps": None}
    other |= {"stream": False, "min_count": None, "encoding": None}
    other = {name: plain for name, plain in other.items() if name not in ("header", "missing_target")}
    _refuse(options, path, other, "is not for pairs of texts")
    _refuse(
        options, path, {"plan": "folds", "repeats": None}, "is not for pairs of texts, which have --folds"
    )
    return pair_task(
        path,
        options.text,
        options.target_text,
        tokenizer=options.tokenizer or "bpe",
        vocabulary=options.vocabulary,
        length=options.length,
        folds=1 if options.folds is None else options.folds,
        validation=options.validation,
        seed=options.seed,
        header=options.header,
        missing_target=options.missing_target,
    )


def _series(path: Path, options: Any) -> Task:
    from manyfit.data import series_sets
    from manyfit.tasks.series import series_task

    other = {
        **dict.fromkeys(("size", "text", "min_count", "encoding")),
        **_CORPUS_ONLY,
        "kinds": (),
        "stream": False,
        "length_buckets": "auto",
    }
    _refuse(options, path, other, "is not for labelled series")
    _refuse(options, path, {"gap": 0.0, "window": None, "embargo": None}, "splits rows by time, not series")
    found = series_sets.read(
        path,
        options.target,
        series=options.series,
        time=options.time,
        task=None if options.task == "auto" else options.task,
        group=options.group,
        weight=options.weight,
        drop=options.drop,
        length=options.length,
        header=options.header,
        missing_target=options.missing_target,
    )
    return series_task(found, scaling=options.scaling, metric=options.metric)


STEPS_OF_OTHERS = 512
"""Tokens of a text that a recurrent network or a transformer reads unless told otherwise: they pay for more."""


def _texts(path: Path, options: Any) -> Task:
    from manyfit.data import texts
    from manyfit.tasks.texts import text_task

    models = dict.fromkeys(("context", "steps", "width", "depth", "heads"))
    _refuse(options, path, {"size": None, **models}, "is not for labelled texts")
    found = texts.read(
        path,
        options.text,
        options.target,
        tokenizer={None: "word", "char": "character"}.get(options.tokenizer, options.tokenizer),
        vocabulary=options.vocabulary,
        length=options.length,
        most=texts.MOST_TOKENS if options.model in ("auto", "bow", "textcnn") else STEPS_OF_OTHERS,
        encoding=options.encoding or "utf-8",
        task=None if options.task == "auto" else options.task,
        group=options.group,
        time=options.time,
        weight=options.weight,
        drop=options.drop,
        kinds=_kinds(options.kinds),
        header=options.header,
        missing_target=options.missing_target,
    )
    return text_task(found, vocabulary=options.vocabulary, min_count=options.min_count, metric=options.metric)


def _tags(path: Path, options: Any) -> Task:
    from manyfit.data import tagged
    from manyfit.tasks.tagging import tag_task

    none = dict.fromkeys(("size", "context", "steps", "time", "weight", "series", "tokenizer"))
    other = {**none, "stream": False, "drop": (), "kinds": (), "task": "auto"}
    _refuse(options, path, other, "is not for labelled words")
    found = tagged.read(
        path,
        options.target,
        words=options.text,
        sentence=options.sentence,
        length=options.length,
        group=options.group,
        header=options.header,
        encoding=options.encoding or "utf-8",
        missing_target=options.missing_target,
    )
    return tag_task(found, vocabulary=options.vocabulary, min_count=options.min_count, metric=options.metric)


def is_images(path: Path, target: str | None) -> bool:
    """Whether ``path`` holds images: a folder, an ``.npz``, IDX files, or a table of paths."""
    from manyfit.data.idx import is_idx
    from manyfit.data.image_files import lists_images

    if path.is_dir() or target == "folder" or path.suffix.lower() == ".npz":
        return True
    if path.name.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".txt", ".parquet")):
        return lists_images(path)
    return is_idx(path)


_TABLES_ONLY = {
    "task": "auto",
    "group": None,
    "time": None,
    "weight": None,
    "drop": (),
    "kinds": (),
    "missing_target": "refuse",
    "header": True,
}
"""Options that say nothing of images, and what they are when not given."""
_CORPUS_ONLY = dict.fromkeys(("tokenizer", "vocabulary", "context", "steps", "width", "depth", "heads"))
"""Options of a language model."""
_TEXTS_ONLY = {**dict.fromkeys(("min_count", "length", "encoding")), "length_buckets": "auto"}
"""Options that say nothing of anything but labelled texts."""


def _refuse(options: Any, path: Path, names: dict[str, Any], why: str) -> None:
    """Refuse what would be passed over in silence."""
    for name, default in names.items():
        if getattr(options, name) != default:
            flag = "no-header" if name == "header" else name.replace("_", "-")
            raise ConfigError(f"{path}: --{flag} {why}; leave it out")


def _kinds(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, _, kind = pair.rpartition("=")
        if not name:
            raise ConfigError(f"--kinds {pair!r}: give NAME=KIND, as in zip=category")
        found[name] = kind
    return found
