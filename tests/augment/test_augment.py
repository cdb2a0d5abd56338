"""What each augmentation does, against plain numpy; mixed losses; where it acts in training."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

import manyfit as mf
from manyfit import augment
from manyfit.augment.images import moved
from manyfit.engine.objective import Batch, Fold
from manyfit.errors import ConfigError

KEY = jax.random.key(0)
IMAGES = jax.random.normal(jax.random.key(1), (64, 8, 8, 1))


def test_a_crop_is_one_of_the_windows():
    y = augment.Crop(0.25)(IMAGES, KEY)
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)))
    found = set()
    for i, image in enumerate(np.asarray(y)):
        windows = [
            (a, b) for a in range(5) for b in range(5) if (padded[i, a : a + 8, b : b + 8] == image).all()
        ]
        assert windows
        found.update(windows)
    assert {a for a, _ in found} == {b for _, b in found} == set(range(5))


def test_a_mirrored_margin_has_no_holes():
    y = augment.Crop(0.25, fill="mirror")(jnp.ones((16, 8, 8, 1)), KEY)
    np.testing.assert_array_equal(y, 1)


def test_flips_come_as_often_as_they_should():
    x = jnp.broadcast_to(IMAGES[:1], (4000, 8, 8, 1))
    y = np.asarray(augment.Flip(0.3, 0.6)(x, KEY))
    image = np.asarray(IMAGES[0])
    across = (y == image[:, ::-1]).all((1, 2, 3)).mean() + (y == image[::-1, ::-1]).all((1, 2, 3)).mean()
    down = (y == image[::-1]).all((1, 2, 3)).mean() + (y == image[::-1, ::-1]).all((1, 2, 3)).mean()
    assert across == pytest.approx(0.3, abs=0.03) and down == pytest.approx(0.6, abs=0.03)


def test_cutout_is_a_square_of_its_size():
    holes = np.asarray(augment.Cutout(0.5)(jnp.ones((500, 8, 8, 1)), KEY))[..., 0] == 0
    counts = holes.sum((1, 2))
    assert counts.max() == 16 and counts.min() >= 4
    whole = holes[counts == 16]
    assert (whole.any(1).sum(1) == 4).all() and (whole.any(2).sum(1) == 4).all()


def test_a_quarter_turn_and_a_shift_are_exact():
    def map_of(**amounts):
        names = ("degrees", "down", "right", "scale", "shear_y", "shear_x")
        return moved(IMAGES[:1], *(jnp.full(1, amounts.get(name, 0.0)) for name in names))

    turned = np.asarray(map_of(degrees=90.0)[0, ..., 0])
    image = np.asarray(IMAGES[0, ..., 0])
    assert any(np.allclose(turned, np.rot90(image, k), atol=1e-4) for k in (1, 3))
    shifted = np.asarray(map_of(down=0.25)[0, ..., 0])
    np.testing.assert_allclose(shifted[:6], image[2:], atol=1e-5)
    assert not shifted[6:].any()
    double = np.asarray(map_of(scale=1.0)[0, ..., 0])  # read at twice the distance from the centre
    assert not double[0].any() and double[3:5, 3:5].all()


def test_colour_moves_level_contrast_and_saturation():
    image = jax.random.normal(KEY, (1, 4, 4, 3))
    grey = augment.images.recoloured(image, jnp.zeros(1), jnp.zeros(1), -jnp.ones(1))
    np.testing.assert_allclose(grey, jnp.broadcast_to(image.mean(-1, keepdims=True), image.shape), atol=1e-6)
    flat = augment.images.recoloured(image, jnp.ones(1), -jnp.ones(1), jnp.zeros(1))
    np.testing.assert_allclose(flat, image.mean() + 1, atol=1e-5)


def test_mixup_and_cutmix_keep_their_share():
    for part in (augment.Mixup(1.0), augment.CutMix(1.0)):
        for seed in range(20):
            levels = jnp.arange(4.0)[:, None, None, None] * jnp.ones((4, 8, 8, 1))
            y, mixed = augment.augmented((part,), levels, jnp.ones(4), jax.random.key(seed))
            expected = mixed.share * levels.mean((1, 2, 3)) + (1 - mixed.share) * mixed.partner
            np.testing.assert_allclose(y.mean((1, 2, 3)), expected, atol=1e-5)


def test_rows_that_fill_up_are_nobodys_partner():
    weight = jnp.array([1.0, 1.0, 0.0, 0.0])
    _, mixed = augment.augmented((augment.Mixup(1.0),), IMAGES[:4], weight, KEY)
    assert mixed.partner.tolist() == [0, 0, 1, 3]


def test_a_mixing_is_the_last_part():
    for parts in ((augment.Mixup(), augment.Flip()), (augment.Mixup(), augment.CutMix())):
        with pytest.raises(ConfigError, match="mix"):
            augment.augmented(parts, IMAGES, jnp.ones(64), KEY)


def test_names_and_strengths_are_checked():
    with pytest.raises(ConfigError, match="did you mean 'standard'"):
        augment.named("standart")
    for wrong in (
        lambda: augment.Flip(1.5),
        lambda: augment.Crop(0.7),
        lambda: augment.Mixup(-1.0),
        lambda: augment.RandAugment(0),
        lambda: augment.Affine(rotate=-1.0),
    ):
        with pytest.raises(ConfigError, match="give"):
            wrong()


# In training


@pytest.fixture(scope="module")
def digits():
    found = load_digits()
    return {
        "inputs": {"pixels": (found.images / 8 - 1).astype(np.float32)[..., None]},
        "target": found.target.astype(np.int32),
    }


def objective(digits, **options):
    model = mf.models.CNN(channels=(8,), hidden=16, dropout=0.0)
    return mf.Supervised(model, classes=10, **options).bind(digits)


def begun(objective, digits):
    rows = jnp.arange(32)
    prepared = objective.prepare(Fold(jax.tree.map(jnp.asarray, digits), rows, jnp.ones(32)))
    hyper = {"total_steps": jnp.float32(10)}
    return (
        objective.init(KEY, hyper, prepared),
        hyper,
        Batch(jax.tree.map(lambda leaf: jnp.asarray(leaf[:32]), digits), jnp.ones(32)),
    )


def test_the_loss_of_a_mixed_batch_is_mixed(digits):
    mixing = objective(digits, augment=(augment.CutMix(1.0),))
    state, hyper, batch = begun(mixing, digits)
    _, found = jax.jit(mixing.update)(state, batch, KEY, hyper)

    features = mixing._features(state["prepared"], batch.data)
    images, mixed = augment.augmented(
        mixing.augment, features["pixels"], batch.weight, jax.random.fold_in(KEY, 0x617567)
    )
    logits, _ = mixing._functional().apply(state["weights"], {"pixels": images}, train=True, key=KEY)
    log = np.asarray(jax.nn.log_softmax(logits))
    own, other = batch.data["target"], batch.data["target"][mixed.partner]
    rows = np.arange(32)
    by_hand = -(mixed.share * log[rows, own] + (1 - mixed.share) * log[rows, other]).mean()
    assert float(found["loss"].total / found["loss"].count) == pytest.approx(float(by_hand), rel=1e-5)


def test_evaluation_sees_images_as_they_are(digits):
    plain = objective(digits)
    state, _, batch = begun(plain, digits)
    strong = dataclasses.replace(plain, augment=augment.named("strong"))
    for name in ("evaluate", "predict"):
        given = (plain.export(state), batch if name == "evaluate" else batch.data)
        a, b = getattr(plain, name)(*given), getattr(strong, name)(*given)
        jax.tree.map(np.testing.assert_array_equal, a, b)


def test_views_are_averaged(digits):
    plain = objective(digits)
    state, _, batch = begun(plain, digits)
    model = plain.export(state)
    mirrored = {"pixels": batch.data["inputs"]["pixels"][:, :, ::-1]}
    one, other = (plain._outputs(model, {"inputs": x}) for x in (batch.data["inputs"], mirrored))
    both = dataclasses.replace(plain, views="flip")._outputs(model, batch.data)
    np.testing.assert_allclose(both, (one + other) / 2, atol=1e-5)
    assert len(augment.views("shifts", IMAGES)) == 5
    assert len(augment.views("flip-shifts", IMAGES)) == 10
    with pytest.raises(ConfigError, match="views"):
        dataclasses.replace(plain, views="flop")._outputs(model, batch.data)


def test_augmentation_is_for_images():
    rows = {"inputs": {"numeric": np.ones((8, 3), np.float32)}, "target": np.zeros(8, np.int32)}
    table = mf.Supervised(mf.models.MLP(hidden=(4,)), classes=2, augment=(augment.Flip(),)).bind(rows)
    with pytest.raises(ConfigError, match="for images"):
        table._augmented(rows["inputs"], jnp.ones(8), KEY)


def test_strengths_are_searched_and_a_run_is_loaded_again(digits, tmp_path):
    spec = mf.Supervised(
        mf.models.CNN(channels=(8,), hidden=16, dropout=0.0),
        classes=10,
        augment=(augment.Crop(), augment.Mixup(alpha=mf.uniform(0.0, 0.5))),
        views="flip",
    )
    few = jax.tree.map(lambda leaf: leaf[:200], digits)
    experiment = mf.Experiment(spec, few, trials=2, folds=2, epochs=2)
    result = experiment.run(tmp_path / "run")
    alphas = {trial.hyper["augment.1.alpha"] for trial in result.trials}
    assert len(alphas) == 2
    again = mf.load(tmp_path / "run")
    assert again.objective.augment[0] == augment.Crop() and again.objective.views == "flip"
    rows = {"pixels": few["inputs"]["pixels"][:8]}
    np.testing.assert_array_equal(again.predict_members(rows), result.best.predict_members(rows))


def test_targets_of_pixels_are_refused(digits):
    each = {**digits, "target": np.zeros((len(digits["target"]), 8, 8), np.int32)}
    spec = mf.Supervised(mf.models.UNet((4,)), classes=2, augment=(augment.Flip(),)).bind(each)
    state, hyper, batch = begun(spec, each)
    with pytest.raises(ConfigError, match="not their targets"):
        spec.update(state, batch, KEY, hyper)
