"""A trained model to use: the members of one trial, predicting together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from manyfit import metrics
from manyfit.engine import Batch, RunFolder
from manyfit.errors import DataError, ManyfitError, RunError
from manyfit.evaluate import Interval, conformal_interval, conformal_sets, score_intervals
from manyfit.experiment.describe import describe, rebuild
from manyfit.experiment.records import from_named, named_leaves
from manyfit.experiment.template import check_shapes, template_of, unbound
from manyfit.tasks.encoders import encoder_from_json
from manyfit.tasks.task import Encoder

if TYPE_CHECKING:
    from manyfit.experiment.generation import Generated
    from manyfit.experiment.tagging import TaggedSentence
    from manyfit.inspect import NetworkReport

BLOCK, BLOCK_ON_ACCELERATOR = 256, 4096
"""Rows predicted at once, always as many: what is short is padded.

So there is one program to compile, and a row's prediction does not depend on
which others come with it, to the last bit. On a core larger blocks bring little,
and a single image would pay for all of them.
"""


@dataclass(frozen=True)
class Prediction:
    """What the ensemble says of each row, and how far its members agree.

    ``output``: class probabilities ``(rows, classes)`` or values ``(rows,)``,
    the members' mean; ``spread``: their standard deviation, of the same shape;
    ``labels``: the most probable class of each row, None for values.
    """

    output: np.ndarray
    spread: np.ndarray
    labels: np.ndarray | None


@dataclass(frozen=True)
class Predictor:
    """The chosen trial's members, one for each fold and seed, as one model."""

    kind: str
    target: str
    classes: tuple[str, ...]
    objective: Any
    """Bound to the shapes of its data."""
    models: Any
    """The members' models, leaves ``(members, ...)``."""
    data: Any
    """The shapes of one row of the data set."""
    hyper: tuple[str, ...] = ()
    encoder: Encoder | None = None
    calibration: Mapping[str, np.ndarray] | None = None
    """Out-of-fold ``output`` and ``target`` of the rows that it was cross-validated on, to say how far to trust it."""

    @property
    def members(self) -> int:
        """How many models predict together."""
        return int(jax.tree.leaves(self.models)[0].shape[0])

    def predict_members(self, rows: Any) -> np.ndarray:
        """Every member's outputs, ``(members, rows, ...)``."""
        return self._run(self._inputs(rows))

    def prediction(self, rows: Any) -> Prediction:
        """The ensemble's prediction with its spread."""
        return self.predicted(self._inputs(rows))

    def predicted(self, inputs: Any) -> Prediction:
        """``prediction`` of rows that are encoded already."""
        outputs = self._run(inputs).astype(np.float64)
        mean, spread = outputs.mean(axis=0), outputs.std(axis=0)
        if self.classes:  # float32 sums to 1 in 7 digits; who checks in float64 wants 15
            mean /= mean.sum(axis=-1, keepdims=True)
        labels = np.array(self.classes)[mean.argmax(axis=-1)] if self.classes else None
        return Prediction(mean, spread, labels)

    def predict(self, rows: Any) -> np.ndarray:
        """Class names ``(rows,)`` or values ``(rows,)``; of sentences lists of their words' labels."""
        if self.kind == "tagging":
            told = self.tag(rows)
            labels = np.empty(len(told), object)
            labels[:] = [list(one.labels) for one in told]
            return labels
        found = self.prediction(rows)
        return found.output if found.labels is None else found.labels

    def predict_proba(self, rows: Any) -> np.ndarray:
        """Class probabilities ``(rows, classes)``, columns in the order of ``classes``."""
        if not self.classes:
            raise DataError("probabilities are for classes; this model predicts values: use predict")
        return self.prediction(rows).output

    def predict_set(self, rows: Any, coverage: float = 0.9) -> np.ndarray:
        """The classes that each row may be, bool ``(rows, classes)``: in ``coverage`` of rows the true one is there.

        Conformal, by the rows that the networks were cross-validated on: rows to come have to be like those. As
        the networks of all folds predict together here, and of one fold there, it covers a little more. Between
        two sizes of a set a draw decides, which hangs on the row's place among the others.

        Raises:
            DataError: a model of values, or one without its cross-validated predictions.
        """
        if not self.classes:
            raise DataError("sets are for classes; this model predicts values: use predict_interval")
        return self.sets(self.prediction(rows), coverage)

    def predict_interval(self, rows: Any, coverage: float = 0.9) -> np.ndarray:
        """The lower and upper end ``(rows, 2)`` between which the value lies in ``coverage`` of rows.

        Otherwise as ``predict_set``; all intervals are equally wide.
        """
        if self.classes:
            raise DataError("intervals are for values; this model predicts classes: use predict_set")
        return self.intervals(self.prediction(rows), coverage)

    def sets(self, found: Prediction, coverage: float = 0.9) -> np.ndarray:
        """``predict_set`` for rows that are predicted already."""
        known = self._calibration()
        return conformal_sets(known["output"], known["target"], found.output, coverage=coverage)

    def intervals(self, found: Prediction, coverage: float = 0.9) -> np.ndarray:
        """``predict_interval`` for rows that are predicted already."""
        known = self._calibration()
        return conformal_interval(known["output"], known["target"], found.output, coverage=coverage)

    def _calibration(self) -> Mapping[str, np.ndarray]:
        if self.calibration is None:
            raise DataError(
                "this model has no cross-validated predictions to say how far to trust it by (predictions.safetensors)"
            )
        return self.calibration

    def translate(self, texts: Any, **settings: Any) -> list[str]:
        """What texts become, of a run of pairs of texts; see ``experiment.translation.translate``."""
        from manyfit.experiment.translation import translate

        return [one.text for one in translate(self, texts, **settings)]

    def tag(self, sentences: Any) -> list[TaggedSentence]:
        """Labels of the words of sentences; see ``experiment.tagging.tag``."""
        from manyfit.experiment.tagging import tag

        return tag(self, sentences)

    def evaluate(self, rows: Any) -> dict[str, float]:
        """The ensemble's metrics on labelled rows."""
        from manyfit.experiment import translation

        if translation.translates(self):
            return translation.score(self, rows)
        if hasattr(self.objective, "measured"):
            return self._measured(rows)
        if self.encoder is None:
            raise DataError(
                "this model was trained on plain arrays: score its predictions with manyfit.metrics"
            )
        if self.kind == "own":
            raise DataError(
                f"{type(self.objective).__name__} is scored by no labels: its own measures are in the run's report"
            )
        if self.kind == "tagging":
            from manyfit.experiment import tagging

            return tagging.score(self, rows)
        target = self.encoder.encode_target(rows)
        return metrics.score(self.kind, target, self.prediction(rows).output)

    def score_intervals(self, rows: Any) -> dict[str, Interval]:
        """The ensemble's metrics on labelled rows, each with its 95 % interval over these rows.

        See ``manyfit.evaluate.score_intervals``. Empty for what is not scored row by row: running texts, translations,
        labelled words, forecasts.
        """
        from manyfit.experiment import translation

        apart = hasattr(self.objective, "measured") or translation.translates(self)
        if apart or self.encoder is None or self.kind not in ("binary", "multiclass", "regression"):
            return {}
        target = self.encoder.encode_target(rows)
        return score_intervals(self.kind, target, self.prediction(rows).output)

    def _measured(self, rows: Any) -> dict[str, float]:
        """An objective's own measures of all members together, their probabilities averaged, on the rows of a text."""
        data, objective = self._inputs(rows), self.objective
        models = jax.tree.map(jnp.asarray, self.models)

        @jax.jit
        def measure(block: jax.Array, weight: jax.Array) -> Any:
            def averaged(tokens: jax.Array) -> jax.Array:
                each = jax.vmap(lambda model: objective.log_probabilities(model, tokens))(models)
                return jax.nn.logsumexp(each, axis=0) - np.log(self.members)

            return objective.measured(averaged, Batch(objective.gather(data, block), weight))

        totals: dict[str, np.ndarray] = {}
        count = len(data["start"])
        for first in range(0, count, BLOCK):
            block = np.arange(first, first + BLOCK)
            found = measure(np.minimum(block, count - 1), (block < count).astype(np.float32))
            for name, metric in found.items():
                totals[name] = totals.get(name, np.zeros(2)) + np.array(
                    [metric.total, metric.count], np.float64
                )
        scores = {name: float(total / of) for name, (total, of) in totals.items()}
        return scores | objective.derived(scores)

    def generate(
        self,
        prompts: str | Sequence[str] = "",
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        beams: int | None = None,
        stop: Sequence[str] = (),
        seed: int = 0,
        member: int | None = None,
    ) -> list[Generated]:
        """What a language model writes after each prompt, ``length`` tokens at most.

        The members' probabilities are averaged, unless ``member`` names one. See ``objectives.Sampling`` for
        the settings; ``beams`` searches for the most probable text instead of drawing one. Generation ends at a
        ``stop`` string, which is left out.

        Raises ``DataError`` for a run that is no language model, and a prompt that it cannot read;
        ``ConfigError`` for settings out of range.
        """
        from manyfit.experiment.generation import generate, writer_of
        from manyfit.objectives.decoding import Sampling

        writers = self.__dict__.setdefault("_writers", {})  # compiled once
        if member not in writers:
            writers[member] = writer_of(self, member)
        return generate(
            writers[member],
            [prompts] if isinstance(prompts, str) else list(prompts),
            length=length,
            sampling=Sampling(temperature, top_k, top_p, min_p, repetition_penalty),
            stop=stop,
            seed=seed,
            beams=beams,
        )

    def network(self, rows: Any) -> NetworkReport:
        """Every member's network, layer by layer, on labelled rows: sizes, costs, activations, gradients."""
        from manyfit.experiment.network import trained_network

        return trained_network(self, rows)

    # On disk

    def save(self, folder: RunFolder) -> None:
        """Write ``model/`` into a run folder."""
        arrays = {n: np.asarray(a, order="C") for n, a in named_leaves(self.models).items()}
        about = {
            "format": 1,
            "task": {"kind": self.kind, "target": self.target, "classes": list(self.classes)},
            "members": self.members,
            "objective": describe(unbound(self.objective)),
            "cardinalities": list(getattr(getattr(self.objective, "features", None), "cardinalities", ())),
            "data": describe(self.data),
            "hyper": list(self.hyper),
            "encoder": None if self.encoder is None else self.encoder.to_json(),
        }
        folder.write("model/model.safetensors", save_arrays(arrays))
        folder.write_json("model/model.json", about)

    @classmethod
    def load(cls, path: str | Path, objective: Any = None) -> Predictor:
        """The model of a run. ``objective`` is needed where it has parts of its author's own.

        Nothing that lies in the folder is executed. Raises ``RunError`` for a
        folder without a model, a broken one or one of another version.
        """
        folder = RunFolder(path)
        if folder.exists() and not (folder / "model/model.json").is_file():
            summary = folder.read_json("summary.json") if (folder / "summary.json").is_file() else {}
            if summary.get("interrupted") is False:
                raise RunError(
                    f"{folder.path} has lost its model: restore {folder / 'model'}, or repeat the run"
                )
            raise RunError(
                f"{folder.path} is not finished, so that it has no model: manyfit resume {folder.path}"
            )
        about = folder.read_json("model/model.json")
        found = about.get("format") if isinstance(about, dict) else None
        if found != 1:
            raise RunError(
                f"{folder / 'model/model.json'} has format {found!r}, this version of manyfit reads 1: "
                "use the version that wrote it, or run the experiment anew"
            )
        place = folder / "model/model.safetensors"
        try:
            arrays = load_arrays(place.read_bytes())
        except (OSError, SafetensorError) as error:
            raise RunError(
                f"{place} cannot be read ({error}); restore it or run the experiment anew"
            ) from error
        try:
            spec = rebuild(about["data"])
            if objective is None:
                objective = rebuild(about["objective"])
            if hasattr(objective, "bind"):
                objective = objective.bind(spec, cardinalities=tuple(about["cardinalities"]))
            template = template_of(objective, spec, tuple(about["hyper"]))
            models = from_named(arrays, template)
            check_shapes(models, template, place)
            return cls(
                kind=about["task"]["kind"],
                target=about["task"]["target"],
                classes=tuple(about["task"]["classes"]),
                objective=objective,
                models=models,
                data=spec,
                hyper=tuple(about["hyper"]),
                encoder=encoder_from_json(about["encoder"]),
                calibration=_calibration_in(folder),
            )
        except ManyfitError:
            raise
        except Exception as error:  # whatever a file of a stranger's makes of the parts it names
            raise RunError(f"{folder / 'model'} is not whole ({error}); run the experiment anew") from error

    def _inputs(self, rows: Any) -> Any:
        if self.encoder is not None:
            return self.encoder.encode(rows)
        return rows["inputs"] if isinstance(rows, dict) and "inputs" in rows else rows

    def _run(self, inputs: Any) -> np.ndarray:
        count = len(jax.tree.leaves(inputs)[0])
        block = BLOCK if jax.default_backend() == "cpu" else BLOCK_ON_ACCELERATOR
        parts = []
        for start in range(0, count, block):
            some = jax.tree.map(lambda leaf, s=start: np.asarray(leaf[s : s + block]), inputs)
            here = len(jax.tree.leaves(some)[0])
            if here < block:
                some = jax.tree.map(
                    lambda leaf, n=here: np.concatenate([leaf, leaf[:1].repeat(block - n, 0)]), some
                )
            parts.append(np.asarray(self._compiled(some))[:, :here])
        if not parts:
            raise DataError("there are no rows to predict")
        return np.concatenate(parts, axis=1)

    @cached_property
    def _compiled(self) -> Callable[[Any], jax.Array]:
        """Every member's outputs for one block of rows, its models on the device."""
        models = jax.tree.map(jnp.asarray, self.models)
        many = jax.jit(jax.vmap(lambda model, x: self.objective.predict(model, {"inputs": x}), (0, None)))
        return lambda rows: many(models, rows)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_compiled", "_writers")}


def _calibration_in(folder: RunFolder) -> dict[str, np.ndarray] | None:
    """The out-of-fold predictions of a run, where it has any."""
    place = folder / "predictions.safetensors"
    if not place.is_file():
        return None
    try:
        found = load_arrays(place.read_bytes())
        return {name: found[name] for name in ("output", "target")}
    except (OSError, SafetensorError, KeyError):  # the model predicts without; who asks for sets is told
        return None
