"""Every architecture of ``manyfit.models`` at a tiny size: one row each, which ``test_architectures.py`` checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from manyfit import models
from manyfit.models.autoencoders import DenseCoder
from manyfit.models.linear_forecasters import LinearForecaster, SparseForecaster
from manyfit.models.nhits import NHiTS
from manyfit.models.patch_transformer import PatchTransformer
from manyfit.models.recurrent_forecaster import RecurrentForecaster
from manyfit.models.tcn import TCN


@dataclass(frozen=True)
class Row:
    """An architecture, what it reads, and its traced numbers with another value each."""

    model: Any
    side: int = 8
    """Of the images; 0 for a table."""
    others: dict[str, float] = field(default_factory=dict)
    pixels: bool = False
    """Whether it answers for each pixel."""
    between: tuple[int, ...] = ()
    """Axes between rows and outputs: the networks that answer each for itself."""

    words: int = 0
    """How many words a network of texts knows."""

    beside: int = 0
    """How many numbers stand beside a text."""

    letters: int = 0
    """How many characters a tagger knows; it answers for each word."""

    reads: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """What a network of series reads, by name: shapes without the batch; ``lengths`` for steps of several lengths."""

    pairs: bool = False
    """Whether it reads two texts, and answers for each place of the second."""

    label: str = ""

    @property
    def name(self) -> str:
        return self.label or type(self.model).__name__


PAST = {"past": (8, 2)}
SERIES = {"steps": (7, 2), "lengths": ()}


def tagger(reader: Any) -> models.Tagger:
    return models.Tagger(reader, 4, 3, 4, 4, dropout=0.2, word_dropout=0.2)


ROWS = [
    Row(models.MLP(hidden=(6,), dropout=0.2), 0, {"dropout": 0.5}),
    Row(models.ResMLP(width=6, depth=1, dropout=0.2), 0, {"dropout": 0.5}),
    Row(models.TabM(hidden=(6,), dropout=0.2), 0, {"dropout": 0.5}, between=(16,)),
    Row(models.TrainedEncoder(DenseCoder((6,)), 3, heads=2, marked=True), reads={"values": (7,)}),
    Row(models.CNN(channels=(4,), hidden=6, dropout=0.2), 8, {"dropout": 0.5}),
    Row(models.CNN(channels=(4,), hidden=6, norm="batch"), 8, label="CNN with batch normalisation"),
    Row(models.LeNet(), 12),
    Row(models.ResNet((1, 1), (4, 6), stochastic_depth=0.4), 8, {"stochastic_depth": 0.9}),
    Row(models.WideResNet(10, 1, dropout=0.2), 8, {"dropout": 0.5}),
    Row(models.ConvNeXt((1, 1), (4, 6), patch=1, stochastic_depth=0.4), 8),
    Row(models.MobileNet(((2, 4, 2, 1),), stem=4, last=6, dropout=0.2), 8, {"dropout": 0.5}),
    Row(models.ViT(patch=4, width=6, depth=1, heads=2, dropout=0.2), 8, {"dropout": 0.5}),
    Row(models.UNet((4, 6)), 8, pixels=True),
    Row(models.BagOfWords(4, pairs=5, dropout=0.2), 0, {"dropout": 0.5}, words=9),
    Row(models.TextCNN(4, (2, 3), 3, dropout=0.2), 0, {"dropout": 0.5}, words=9),
    Row(
        models.TextAndColumns(models.BagOfWords(4, dropout=0.2), models.MLP((6,), dropout=0.2)),
        0,
        words=9,
        beside=3,
    ),
    Row(models.TextRNN("gru", 4, 3, layers=2, dropout=0.2), 0, {"dropout": 0.5}, words=9),
    Row(models.TextTransformer(8, 1, 2, 2, dropout=0.2), 0, {"dropout": 0.5}, words=9),
    Row(tagger("lstm"), 0, {"dropout": 0.5, "word_dropout": 0.5}, words=9, letters=6, between=(7,)),
    Row(tagger("cnn"), 0, {"dropout": 0.5}, words=9, letters=6, between=(7,), label="Tagger by convolution"),
    Row(models.SeriesResNet((4,)), 0, reads=SERIES),
    Row(models.InceptionTime(3, 2, (5, 3)), 0, reads=SERIES),
    Row(models.SeriesRNN("gru", 3, dropout=0.2), 0, {"dropout": 0.5}, reads=SERIES),
    Row(models.SeriesTCN((3, 3), 3, dropout=0.2), 0, {"dropout": 0.5}, reads=SERIES),
    Row(models.SeriesRNN("mingru", 3, dropout=0.0), 0, reads=SERIES, label="SeriesRNN of MinGRU"),
    Row(LinearForecaster(kernel=3), 0, reads=PAST, between=(2,)),
    Row(SparseForecaster(period=2), 0, reads=PAST, between=(2,)),
    Row(PatchTransformer(4, 2, 4, 1, 2, 4, dropout=0.2), 0, {"dropout": 0.5}, reads=PAST, between=(2,)),
    Row(RecurrentForecaster("gru", 3), 0, reads=PAST, between=(2,)),
    Row(TCN((3, 3), 2, dropout=0.2), 0, {"dropout": 0.5}, reads=PAST, between=(2,)),
    Row(NHiTS((2, 1), (2, 1), (4,), dropout=0.2), 0, {"dropout": 0.5}, reads=PAST, between=(2,)),
    Row(models.EncoderDecoder(8, 1, 2, 4, dropout=0.2), 0, {"dropout": 0.5}, between=(7,), pairs=True),
    Row(models.RecurrentEncoderDecoder(4, dropout=0.2), 0, {"dropout": 0.5}, between=(7,), pairs=True),
    Row(models.Decoder(8, 1, 2, dropout=0.2), 0, {"dropout": 0.5}, words=9, between=(7,)),
    Row(
        models.RecurrentEncoderDecoder(4, cell="lru"),
        0,
        between=(7,),
        pairs=True,
        label="Encoder-decoder of LRU",
    ),
    Row(models.Recurrent("gru", 5, 2, 4, dropout=0.2), 0, {"dropout": 0.5}, words=9, between=(7,)),
]
