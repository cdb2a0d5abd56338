"""``manyfit rl``: agents by the name of their environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from manyfit.cli.arguments import Switch, arg, place
from manyfit.cli.fit_options import Options


@dataclass
class Rl(Options):
    """Train agents in an environment: many seeds and settings at once.

    Environments of Gymnasium by name: the classic ones on the device, all
    others on the host, one's own as MODULE:NAME, and those of gymnax on the
    device as gymnax:NAME. Each seed is an agent with environments of its own;
    the score is the return of whole episodes that none of them was chosen by,
    with the interquartile mean over seeds and its interval.

    Examples:
      manyfit rl CartPole-v1 --algorithm ppo --seeds 16
      manyfit rl CartPole-v1 --algorithm dqn --set dueling=true n_step=3
      manyfit rl CartPoleNoVel-v1 --algorithm recurrent-ppo
      manyfit rl Pendulum-v1 --algorithm sac
      manyfit rl my_module:MyRobot-v0 --algorithm sac
      manyfit rl gymnax:Breakout-MinAtar --algorithm dqn
      manyfit rl Acrobot-v1 --set learning_rate=1e-4:1e-2 --trials 16

    Ctrl-C stops cleanly; manyfit resume goes on from there.
    """

    environment: Annotated[str, tyro.conf.Positional, place("ENVIRONMENT")]
    """The environment's name, as Gymnasium has it."""
    algorithm: Annotated[str, arg("NAME", "ppo")] = "ppo"
    """How it learns: ppo, recurrent-ppo (which remembers the episode, for what an observation does not tell), dqn (one
    of several actions), sac or td3 (continuous actions)."""
    out: Annotated[Path | None, arg("FOLDER", "runs/<environment>-<algorithm>", "-o")] = None
    """The run folder."""
    seeds: Annotated[int | None, arg("N", "8")] = None
    """Agents for each setting."""
    steps: Annotated[int | None, arg("N", "by environment and algorithm")] = None
    """Environment steps of each agent."""
    set: Annotated[tuple[str, ...], arg("NAME=VALUE|LOW:HIGH ...")] = ()
    """Settings of the algorithm (learning_rate, gamma, hidden …), or ranges to search."""
    trials: Annotated[int | None, arg("N", "16 where a range is searched, else 1")] = None
    """Settings to try."""
    search: Literal["sobol", "random", "tpe", "cmaes"] = "sobol"
    """How settings are chosen."""
    prune: Literal["none", "halving", "hyperband"] = "none"
    """Give settings up early."""
    looks: Annotated[int | None, arg("N", "25")] = None
    """How often agents are evaluated while they train."""
    episodes: Annotated[int | None, arg("N", "100")] = None
    """Episodes that score the kept agent."""
    budget: Annotated[str | None, arg("TIME", "none")] = None
    """Stop after this long (90, 90s, 30m, 2h)."""
    seed: Annotated[int, arg("N", "0")] = 0
    """Where all randomness derives from."""
    checkpoint_seconds: Annotated[float, arg("SECONDS", "15")] = 15.0
    """Time between two checkpoints."""
    json: Annotated[bool, Switch] = False
    """Print the summary as JSON on standard output."""
    quiet: Annotated[bool, Switch] = False
    """Print no progress."""
