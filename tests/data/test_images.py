"""Reading images: what is read must be what was written, and every fault must be named."""

import gzip
import json
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from manyfit.data import image_files
from manyfit.data.images import ImageSchema, read
from manyfit.errors import ConfigError, DataError


def draw(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two classes of three grey images, 5 high and 4 wide."""
    for index, name in enumerate(("cat", "dog")):
        for i in range(3):
            save(tmp_path / "images" / name / f"{i}.png", draw(5, 4, seed=10 * index + i))
    return tmp_path / "images"


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def mnist(tmp_path):
    place = tmp_path / "mnist"
    place.mkdir()
    for name, count in (("train", 20), ("t10k", 10)):
        labels = np.arange(count, dtype=np.uint8) % (10 if name == "train" else 5)
        raw = idx(draw(count, 6, 5, seed=count))
        (place / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(raw))
        (place / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    return place


# Sources.


def test_folder_per_class(folder):
    (folder / "cat" / ".hidden.png").write_text("not looked at")
    data = read(folder)
    assert (data.pixels.shape, data.pixels.dtype, data.target.dtype) == ((6, 5, 4, 1), np.uint8, np.int32)
    assert data.classes == ("cat", "dog")
    assert data.target.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.paths[3] == "dog/0.png"
    assert len(data) == 6
    assert data.warnings == ()
    np.testing.assert_array_equal(data.pixels[4, ..., 0], draw(5, 4, seed=11))
    assert data.summary() == "6 images of 5x4, grey, 2 classes of 3 images"


def test_class_folders_named_by_numbers_are_classes_in_order(tmp_path):
    for name in range(60):
        for i in range(2):
            save(tmp_path / str(name) / f"{i}.png", draw(2, 2))
    assert read(tmp_path).classes == tuple(map(str, range(60)))


def test_folder_of_parts(folder, tmp_path):
    folder.rename(tmp_path / "train")
    for name in ("cat", "dog"):
        for i in range(2):
            save(tmp_path / "val" / name / f"{i}.png", draw(5, 4))
    assert len(read(tmp_path, part="train")) == 6
    assert len(read(tmp_path, part="test")) == 4
    with pytest.raises(DataError, match="parts train, val"):
        read(tmp_path)


@pytest.mark.parametrize(("suffix", "comma"), [(".csv", ","), (".tsv", "\t")])
def test_table_of_classes(folder, suffix, comma):
    table = folder / f"labels{suffix}"
    rows = ["id,file,kind", "1,cat/0.png,b", "2,dog/1.png,a", "3,dog/2.png,b", "4,cat/2.png,a"]
    table.write_text("\n".join(rows).replace(",", comma))
    data = read(table, target="kind")
    assert data.classes == ("a", "b")
    assert data.target.tolist() == [1, 0, 1, 0]
    np.testing.assert_array_equal(data.pixels[1, ..., 0], draw(5, 4, seed=11))


def test_table_of_numbers_is_regression(folder):
    (folder / "t.csv").write_text("file,age\ncat/0.png,1.5\ncat/1.png,2\ndog/0.png,-3\n")
    data = read(folder / "t.csv", target="age")
    assert (data.classes, data.target.dtype) == ((), np.float32)
    assert data.target.tolist() == [1.5, 2.0, -3.0]
    assert "from -3 to 2" in data.summary()


def test_idx_parts(mnist):
    train, test = read(mnist), read(mnist, part="test")
    assert (train.part, train.parts, len(train), len(test)) == ("train", ("train", "test"), 20, 10)
    assert test.classes == train.classes == tuple("0123456789")
    np.testing.assert_array_equal(test.pixels[..., 0], draw(10, 6, 5, seed=10))
    file = read(mnist / "t10k-images-idx3-ubyte.gz")
    assert (file.part, file.target.tolist()) == ("test", [0, 1, 2, 3, 4] * 2)


def test_npz(tmp_path):
    x = draw(6, 4, 5, 3)
    np.savez(tmp_path / "a.npz", images=x, labels=np.array(["b", "a", "b", "a", "b", "a"]))
    data = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(data.pixels, x)
    assert (data.classes, data.target.tolist()) == (("a", "b"), [1, 0, 1, 0, 1, 0])
    np.savez(tmp_path / "k.npz", x_train=x, y_train=[0, 1, 2] * 2, x_test=x[:2], y_test=[[2], [2]])
    test = read(tmp_path / "k.npz", part="test")
    assert (test.classes, test.target.tolist(), test.parts) == (("0", "1", "2"), [2, 2], ("train", "test"))
    np.savez(tmp_path / "f.npz", x=x.transpose(0, 3, 1, 2) / 255.0, y=np.linspace(0.1, 0.9, 6))
    data = read(tmp_path / "f.npz")
    np.testing.assert_array_equal(data.pixels, x)
    assert (data.classes, len(data.warnings)) == ((), 2)


def test_fingerprint_changes_with_pixels_and_targets(folder):
    first = read(folder).fingerprint
    assert first.startswith("sha256:")
    assert first == read(folder).fingerprint
    (folder / "cat" / "0.png").rename(folder / "dog" / "9.png")
    moved = read(folder).fingerprint
    save(folder / "dog" / "9.png", draw(5, 4, seed=99))
    assert len({first, moved, read(folder).fingerprint}) == 3


# Modes and sizes.


def both(tmp_path, image, name="odd.png", **options):
    """The one odd image, read beside plain ones of its size."""
    width, height = image.size
    for label in ("a", "b"):
        save(tmp_path / label / "1.png", draw(height, width, 3))
        save(tmp_path / label / "2.png", draw(height, width, 3))
    save(tmp_path / "a" / name, image, **options)
    data = read(tmp_path)
    return data.pixels[data.paths.index(f"a/{name}")], data


def test_transparency_is_laid_on_white(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[..., 3] = [[0, 255], [51, 255]]
    shown, data = both(tmp_path, Image.fromarray(pixels))
    assert shown[..., 0].tolist() == [[255, 0], [204, 0]]
    assert "1 image" in data.warnings[0]
    assert "white" in data.warnings[0]


def test_palette_cmyk_and_sixteen_bits(tmp_path):
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30])
    assert both(tmp_path / "p", palette)[0][0, 0].tolist() == [10, 200, 30]
    cmyk = Image.new("CMYK", (2, 2), (255, 0, 0, 0))
    assert both(tmp_path / "c", cmyk, "odd.tif")[0][0, 0].tolist() == [0, 255, 255]
    deep = Image.fromarray(np.array([[0, 257], [32896, 65535]], np.uint16))
    shown, data = both(tmp_path / "d", deep)
    assert shown[..., 2].tolist() == [[0, 1], [128, 255]]
    assert "16 bits" in data.warnings[0]


def test_exif_orientation_is_applied(tmp_path):
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[0, 0] = 255  # top left as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    for label in ("a", "b"):
        save(tmp_path / label / "1.png", draw(4, 2, 3))
        save(tmp_path / label / "2.png", draw(4, 2, 3))
    save(tmp_path / "a" / "odd.png", Image.fromarray(pixels), exif=exif)
    data = read(tmp_path)
    assert data.pixels[data.paths.index("a/odd.png"), :, :, 0].tolist() == [[0, 255], [0, 0], [0, 0], [0, 0]]


def test_mode(folder):
    assert read(folder, mode="RGB").pixels.shape == (6, 5, 4, 3)
    save(folder / "cat" / "0.png", np.full((5, 4, 3), [255, 0, 0], np.uint8))
    assert read(folder).pixels.shape[3] == 3
    assert read(folder, mode="L").pixels[0, 0, 0, 0] == 76  # 0.299 * 255
    with pytest.raises(ConfigError, match="mode='CMYK'"):
        read(folder, mode="CMYK")


def test_sizes_that_differ_are_refused_or_resized(folder):
    save(folder / "cat" / "0.png", np.full((10, 8), 77, np.uint8))
    with pytest.raises(DataError, match=r"2 different sizes: 5x4 \(5\), 10x8 \(1\).*size=\(5, 4\)"):
        read(folder)
    data = read(folder, size=(5, 4))
    assert (data.pixels[0] == 77).all()
    assert data.schema.resize
    assert read(folder, size=3).pixels.shape == (6, 3, 3, 1)


def test_reduction_is_antialiased(tmp_path):
    board = np.indices((64, 64)).sum(0) % 2 * 255
    for label in ("a", "b"):
        for i in range(2):
            save(tmp_path / label / f"{i}.png", board.astype(np.uint8))
    small = read(tmp_path, size=8).pixels.astype(float)
    assert np.abs(small - 127.5).max() < 5  # nearest neighbours would give 0 or 255


# Prediction.


def test_schema_round_trip_and_encode(folder, tmp_path):
    data = read(folder)
    schema = ImageSchema.from_json(json.loads(json.dumps(data.schema.to_json())))
    assert schema == data.schema
    np.testing.assert_array_equal(schema.encode(folder)["pixels"], data.pixels)
    np.testing.assert_array_equal(schema.encode([folder / data.paths[2]])["pixels"], data.pixels[2:3])
    np.testing.assert_array_equal(schema.encode(data.pixels[..., 0])["pixels"], data.pixels)
    colour = save(tmp_path / "c.png", np.full((5, 4, 3), [0, 255, 0], np.uint8))
    assert schema.encode(colour)["pixels"][0, 0, 0, 0] == 150  # 0.587 * 255
    np.testing.assert_array_equal(
        schema.encode(np.asarray(Image.open(colour))[None])["pixels"], schema.encode(colour)["pixels"]
    )
    big = save(tmp_path / "big.png", draw(9, 9))
    with pytest.raises(DataError, match=r"big.png: 9x9 pixels, the model was trained on 5x4"):
        schema.encode(big)
    with pytest.raises(DataError, match="9x9"):
        schema.encode(draw(2, 9, 9))
    assert read(folder, size=(5, 4)).schema.encode(big)["pixels"].shape == (1, 5, 4, 1)
    with pytest.raises(DataError, match="does not exist"):
        schema.encode([tmp_path / "none.png"])
    with pytest.raises(DataError, match="no schema"):
        ImageSchema.from_json({"height": 1})


# Faults.


def breaks(source, text, **options):
    with pytest.raises(DataError, match=text):
        read(source, **options)


def test_faults_of_folders(folder, tmp_path):
    (folder / "emu").mkdir()
    breaks(folder, "emu holds no images")
    save(folder / "emu" / "1.png", draw(5, 4))
    breaks(folder, "'emu' has one image")
    save(tmp_path / "one" / "cat" / "1.png", draw(5, 4))
    save(tmp_path / "one" / "cat" / "2.png", draw(5, 4))
    breaks(tmp_path / "one", "every image is of the class 'cat'")
    breaks(folder / "cat", "lie loose")
    (tmp_path / "none").mkdir()
    breaks(tmp_path / "none", "holds no images")
    breaks(tmp_path / "nowhere", "does not exist")
    (tmp_path / "a.txt").write_text("x")
    breaks(tmp_path / "a.txt", "a folder per class")
    with pytest.raises(ConfigError, match="column of a table"):
        read(folder, target="kind")


def test_other_files_are_left_out_with_a_warning(folder):
    (folder / "cat" / "notes.txt").write_text("x")
    assert "notes.txt" in read(folder).warnings[0]


@pytest.mark.parametrize("cut", [0, 1, 40, 300])
def test_cut_image_is_named(folder, cut):
    path = folder / "cat" / "1.png"
    save(path, draw(40, 40))
    for other in folder.rglob("*.png"):
        save(other, draw(40, 40))
    path.write_bytes(path.read_bytes()[:cut])
    breaks(folder, r"cat.1\.png (is corrupt or cut off|is no image)")


def test_every_damaged_byte_is_an_error_or_an_image(folder):
    """Whatever a damaged file raises inside Pillow, the reader raises DataError."""
    path = folder / "cat" / "1.png"
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            assert len(read(folder)) == 6
        except DataError as error:
            assert "png" in str(error)  # noqa: PT017


def test_decompression_bomb(folder, monkeypatch):
    for limit in (15, 5):  # Pillow warns above the limit and refuses at twice it
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        breaks(folder, "unreasonably large")


def test_32_bit_and_float_images_are_refused(folder):
    save(folder / "cat" / "0.tif", Image.fromarray(np.full((5, 4), 1e6, np.float32)))
    breaks(folder, "0.tif holds fractions")


def test_faults_of_tables(folder, tmp_path):
    save(tmp_path / "secret.png", draw(5, 4))
    table = folder / "t.csv"

    def rows(*lines):
        table.write_text("\n".join(("file,kind", *lines)))

    rows("cat/0.png,a", "../secret.png,b")
    breaks(table, "line 3: '../secret.png' lies outside", target="kind")
    rows("cat/0.png,a", f"{tmp_path / 'secret.png'},b")
    breaks(table, "line 3.*lies outside", target="kind")
    rows("cat/0.png,a", "cat/7.png,b")
    breaks(table, "line 3: 'cat/7.png' does not exist", target="kind")
    rows("cat/0.png,a", "cat/1.png,")
    breaks(table, "line 3: no value in 'kind'", target="kind")
    rows("cat/0.png,1.5", "cat/1.png,nan")
    breaks(table, "image 2 is nan", target="kind")
    breaks(table, "did you mean 'kind'", target="kinds")
    breaks(table, "say which with target=")
    rows("a,b")
    breaks(table, "no column of image paths", target="kind")
    rows()
    breaks(table, "no rows", target="kind")
    table.write_bytes(b"\xff\xfe\x00")
    breaks(table, "UTF-8", target="kind")


def test_table_symlink_that_leaves_the_folder(folder, tmp_path):
    save(tmp_path / "secret.png", draw(5, 4))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "t.csv").write_text("file,kind\nlink.png,a\n")
    breaks(folder / "t.csv", "lies outside", target="kind")


def test_faults_of_npz(tmp_path):
    path = tmp_path / "a.npz"

    def store(**arrays):
        np.savez(path, **arrays)

    store(x=np.array([{"a": 1}], dtype=object), y=np.zeros(1))
    breaks(path, "Python objects")
    store(pictures=draw(2, 3, 3), y=np.zeros(2))
    breaks(path, "found pictures, y")
    store(x=draw(2, 3, 3), y=np.zeros(3))
    breaks(path, "one label an image")
    store(x=draw(4, 6, 6, 5), y=[0, 1, 0, 1])
    breaks(path, "5 channels")
    store(x=np.full((4, 3, 3), 300.0), y=[0, 1, 0, 1])
    breaks(path, "300")
    store(x=draw(4, 3, 3), y=[0, 1, 0, 1])
    breaks(path, "no part 'test'", part="test")
    path.write_bytes(path.read_bytes()[:-30])
    breaks(path, "cannot be read")


def test_faults_of_idx(mnist):
    images_path, labels_path = mnist / "train-images-idx3-ubyte.gz", mnist / "train-labels-idx1-ubyte"
    raw = gzip.decompress(images_path.read_bytes())
    images_path.write_bytes(gzip.compress(raw[:-1]))
    breaks(mnist, r"train-images.*cut off.*20 x 6 x 5 bytes, 599 follow")
    images_path.write_bytes(gzip.compress(raw + b"x"))
    breaks(mnist, "left over")
    images_path.write_bytes(gzip.compress(raw)[:-20])
    breaks(mnist, "cannot be read")
    images_path.write_bytes(gzip.compress(b"\1" + raw[1:]))
    breaks(mnist, "is no IDX file: it starts with 01 00 08 03")
    images_path.write_bytes(gzip.compress(raw[:2] + b"\x0d" + raw[3:]))
    breaks(mnist, "0x0d")
    images_path.write_bytes(gzip.compress(raw[:10]))
    breaks(mnist, "within its header")
    images_path.write_bytes(gzip.compress(raw))
    labels_path.write_bytes(idx(np.zeros(19, np.uint8)))
    breaks(mnist, "20 images and train-labels-idx1-ubyte 19 labels")
    labels_path.unlink()
    breaks(mnist, "no labels beside it")
    (mnist / "t10k-images-idx3-ubyte.gz").unlink()
    breaks(mnist, "no 'test' part", part="test")


def test_unknown_class_is_named(folder):
    with pytest.raises(DataError, match="labelled 'cat'; did you mean 'cats'"):
        read(folder, classes=("cats", "dog"))
    assert read(folder, classes=("dog", "cat", "emu")).target.tolist() == [1, 1, 1, 0, 0, 0]


def test_without_pillow(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    breaks(folder, r"pip install manyfit\[image\]")


def test_suffixes_are_public():
    assert ".png" in image_files.SUFFIXES
