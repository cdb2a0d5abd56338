"""Digits through a code of eight numbers: what is lost beside PCA of the same size, and which images are strange.

python examples/autoencoder.py
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import manyfit as mf

X, y = load_digits(return_X_y=True)
train, test = np.arange(1200), np.arange(1200, len(X))

coder = mf.Autoencoder(latent=8, image_shape=(8, 8), folds=2, epochs=60, learning_rate=3e-3).fit(X[train])
pca = PCA(8).fit(X[train])
for name, model in (("autoencoder", coder), ("PCA", pca)):
    codes, again = model.transform(X), model.inverse_transform(model.transform(X[test]))
    left = ((again - X[test]) ** 2).sum() / ((X[test] - X[train].mean(axis=0)) ** 2).sum()
    probe = LogisticRegression(max_iter=2000).fit(codes[train], y[train])
    print(
        f"{name}: {left:.1%} of the variance is lost; the digit by a linear model of the code: "
        f"{probe.score(codes[test], y[test]):.1%}"
    )

# what no training image looks like: the same pixels, in another order (the last digits are by other writers than the
# first, so that a few more than 5 % of them are strange too)
odd = X[test][:, np.random.default_rng(0).permutation(64)]
both, strange = np.concatenate([X[test], odd]), np.repeat([0, 1], len(test))
p = coder.p_values(both)
print(
    f"strange images: AUROC {roc_auc_score(strange, -coder.score_samples(both)):.3f}; p-values below 0.05: "
    f"{np.mean(p[strange == 0] < 0.05):.1%} of the digits, {np.mean(p[strange == 1] < 0.05):.1%} of the strange"
)
