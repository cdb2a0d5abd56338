"""``manyfit play``: what a run's agents do, episode by episode, and one of them to look at."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro

from manyfit.cli.arguments import Switch, arg, place
from manyfit.cli.output import write_bytes
from manyfit.engine.keys import key_of
from manyfit.errors import ConfigError
from manyfit.experiment.predictor import Predictor
from manyfit.experiment.result import Result
from manyfit.report.agents import EPISODE


@dataclass
class Play:
    """Let the agents of a run play.

    Each plays the same episodes, without exploration; what they earn is printed.
    An episode of the best of them can be written as an animation; the report
    shows the one that is RUN/episode.gif.

    Examples:
      manyfit play runs/CartPole-v1-ppo
      manyfit play runs/Pendulum-v1-sac -n 1 -o runs/Pendulum-v1-sac/episode.gif
    """

    run: Annotated[Path, tyro.conf.Positional, place("RUN")]
    """A run folder of manyfit rl."""
    episodes: Annotated[int, arg("N", "5", "-n")] = 5
    """Episodes of each agent."""
    out: Annotated[Path | None, arg("FILE", "none", "-o")] = None
    """A .gif of the first episode of the best agent, or of --agent."""
    agent: Annotated[int | None, arg("K", "all of them")] = None
    """Of the agents of the run this one alone, from 0."""
    seed: Annotated[int, arg("N", "0")] = 0
    """What the starts of the episodes derive from."""
    trust: Annotated[bool, Switch] = False
    """Import the module that an environment MODULE:NAME names: it runs code, and a run folder may be a stranger's."""
    json: Annotated[bool, Switch] = False
    """Print what was earned as JSON."""


def play(options: Play) -> int:
    """``manyfit play``."""
    if options.episodes < 1:
        raise ConfigError(f"-n {options.episodes}: give at least 1")
    if options.out is not None and options.out.suffix.lower() != ".gif":
        raise ConfigError(f"{options.out}: an episode is written as .gif")
    predictor = Predictor.load(options.run)
    who = _agents(predictor, options)
    environment = predictor.objective.environment
    may_import(environment.name, options.trust)
    if options.out is not None and not environment.on_host:
        from manyfit.environments.drawing import frame

        blank = np.zeros(max(8, environment.features))
        frame(environment, blank)  # what cannot be drawn is said before anything is played
    returns, lengths = played(predictor, options.episodes, seed=options.seed)
    best = who[int(np.argmax(returns[who].mean(axis=1)))]
    if options.json:
        rows = [{"agent": k, "returns": returns[k].tolist(), "lengths": lengths[k].tolist()} for k in who]
        print(json.dumps({"environment": environment.name, "agents": rows, "best": best}, indent=1))
    else:
        for k in who:
            each = "  ".join(f"{value:.6g}" for value in returns[k][:10])
            more = "  …" if options.episodes > 10 else ""
            print(
                f"agent {k}: mean return {returns[k].mean():.6g}, {lengths[k].mean():.6g} steps: {each}{more}"
            )
    if options.out is not None:
        total, content = drawn(predictor, best, seed=options.seed)
        write_bytes(options.out, content)
        print(f"an episode of agent {best}, return {total:.6g}: {options.out}", file=sys.stderr)
    return 0


def may_import(environment: str, trusted: bool) -> None:
    """Trust the module of a run's environment where the user does; raises ``ConfigError`` where he has not said so."""
    from manyfit.environments import check_trusted, trust

    if trusted:
        trust(environment)
    check_trusted(environment)


def _agents(predictor: Predictor, options: Play) -> list[int]:
    if not hasattr(predictor.objective, "episodes"):
        raise ConfigError(
            f"{options.run} has no agents: its networks are of {type(predictor.objective).__name__}; play is for "
            "runs of manyfit rl"
        )
    if options.agent is None:
        return list(range(predictor.members))
    if not 0 <= options.agent < predictor.members:
        raise ConfigError(
            f"--agent {options.agent}: there are {predictor.members}, 0 to {predictor.members - 1}"
        )
    return [options.agent]


def played(predictor: Predictor, episodes: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns and lengths ``(agents, episodes)`` of the same episodes for each agent."""
    keys = jax.random.split(key_of(seed), episodes)
    agent = predictor.objective
    total, length = jax.jit(jax.vmap(lambda model: agent.episodes(model, keys)))(predictor.models)
    return np.asarray(total), np.asarray(length)


def drawn(predictor: Predictor, member: int, *, seed: int = 0) -> tuple[float, bytes]:
    """What the agent of that place earns in the first of ``played``'s episodes, and the episode as a GIF.

    In an environment on the host it is an episode of its own.
    """
    from manyfit.environments import Gymnasium, Gymnax
    from manyfit.environments.drawing import episode, film
    from manyfit.environments.gym import filmed

    agent: Any = predictor.objective
    model = jax.tree.map(lambda leaf: leaf[member], predictor.models)
    if isinstance(agent.environment, Gymnasium):
        acted = jax.jit(lambda seen, memory: agent.acted(model, seen[None], memory))
        memory = agent.blank(1)

        def act(seen: np.ndarray) -> np.ndarray:
            nonlocal memory
            actions, memory = acted(seen, memory)
            return np.asarray(actions[0])

        total, pictures = filmed(agent.environment, act, seed)
        return total, film(pictures)
    key = jax.random.split(key_of(seed), 1)[0]
    states, rewards, count = jax.jit(agent.trajectory)(model, key)
    length = int(count)
    total = float(np.sum(np.asarray(rewards)[:length]))
    if isinstance(agent.environment, Gymnax):
        states = jax.vmap(agent.environment.observe)(states)
    return total, episode(agent.environment, np.asarray(states)[: length + 1])


def keep_episode(result: Result, out: Path) -> None:
    """An episode of the best of the chosen agents into the run folder; none where it cannot be drawn."""
    agents = [m for m in result.members if m["trial"] == result.chosen and m["status"] != "diverged"]
    if result.predictor is None or result.interrupted or not agents:
        return
    best = int(np.argmax([member["test"]["return"] for member in agents]))
    with contextlib.suppress(ConfigError):
        write_bytes(out / EPISODE, drawn(result.predictor, best)[1])
