"""Images from Python: a small convolutional network on pictures in an ``.npz``, and where it errs.

python examples/images.py
"""

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import manyfit as mf

digits = load_digits()
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "digits.npz"
    np.savez(file, images=(digits.images * 15.9).astype(np.uint8), labels=digits.target)
    images = mf.data.read_images(file)

result = mf.Experiment(
    mf.Supervised(
        mf.models.CNN(channels=(16, 32), hidden=64, dropout=0.2), optimizer=mf.optim.AdamW(learning_rate=2e-3)
    ),
    images,
    folds=5,
    epochs=12,
    batch_size=64,
).run()
print(result)

found = result.predictions  # every image, by a network that did not train on it
wrong = np.flatnonzero(found["output"].argmax(axis=1) != found["target"])
print(f"{len(wrong)} of {len(found['row'])} images are read wrongly; the first:")
for i in wrong[:5]:
    print(f"  image {found['row'][i]}: a {found['target'][i]}, read as {found['output'][i].argmax()}")
