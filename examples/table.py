"""A table from Python: which learning rate and dropout, how sure is the score, and predictions with their spread.

python examples/table.py
"""

from sklearn.datasets import load_breast_cancer

import manyfit as mf

frame = load_breast_cancer(as_frame=True).frame
table = mf.data.read_table(frame.iloc[:500], target="target")

experiment = mf.Experiment(
    mf.Supervised(
        mf.models.MLP(hidden=(64, 64), dropout=mf.uniform(0.0, 0.5)),
        optimizer=mf.optim.AdamW(learning_rate=mf.loguniform(3e-4, 3e-2)),
    ),
    table,
    trials=8,
    seeds=2,
    folds=5,
    epochs=60,
    batch_size=32,
)
result = experiment.run()
print(result)

new = frame.iloc[500:].drop(columns="target")
found = result.best.prediction(new)
print("rows never seen:", result.best.evaluate(frame.iloc[500:]))
print("the five that the networks agree on least, and what they say:")
for row in found.spread[:, 1].argsort()[::-1][:5]:
    print(
        f"  row {new.index[row]}: class {found.labels[row]}, {found.output[row, 1]:.2f} ± {found.spread[row, 1]:.2f}"
    )
