"""Autoencoders under scikit-learn's contract: rows or images in, codes out, and back."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from manyfit.data.schema import Schema
from manyfit.errors import ConfigError, RunError, nearest
from manyfit.estimators.base import FEWEST, Estimator
from manyfit.estimators.pixels import check_same, image_of, pixels_of, rows_of, shape_of
from manyfit.estimators.rows import arrays_of, frame_of, table_of_array, table_of_columns
from manyfit.experiment.codes import NAME, Codes
from manyfit.tasks.task import Task
from manyfit.tasks.unsupervised import MODELS, array_rows, autoencoder_for, table_rows


class Coder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator, ABC):
    """What autoencoders share as transformers; a subclass says which one in ``_asked``."""

    image_shape_: tuple[int, int, int] | None
    latent_: int
    _n_features_out: int

    @abstractmethod
    def _asked(self) -> dict[str, Any]:
        """The kind of autoencoder and its numbers, by the options of ``manyfit fit``."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on rows ``X``; ``y`` is passed over.

        Raises ``ValueError`` for fewer than 4 rows, infinite values, and shapes that do not fit;
        ``ConfigError``, a ``ValueError`` too, for settings out of range.
        """
        del y
        given: Any = self
        task = self._task(X)
        asked = {"coder": given.coder, "hidden": given.hidden, "latent": given.latent} | self._asked()
        objective = dataclasses.replace(
            autoencoder_for(task, asked), optimizer=self._optimizer(), preprocess=task.preprocess
        )
        self._train(task, objective, "loss" if objective.probabilistic else "mse")
        self._codes = Codes(self._model, self.result_.pictures[NAME])
        self.latent_ = self._n_features_out = objective.latent
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Codes ``(rows, latent)`` of rows, by the network of the lowest validation loss.

        float64 for rows of float64, else float32; a row's code does not depend on the other rows.
        """
        check_is_fitted(self, "result_")
        inputs = self._inputs(X)
        return self._codes.transform(inputs).astype(self._dtype(X), copy=False)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Rows for codes ``X`` ``(rows, latent)``, in the units and of the shape that ``fit`` was given.

        Raises ``ValueError`` for another number of codes, and after training on columns that are no numbers.
        """
        check_is_fitted(self, "result_")
        codes = check_array(X, dtype=(np.float64, np.float32), input_name="X")
        if codes.shape[1] != self.latent_:
            raise ValueError(f"X has {codes.shape[1]} numbers a row, a code of this model has {self.latent_}")
        return self._rows(self._codes.restore(codes), codes.dtype)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Rows through the code and back, as ``inverse_transform`` gives them."""
        return self.inverse_transform(self.transform(X))

    def score_samples(self, X: Any) -> np.ndarray:
        """How ordinary each row is, float64 ``(rows,)``: the lower, the stranger, as with scikit-learn's detectors.

        A variational model's is a bound on the log-likelihood, in nats; another's is the squared error of the
        reconstruction, negative. The mean over the networks.
        """
        check_is_fitted(self, "result_")
        return -self._codes.anomalies(self._inputs(X))[0].astype(np.float64)

    def p_values(self, X: Any) -> np.ndarray:
        """The share of held-out training rows that are at least as strange as each row, float64 ``(rows,)``.

        Of rows like those of the training about 5 % have one below 0.05 (cross-conformal: Vovk, 2015).
        """
        check_is_fitted(self, "result_")
        found = self._codes.anomalies(self._inputs(X))[1]
        if found is None:
            raise RunError("no training rows were held out, so that there is nothing to compare with")
        return found

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of ``score_samples``: what a search for the best settings makes great."""
        del y
        return float(self.score_samples(X).mean())

    # Rows as scikit-learn hands them in

    def _task(self, X: Any) -> Task:
        given: Any = self
        shape, asked = image_of(X), given.image_shape
        self._row_shape = tuple(X.shape[1:]) if shape is not None else None
        self.image_shape_, self.schema_ = None, Schema((), (), "", "none")
        if shape is not None or asked is not None:
            X = validate_data(self, rows_of(X), dtype="numeric", ensure_min_samples=FEWEST)
            self.image_shape_ = shape_of(X.shape[1], shape, None if asked is None else tuple(asked))
            return array_rows(pixels_of(X, self.image_shape_))
        frame = frame_of(X)
        if frame is not None:
            validate_data(self, X, skip_check_array=True)
            if len(frame) < FEWEST:
                raise ValueError(
                    f"X has {len(frame)} rows (samples), at least {FEWEST} are needed: some are held out"
                )
            table = table_of_columns(frame)
        else:
            X = validate_data(
                self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=FEWEST
            )
            named = hasattr(self, "feature_names_in_")
            table = table_of_array(
                X, self.feature_names_in_.tolist() if named else [f"x{i}" for i in range(X.shape[1])]
            )
        self._numbers = frame is None
        self.schema_ = table.schema
        return table_rows(table, labelled=False)

    def _inputs(self, X: Any) -> dict[str, np.ndarray]:
        if self.image_shape_ is not None:
            check_same(X, self.image_shape_)
            return pixels_of(validate_data(self, rows_of(X), reset=False, dtype="numeric"), self.image_shape_)
        if self._numbers:
            X = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
            return arrays_of(X, self.schema_)
        validate_data(self, X, reset=False, skip_check_array=True)
        return self.schema_.encode(X)

    def _rows(self, found: dict[str, np.ndarray], dtype: Any) -> np.ndarray:
        """Rows by name as rows of ``X``."""
        if self.image_shape_ is not None:
            pixels = found["pixels"].reshape(-1, *(self._row_shape or (self.n_features_in_,)))
            return pixels.astype(dtype, copy=False)
        columns = self.schema_.columns
        if any(column.kind != "number" for column in columns):
            odd = next(column for column in columns if column.kind != "number")
            raise ValueError(
                f"column {odd.name!r} is a {odd.kind}, and codes are turned back into numbers alone: "
                "encode such columns first (OneHotEncoder, say)"
            )
        return found["numeric"].astype(dtype) + np.array([column.offset for column in columns], dtype)

    @staticmethod
    def _dtype(X: Any) -> Any:
        return np.float32 if getattr(X, "dtype", None) in (np.float32, np.uint8) else np.float64


class Autoencoder(Coder):
    """An autoencoder for dimension reduction, features and anomalies: rows or images to codes and back.

    ``fit`` trains ``trials x seeds x folds`` networks as one population. ``transform`` and
    ``inverse_transform`` use the one of the lowest validation loss, ``score_samples`` and ``p_values`` all
    of them. ``result_`` holds the cross-validated error of the reconstruction with its interval.

    ``X`` is ``(rows, features)`` of numbers, NaN where missing, or a frame, whose columns may also hold
    categories, texts, booleans and dates (no way back then); or images, ``(rows, height, width)`` or
    ``(rows, height, width, channels)``, or rows of pixels with an ``image_shape``. Numbers are
    standardised, pixels scaled to [0, 1], by each fold's training rows.

    Args:
        latent: numbers of the code; None takes 16 for images, 4 to 16 for a table by its columns.
        hidden: widths of the encoder's hidden layers, the decoder's mirror them; None goes by the data, ``()`` is
            linear.
        model: ``autoencoder``, ``denoising``, ``sparse``, ``contractive``, ``vq-vae``, ``fsq`` or ``masked``.
        strength: the noise of ``denoising``, the weight of ``sparse`` and ``contractive``, the share that
            ``masked`` hides, the commitment of ``vq-vae``; None takes each one's usual.
        coder: ``dense`` or, for images, ``conv``.
        likelihood: ``squared``, ``gaussian`` or, for images, ``bernoulli``: how far a row is from its
            reconstruction; None takes the squared error.
        image_shape: (height, width) or (height, width, channels) of rows of pixels.

    The other settings are as in ``MLPClassifier``. Every check of scikit-learn's for transformers passes.

    >>> from sklearn.datasets import load_iris
    >>> X, _ = load_iris(return_X_y=True)
    >>> model = Autoencoder(latent=2, epochs=60).fit(X)
    >>> model.transform(X).shape, bool(np.mean((model.reconstruct(X) - X) ** 2) < 0.2 * X.var(axis=0).mean())
    ((150, 2), True)
    """

    def __init__(
        self,
        latent: int | None = None,
        hidden: Sequence[int] | None = None,
        *,
        model: str = "autoencoder",
        strength: Any = None,
        coder: str = "dense",
        likelihood: str | None = None,
        image_shape: tuple[int, ...] | None = None,
        optimizer: Any = "adamw",
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        trials: int = 1,
        seeds: int = 1,
        folds: int = 5,
        epochs: int = 200,
        patience: int | None = 20,
        batch_size: int | str = "auto",
        validation: float = 0.2,
        random_state: Any = 0,
    ) -> None:
        self.latent = latent
        self.hidden = hidden
        self.model = model
        self.strength = strength
        self.coder = coder
        self.likelihood = likelihood
        self.image_shape = image_shape
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

    def _asked(self) -> dict[str, Any]:
        known = [name for name in MODELS if name not in _VARIATIONAL]
        if self.model not in known:
            hint = "use VAE" if self.model in _VARIATIONAL else nearest(str(self.model), known)
            raise ConfigError(f"model={self.model!r}: {hint}")
        return {"model": self.model, "strength": self.strength, "likelihood": self.likelihood}


_VARIATIONAL = ("vae", "beta-vae", "iwae")


class VAE(Coder):
    """A variational autoencoder: codes with a standard normal prior, a bound on each row's log-likelihood, new rows.

    ``X``, ``fit`` and what the settings share are as in ``Autoencoder``. Codes are posterior means.

    Args:
        beta: the weight of the divergence from the prior (Higgins et al., 2017).
        bound: ``evidence`` (Kingma & Welling, 2014) or ``importance`` (Burda et al., 2016), whose beta is 1.
        samples: codes drawn for each row in training; None takes 1, and 5 of the importance-weighted bound.
        likelihood: ``gaussian`` or, for images, ``bernoulli``; None takes these.

    Every check of scikit-learn's for transformers passes.

    >>> from sklearn.datasets import load_iris
    >>> X, _ = load_iris(return_X_y=True)
    >>> model = VAE(latent=2, epochs=60).fit(X)
    >>> model.sample(5).shape, bool(model.score(X) > model.score(X + 3))
    ((5, 4), True)
    """

    def __init__(
        self,
        latent: int | None = None,
        hidden: Sequence[int] | None = None,
        *,
        beta: Any = 1.0,
        bound: str = "evidence",
        samples: int | None = None,
        coder: str = "dense",
        likelihood: str | None = None,
        image_shape: tuple[int, ...] | None = None,
        optimizer: Any = "adamw",
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        trials: int = 1,
        seeds: int = 1,
        folds: int = 5,
        epochs: int = 200,
        patience: int | None = 20,
        batch_size: int | str = "auto",
        validation: float = 0.2,
        random_state: Any = 0,
    ) -> None:
        self.latent = latent
        self.hidden = hidden
        self.beta = beta
        self.bound = bound
        self.samples = samples
        self.coder = coder
        self.likelihood = likelihood
        self.image_shape = image_shape
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

    def sample(self, n_samples: int = 1, random_state: Any = 0) -> np.ndarray:
        """``n_samples`` new rows, float64, in the units and of the shape that ``fit`` was given.

        They are what the decoder means, without the noise that the likelihood puts around it.
        """
        check_is_fitted(self, "result_")
        drawn = check_random_state(random_state).normal(size=(n_samples, self.latent_))
        return self._rows(self._codes.restore(drawn), np.float64)

    def _asked(self) -> dict[str, Any]:
        if self.bound not in ("evidence", "importance"):
            raise ConfigError(f"bound={self.bound!r}: {nearest(str(self.bound), ('evidence', 'importance'))}")
        given = {"likelihood": self.likelihood, "samples": self.samples}
        if self.bound == "evidence":
            return given | {"model": "vae", "strength": self.beta}
        if self.beta != 1.0:
            raise ConfigError(
                f"beta={self.beta}: bound='importance' has none; leave it out, or use 'evidence'"
            )
        return given | {"model": "iwae"}
