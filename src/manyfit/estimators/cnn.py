"""A convolutional network under scikit-learn's contract: images in, classes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import validate_data

from manyfit.augment import named
from manyfit.data import ImagePreprocess
from manyfit.errors import ConfigError, nearest
from manyfit.estimators.base import Classifier
from manyfit.estimators.pixels import check_same, image_of, pixels_of, rows_of, shape_of
from manyfit.models import CNN
from manyfit.models.names import IMAGES
from manyfit.tasks.task import Task, fingerprint


class CNNClassifier(Classifier):
    """A small convolutional network for images.

    ``X`` is ``(rows, height, width)`` or ``(rows, height, width, channels)``; or
    ``(rows, features)``, each row an image of ``image_shape`` (height, width) or
    (height, width, channels) with channels last. Where that is not given, a row
    is a square of one channel if its length is a square number, else a single
    column of pixels. Pixels are uint8 or any finite numbers, in any unit: every
    channel is standardised by each fold's training images. ``y`` ``(rows,)``
    are labels of any kind.

    ``architecture`` takes the place of ``channels``, ``hidden`` and ``dropout``: a name (``resnet20``, ``vit``
    …) or one of ``manyfit.models``. ``augment`` is a name (``standard``, ``digits`` …) or some of
    ``manyfit.augment``; ``views`` is what a prediction is averaged over (``one``, ``flip``,
    ``shifts``, ``flip-shifts``).
    ``fit`` and the other settings are as in ``MLPClassifier``.

    Every check of scikit-learn's for estimators passes.

    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> model = CNNClassifier(channels=(16,), epochs=4, folds=2).fit(digits.images, digits.target)
    >>> model.score(digits.images, digits.target) > 0.8
    True
    """

    image_shape_: tuple[int, int, int]

    def __init__(
        self,
        channels: Sequence[int] = (32, 64),
        hidden: int = 128,
        *,
        image_shape: tuple[int, ...] | None = None,
        architecture: Any = None,
        augment: Any = None,
        views: str = "one",
        dropout: float = 0.25,
        optimizer: Any = "adamw",
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        trials: int = 1,
        seeds: int = 1,
        folds: int = 5,
        epochs: int = 40,
        patience: int | None = 8,
        batch_size: int | str = "auto",
        validation: float = 0.2,
        random_state: Any = 0,
    ) -> None:
        self.channels = channels
        self.hidden = hidden
        self.image_shape = image_shape
        self.architecture = architecture
        self.augment = augment
        self.views = views
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.trials = trials
        self.seeds = seeds
        self.folds = folds
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.validation = validation
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Train on images ``X`` and their labels ``y`` ``(rows,)``.

        Raises ``ValueError`` for fewer than 2 classes or 4 rows, pixels that are not
        finite, and shapes that do not fit; ``ConfigError``, a ``ValueError`` too,
        for settings out of range.
        """
        shape = image_of(X)
        X, y = validate_data(self, rows_of(X), y, dtype="numeric")
        encoded = self._encode(y)
        given = None if self.image_shape is None else tuple(self.image_shape)
        self.image_shape_ = shape_of(X.shape[1], shape, given)
        data = {"inputs": pixels_of(X, self.image_shape_), "target": encoded}
        task = Task(
            kind=self._kind,
            data=data,
            rows=len(X),
            classes=self._names,
            preprocess=ImagePreprocess(),
            about={
                "source": "arrays",
                "kind": "images",
                "rows": len(X),
                "fingerprint": fingerprint(data),
                "columns": [],
                "warnings": [],
            },
        )
        self._run(task, self._model_asked(), self._augment_asked(), self.views)
        return self

    def _model_asked(self) -> Any:
        if self.architecture is None:
            return CNN(channels=tuple(self.channels), hidden=self.hidden, dropout=self.dropout)
        if not isinstance(self.architecture, str):
            if not hasattr(self.architecture, "build"):
                raise ConfigError(
                    f"architecture={self.architecture!r}: give a name, or one of manyfit.models"
                )
            return self.architecture
        if self.architecture not in IMAGES:
            raise ConfigError(f"architecture={self.architecture!r}: {nearest(self.architecture, IMAGES)}")
        return IMAGES[self.architecture]

    def _augment_asked(self) -> tuple[Any, ...]:
        if self.augment is None:
            return ()
        if isinstance(self.augment, str):
            return named(self.augment)
        if not isinstance(self.augment, Sequence) or not all(
            callable(a) or hasattr(a, "mix") for a in self.augment
        ):
            raise ConfigError(f"augment={self.augment!r}: give a name, or a list of some of manyfit.augment")
        return tuple(self.augment)

    def _inputs(self, X: Any) -> dict[str, np.ndarray]:
        check_same(X, self.image_shape_)
        return pixels_of(validate_data(self, rows_of(X), reset=False, dtype="numeric"), self.image_shape_)
