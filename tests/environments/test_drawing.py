"""Pictures: of every environment, where its parts are, and an episode as an animation."""

from __future__ import annotations

import io
import math

import jax
import numpy as np
import pytest

from manyfit.environments import ENVIRONMENTS, Acrobot, CartPole, FrozenLake, Pendulum
from manyfit.environments.drawing import BLUE, RED, WHITE, episode, frame

Image = pytest.importorskip("PIL.Image")


@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_every_environment_written_here_has_a_picture(name):
    state = ENVIRONMENTS[name].reset(jax.random.key(0))
    pixels = np.asarray(frame(ENVIRONMENTS[name], state))
    assert pixels.shape == (200, 300) and len(np.unique(pixels)) > 2


def centre(environment, state, colour):
    rows, columns = np.nonzero(np.asarray(frame(environment, np.array(state))) == colour)
    return columns.mean(), rows.mean()


def test_parts_are_where_the_state_says():
    assert centre(CartPole(), [1.0, 0, 0, 0], BLUE)[0] == pytest.approx(150 + 300 / 4.8, abs=1)
    across, down = centre(Pendulum(), [0.0, 0.0], RED)  # upright
    assert across == pytest.approx(150, abs=1) and down < 70
    assert centre(Pendulum(), [math.pi / 2, 0.0], RED)[0] < 120  # angles turn against the clock
    assert centre(Acrobot(), [0.0, 0, 0, 0], BLUE)[1] > 130  # hanging
    assert centre(Acrobot(), [math.pi, 0, 0, 0], BLUE)[1] < 70
    assert centre(FrozenLake(), 15, RED) > (150, 150)


def test_an_episode_is_an_animation_of_its_states():
    states = np.linspace([-2.0, 0, 0, 0], [2.0, 0, 0, 0], 400)
    image = Image.open(io.BytesIO(episode(CartPole(), states)))
    assert image.format == "GIF" and 100 < image.n_frames <= 151
    image.seek(image.n_frames - 1)
    last = np.asarray(image.convert("RGB"))
    assert (last[150, 270] != 255).any() and (last[10, 10] == 255).all() and WHITE == 0
