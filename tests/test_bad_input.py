"""Whatever is wrong with an input, one message says what, where and what to do, before anything is trained."""

from __future__ import annotations

import errno
import gzip
import json
import os
import random
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import manyfit.experiment.run
from manyfit.cli import main
from manyfit.cli.options import Fit
from manyfit.engine import RunFolder
from manyfit.tasks.defaults import experiment_for
from manyfit.tasks.source import read_task

ROWS = [f"{i},{i * 7 % 11},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}" for i in range(40)]
HEAD = "size,age,colour,bought"
TINY = dict(trials=1, folds=2, epochs=2, hidden=(4,), learning_rate="0.01", dropout="0", weight_decay="0")


@dataclass
class Place:
    """A folder to make a bad input in; ``trained`` is a finished run, made once."""

    path: Path
    trained: Path

    def write(self, name: str, content: str | bytes) -> Path:
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        return place

    def table(self, *rows: str, head: str = HEAD, name: str = "shop.csv") -> Path:
        return self.write(name, "\n".join([head, *rows]) + "\n")

    def fit(self, data: Path, *more: str, target: str | None = "bought") -> list[str]:
        aim = [] if target is None else ["--target", target]
        return ["fit", str(data), *aim, "--out", str(self.path / "run"), *more]

    def fitted(self, *more: str) -> list[str]:
        """``fit`` on a good table: the options are what is wrong."""
        return self.fit(self.table(*ROWS), *more)

    def config(self, text: str) -> list[str]:
        return self.fitted("--config", str(self.write("shop.yaml", text)))

    def images(self, count: int = 3, size: int = 8) -> Path:
        rng = np.random.default_rng(0)
        for kind in ("cat", "dog"):
            for i in range(count):
                file = self.path / "pets" / kind / f"{i}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 255, (size, size, 3), np.uint8)).save(file)
        return self.path / "pets"

    def run(self) -> Path:
        """A copy of the finished run, to be broken."""
        return Path(shutil.copytree(self.trained, self.path / "broken"))

    def edit(self, name: str, change: Callable[[dict], object]) -> Path:
        """The run with one of its JSON files changed."""
        run = self.run()
        content = json.loads((run / name).read_text())
        change(content)
        (run / name).write_text(json.dumps(content))
        return run

    def idx(self, *, images: bytes | None = None, labels: bytes | None = None) -> Path:
        pixels = struct.pack(">4B3I", 0, 0, 8, 3, 6, 4, 4) + bytes(6 * 16)
        marks = struct.pack(">4BI", 0, 0, 8, 1, 6) + bytes([0, 1] * 3)
        self.write("digits/train-labels-idx1-ubyte", marks if labels is None else labels)
        self.write("digits/train-images-idx3-ubyte", pixels if images is None else images)
        return self.path / "digits"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    table = folder / "shop.csv"
    table.write_text("\n".join([HEAD, *ROWS]) + "\n")
    options = Fit(data=table, target="bought", **TINY)
    experiment_for(read_task(options), options.asked()).run(folder / "run")
    return folder / "run"


@pytest.fixture
def place(tmp_path: Path, trained: Path) -> Place:
    return Place(tmp_path, trained)


@dataclass(frozen=True)
class Case:
    make: Callable[[Place], list[str]]
    fragments: tuple[str, ...]
    code: int


CASES: list[Case] = []


def case(*fragments: str, code: int = 1) -> Callable:
    """A bad input, and what its message has to say; code 2 is a command that cannot be understood."""

    def add(make: Callable[[Place], list[str]]) -> Callable:
        CASES.append(Case(make, fragments, code))
        return make

    return add


