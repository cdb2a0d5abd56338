"""What the report shows of a probed run, and of images with what the network looked at."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from report_runs import Run, write_run
from safetensors.numpy import load_file, save

from manyfit.errors import RunError
from manyfit.report import render
from manyfit.report.png import heated, png


def probed(folder, gradient):
    """A run with a probe of three layers whose gradient falls by ``gradient`` from layer to layer."""
    run = Run()
    write_run(folder, run)
    history = load_file(folder / "history.safetensors")
    shape = history["train/loss"].shape
    for place in range(3):
        for key, value in (
            (f"validation/probe/output-gradient/{place}/layers.{place}", gradient ** (2 - place)),
            (f"validation/probe/gradient/{place}/layers.{place}", 0.1),
        ):
            history[key] = np.full(shape, value, np.float32)
    (folder / "history.safetensors").write_bytes(save(history))
    return folder


@pytest.mark.parametrize(("factor", "word"), [(0.5, "healthy"), (1e-3, "vanishing"), (1e3, "exploding")])
def test_gradients_have_a_section_with_their_verdict(tmp_path, parse, factor, word):
    page = render(probed(tmp_path / "run", factor))
    assert "gradients" in [attrs["id"] for attrs in parse(page).find("section")]
    assert f"the gradient is the same all through: {word}" in page
    section = page[page.index('<section id="gradients">') : page.index('<section id="predictions">')]
    assert section.count("<svg") == 2
    assert "layers.0" in section
    assert "probe/" not in page


def test_a_run_without_a_probe_has_no_such_section(make_run):
    page = render(make_run())
    assert 'id="gradients"' not in page
    assert 'id="examples"' not in page


def shown(folder, **change):
    rng = np.random.default_rng(0)
    content = {
        "pixels": rng.integers(0, 255, (3, 6, 5, 1)).astype(np.uint8),
        "heat": rng.integers(0, 255, (3, 6, 5)).astype(np.uint8),
        "row": np.array([4, 7, 9], np.int32),
        "target": np.array([0, 1, 2], np.int32),
        "called": np.array([0, 2, 2], np.int32),
        "probability": np.array([0.99, 0.8, 0.34], np.float32),
        "agreement": np.array([0.5, 0.25, np.nan], np.float32),
        "group": np.array([0, 1, 2], np.int32),
    }
    (folder / "examples.safetensors").write_bytes(save(content | change))
    return content


def test_images_are_shown_with_their_heat(make_run, parse):
    folder = make_run(classes=("a", "<b>", "c"))
    content = shown(folder)
    page = render(folder)
    parse(page)
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    images = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found]
    assert len(images) == 6
    np.testing.assert_array_equal(images[0], np.repeat(content["pixels"][0], 3, axis=2))
    np.testing.assert_array_equal(images[1], heated(content["pixels"][0], content["heat"][0]))
    assert "row 7: c, 80 %; it is &lt;b&gt; · maps agree 0.25" in page
    assert [h for h in ("Surely right", "Surely wrong", "Least sure") if f"<h3>{h}</h3>" in page] == [
        "Surely right",
        "Surely wrong",
        "Least sure",
    ]


def test_broken_examples_are_named(make_run):
    folder = make_run()
    shown(folder, heat=np.zeros((3, 2, 2), np.uint8))
    with pytest.raises(RunError, match=r"examples\.safetensors"):
        render(folder)


def test_a_png_is_read_by_others():
    pixels = np.random.default_rng(1).integers(0, 255, (7, 11, 3)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(pixels)))), pixels)


def test_heat_is_seen():
    pixels = np.full((2, 2, 1), 128, np.uint8)
    cold, hot = heated(pixels, np.zeros((2, 2), np.uint8)), heated(pixels, np.full((2, 2), 255, np.uint8))
    assert (hot[..., 0] > cold[..., 0] + 40).all()
