"""Which settings to try next, from what the ones before them were worth."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, nearest
from manyfit.space import Choice, Distribution, Integer, LogUniform, Uniform
from manyfit.tune.sampling import draw

Method: TypeAlias = Literal["sobol", "random", "tpe", "cmaes"]
METHODS: tuple[Method, ...] = ("sobol", "random", "tpe", "cmaes")

Pick: TypeAlias = Callable[[str, Distribution], Any]
"""Gives the value of one hyper-parameter, by its label."""


@dataclass(frozen=True)
class Told:
    """What became of one setting."""

    values: Mapping[str, Any]
    """Label -> value; only the labels that this setting had."""
    loss: float
    """The lower, the better; infinite where it diverged."""
    epoch: int | None = None
    """Where it was pruned; None where it was trained to its end."""


def suggest(
    space: Mapping[str, Distribution],
    told: Sequence[Told],
    count: int,
    *,
    method: Method = "sobol",
    batch: int = 16,
    seed: int = 0,
) -> list[Pick]:
    """The next ``count`` settings, as functions that pick a value for each hyper-parameter.

    They follow from the arguments alone, so that a search that was killed goes on as if it had not been.

    Args:
        space: label -> distribution, as ``manyfit.space.labelled`` finds them; what lies below an
            option of a choice is asked for only where that option was picked.
        told: every setting tried so far, in the order in which they were suggested.
        count: how many to suggest; none of them knows how the others of the same call will fare.
        method: ``"sobol"`` and ``"random"`` do not look at ``told``. ``"tpe"``: Optuna's multivariate
            tree-structured Parzen estimator, after a first call of Sobol' points. ``"cmaes"``:
            covariance matrix adaptation over the unit cube of the space, for spaces of numbers; what it
            is told must be what it suggested.
        batch: the settings of one call, the last call's apart: the population of CMA-ES.
        seed: the same seed suggests the same.

    Raises:
        ConfigError: an unknown method, or one that cannot search such a space.

    Source: Bergstra et al. (2011), "Algorithms for hyper-parameter optimization"; Falkner, Klein and
    Hutter (2018), "BOHB"; Hansen (2016), "The CMA evolution strategy: a tutorial".
    """
    if method not in METHODS:
        raise ConfigError(f"unknown search {method!r}: {nearest(method, METHODS)}")
    if method == "cmaes":
        return _cmaes(space, told, count, batch, seed)
    if method == "tpe" and told:
        return _tpe(space, told, count, seed)
    drawn = draw(space, len(told) + count, seed, method="random" if method == "random" else "sobol")
    return [_from(values) for values in drawn[len(told) :]]


def _from(values: Mapping[str, Any]) -> Pick:
    return lambda label, kind: values[label] if label in values else kind.at(0.5)


def _tpe(space: Mapping[str, Distribution], told: Sequence[Told], count: int, seed: int) -> list[Pick]:
    import optuna  # takes 0.3 s, which other searches need not pay

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        # A fresh sampler for each batch: its randomness then depends on how many were tried, not on who asked.
        with warnings.catch_warnings():  # of groups, which conditional spaces need, that they may change
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=int(np.random.SeedSequence([seed, len(told)]).generate_state(1)[0]),
                multivariate=True,
                group=True,
                n_startup_trials=1,
            )
        study = optuna.create_study(sampler=sampler)
        study.add_trials([_trial(space, one) for one in told])
        # each one is settled before the next is asked for, which then keeps away from it
        return [_from(_all_of(space, study.ask())) for _ in range(count)]
    finally:
        optuna.logging.set_verbosity(verbosity)


def _all_of(space: Mapping[str, Distribution], trial: Any) -> dict[str, Any]:
    """The values that a trial of Optuna suggests; those below a choice only for the option that it takes."""
    values: dict[str, Any] = {}
    taken: list[str] = []
    for label in sorted(space, key=lambda label: (label.count("["), label)):
        if "[" in label and not any(label.startswith(f"{option}.") for option in taken):
            continue
        kind = space[label]
        if isinstance(kind, Choice):
            place = trial.suggest_categorical(label, range(len(kind.options)))
            values[label] = kind.options[place]
            taken.append(f"{label}[{place}]")
        elif isinstance(kind, Integer):
            values[label] = trial.suggest_int(label, kind.low, kind.high, log=kind.log)
        elif isinstance(kind, (Uniform, LogUniform)):
            values[label] = trial.suggest_float(label, kind.low, kind.high, log=isinstance(kind, LogUniform))
        else:
            raise ConfigError(f"TPE cannot search a {type(kind).__name__}: use --search sobol or random")
    return values


def to_optuna(kind: Distribution) -> Any:
    """A distribution as Optuna's; of a choice, the places of its options, which may be anything."""
    from optuna import distributions

    if isinstance(kind, LogUniform):
        return distributions.FloatDistribution(kind.low, kind.high, log=True)
    if isinstance(kind, Uniform):
        return distributions.FloatDistribution(kind.low, kind.high)
    if isinstance(kind, Integer):
        return distributions.IntDistribution(kind.low, kind.high, log=kind.log)
    assert isinstance(kind, Choice)
    return distributions.CategoricalDistribution(range(len(kind.options)))


