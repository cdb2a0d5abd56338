"""The trials of a search in a data base, as an Optuna study that other tools and later searches can read."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from manyfit.errors import ConfigError, RunError
from manyfit.space import Choice, Distribution
from manyfit.tune.suggestions import Told, to_optuna

TRIAL = "trial"
"""The attribute of a stored trial that says which one of its run it is."""


class Storage:
    """A study in a data base, told of every trial of a run as it ends.

    The run folder stays what a search goes on from; the study is for others: Optuna's dashboard, a query, or the
    first trials of a later search (``stored_settings``).

    Args:
        url: of the data base, as SQLAlchemy writes it: ``postgresql://user@host/name``, ``sqlite:///file.db``.
            A password comes from ``PGPASSWORD`` or ``~/.pgpass``: the URL is written into the run folder.
        study: the study's name.
        space: what is searched, label -> distribution.
        resume: go on with the study if it is there, in place of refusing it.

    Raises ``ConfigError`` for a URL that cannot be used and for a study that is there already, ``RunError`` where
    the data base does not answer.
    """

    def __init__(self, url: str, study: str, space: Mapping[str, Distribution], *, resume: bool) -> None:
        import optuna

        self._space = space
        self._place = f"{url}, study {study!r}"
        with _one_line(url), _opened(url) as storage:
            self._storage = storage
            try:
                self._study = optuna.create_study(
                    storage=storage, study_name=study, direction="minimize", load_if_exists=resume
                )
            except optuna.exceptions.DuplicatedStudyError:
                raise ConfigError(
                    f"{url} holds a study {study!r} already: choose another run folder, whose name the study takes"
                ) from None
            # deepcopy=False: only the attributes are looked at
            known = (t.user_attrs.get(TRIAL) for t in self._study.get_trials(deepcopy=False))
            self._known = {trial for trial in known if trial is not None}

    def tell(self, trials: Mapping[int, Told]) -> None:
        """Store the trials (number -> what became of it) that are not there yet.

        Raises ``RunError`` where the data base does not answer; the next call makes up for it.
        """
        new = {number: told for number, told in trials.items() if number not in self._known}
        if not new:
            return
        with _one_line(self._place), contextlib.ExitStack() as after:
            after.callback(self._storage.remove_session)
            for number, told in sorted(new.items()):
                self._study.add_trial(_stored(self._space, number, told))
                self._known.add(number)


def stored_settings(
    url: str, space: Mapping[str, Distribution], most: int, *, study: str | None = None
) -> tuple[dict[str, Any], ...]:
    """The settings of the best complete trials of a data base, as far as they are searched again now.

    ``study`` None takes the only study there is. Raises ``ConfigError`` where there is none, or several, or none of
    their hyper-parameters is searched now.
    """
    import optuna

    with _one_line(url), _opened(url) as storage:
        names = sorted(one.study_name for one in storage.get_all_studies())
        if study is None and len(names) != 1:
            raise ConfigError(
                f"{url} holds {len(names)} studies ({', '.join(names) or 'none'}): name one with URL#STUDY"
            )
        if study is not None and study not in names:
            raise ConfigError(f"{url} holds no study {study!r}, only {', '.join(names) or 'none'}")
        found = optuna.load_study(storage=storage, study_name=study or names[0])
        done = found.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    settings = []
    for trial in sorted(done, key=lambda one: float(one.value or 0.0))[:most]:
        here = {}
        for label, kind in space.items():
            if label in trial.params and (value := _value(kind, trial.params[label])) is not _UNKNOWN:
                here[label] = value
        if here:
            settings.append(here)
    if not settings:
        raise ConfigError(
            f"{url} has no settings to begin with: its trials searched nothing that is searched now "
            f"({', '.join(space) or 'nothing'}), or other ranges"
        )
    return tuple(settings)


@contextlib.contextmanager
def _opened(url: str) -> Iterator[Any]:
    """The data base as Optuna's storage, its connection closed behind the block; Optuna is quiet within."""
    import optuna
    from sqlalchemy.pool import NullPool

    parts = urlsplit(url)
    if "://" not in url or not parts.scheme:
        raise ConfigError(
            f"storage {url!r}: give a URL such as postgresql://user@host/name or sqlite:///file.db"
        )
    if parts.password is not None:
        raise ConfigError(
            "storage: leave the password out of the URL, which is written into the run folder: "
            "PGPASSWORD or ~/.pgpass can hold it"
        )
    # psycopg 3 by name: which driver a bare postgresql:// means differs between versions of SQLAlchemy
    driver = url.replace("postgresql://", "postgresql+psycopg://", 1)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        # a connection for each use: none is left open between two batches, nor broken by a server that restarts
        storage = optuna.storages.RDBStorage(driver, engine_kwargs={"poolclass": NullPool})
        try:
            yield storage
        finally:
            storage.remove_session()
    except ImportError as error:
        raise ConfigError(
            f"{parts.scheme} needs a driver ({error.name or error}): pip install 'manyfit[postgresql]'"
        ) from None
    finally:
        optuna.logging.set_verbosity(verbosity)


@contextlib.contextmanager
def _one_line(place: str) -> Iterator[None]:
    """Errors of the data base as one line that names the place."""
    import optuna
    import sqlalchemy

    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
        first = str(getattr(cause, "orig", None) or cause or error).strip().splitlines()[0]
        kind = ConfigError if isinstance(cause, sqlalchemy.exc.ArgumentError) else RunError
        raise kind(f"storage {place}: {first}") from None


def _stored(space: Mapping[str, Distribution], number: int, told: Told) -> Any:
    """A trial as Optuna stores it; options that a data base cannot hold stand as their text."""
    from optuna.distributions import CategoricalDistribution
    from optuna.trial import TrialState, create_trial

    params, kinds = {}, {}
    for label, kind in space.items():
        if label in told.values:
            value = told.values[label]
            params[label] = _plain(value) if isinstance(kind, Choice) else value
            options = isinstance(kind, Choice) and [_plain(option) for option in kind.options]
            kinds[label] = CategoricalDistribution(options) if options else to_optuna(kind)
    shape: dict[str, Any] = {"params": params, "distributions": kinds, "user_attrs": {TRIAL: number}}
    if not math.isfinite(told.loss):
        return create_trial(state=TrialState.FAIL, **shape)
    if told.epoch is not None:
        seen = {told.epoch: told.loss}
        return create_trial(state=TrialState.PRUNED, value=told.loss, intermediate_values=seen, **shape)
    return create_trial(state=TrialState.COMPLETE, value=told.loss, **shape)


_UNKNOWN = object()


def _value(kind: Distribution, stored: Any) -> Any:
    """What was stored, as a value of the distribution; ``_UNKNOWN`` where it holds no such value."""
    if isinstance(kind, Choice):
        return next((option for option in kind.options if _plain(option) == stored), _UNKNOWN)
    return stored if kind.holds(stored) else _UNKNOWN


def _plain(option: Any) -> Any:
    return option if isinstance(option, (str, int, float, bool, type(None))) else repr(option)