def said(capsys: pytest.CaptureFixture[str], argv: list[str]) -> tuple[int, str, str]:
    try:
        code = main(argv)
    except SystemExit as exit:
        code = exit.code
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.make.__name__)
def test_one_clear_message_and_no_training(
    case: Case, place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def began(*args: object, **settings: object) -> None:
        raise AssertionError("training began")

    monkeypatch.setattr(manyfit.experiment.run, "Population", began)
    code, _, err = said(capsys, case.make(place))
    assert code == case.code, err
    assert "Traceback" not in err
    if code == 1:
        messages = [line for line in err.splitlines() if line.startswith("manyfit: ")]
        assert len(messages) == 1, err
        assert err.rstrip().splitlines()[-1] == messages[0], "a message is one line, and the last one"
    told = " ".join(err.replace("│", " ").split())
    for fragment in case.fragments:
        assert fragment in told, err
    for left in ("members.jsonl", "checkpoints", "model"):
        assert not (place.path / "run" / left).exists()


# Tables


@case("shop.csv is empty")
def empty_file(place):
    return place.fit(place.write("shop.csv", ""))


@case("shop.csv has a header but no rows")
def header_only(place):
    return place.fit(place.table())


@case("shop.csv, line 4: 3 cells, but 4 in line 1", "quotation marks")
def ragged_rows(place):
    return place.fit(place.table(*ROWS[:2], "1,2,red", *ROWS))


@case("shop.csv, line 3, byte 6: 0xe9 is not UTF-8", "save the file as UTF-8")
def wrong_encoding(place):
    return place.fit(place.write("shop.csv", f"{HEAD}\n{ROWS[0]}\n1,2,r\xe9d,no\n".encode("latin1")))


@case("shop.csv is in UTF-16", "save it as UTF-8")
def utf_16(place):
    return place.fit(place.write("shop.csv", "\n".join([HEAD, *ROWS]).encode("utf-16")))


@case("shop.csv: more than one column is named 'size'", "rename")
def duplicate_columns(place):
    return place.fit(place.table(*ROWS, head="size,size,colour,bought"))


@case("shop.csv has no column 'buoght' (asked for as target)", "did you mean 'bought'?")
def no_such_target(place):
    return place.fit(place.table(*ROWS), target="buoght")


@case("shop.csv", "--target")
def target_not_said(place):
    return place.fit(place.table(*ROWS), target=None)


@case("shop.csv: the target 'bought' is constant", "'yes'", "nothing to predict")
def constant_target(place):
    return place.fit(place.table(*(row.replace("no", "yes") for row in ROWS)))


@case("shop.csv, line 42, column 'bought'", "'maybe' has this one row only", "merge classes")
def class_of_one_row(place):
    return place.fit(place.table(*ROWS, "1,2,red,maybe"))


@case("class 'no' has 3 row(s)", "5 fold(s)", "--folds 3")
def more_folds_than_rows_of_a_class(place):
    return place.fit(place.table(*(row for row in ROWS if "yes" in row), *ROWS[0:6:2]))


@case("6 rows cannot make 30 folds", "--folds 6")
def more_folds_than_rows(place):
    return place.fit(place.table(*(f"{i},{i + 0.5}" for i in range(6)), head="a,b"), "--folds=30", target="b")


@case("shop.csv: every cell of the target 'bought' is missing", "is it the right column?")
def target_all_missing(place):
    return place.fit(place.table(*(row.rsplit(",", 1)[0] + "," for row in ROWS)))


@case("shop.csv, lines 42, 43: the target 'bought' is missing", "--missing-target drop")
def target_missing_in_places(place):
    return place.fit(place.table(*ROWS, "1,2,red,NaN", "1,2,red,"))


@case("shop.csv, line 42, column 'size'", "inf is infinite", "correct it or leave it empty")
def infinite_value(place):
    return place.fit(place.table(*ROWS, "inf,2,red,no"))


@case("shop.csv, line 42, column 'size'", "'12a' is not a number", "--kinds size=category")
def text_among_numbers(place):
    return place.fit(place.table(*ROWS, "12a,2,red,no"))


@case("shop.csv, line 2, column 'bought'", "'yes' is not a number", "--task auto")
def regression_on_texts(place):
    return place.fit(place.table(ROWS[1], *ROWS[::2]), "--task", "regression")


@case("shop.csv: no column is left to learn from", "there is only the target")
def no_inputs(place):
    return place.fit(place.table(*ROWS), "--drop", "size", "age", "colour")


@case("shop.csv has no column 'clour' (asked for as drop)", "did you mean 'colour'?")
def dropped_column_missing(place):
    return place.fitted("--drop", "clour")


@case("unknown kind of column 'nmber'", "did you mean 'number'?")
def unknown_kind_of_column(place):
    return place.fitted("--kinds", "size=nmber")


@case("shop.csv: there is no such file", "check the path")
def no_such_file(place):
    return place.fit(place.path / "shop.csv")


@case("shop.csv.gz: the compressed file is damaged", "fetch it anew")
def truncated_gz(place):
    return place.fit(place.write("shop.csv.gz", gzip.compress("\n".join([HEAD, *ROWS]).encode())[:-20]))


@case("shop.parquet is no Parquet file, or a damaged one")
def text_named_parquet(place):
    return place.fit(place.table(*ROWS, name="shop.parquet"))


@case("shop.csv, line 2: a NUL byte", "no text file")
def image_named_csv(place):
    image = next(place.images().rglob("*.png"))
    return place.fit(place.write("shop.csv", b"\x89PNG\n\0" + image.read_bytes()))


@case("shop.csv is a spreadsheet or an archive", "export the sheet as CSV")
def spreadsheet_named_csv(place):
    return place.fit(place.write("shop.csv", b"PK\x03\x04" + bytes(50)))


# Special columns


@case("shop.csv has no column 'shp' (asked for as group)", "known: age, bought, colour, size")
def group_missing(place):
    return place.fitted("--group", "shp")


@case("shop.csv, column 'colour'", "one group", "at least two")
def one_group(place):
    return place.fit(place.table(*(row.replace("blue", "red") for row in ROWS)), "--group", "colour")


@case("2 group(s) cannot make 5 fold(s)", "use fewer")
def fewer_groups_than_folds(place):
    return place.fitted("--group", "colour")


@case("shop.csv, line 2, column 'colour'", "'blue' is neither a number nor a date")
def time_unusable(place):
    return place.fitted("--time", "colour")


@case("shop.csv, line 42", "the time 'size' is missing", "fill it in")
def time_missing_in_places(place):
    return place.fit(place.table(*ROWS, ",2,red,no"), "--time", "size")


@case("shop.csv, line 2, column 'colour'", "'blue' is not a number")
def weight_not_numeric(place):
    return place.fitted("--weight", "colour")


@case("shop.csv, line 42, column 'size'", "'-1' is no weight", "at least 0")
def negative_weight(place):
    return place.fit(place.table(*ROWS, "-1,2,red,no"), "--weight", "size")


@case("shop.csv, column 'size': every weight is 0")
def weights_all_zero(place):
    return place.fit(place.table(*(f"0,{row.split(',', 1)[1]}" for row in ROWS)), "--weight", "size")


@case("'bought' is the target", "cannot be")
def target_as_weight(place):
    return place.fitted("--weight", "bought")


@case("time and groups cannot both rule the folds", "give one")
def time_and_group(place):
    return place.fitted("--time", "size", "--group", "age")


# Options


@case("Unrecognized options: --trails", "--trials", code=2)
def unknown_flag(place):
    return place.fitted("--trails", "3")


@case("--folds", "abc", code=2)
def flag_of_wrong_type(place):
    return place.fitted("--folds", "abc")


@case("there is no 'ftt'", "did you mean 'fit'?")
def unknown_verb(place):
    return ["ftt"]


@case("say what to train on", "manyfit fit TABLE --target COLUMN")
def nothing_to_train_on(place):
    return ["fit", "--target", "bought"]


@case("folds=0", "at least 1")
def no_folds(place):
    return place.fitted("--folds", "0")


@case("epochs=0", "at least 1")
def no_epochs(place):
    return place.fitted("--epochs", "0")


@case("trials=-2", "at least 1")
def negative_trials(place):
    return place.fitted("--trials", "-2")


@case("seeds=0", "at least 1")
def no_seeds(place):
    return place.fitted("--seeds", "0")


@case("batch_size=0", "at least 1")
def empty_batches(place):
    return place.fitted("--batch-size", "0")


@case("patience=-1", "at least 1")
def negative_patience(place):
    return place.fitted("--patience=-1")


@case("validation=1.5", "[0, 1)")
def validation_takes_all(place):
    return place.fitted("--validation", "1.5")


@case("learning_rate is 'fast'", "LOW:HIGH")
def learning_rate_no_number(place):
    return place.fitted("--learning-rate", "fast")


@case("learning_rate is '0.1:0.001'", "LOW")
def range_upside_down(place):
    return place.fitted("--learning-rate", "0.1:0.001")


@case("budget is 'soon'", "90s, 30m or 2h")
def budget_no_time(place):
    return place.fitted("--budget", "soon")


@case("validation=0 holds none out")
def pruning_without_validation(place):
    return place.fitted("--prune", "halving", "--validation", "0", "--dropout", "0:0.5", "--trials", "4")


@case("nowhere/experiment.json is not there")
def warm_start_from_nothing(place):
    return place.fitted("--warm-start", "nowhere", "--dropout", "0:0.5", "--trials", "4")


@case("leave the password out of the URL")
def a_password_for_the_run_folder(place):
    url = "postgresql://me:secret@host/trials"
    return place.fitted("--storage", url, "--dropout", "0:0.5", "--trials", "4")


@case("notes.db", "file is not a database")
def warm_start_from_no_data_base(place):
    notes = place.write("notes.db", "notes, and no data base")
    url = f"sqlite:///{notes}"
    return place.fitted("--warm-start", url, "--dropout", "0:0.5", "--trials", "4")


@case("folds=3 and plan='bootstrap' contradict each other")
def folds_of_another_plan(place):
    return place.fitted("--plan", "bootstrap", "--folds", "3")


@case("window is about folds in time", "give time")
def window_without_time(place):
    return place.fitted("--window", "3")


@case("learning_rate is 'nan'", "give a number")
def learning_rate_nan(place):
    return place.fitted("--learning-rate", "nan")


@case("dropout is '1.5'", "below 1")
def dropout_of_everything(place):
    return place.fitted("--dropout", "1.5")


@case("4 trials were asked for", "LOW:HIGH")
def trials_without_a_search(place):
    return place.fitted("--trials=4", "--learning-rate=0.1", "--dropout=0", "--weight-decay=0")


@case("unknown metric 'acuracy'", "did you mean 'accuracy'?")
def unknown_metric(place):
    return place.fitted("--metric", "acuracy")


@case("'rmse' is no metric of a binary task", "accuracy")
def metric_of_another_task(place):
    return place.fitted("--metric", "rmse")


@case("balance", "a regression target has none", "leave it out")
def balance_without_classes(place):
    return place.fit(place.table(*(f"{i},{i / 7}" for i in range(40)), head="a,b"), "--balance", target="b")


@case("model 'cnn' reads images", "'mlp'")
def cnn_on_a_table(place):
    return place.fitted("--model", "cnn")


@case("embedding='periodic' is for 'mlp'", "leave it out")
def embedding_of_another_network(place):
    return place.fitted("--model", "tabm", "--embedding", "periodic")


@case("layer_decay is '3'", "below 1")
def rates_that_would_grow(place):
    return place.fitted("--layer-decay", "3")


@case("hidden", "at least 1")
def layer_without_units(place):
    return place.fitted("--hidden", "0")


@case("shop.csv: --size is for images", "leave it out")
def size_of_a_table(place):
    return place.fitted("--size", "8")


@case("new.csv lacks the column 'age'", "did you mean 'agee'?")
def part_for_testing_lacks_a_column(place):
    return place.fitted("--test", str(place.table(*ROWS, head="size,agee,colour,bought", name="new.csv")))


# The config file


@case("shop.yaml: unknown option 'epoch'", "did you mean 'epochs'?")
def unknown_option_in_config(place):
    return place.config("epoch: 3\n")


@case("shop.yaml: trials is 'many'", "give a whole number")
def wrong_type_in_config(place):
    return place.config("trials: many\n")


@case("shop.yaml: scaling is 'robast'", "did you mean 'robust'?")
def wrong_choice_in_config(place):
    return place.config("scaling: robast\n")


@case("unknown model 'clp'", "did you mean 'mlp'?")
def wrong_model_in_config(place):
    return place.config("model: clp\n")


@case("shop.yaml: epochs is ['3', '4']", "give one value")
def list_in_config(place):
    return place.config("epochs: [3, 4]\n")


@case("shop.yaml, line 2: not valid YAML")
def invalid_yaml(place):
    return place.config("trials: 3\n  epochs: [4\n")


@case("shop.yaml, line 2: not valid YAML", "'trials' stands here a second time")
def option_twice_in_config(place):
    return place.config("trials: 3\ntrials: 4\n")


@case("shop.yaml: expected lines of 'option: value', found a list")
def config_no_mapping(place):
    return place.config("- trials\n- 3\n")


@case("shop.yaml: there is no such config file", "check the path")
def no_such_config(place):
    return place.fitted("--config", str(place.path / "shop.yaml"))


@case("shop.yaml: unknown option '!!python", "known:")
def code_in_config(place):
    return place.config("'!!python/object/apply:os.system': ['exit 1']\n")


# Images


@case("0.png is no image that can be read", "convert it to PNG or JPEG, or remove it")
def corrupt_image(place):
    folder = place.images()
    (folder / "cat" / "0.png").write_text("meow")
    return place.fit(folder, target="folder")


@case("1.png is corrupt or cut off", "replace or remove it")
def truncated_image(place):
    folder = place.images()
    content = (folder / "dog" / "1.png").read_bytes()
    (folder / "dog" / "1.png").write_bytes(content[: len(content) // 2])
    return place.fit(folder, target="folder")


@case("2 different sizes: 8x8 (5), 5x4 (1)", "cat/0.png with 5x4", "--size 8")
def mixed_image_sizes(place):
    folder = place.images()
    Image.new("RGB", (4, 5)).save(folder / "cat" / "0.png")
    return place.fit(folder, target="folder")


@case("0.tif holds fractions", "convert it to 8 or 16 bits")
def image_of_fractions(place):
    folder = place.images()
    (folder / "cat" / "0.png").unlink()
    Image.new("F", (8, 8)).save(folder / "cat" / "0.tif")
    return place.fit(folder, target="folder")


@case("bird holds no images", "remove the folder, or fill the class")
def empty_class_folder(place):
    folder = place.images()
    (folder / "bird").mkdir()
    return place.fit(folder, target="folder")


@case("every image is of the class 'cat'", "at least two are needed")
def one_class_of_images(place):
    folder = place.images()
    shutil.rmtree(folder / "dog")
    return place.fit(folder, target="folder")


@case("the class 'bird' has one image", "add images or remove the class")
def class_of_one_image(place):
    folder = place.images()
    (folder / "bird").mkdir()
    shutil.copy(folder / "cat" / "0.png", folder / "bird" / "0.png")
    return place.fit(folder, target="folder")


@case("pets has no folder per class", "lie loose", "pets/cat/1.png")
def loose_images(place):
    folder = place.images()
    for file in [*folder.rglob("*.png")]:
        file.rename(folder / f"{file.parent.name}-{file.name}")
    for empty in ("cat", "dog"):
        (folder / empty).rmdir()
    return place.fit(folder, target="folder")


@case("pets: --group is for tables", "leave it out")
def groups_of_images(place):
    return place.fit(place.images(), "--group", "owner", target="folder")


@case("target='animal' names a column of a table", "pets is none", "leave it out")
def column_of_a_folder(place):
    return place.fit(place.images(), target="animal")


@case("list.csv, line 3: '../../etc/passwd.png' lies outside of the table's folder", "move the image")
def path_leaves_the_folder(place):
    place.images()
    rows = ["pets/cat/0.png,cat", "../../etc/passwd.png,dog"]
    return place.fit(place.table(*rows, head="file,kind", name="list.csv"), target="kind")


@case("list.csv, line 3: 'pets/cat/9.png' does not exist")
def listed_image_missing(place):
    place.images()
    rows = ["pets/cat/0.png,cat", "pets/cat/9.png,dog"]
    return place.fit(place.table(*rows, head="file,kind", name="list.csv"), target="kind")


@case("list.csv lists images", "--target")
def listed_images_without_target(place):
    return place.fit(place.table("pets/cat/0.png,cat", head="file,kind", name="list.csv"), target=None)


@case("train-images-idx3-ubyte is no IDX file: it starts with 50 4b 03 04", "00 00 08 03")
def idx_of_bad_magic(place):
    return place.fit(place.idx(images=b"PK\x03\x04" + bytes(40)), target="folder")


@case("train-images-idx3-ubyte is cut off", "6 x 4 x 4 bytes", "fetch the file again")
def idx_cut_short(place):
    whole = struct.pack(">4B3I", 0, 0, 8, 3, 6, 4, 4) + bytes(6 * 16)
    return place.fit(place.idx(images=whole[:-7]), target="folder")


@case("has 6 images", "5 labels", "do not belong together")
def idx_of_other_labels(place):
    return place.fit(
        place.idx(labels=struct.pack(">4BI", 0, 0, 8, 1, 5) + bytes([0, 1, 0, 1, 1])), target="folder"
    )


@case("train-images-idx3-ubyte has no labels beside it", "expected train-labels-idx1-ubyte")
def idx_without_labels(place):
    folder = place.idx()
    (folder / "train-labels-idx1-ubyte").unlink()
    return place.fit(folder, target="folder")


@case("set.npz: it holds Python objects, which could run code", "store plain arrays")
def npz_of_objects(place):
    np.savez(place.path / "set.npz", x=np.array([print, open], object), y=np.array([0, 1]))
    return place.fit(place.path / "set.npz", target=None)


@case("set.npz: expected an array of images named x", "found a, b")
def npz_without_images(place):
    np.savez(place.path / "set.npz", a=np.zeros((4, 8, 8)), b=np.array([0, 1, 0, 1]))
    return place.fit(place.path / "set.npz", target=None)


@case("set.npz: it cannot be read", "write it again")
def npz_cut_short(place):
    np.savez(place.path / "set.npz", x=np.zeros((4, 8, 8), np.uint8), y=np.array([0, 1, 0, 1]))
    return place.fit(place.write("set.npz", (place.path / "set.npz").read_bytes()[:-60]), target=None)


# Run folders


@case("run: cannot write there", "choose another run folder")
def run_folder_is_a_file(place):
    place.write("run", "")
    return place.fitted()


@case("broken holds a run already", "manyfit resume", "--out")
def run_folder_taken(place):
    return [*place.fitted()[:-1], str(place.run())]


@case("broken holds a run that is no demo", "--out")
def demo_over_another_run(place):
    return ["demo", "--out", str(place.run())]


@case("experiment.json has format 2, this version of manyfit reads 1", "use the version that wrote it")
def run_of_another_version(place):
    return ["resume", str(place.edit("experiment.json", lambda c: c.update(format=2)))]


@case("experiment.json cannot be read", "restore it or run the experiment anew")
def experiment_json_cut(place):
    run = place.run()
    (run / "experiment.json").write_text((run / "experiment.json").read_text()[:100])
    return ["inspect", str(run)]


@case("experiment.json has no 'task'", "not whole")
def experiment_json_not_whole(place):
    return ["inspect", str(place.edit("experiment.json", lambda c: c.pop("task")))]


@case("pets/experiment.json is not there", "the folder of a run?")
def resume_of_no_run(place):
    return ["resume", str(place.images())]


@case("shop.csv, which is not here", "put the data back")
def resume_without_data(place):
    run = place.edit("experiment.json", lambda c: c["options"].update(data="gone/shop.csv"))
    (run / "summary.json").unlink()
    return ["resume", str(run)]


@case("has changed", "restore the data, or begin a new run")
def resume_with_other_data(place):
    other = place.table(*ROWS[:-2])
    run = place.edit("experiment.json", lambda c: c["options"].update(data=str(other)))
    (run / "summary.json").unlink()
    return ["resume", str(run)]


@case("begun with another settings", "resume with what was asked then")
def resume_with_other_settings(place):
    run = place.edit("experiment.json", lambda c: c["options"].update(epochs=7))
    (run / "summary.json").unlink()
    return ["resume", str(run)]


@case("model.safetensors cannot be read", "restore it or run the experiment anew")
def model_cut_short(place):
    run = place.run()
    content = (run / "model/model.safetensors").read_bytes()
    (run / "model/model.safetensors").write_bytes(content[: len(content) // 2])
    return ["predict", str(run), str(place.table(*ROWS))]


@case("the model has a part 'system'", "does not know")
def model_of_unknown_architecture(place):
    def change(content):
        content["objective"]["model"] = {"type": "system", "command": "touch " + str(place.path / "run")}

    return ["predict", str(place.edit("model/model.json", change)), str(place.table(*ROWS))]


@case("'subprocess.run'", "code of its author's")
def model_of_foreign_code(place):
    def change(content):
        content["objective"]["loss"] = {"own": "subprocess.run"}

    return ["predict", str(place.edit("model/model.json", change)), str(place.table(*ROWS))]


@case("model.json has format 7")
def model_of_another_version(place):
    run = place.edit("model/model.json", lambda c: c.update(format=7))
    return ["predict", str(run), str(place.table(*ROWS))]


@case("broken is not finished", "manyfit resume")
def predict_unfinished(place):
    run = place.run()
    shutil.rmtree(run / "model")
    (run / "summary.json").unlink()
    return ["predict", str(run), str(place.table(*ROWS))]


@case("broken has lost its model", "repeat the run")
def predict_without_a_model(place):
    run = place.run()
    shutil.rmtree(run / "model")
    return ["predict", str(run), str(place.table(*ROWS))]


@case("nowhere/model/model.json is not there", "the folder of a run?")
def predict_of_no_run(place):
    return ["predict", str(place.path / "nowhere"), str(place.table(*ROWS))]


@case("new.csv lacks the columns 'size', 'age'", "did you mean 'sizes'?")
def predict_without_columns(place):
    rows = [f"{row.split(',')[0]},{row.split(',')[2]}" for row in ROWS]
    return ["predict", str(place.trained), str(place.table(*rows, head="sizes,colour", name="new.csv"))]


@case("new.csv, line 42, column 'size'", "'big' is not a number")
def predict_text_for_a_number(place):
    return ["predict", str(place.trained), str(place.table(*ROWS, "big,2,red,no", name="new.csv"))]


@case("scores.xlsx: predictions are written as .csv, .tsv, .parquet")
def predict_to_an_unknown_format(place):
    return ["predict", str(place.trained), str(place.table(*ROWS)), "-o", str(place.path / "scores.xlsx")]


@case("scores", "cannot be made")
def predict_to_nowhere(place):
    place.write("scores", "")
    return ["predict", str(place.trained), str(place.table(*ROWS)), "-o", str(place.path / "scores/a.csv")]


@case("new.csv has no target column 'bought', which is needed to score")
def evaluate_without_target(place):
    rows = [row.rsplit(",", 1)[0] for row in ROWS]
    return ["evaluate", str(place.trained), str(place.table(*rows, head="size,age,colour", name="new.csv"))]


@case("new.csv, line 42, column 'bought'", "'perhaps' is none of the classes", "known: no, yes")
def evaluate_unknown_class(place):
    return ["evaluate", str(place.trained), str(place.table(*ROWS, "1,2,red,perhaps", name="new.csv"))]


@case("comparing needs at least two runs", "manyfit compare runs/a runs/b")
def compare_one(place):
    return ["compare", str(place.trained)]


@case("pets/experiment.json is not there", "the folder of a run?")
def report_of_no_run(place):
    return ["report", str(place.images())]


# What takes more than a command


@pytest.mark.parametrize("verb", ["fit", "resume"])
def test_two_processes_on_one_run(place, capsys, verb):
    run = place.path / "run" if verb == "fit" else place.run()
    (run / "summary.json").unlink(missing_ok=True)
    argv = place.fitted() if verb == "fit" else ["resume", str(run)]
    with RunFolder(run):
        code, _, err = said(capsys, argv)
    assert code == 1
    assert err.count("manyfit: ") == 1
    assert "another process is working on this run; wait for it or choose another folder" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(place, capsys):
    place.path.chmod(0o500)
    try:
        code, _, err = said(capsys, place.fitted())
    finally:
        place.path.chmod(0o700)
    assert code == 1
    assert "cannot write there (Permission denied); choose another run folder" in err


def test_full_disk_says_what_was_kept(place, capsys, monkeypatch):
    """The disk fills up after the second checkpoint: what those hold stays, and the run goes on from there."""
    argv = place.fitted(
        "--checkpoint-seconds=0", "--trials=1", "--seeds=1", "--folds=2", "--epochs=40", "--patience=0"
    )
    written, sync = [], os.fsync

    def full(handle):
        name = os.readlink(f"/proc/self/fd/{handle}")
        written.append(name)
        if sum("state.json" in n for n in written) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        code, _, err = said(capsys, argv)
    assert code == 1
    message = err.rstrip().splitlines()[-1]
    assert message.startswith("manyfit: ")
    assert "No space left on device" in message
    assert "free some space" in message
    assert "of 2 networks" in message
    assert f"manyfit resume {place.path / 'run'}" in message
    code, _, err = said(capsys, ["resume", str(place.path / "run")])
    assert code == 0, err
    assert len((place.path / "run/members.jsonl").read_text().splitlines()) == 2


def test_disk_full_from_the_start(place, capsys, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = said(capsys, place.fitted())
    assert code == 1
    assert "experiment.json: cannot be written (No space left on device); free some space" in err
    assert not (place.path / "run/experiment.json").exists()


def test_every_broken_model_json_is_one_message(place, capsys):
    """A hundred entries of model.json replaced, one at a time: an error of ours, or a model that still works."""
    run = place.run()
    file = run / "model/model.json"
    whole = json.loads(file.read_text())

    def paths(node, path=()):
        if isinstance(node, (dict, list)):
            items = node.items() if isinstance(node, dict) else enumerate(node)
            for key, value in items:
                yield (*path, key)
                yield from paths(value, (*path, key))

    everything = [(path, wrong) for path in paths(whole) for wrong in (None, "x", -1, {})]
    for path, wrong in random.Random(0).sample(everything, 100):
        content = json.loads(json.dumps(whole))
        node = content
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = wrong
        file.write_text(json.dumps(content))
        code, _, err = said(capsys, ["inspect", str(run)])
        assert code in (0, 1), (path, wrong)
        assert code == 0 or err.startswith("manyfit: "), (path, wrong)


# What is taken, with a note


def test_empty_column_is_left_out_with_a_note(place, capsys):
    rows = [f"{row.rsplit(',', 1)[0]},,{row.rsplit(',', 1)[1]}" for row in ROWS]
    table = place.table(*rows, head="size,age,colour,nothing,bought")
    code, out, _ = said(capsys, ["inspect", str(table), "--target", "bought"])
    assert code == 0
    assert "note: column 'nothing' is left out: every cell is missing" in out


@pytest.mark.parametrize(
    ("mode", "note"),
    [("L", ""), ("RGBA", "transparent in places"), ("P", ""), ("CMYK", ""), ("1", ""), ("I;16", "16 bits")],
)
def test_every_image_mode_is_read(place, capsys, mode, note):
    folder = place.images()
    (folder / "cat" / "0.png").unlink()
    pixels = np.arange(64, dtype=np.uint16 if mode == "I;16" else np.uint8).reshape(8, 8)
    if mode == "I;16":
        image = Image.fromarray(pixels * 1000)
    elif mode == "RGBA":
        image = Image.new("RGBA", (8, 8), (9, 9, 9, 99))
    else:
        image = Image.fromarray(pixels).convert(mode)
    image.save(folder / "cat" / ("0.tif" if mode == "CMYK" else "0.png"))
    code, out, err = said(capsys, ["inspect", str(folder), "--target", "folder"])
    assert code == 0, err
    assert "6 rows, binary target 'folder' (cat, dog)" in out
    assert note in out
