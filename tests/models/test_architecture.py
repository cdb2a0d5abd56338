"""A network of the user's own as an architecture."""

from manyfit import nn
from manyfit.engine import Shape
from manyfit.engine.program import program_of
from manyfit.models import Custom
from manyfit.objectives import Supervised


def _make(inputs, outputs, rngs, width=8):
    return nn.Linear(width, outputs, rngs=rngs)


def test_an_equal_network_of_ones_own_is_one_program():
    first, second, other = (Supervised(Custom(_make, {"width": width})) for width in (8, 8, 9))
    assert program_of(first, Shape(32)) is program_of(second, Shape(32))
    assert program_of(first, Shape(32)) is not program_of(other, Shape(32))


def test_a_hyper_parameter_that_cannot_be_hashed_is_traced_anew():
    objective = Supervised(Custom(_make, {"width": [8]}))
    assert program_of(objective, Shape(32)) is not program_of(objective, Shape(32))
