"""What ``manyfit fit`` may be asked: flags, or the same words in a YAML file."""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from manyfit.cli.arguments import arg, place
from manyfit.errors import ConfigError, nearest


@dataclass
class Options:
    """The options of a verb that trains: to plain values for the run folder, and back."""

    def asked(self) -> dict[str, Any]:
        """The options as plain values: what a run folder keeps to go on."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    @classmethod
    def of(cls, content: Any, source: str) -> Any:
        """The options of a mapping; raises ``ConfigError`` that names what is unknown or of a wrong type."""
        if not isinstance(content, dict):
            raise ConfigError(f"{source}: expected lines of 'option: value', found a {_kind_of(content)}")
        hints = typing.get_type_hints(cls)
        values = {}
        for key, value in content.items():
            name = str(key).replace("-", "_")
            if name not in hints:
                raise ConfigError(f"{source}: unknown option {key!r}; {nearest(name, hints)}")
            if value is not None:
                values[name] = _typed(name, value, hints[name], source)
        return cls(**values)


@dataclass
class Fit(Options):
    """Train a tuned, cross-validated model on a table, images or texts.

    Every trial x seed x fold is one network; all of them train together in
    one compiled program. The score comes with its 95 % interval, and the
    chosen trial's networks predict together.

    Examples:
      manyfit fit adult.csv --target income
      manyfit fit adult.csv --target income --trials 32 --seeds 3
      manyfit fit rent.parquet --target price --time month --folds 4
      manyfit fit images/ --target folder --size 64
      manyfit fit shakespeare.txt --seeds 3
      manyfit fit reviews.csv --text review --target sentiment
      manyfit fit pairs.csv --text en --target-text de
      manyfit fit en-train.conllu --target upos --test en-test.conllu
      manyfit fit names.csv --sentence id --text word --target tag
      manyfit fit GunPoint_TRAIN.ts --test GunPoint_TEST.ts
      manyfit fit steps.csv --series person --time second --target gait
      manyfit fit --config adult.yaml --epochs 50

    Ctrl-C stops cleanly; manyfit resume goes on from there.
    """

    data: Annotated[Path | None, tyro.conf.Positional, place("DATA")] = None
    """A table (CSV, TSV, Parquet, also .gz), a folder of images by class, .npz, IDX files, a running text (.txt), or
    labelled series (.ts, or .tsv as in the UCR archive)."""
    target: Annotated[str | None, arg("COLUMN")] = None
    """The column to predict; 'folder' where each class has a folder of images."""
    out: Annotated[Path | None, arg("FOLDER", "runs/<name of the data>", "-o")] = None
    """The run folder."""
    config: Annotated[Path | None, arg("FILE")] = None
    """A YAML file with these options; what is given on the command line wins."""
    test: Annotated[Path | None, arg("DATA")] = None
    """Labelled data that is kept apart: scored once, at the end, by the chosen model."""

    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    """What to learn; 'auto' looks at the target."""
    metric: Annotated[str | None, arg("NAME")] = None
    """The score to report first (accuracy, auroc, log_loss, f1, rmse, mae, r2 …)."""
    group: Annotated[str | None, arg("COLUMN")] = None
    """A column whose equal values stay together: all in training or all in testing. Labelled words: 'document', where
    the file marks them (# newdoc, -DOCSTART-)."""
    time: Annotated[str | None, arg("COLUMN")] = None
    """A column to split by: every fold is tested on what came after its training rows. With --series: to sort by."""
    weight: Annotated[str | None, arg("COLUMN")] = None
    """A column of row weights."""
    drop: Annotated[tuple[str, ...], arg("COLUMN ...")] = ()
    """Columns to leave out."""
    kinds: Annotated[tuple[str, ...], arg("NAME=KIND ...")] = ()
    """Column kinds to set (number, category, boolean, date, ignored)."""
    missing_target: Literal["refuse", "drop"] = "refuse"
    """What to do with rows whose target is missing."""
    balance: bool = False
    """Weigh every class the same, however rare."""
    probe: bool = False
    """Record activations and gradients layer by layer as the networks train; the weights are the same."""
    header: bool = True
    """Whether the table's first line names its columns."""
    size: Annotated[int | None, arg("PIXELS")] = None
    """Images: resize to this many pixels a side."""
    tokenizer: Annotated[str | None, arg("NAME", "running text char, labelled texts word")] = None
    """Texts: what a token is (char, byte, word, bpe, wordpiece)."""
    vocabulary: Annotated[int | None, arg("N", "pieces 8,000, labelled texts 20,000 words, else all")] = None
    """Texts: the most tokens to tell apart."""
    context: Annotated[int | None, arg("TOKENS", "64")] = None
    """Running text: how many tokens back the network sees."""
    stream: bool = False
    """Running text: keep its tokens in a file and read windows from there; so it is anyway from 256 MiB on."""
    steps: Annotated[int | None, arg("N", "2,000")] = None
    """Running text: updates in all, in place of --epochs."""
    width: Annotated[int | None, arg("N", "by the model")] = None
    """Running text: features of a token, or units of a recurrent layer."""
    depth: Annotated[int | None, arg("N", "by the model")] = None
    """Running text: blocks or layers."""
    heads: Annotated[int | None, arg("N", "by the model")] = None
    """Running text: attention heads."""

    text: Annotated[str | None, arg("COLUMN")] = None
    """Labelled texts: the column that holds them, beside which the other columns are read too (--drop leaves one out);
    a folder of .txt files in a folder per class needs none."""
    target_text: Annotated[str | None, arg("COLUMN")] = None
    """Pairs of texts: the column that holds what the text of --text is to become, a translation, say."""
    min_count: Annotated[int | None, arg("N", "2 for words, else 1")] = None
    """Labelled texts: how often a token occurs in a fold's training rows to be known."""
    length: Annotated[
        int | None,
        arg("TOKENS", "99 % of the texts, at most 2,048 (rnn, gru, lstm, transformer: 512); series whole"),
    ] = None
    """Labelled texts and series: how many tokens or steps of each are read, from its beginning. Labelled words: how
    many of a sentence are read at once (95 % of the sentences, 32 to 256); a longer one is read in pieces."""
    length_buckets: Literal["auto", "none"] = "auto"
    """Labelled texts, words and pairs of texts: where much would be padding, texts of about one length share a
    batch, which is cut to it (auto); or they meet by chance alone, padded to the longest."""
    encoding: Annotated[str | None, arg("NAME", "utf-8")] = None
    """Labelled texts: how the files are encoded (latin-1, cp1252 …)."""

    sentence: Annotated[str | None, arg("COLUMN|blank")] = None
    """Labelled words: of a table with a row a word (--text) and its label (--target) the column that says of which
    sentence it is; 'blank' for a file with a word a line and blank lines between sentences, as .conllu, .conll, .bio
    and .iob are anyway."""

    series: Annotated[str | None, arg("COLUMN")] = None
    """Labelled series: of a table with a row a step the column that says which series a row is of (--time sorts);
    files of the UCR and UEA archives (.ts, .tsv) need none."""

    model: Annotated[str, arg("NAME")] = "auto"
    """The network: mlp, resmlp, tabm for tables; cnn, cnn-bn, lenet, resnet20, resnet18, wrn-16-4, convnext,
    mobilenet, vit … for images; bow, textcnn, transformer for labelled texts; lstm-crf, transformer, cnn for labelled
    words; decoder, gpt for running text; transformer for pairs of texts; resnet1d, inception, tcn for labelled series;
    rnn, gru, lstm, mingru, lru for texts, words and series of any of these kinds; 'auto' takes an MLP for tables, a
    small CNN for images, textcnn for labelled texts of at most 128 words and bow for longer ones, an LSTM for labelled
    words (lstm-crf where labels mark spans), resnet1d for labelled series and the decoder for running text."""
    latent: Annotated[int | None, arg("N", "images 16, tables 4 to 16")] = None
    """Autoencoders (autoencoder, denoising, sparse, contractive, vae, beta-vae, iwae, vq-vae, fsq, masked): the code's
    numbers. They need no target; one that is given is left out of the inputs."""
    coder: Annotated[Literal["dense", "conv"] | None, arg("KIND", "dense")] = None
    """Autoencoders: dense layers, or convolutions for images."""
    likelihood: Annotated[Literal["squared", "gaussian", "bernoulli"] | None, arg("NAME")] = None
    """Autoencoders: how far a row is from its reconstruction."""
    samples: Annotated[int | None, arg("N", "vae 1, iwae 5")] = None
    """Autoencoders: codes drawn for each row."""
    strength: Annotated[str | None, arg("VALUE|LOW:HIGH")] = None
    """Autoencoders: beta of a vae, noise of denoising, weight of sparse and contractive, share of
    masked. Games: the weight of the penalty on the gradient."""
    conditional: bool = False
    """Games (gan, wgan-gp, hinge-gan, r3gan): tell both networks the class, the --target; manyfit sample --label."""
    encoder: Annotated[Path | None, arg("RUN", "none")] = None
    """Images with few labels: begin with the encoder of an autoencoder's run on such images."""
    augment: Annotated[str | None, arg("NAME", "none")] = None
    """Images: what changes them at random in training (standard, digits, colour, cutout, mixup, cutmix, strong)."""
    views: Literal["one", "flip", "shifts", "flip-shifts"] = "one"
    """Images: what a prediction averages over: the image, or with its mirror image, shifts by a pixel, or both."""
    hidden: Annotated[tuple[int, ...] | None, arg("WIDTH ...")] = None
    """Widths of the hidden layers."""
    embedding: Literal["auto", "none", "piecewise", "periodic"] = "auto"
    """How an MLP takes in numbers."""
    scaling: Literal["auto", "standard", "robust", "quantile", "none"] = "auto"
    """How numbers are scaled, learned from each fold's training rows; 'auto' is standard, by rank where a
    column has values beyond 10 standard deviations."""
    learning_rate: Annotated[str | None, arg("VALUE|LOW:HIGH", "tables 3e-4:1e-2, images 1e-3")] = None
    """A value, or a range to search."""
    weight_decay: Annotated[str | None, arg("VALUE|LOW:HIGH", "tables 1e-4:0.3, images 1e-2")] = None
    """A value, or a range to search."""
    dropout: Annotated[str | None, arg("VALUE|LOW:HIGH", "tables 0:0.5, images 0.3")] = None
    """A value, or a range to search."""

    loss: Annotated[str | None, arg("NAME", "cross_entropy or squared_error")] = None
    """What training minimises (focal, hinge; huber, quantile, gaussian, poisson, negative_binomial …)."""
    optimizer: Annotated[str | None, arg("NAME", "adamw")] = None
    """How weights move (sgd, adamw, nadam, radam, rmsprop, lion, lamb, muon, schedule_free_adamw …)."""
    schedule: Annotated[str | None, arg("NAME", "constant")] = None
    """The learning rate over the training (cosine, linear, one_cycle, wsd, exponential, steps, plateau …)."""
    clip: Annotated[str | None, arg("VALUE|LOW:HIGH", "1")] = None
    """The longest gradient, as a norm over all weights; 0 leaves it as it is."""
    ema: Annotated[str | None, arg("DECAY|LOW:HIGH", "none")] = None
    """Evaluate and keep an exponential moving average of the weights, of this decay (0.999, say)."""
    swa: Annotated[str | None, arg("SHARE|LOW:HIGH", "none")] = None
    """Evaluate and keep the plain mean of the weights from this share of the training on (0.75, say)."""
    sam: Annotated[str | None, arg("RADIUS|LOW:HIGH", "none")] = None
    """Take the gradient where the loss is worst within this distance of the weights (0.05, say)."""
    layer_decay: Annotated[str | None, arg("FACTOR|LOW:HIGH", "none")] = None
    """Learning rates that fall by this factor with each layer from the output to the input (0.75, say)."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What training computes in; weights are kept in float32."""
    rematerialise: Literal["none", "activations", "all"] = "none"
    """What the backward pass computes again to save memory; not on CPU, whose compiler keeps it all the same."""
    accumulate: Annotated[int | None, arg("N", "1")] = None
    """Batches whose gradients make one step."""

    trials: Annotated[int | None, arg("N", "16 where a range is searched in a table, else 1")] = None
    """Settings of the hyper-parameters to try."""
    search: Literal["sobol", "random", "tpe", "cmaes"] = "sobol"
    """How settings are chosen: evenly spread, at random, or batch after batch from what the ones before were worth."""
    prune: Literal["none", "halving", "hyperband", "racing"] = "none"
    """Give trials up early: all but the best third, in brackets, or those that are significantly worse."""
    evolve: Annotated[int | None, arg("EPOCHS", "never")] = None
    """Every so many epochs poor trials go on from good ones, settings moved a little (needs --patience 0)."""
    budget: Annotated[str | None, arg("TIME", "none")] = None
    """Stop after this long (90, 90s, 30m, 2h) with the trials that are complete; manyfit resume goes on."""
    latency: Annotated[int | None, arg("ROWS", "not measured")] = None
    """Time the prediction of a batch of so many rows by a network of each trial: with the score and the size of the
    network it tells which trials are worth their cost."""
    warm_start: Annotated[str | None, arg("RUN|URL[#STUDY]")] = None
    """Begin the search with the best settings of an earlier run, or of a study in a data base."""
    nested: Annotated[int | None, arg("FOLDS", "no")] = None
    """Search anew within the training rows of every fold, in so many inner folds: the score of search and choice
    together, free of luck however the search learns; without a warm start, which knows all rows. It costs about the
    run once more for every fold."""
    storage: Annotated[str | None, arg("URL", "the run folder alone")] = None
    """Tell a data base of every trial too (postgresql://user@host/name, sqlite:///file.db), as an Optuna study."""
    seeds: Annotated[int | None, arg("N", "1; 3 for a table of at most 1,000 rows")] = None
    """Networks for each trial and fold."""
    folds: Annotated[int | None, arg("N", "5")] = None
    """Parts of the cross-validation; 1 is a single hold-out."""
    repeats: Annotated[int | None, arg("N", "1; 20 bootstraps")] = None
    """How often the rows are shuffled and folded anew, or resampled."""
    plan: Literal["folds", "each", "bootstrap"] = "folds"
    """Cross-validation in folds; one row or group left out at a time; or resamples, tested by what they left out."""
    gap: Annotated[float, arg("SPAN", "0")] = 0.0
    """With --time: rows left out between training and test rows, in units of that column (dates: days)."""
    window: Annotated[float | None, arg("SPAN", "all")] = None
    """With --time: train on rows at most this much older than the test rows."""
    embargo: Annotated[float | None, arg("SPAN", "none")] = None
    """With --time: test every block, and train on rows at least this much later too."""
    epochs: Annotated[int | None, arg("N", "tables 100, images 15")] = None
    """The most passes over the training rows."""
    patience: Annotated[int | None, arg("N", "tables 12, images 5")] = None
    """Epochs without a better validation loss before a network stops; 0 never stops early."""
    batch_size: Annotated[int | None, arg("ROWS", "32 to 512 by the number of rows")] = None
    """Rows in a step."""
    validation: Annotated[float | None, arg("SHARE", "0.2; of a text 0.1")] = None
    """The share of each fold's training rows that decides when to stop and which trial to choose."""
    seed: Annotated[int, arg("N", "0")] = 0
    """Where all randomness derives from."""
    checkpoint_seconds: Annotated[float, arg("SECONDS", "15")] = 15.0
    """Time between two checkpoints."""
    json: bool = False
    """Print the summary as JSON on standard output."""
    quiet: bool = False
    """Print no progress."""


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _kind_of(value: Any) -> str:
    return {"list": "list", "str": "single text"}.get(type(value).__name__, type(value).__name__)


def _typed(name: str, value: Any, hint: Any, source: str) -> Any:
    """``value``, plain or as text, as the option's type."""

    def wrong(wanted: str) -> ConfigError:
        return ConfigError(f"{source}: {name} is {value!r}; give {wanted}")

    if isinstance(hint, types.UnionType):  # X | None
        hint = next(kind for kind in typing.get_args(hint) if kind is not type(None))
    if typing.get_origin(hint) is Literal:
        if value not in typing.get_args(hint):
            raise ConfigError(f"{source}: {name} is {value!r}; {nearest(str(value), typing.get_args(hint))}")
        return value
    if typing.get_origin(hint) is tuple:
        kind = typing.get_args(hint)[0]
        items = value if isinstance(value, (list, tuple)) else [value]
        return tuple(_typed(name, item, kind, source) for item in items)
    if isinstance(value, (list, dict)):
        raise wrong("one value")
    if hint is bool:
        answer = {"true": True, "false": False}.get(str(value).lower())
        if answer is None:
            raise wrong("true or false")
        return answer
    if hint in (int, float):
        try:
            if isinstance(value, bool):
                raise ValueError
            return hint(str(value))
        except ValueError:
            raise wrong("a whole number" if hint is int else "a number") from None
    return hint(str(value))
