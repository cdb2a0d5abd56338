"""Lengths, states and members of the recurrent layers; their values are checked against PyTorch's elsewhere."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit import nn
from manyfit.errors import ConfigError

KINDS = [nn.RNN, nn.ReluRNN, nn.GRU, nn.LSTM, nn.MinGRU, nn.LRU]
every = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
X = jax.random.normal(jax.random.key(0), (3, 6, 4))


@every
def test_padding_changes_nothing_for_what_is_real(kind):
    layer = kind(4, 5, layers=2, bidirectional=True, rngs=nnx.Rngs(0))
    lengths = (6, 3, 1)
    outputs, state = layer(X.at[1, 3:].set(1e3), lengths=jnp.array(lengths))
    for row, length in enumerate(lengths):
        alone, its_state = layer(X[row : row + 1, :length])
        np.testing.assert_allclose(outputs[row, :length], alone[0], rtol=1e-5, atol=1e-6)
        assert not outputs[row, length:].any()
        for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(its_state), strict=True):
            np.testing.assert_allclose(a[:, row], b[:, 0], rtol=1e-5, atol=1e-6)


@every
def test_padding_takes_no_gradient(kind):
    layer = kind(4, 5, bidirectional=True, rngs=nnx.Rngs(0))
    gradient = jax.grad(lambda x: jnp.sum(jnp.sin(layer(x, lengths=jnp.array([6, 2, 0]))[0])))(X)
    assert gradient[0].all() and gradient[1, :2].all()
    assert not gradient[1, 2:].any() and not gradient[2].any()


@every
def test_a_state_continues_the_sequence(kind):
    layer = kind(4, 5, layers=2, rngs=nnx.Rngs(0))
    whole, last = layer(X)
    first, state = layer(X[:, :2])
    second, end = layer(X[:, 2:], initial=state)
    np.testing.assert_allclose(jnp.concatenate([first, second], axis=1), whole, rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), end, last)


@every
def test_sequences_in_one_row_are_read_as_if_each_had_its_own(kind):
    layer = kind(4, 5, layers=2, rngs=nnx.Rngs(0))
    fresh = jnp.zeros((3, 6), bool).at[0, 0].set(True).at[1, 4].set(True).at[2, 2:4].set(True)
    initial = jax.tree.map(lambda zero: jax.random.normal(jax.random.key(1), zero.shape), layer.empty(3))

    def parts(x, initial):
        """Row by row, cut where a sequence begins."""
        rows = []
        for row, cuts in enumerate([(0, 6), (0, 4, 6), (0, 2, 3, 6)]):
            found = []
            for first, last in itertools.pairwise(cuts):
                own = jax.tree.map(lambda leaf, row=row: leaf[:, row : row + 1], initial)
                start = None if fresh[row, first] else own
                found.append(layer(x[row : row + 1, first:last], initial=start)[0][0])
            rows.append(jnp.concatenate(found))
        return jnp.stack(rows)

    def whole(x, initial):
        return layer(x, initial=initial, fresh=fresh)[0]

    np.testing.assert_allclose(whole(X, initial), parts(X, initial), rtol=1e-5, atol=1e-6)
    found, expected = (
        jax.grad(lambda x, s, read=read: jnp.sum(jnp.sin(read(x, s))), argnums=(0, 1))(X, initial)
        for read in (whole, parts)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, expected)


@every
def test_the_future_has_no_gradient_in_one_direction(kind):
    layer = kind(4, 5, layers=2, rngs=nnx.Rngs(0))
    gradient = jax.grad(lambda x: jnp.sum(layer(x)[0][:, 2]))(X)
    assert gradient[:, :3].any() and not gradient[:, 3:].any()


def test_the_gradient_runs_no_product_for_the_weights_in_its_loop():
    """What makes it fast: one product after the loop, where a scan's own derivative adds up step by step."""
    layer = nn.LSTM(4, 8, rngs=nnx.Rngs(0))
    graph, state = nnx.split(layer)

    def loss(state):
        return jnp.sum(nnx.merge(graph, state)(X)[0] ** 2)

    def products(jaxpr):
        return sum(
            (equation.primitive.name == "dot_general")
            + sum(products(inner.jaxpr) for inner in equation.params.values() if hasattr(inner, "jaxpr"))
            for equation in jaxpr.eqns
        )

    loops = [e for e in jax.make_jaxpr(jax.grad(loss))(state).eqns if e.primitive.name == "scan"]
    assert [products(loop.params["jaxpr"].jaxpr) for loop in loops] == [1, 1]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: nn.LSTM(0, 4, rngs=nnx.Rngs(0)), "at least 1"),
        (lambda: nn.LSTM(3, 4, rngs=nnx.Rngs(0))(X), "B, T, 3"),
        (lambda: nn.LSTM(4, 4, rngs=nnx.Rngs(0))(X, initial=jnp.ones((1, 3, 4))), "initial"),
        (
            lambda: nn.GRU(4, 4, bidirectional=True, rngs=nnx.Rngs(0))(X, fresh=jnp.zeros((3, 6), bool)),
            "one direction",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, says):
    with pytest.raises(ConfigError, match=says):
        call()
