"""Backpropagation made visible: why thirty sigmoid layers do not learn, and what mends it.

python examples/inspect_network.py
"""

import jax
from flax import nnx

import manyfit as mf


class Deep(nnx.Module):
    """Thirty dense layers; with ``residual`` each adds to what came before."""

    def __init__(self, activation, residual, rngs):
        self.layers = nnx.List([nnx.Linear(16, 16, rngs=rngs) for _ in range(30)])
        self.norms = nnx.List([nnx.LayerNorm(16, rngs=rngs) for _ in range(30)])
        self.head = nnx.Linear(16, 3, rngs=rngs)
        self.activation, self.residual = activation, residual

    def __call__(self, x):
        for layer, norm in zip(self.layers, self.norms):
            x = x + self.activation(layer(norm(x))) if self.residual else self.activation(layer(x))
        return self.head(x)


x = jax.random.normal(jax.random.key(0), (64, 16))
for name, activation, residual in (("sigmoid", jax.nn.sigmoid, False), ("residual gelu", jax.nn.gelu, True)):
    report = mf.inspect_network(Deep(activation, residual, nnx.Rngs(0)), x)
    first, last = report["layers.0"].gradient[0], report["layers.29"].gradient[0]
    print(f"{name}: gradient {first:.1e} at the first layer, {last:.1e} at the last")
    print("  " + "; ".join(verdict.text for verdict in report.verdicts) or "  nothing is wrong")

print(mf.inspect_network(mf.nn.Conv2d(3, 8, 3, rngs=nnx.Rngs(0)), jax.numpy.ones((4, 32, 32, 3))))
