"""Recurrent layers, attention and transformer blocks of PyTorch, for ``tests/nn/test_sequences_torch.py``.

python tests/reference/sequences_torch.py     (needs torch; writes sequences_torch.npz beside it)

In float64: what differs is the arithmetic, not the rounding.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

LENGTHS = torch.tensor([5, 3, 1])
RECURRENT = {
    "RNN": nn.RNN,
    "ReluRNN": lambda *sizes, **options: nn.RNN(*sizes, nonlinearity="relu", **options),
    "GRU": nn.GRU,
    "LSTM": nn.LSTM,
}


def main() -> None:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    kept = {}

    def keep(name, **values):
        for key, value in values.items():
            kept[f"{name}/{key}"] = value.detach().numpy()

    def weights(name, layer):
        for key, parameter in layer.named_parameters():
            keep(name, **{key: parameter, f"gradient of {key}": parameter.grad})

    for name, make in RECURRENT.items():
        layer = make(3, 4, num_layers=2, bidirectional=True, batch_first=True)
        x = torch.randn(3, 5, 3, requires_grad=True)
        packed, state = layer(pack_padded_sequence(x, LENGTHS, batch_first=True))
        y, _ = pad_packed_sequence(packed, batch_first=True)
        states = state if isinstance(state, tuple) else (state,)
        g = torch.randn_like(y)
        ((y * g).sum() + sum((s**2).sum() for s in states)).backward()
        keep(name, x=x, y=y, g=g, gx=x.grad, **{f"state{i}": s for i, s in enumerate(states)})
        weights(name, layer)

    for name, mask, causal in (
        ("plain", None, False),
        ("causal", None, True),
        ("masked", torch.rand(2, 1, 5, 6) > 0.3, False),
        ("biased", torch.randn(2, 4, 5, 6), False),
    ):
        queries = torch.randn(2, 4, 5, 3, requires_grad=True)
        keys, values = (torch.randn(2, 2, 5 if causal else 6, 3, requires_grad=True) for _ in range(2))
        y = functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, is_causal=causal, enable_gqa=True
        )
        g = torch.randn_like(y)
        y.backward(g)
        keep(f"attention {name}", q=queries, k=keys, v=values, y=y, g=g)
        keep(f"attention {name}", gq=queries.grad, gk=keys.grad, gv=values.grad)
        if mask is not None:
            keep(f"attention {name}", mask=mask)

    padding = torch.arange(5) >= LENGTHS[:, None]
    for name, options in {"norm first": {"norm_first": True}, "norm last": {"norm_first": False}}.items():
        layer = nn.TransformerEncoderLayer(
            8, 2, 12, dropout=0.0, activation="gelu", batch_first=True, **options
        )
        x = torch.randn(3, 5, 8, requires_grad=True)
        y = layer(x, src_key_padding_mask=padding)
        g = torch.randn_like(y) * ~padding[..., None]
        y.backward(g)
        keep(f"encoder {name}", x=x, y=y, g=g, gx=x.grad)
        weights(f"encoder {name}", layer)

    layer = nn.TransformerDecoderLayer(8, 2, 12, dropout=0.0, activation="relu", batch_first=True)
    x, memory = torch.randn(3, 4, 8, requires_grad=True), torch.randn(3, 5, 8, requires_grad=True)
    future = nn.Transformer.generate_square_subsequent_mask(4)
    y = layer(x, memory, tgt_mask=future, tgt_is_causal=True, memory_key_padding_mask=padding)
    g = torch.randn_like(y)
    y.backward(g)
    keep("decoder", x=x, memory=memory, y=y, g=g, gx=x.grad, gmemory=memory.grad)
    weights("decoder", layer)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **kept)


if __name__ == "__main__":
    main()