def _trial(space: Mapping[str, Distribution], told: Told) -> Any:
    from optuna.trial import TrialState, create_trial

    known = {label: kind for label, kind in space.items() if label in told.values}
    params = {}
    for label, kind in known.items():
        value = told.values[label]
        params[label] = kind.place(value) if isinstance(kind, Choice) else value
    failed = not math.isfinite(told.loss)
    shape: dict[str, Any] = {
        "params": params,
        "distributions": {label: to_optuna(kind) for label, kind in known.items()},
    }
    if failed:  # as bad as can be, which is not the same as unknown
        return create_trial(state=TrialState.COMPLETE, value=1e300, **shape)
    if told.epoch is not None:
        return create_trial(state=TrialState.PRUNED, intermediate_values={told.epoch: told.loss}, **shape)
    return create_trial(state=TrialState.COMPLETE, value=told.loss, **shape)


def _cmaes(
    space: Mapping[str, Distribution], told: Sequence[Told], count: int, batch: int, seed: int
) -> list[Pick]:
    try:
        from cmaes import CMA
    except ImportError:
        raise ConfigError(
            "the search 'cmaes' needs the package cmaes: pip install 'manyfit[cmaes]'"
        ) from None
    labels = sorted(space)
    for label in labels:
        if isinstance(space[label], Choice):
            raise ConfigError(
                f"CMA-ES searches numbers, and {label!r} is a choice: use --search tpe, or settle it"
            )
    if batch < 2:
        raise ConfigError(f"CMA-ES learns from batches: batch={batch}, give at least 2")
    size = len(labels)
    # Where a batch is smaller than the strategy's own population it learns from what there is.
    strategy = CMA(
        mean=np.full(size, 0.5),
        sigma=0.3,
        bounds=np.tile([0.0, 1.0], (size, 1)),
        n_max_resampling=100,
        seed=int(np.random.SeedSequence([seed, 7]).generate_state(1)[0]),
        population_size=batch,
    )
    # The strategy is led through all that it has seen: it then stands where it stood, with nothing kept of it.
    points: list[npt.NDArray[np.float64]] = []
    for start in range(0, len(told), batch):
        points = [strategy.ask() for _ in range(batch)]
        results = told[start : start + batch]
        if len(results) == batch:
            worst = max((one.loss for one in results if math.isfinite(one.loss)), default=0.0)
            strategy.tell(
                [(x, one.loss if math.isfinite(one.loss) else worst + 1.0) for x, one in zip(points, results)]
            )
    points = [strategy.ask() for _ in range(count)]
    return [_from({label: space[label].at(float(u)) for label, u in zip(labels, point)}) for point in points]
