"""Pictures of the environments that are written here, and an episode as an animation (needs Pillow)."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from manyfit.environments.acrobot import Acrobot
from manyfit.environments.cartpole import CartPole
from manyfit.environments.environment import Environment
from manyfit.environments.frozen_lake import FrozenLake
from manyfit.environments.gymnax import Gymnax
from manyfit.environments.mountain_car import MountainCar, MountainCarContinuous
from manyfit.environments.partly_observed import PartlyObserved
from manyfit.environments.pendulum import Pendulum
from manyfit.errors import ConfigError

WIDTH, HEIGHT = 300, 200
WHITE, INK, BLUE, RED, SAND, ICE, GREEN = range(7)
PALETTE = (
    (255, 255, 255),
    (40, 44, 52),
    (56, 110, 180),
    (200, 60, 50),
    (200, 160, 110),
    (205, 230, 245),
    (60, 150, 80),
)
MOST_FRAMES = 150
"""Frames of an animation: of a longer episode every so manieth step is drawn."""

Pen = Any
"""``PIL.ImageDraw.ImageDraw`` on an image of the palette."""


def drawable(environment: Environment) -> bool:
    """Whether there is a picture of its states."""
    environment = _whole(environment)
    if isinstance(environment, Gymnax):
        return len(environment.shape) in (2, 3)
    return type(environment) in _DRAWN


def frame(environment: Environment, state: np.ndarray) -> Any:
    """A state as a ``PIL.Image``, 300 by 200.

    Raises ``ConfigError`` where Pillow is missing, or nothing is known of what the environment looks like.
    """
    environment, image_of = _whole(environment), _pillow()
    from PIL import ImageDraw

    if not drawable(environment):
        raise ConfigError(
            f"nothing is known of what {environment.name or type(environment).__name__} looks like"
        )
    image = image_of.new("P", (WIDTH, HEIGHT), WHITE)
    image.putpalette([part for colour in PALETTE for part in colour])
    _DRAWN[type(environment)](ImageDraw.Draw(image), environment, np.asarray(state, np.float64))
    return image


def animation(frames: Sequence[Any], milliseconds: int) -> bytes:
    """Images as a GIF that begins anew at its end; each is shown for ``milliseconds``, the last one longer."""
    held = io.BytesIO()
    times = [milliseconds] * (len(frames) - 1) + [1000]
    frames[0].save(held, format="GIF", save_all=True, append_images=list(frames[1:]), duration=times, loop=0)
    return held.getvalue()


def episode(environment: Environment, states: np.ndarray) -> bytes:
    """The states of an episode ``(steps, ...)`` as a GIF."""
    every = max(1, math.ceil(len(states) / MOST_FRAMES))
    shown = [*range(0, len(states) - 1, every), len(states) - 1]
    slow = isinstance(environment, FrozenLake)
    return animation([frame(environment, states[i]) for i in shown], 300 if slow else 30 * min(every, 3))


def film(pictures: Sequence[np.ndarray]) -> bytes:
    """Pictures ``(H, W, 3)`` uint8 of an episode as a GIF, no wider than 300."""
    image = _pillow()
    every = max(1, math.ceil(len(pictures) / MOST_FRAMES))
    frames = []
    for pixels in pictures[::every]:
        one = image.fromarray(np.asarray(pixels, np.uint8))
        one.thumbnail((WIDTH, WIDTH))
        frames.append(one.quantize(32))
    return animation(frames, 30 * min(every, 3))


def _whole(environment: Environment) -> Environment:
    """The environment that is drawn: all of one that is seen in part."""
    return environment.whole if isinstance(environment, PartlyObserved) else environment


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigError(
            "pictures need Pillow, which is not installed: pip install 'manyfit[rl]'"
        ) from error
    return Image


def _cartpole(pen: Pen, environment: Any, state: np.ndarray) -> None:
    unit, floor = WIDTH / 4.8, 150.0
    x = WIDTH / 2 + unit * state[0]
    pen.line((0, floor, WIDTH, floor), INK)
    pen.rectangle((x - 20, floor - 10, x + 20, floor + 10), BLUE)
    _rod(pen, x, floor - 8, unit * math.sin(state[2]), unit * math.cos(state[2]), SAND, 7)


def _pendulum(pen: Pen, environment: Any, state: np.ndarray) -> None:
    length = 80.0
    across, up = -length * math.sin(state[0]), length * math.cos(state[0])
    _rod(pen, WIDTH / 2, HEIGHT / 2, across, up, RED, 12)
    _disc(pen, WIDTH / 2, HEIGHT / 2, 4, INK)


def _acrobot(pen: Pen, environment: Any, state: np.ndarray) -> None:
    unit, x, y = 43.0, WIDTH / 2, HEIGHT / 2
    pen.line((0, y - unit, WIDTH, y - unit), GREEN)
    for angle in (state[0], state[0] + state[1]):
        across, up = unit * math.sin(angle), -unit * math.cos(angle)
        _rod(pen, x, y, across, up, BLUE, 8)
        _disc(pen, x, y, 5, SAND)
        x, y = x + across, y - up


def _car(pen: Pen, environment: Any, state: np.ndarray) -> None:
    goal = 0.5 if isinstance(environment, MountainCar) else 0.45

    def place(at: float) -> tuple[float, float]:
        return (at + 1.2) / 1.8 * WIDTH, HEIGHT - 20 - 130 * (math.sin(3 * at) * 0.45 + 0.55)

    pen.line([place(at) for at in np.linspace(-1.2, 0.6, 60)], INK, 2)
    x, y = place(goal)
    pen.line((x, y, x, y - 35), INK, 2)
    pen.polygon([(x, y - 35), (x + 14, y - 29), (x, y - 23)], GREEN)
    x, y = place(float(state[0]))
    _disc(pen, x, y - 9, 8, BLUE)


def _lake(pen: Pen, environment: Any, state: np.ndarray) -> None:
    rows, columns = len(environment.ice), len(environment.ice[0])
    side = min((HEIGHT - 10) // rows, (WIDTH - 10) // columns)
    colours = {"S": SAND, "F": ICE, "H": INK, "G": GREEN}
    for place, letter in enumerate("".join(environment.ice)):
        row, column = divmod(place, columns)
        x, y = 5 + column * side, 5 + row * side
        pen.rectangle((x, y, x + side - 2, y + side - 2), colours[letter])
        if place == int(state):
            _disc(pen, x + side / 2 - 1, y + side / 2 - 1, side / 4, RED)


def _grid(pen: Pen, environment: Any, state: np.ndarray) -> None:
    """What gymnax shows of a board, a colour for each of its channels."""
    board = np.asarray(state).reshape(*environment.shape[:2], -1)
    rows, columns, _ = board.shape
    side = min((HEIGHT - 10) // rows, (WIDTH - 10) // columns)
    colours = (INK, RED, SAND, BLUE, GREEN)
    for row, column in np.ndindex(rows, columns):
        there = np.flatnonzero(board[row, column])
        colour = colours[int(there[0]) % len(colours)] if len(there) else ICE
        x, y = 5 + column * side, 5 + row * side
        pen.rectangle((x, y, x + side - 2, y + side - 2), colour)


def _rod(pen: Pen, x: float, y: float, across: float, up: float, colour: int, width: int) -> None:
    pen.line((x, y, x + across, y - up), colour, width)


def _disc(pen: Pen, x: float, y: float, radius: float, colour: int) -> None:
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), colour)


_DRAWN: dict[type, Callable[[Pen, Any, np.ndarray], None]] = {
    CartPole: _cartpole,
    Pendulum: _pendulum,
    Acrobot: _acrobot,
    MountainCar: _car,
    MountainCarContinuous: _car,
    FrozenLake: _lake,
    Gymnax: _grid,
}
