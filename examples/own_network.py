"""A network of one's own in Flax NNX: folds, seeds and the search over its dropout come with it.

python examples/own_network.py
"""

import jax
from flax import nnx
from sklearn.datasets import load_diabetes

import manyfit as mf


class GatedNetwork(nnx.Module):
    """Each feature is weighed by a gate that looks at all of them."""

    def __init__(self, inputs, outputs, rngs, width=64, dropout=0.0):
        features = inputs["numeric"].shape[1]
        self.gate = nnx.Linear(features, features, rngs=rngs)
        self.hidden = nnx.Linear(features, width, rngs=rngs)
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.dropout = mf.nn.Dropout(dropout, rngs=rngs)  # takes a traced rate, so that it can be searched
        self.head = nnx.Linear(width, outputs, rngs=rngs)

    def __call__(self, features):
        x = features["numeric"]
        x = x * jax.nn.sigmoid(self.gate(x))
        return self.head(self.dropout(self.norm(jax.nn.gelu(self.hidden(x)))))


table = mf.data.read_table(load_diabetes(as_frame=True).frame, target="target")
model = mf.models.Custom(GatedNetwork, {"width": mf.choice([32, 64]), "dropout": mf.uniform(0.0, 0.5)})
optimizer = mf.optim.AdamW(learning_rate=mf.loguniform(1e-3, 1e-2))
print(mf.Experiment(mf.Supervised(model, optimizer=optimizer), table, trials=8, seeds=2, epochs=80).run())
