"""Losses of PyTorch with their gradients, for ``tests/losses/test_losses_torch.py``.

python tests/reference/losses_torch.py        (needs torch; writes losses_torch.npz beside it)
"""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

N, K = 6, 5


def main() -> None:
    torch.manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, dtype=torch.float64)  # noqa: E731
    logits, classes = draw(N, K) * 3, torch.randint(K, (N,))
    weight, labels = torch.rand(K, dtype=torch.float64) + 0.5, torch.randint(2, (N, K)).double()
    values, target = draw(N) * 2, draw(N)
    probabilities = torch.softmax(draw(N, K), 1)
    counts, variance = torch.poisson(torch.rand(N, dtype=torch.float64) * 4), draw(N)
    a, b, c = draw(N, 4), draw(N, 4), draw(N, 4)
    ctc_logits, ctc_labels = draw(3, 9, K), torch.randint(1, K, (3, 4))
    lengths, label_lengths = torch.tensor([9, 7, 5]), torch.tensor([4, 2, 1])
    none = {"reduction": "none"}

    def ctc(z):
        log = functional.log_softmax(z, 2).transpose(0, 1)
        return functional.ctc_loss(log, ctc_labels, lengths, label_lengths, reduction="none")

    def ignored(z):
        return functional.cross_entropy(z, torch.where(classes == 2, -100, classes), **none)

    # name, function of what is differentiated, that, and the other arrays
    cases = {
        "cross_entropy": (lambda z: functional.cross_entropy(z, classes, **none), logits, [classes]),
        "cross_entropy_smoothed": (
            lambda z: functional.cross_entropy(z, classes, label_smoothing=0.2, **none),
            logits,
            [classes],
        ),
        "cross_entropy_weighted": (
            lambda z: functional.cross_entropy(z, classes, weight, label_smoothing=0.1, **none),
            logits,
            [classes, weight],
        ),
        "cross_entropy_ignored": (ignored, logits, [classes]),
        "binary_cross_entropy": (
            lambda z: functional.binary_cross_entropy_with_logits(z, labels, pos_weight=weight, **none),
            logits,
            [labels, weight],
        ),
        "hinge": (lambda z: functional.multi_margin_loss(z, classes, **none), logits, [classes]),
        "kl_divergence": (
            lambda z: functional.kl_div(functional.log_softmax(z, 1), probabilities, **none).sum(1),
            logits,
            [probabilities],
        ),
        "squared_error": (lambda z: functional.mse_loss(z, target, **none), values, [target]),
        "absolute_error": (lambda z: functional.l1_loss(z, target, **none), values, [target]),
        "huber": (lambda z: functional.huber_loss(z, target, delta=0.7, **none), values, [target]),
        "gaussian": (
            lambda z: functional.gaussian_nll_loss(z, target, variance.exp(), full=True, **none),
            values,
            [variance, target],
        ),
        "poisson": (
            lambda z: functional.poisson_nll_loss(z, counts, **none) + torch.lgamma(counts + 1),
            values,
            [counts],
        ),
        "negative_binomial": (
            lambda z: (
                -torch.distributions.NegativeBinomial(torch.exp(-variance), logits=z + variance).log_prob(
                    counts
                )
            ),
            values,
            [variance, counts],
        ),
        "triplet": (lambda z: functional.triplet_margin_loss(z, b, c, eps=0.0, **none), a, [b, c]),
        "ctc": (ctc, ctc_logits, [lengths, ctc_labels, label_lengths]),
    }
    kept = {}
    for name, (function, at, others) in cases.items():
        x = at.clone().requires_grad_()
        value = function(x)
        value.sum().backward()
        kept |= {
            f"{name}/x": at.numpy(),
            f"{name}/value": value.detach().numpy(),
            f"{name}/gradient": x.grad.numpy(),
        }
        kept |= {f"{name}/{i}": other.numpy() for i, other in enumerate(others)}
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **kept)


if __name__ == "__main__":
    main()
