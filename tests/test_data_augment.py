"""Augmentation: masks move as their images do, values stay in range, and seeds repeat it all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from tinygrad_edu.data import (
    Augmentation,
    DataLoader,
    RandomBrightness,
    RandomCrop,
    RandomFlip,
    RandomNoise,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    warp,
)
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, ShapeError
from tinygrad_edu.random import seed as seed_package

GEOMETRIC = [
    RandomFlip(),
    RandomRotation(0.2),
    RandomTranslation(0.3, (-0.1, 0.4)),
    RandomZoom((-0.4, 0.5)),
    RandomZoom(0.2, 0.3),
]
FILL_MODES = ["reflect", "constant", "nearest", "wrap"]


def images(count=3, height=7, width=9, channels=None, dtype="float32"):
    shape = (count, height, width) if channels is None else (count, height, width, channels)
    return (np.random.default_rng(1).random(shape) * 200).astype(dtype)


def turned(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


# --- One reading -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_quarter_turns_are_exact(interpolation, fill_mode, channels):
    x = images(2, 8, 8, channels)
    for quarters in range(4):
        found = warp(x, turned(quarters * np.pi / 2), interpolation, fill_mode=fill_mode)
        np.testing.assert_allclose(found, np.rot90(x, quarters, axes=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "bool", "float16", "float32", "float64"])
def test_mirroring_is_exact_in_every_dtype(dtype):
    x = images(1, 5, 4, dtype=dtype)
    for down, right in ((1, -1), (-1, 1), (-1, -1)):
        found = warp(x, np.diag([down, right, 1]))
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, x[:, ::down, ::right])


@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_moving_by_whole_pixels_fills_as_it_is_called(fill_mode):
    row = np.array([1.0, 2, 3, 4])
    wanted = {
        "reflect": [2, 1, 1, 2],
        "constant": [9, 9, 1, 2],
        "nearest": [1, 1, 1, 2],
        "wrap": [3, 4, 1, 2],
    }[fill_mode]
    for interpolation in ("nearest", "bilinear"):
        to_the_right = [[1, 0, 0], [0, 1, -2], [0, 0, 1]]
        found = warp(row[None, None], to_the_right, interpolation, fill_mode=fill_mode, fill_value=9)
        assert found.ravel().tolist() == wanted


@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_linear_images_are_interpolated_exactly_inside(numbers):
    """A plane a·row + b·column + c read at M p is the plane at M p: what interpolation must get right."""
    matrix = np.vstack([np.reshape(numbers, (2, 3)), [0, 0, 1]])
    height, width = 11, 9
    row, column = np.mgrid[:height, :width] - np.array([5.0, 4.0])[:, None, None]
    found = warp((3 * row - 2 * column + 1)[None], matrix)[0]
    r, c, _ = np.tensordot(matrix, np.stack([row, column, np.ones_like(row)]), 1)
    inside = (abs(r) <= 5) & (abs(c) <= 4)
    np.testing.assert_allclose(found[inside], (3 * r - 2 * c + 1)[inside], atol=1e-9)


def test_whole_numbers_are_rounded_and_masks_stay_classes():
    x = np.array([[[0, 255, 0, 255]]], np.uint8)
    half_a_pixel = [[1, 0, 0], [0, 1, 0.5], [0, 0, 1]]
    assert warp(x, half_a_pixel)[0, 0, :3].tolist() == [128, 128, 128]
    assert set(warp(x, half_a_pixel, "nearest").ravel()) == {0, 255}


def test_warp_refuses_what_it_can_not_read():
    with pytest.raises(ShapeError, match="images"):
        warp(np.zeros((3, 3)), np.eye(3))
    for shape in ((2, 2), (4, 3, 3)):
        with pytest.raises(ShapeError, match="matrices"):
            warp(np.zeros((2, 3, 3)), np.zeros(shape))
    with pytest.raises(ArgumentError, match="did you mean 'nearest'"):
        warp(np.zeros((1, 3, 3)), np.eye(3), "neares")
    with pytest.raises(ArgumentError, match="did you mean 'reflect'"):
        warp(np.zeros((1, 3, 3)), np.eye(3), fill_mode="reflekt")


# --- Images and masks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("step", [*GEOMETRIC, RandomCrop(20, 24)], ids=lambda step: type(step).__name__)
def test_a_mask_moves_as_its_image_does(step, fill_mode):
    """A smooth picture's mask is where it is above 0, wherever both went; at its edges it fades to 0."""
    noise = np.random.default_rng(0).normal(size=(6, 32, 36))
    x = np.stack([ndimage.gaussian_filter(n, 4) for n in noise]) * np.outer(np.hanning(32), np.hanning(36))
    x /= x.std()
    mask = (x > 0).astype(np.uint8)
    augment = Augmentation([step, RandomFlip()], fill_mode=fill_mode, seed=2)
    seen_x, seen_mask = augment(x, mask)
    assert seen_mask.dtype == np.uint8
    clear = abs(seen_x) > 0.4  # half a pixel from the rim, either way of rounding is right
    assert clear.mean() > 0.3
    np.testing.assert_array_equal((seen_x > 0)[clear], seen_mask[clear])
    assert (seen_x != x[:, : seen_x.shape[1], : seen_x.shape[2]]).any(axis=(1, 2)).sum() >= 4


def test_steps_in_a_row_are_one_reading_in_their_order():
    quarter, right = RandomRotation((0.25, 0.25)), RandomTranslation(0, (0.5, 0.5))
    x = images(1, 4, 4)
    first_turned = Augmentation([quarter, right], fill_mode="wrap", seed=0)(x)[0]
    np.testing.assert_allclose(first_turned, np.roll(np.rot90(x[0]), 2, axis=1), rtol=1e-5)
    first_moved = Augmentation([right, quarter], fill_mode="wrap", seed=0)(x)[0]
    np.testing.assert_allclose(first_moved, np.rot90(np.roll(x[0], 2, axis=1)), rtol=1e-5)


def test_turning_there_and_back_loses_nothing():
    x = images(3, 16, 16)
    there_and_back = [RandomRotation((0.05, 0.05)), RandomRotation((-0.05, -0.05))]
    np.testing.assert_allclose(Augmentation(there_and_back, seed=0)(x), x, rtol=1e-5)


def test_zooming_out_shows_more_and_in_less():
    x = np.zeros((1, 40, 40))
    x[:, 10:30, 10:30] = 1
    for factor in (-0.25, 0.0, 0.25):
        share = Augmentation([RandomZoom((factor, factor))], seed=0)(x).mean()
        assert abs(share - 0.25 / (1 + factor) ** 2) < 0.02
    wide = Augmentation([RandomZoom((0, 0), (-0.5, -0.5))], seed=0)(x)[0]
    assert (wide.sum(axis=1) > 0).sum() == 20
    assert (wide.sum(axis=0) > 0).sum() == 40


def test_crops_are_windows_of_image_and_mask_from_everywhere():
    x = np.arange(2000 * 5 * 4).reshape(2000, 5, 4)
    crop, mask = Augmentation([RandomCrop(2, 3)], seed=0)(x, x[..., None])
    np.testing.assert_array_equal(crop, mask[..., 0])
    corner = crop[:, 0, 0] - x[:, 0, 0]
    np.testing.assert_array_equal(crop - crop[:, :1, :1], np.broadcast_to([[0, 1, 2], [4, 5, 6]], crop.shape))
    counts = np.bincount(corner, minlength=20)
    assert set(np.flatnonzero(counts)) == {0, 1, 4, 5, 8, 9, 12, 13}
    assert counts[counts > 0].min() > 150
    whole = Augmentation([RandomCrop(5, 4)], seed=0)
    np.testing.assert_array_equal(whole(x), x)


@pytest.mark.parametrize(("mode", "shares"), [
    ("horizontal", [0.5, 0.5, 0, 0]), ("vertical", [0.5, 0, 0.5, 0]), ("horizontal_and_vertical", [0.25] * 4),
])  # fmt: skip
def test_each_image_is_mirrored_by_itself(mode, shares):
    x = np.tile(np.arange(4).reshape(1, 2, 2), (2000, 1, 1))
    first = Augmentation([RandomFlip(mode)], seed=0)(x)[:, 0, 0]
    np.testing.assert_allclose(np.bincount(first, minlength=4) / 2000, shares, atol=0.05)


def test_labels_pass_and_images_alone_come_alone():
    x, y = images(), np.arange(3)
    augment = Augmentation(GEOMETRIC, seed=0)
    assert augment(x).shape == x.shape
    assert augment(x, y)[1].tolist() == [0, 1, 2]
    vectors = np.eye(3)
    np.testing.assert_array_equal(augment(x, vectors)[1], vectors)


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("channels", [None, 2])
def test_few_images_and_strided_ones_keep_shape_and_dtype(count, channels):
    steps = [*GEOMETRIC, RandomCrop(5, 6), RandomBrightness(0.1, (0, 255)), RandomNoise(1)]
    for dtype in ("uint8", "int16", "float16", "float32", "float64"):
        x = images(count, 7, 9, channels, dtype)
        mask = x > 100
        seen, seen_mask = Augmentation(steps, seed=0)(x, mask)
        assert (seen.shape, seen.dtype) == ((count, 5, 6, *x.shape[3:]), x.dtype)
        assert (seen_mask.shape, seen_mask.dtype) == (seen.shape, bool)
        strided = np.repeat(x, 2, axis=2)[:, :, ::2]
        np.testing.assert_array_equal(Augmentation(steps, seed=0)(strided), seen)


@pytest.mark.parametrize("steps", [[], GEOMETRIC, [RandomNoise(3)], [RandomBrightness(0.5, (0, 300))]])
def test_what_comes_in_is_never_changed(steps):
    x = images()
    before, mask = x.copy(), (x > 50).astype(int)
    seen, seen_mask = Augmentation(steps, seed=0)(x, mask)
    seen[:] = -1
    seen_mask[:] = -1
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(mask, before > 50)


# --- Values ----------------------------------------------------------------------------------------------


def test_brightness_adds_one_number_an_image_and_clips():
    x = np.full((500, 2, 2), 0.5)
    added = Augmentation([RandomBrightness((-0.1, 0.3), (0, 2))], seed=0)(x) - 0.5
    assert (np.ptp(added, axis=(1, 2)) == 0).all()
    assert -0.2 <= added.min() < -0.15
    assert 0.55 < added.max() <= 0.6
    bytes_ = Augmentation([RandomBrightness((0.5, 0.5))], seed=0)(np.array([[[0, 100, 200]]], np.uint8))
    assert bytes_.tolist() == [[[128, 228, 255]]]  # 127.5 more, and not wrapped around
    with pytest.raises(ArgumentError, match="value_range"):
        Augmentation([RandomBrightness(0.1)], seed=0)(x)


def test_noise_has_its_spread_and_stays_a_byte():
    x = np.full((20, 50, 50), 100.0)
    noise = Augmentation([RandomNoise(4)], seed=0)(x) - 100
    assert abs(noise.mean()) < 0.1
    assert abs(noise.std() - 4) < 0.1
    bytes_ = Augmentation([RandomNoise(60)], seed=0)(np.array([[[0, 255] * 500]], np.uint8))
    assert bytes_.dtype == np.uint8
    assert (bytes_[..., ::2] < 128).mean() > 0.95  # clipped at 0, not come back as 250
    masks = np.ones((20, 50, 50), np.uint8)
    np.testing.assert_array_equal(Augmentation([RandomNoise(4)], seed=0)(x, masks)[1], masks)


# --- Seeds and loaders -----------------------------------------------------------------------------------


def test_seeds_repeat_the_draws():
    x = images()
    steps = [*GEOMETRIC, RandomNoise(1)]
    augment, again, other = (Augmentation(steps, seed=seed) for seed in (1, 1, 2))
    first, second = augment(x), augment(x)
    np.testing.assert_array_equal(first, again(x))
    np.testing.assert_array_equal(second, again(x))
    assert (first != second).any()
    assert (first != other(x)).any()
    drawn = []
    for start in (3, 3, 4):
        seed_package(start)
        drawn.append(Augmentation(steps).seed)
    assert drawn[0] == drawn[1] != drawn[2]


def test_an_epoch_of_a_loader_is_the_same_however_it_is_reached():
    x, masks = images(10), (images(10) > 90).astype(np.uint8)

    def loader(**settings):
        augment = Augmentation([*GEOMETRIC, RandomNoise(1)], seed=3)
        return DataLoader(x, masks, batch_size=4, shuffle=True, seed=1, transform=augment, **settings)

    plain = loader()
    epochs = [list(plain), list(plain)]
    assert (epochs[0][0][0] != epochs[1][0][0]).any()
    left = loader(prefetch=3)
    next(iter(left))
    resumed = loader()
    resumed.epoch = 1
    for again in (left, resumed):
        for (a, b), (c, d) in zip(again, epochs[1], strict=True):
            np.testing.assert_array_equal(a, c)
            np.testing.assert_array_equal(b, d)


# --- Refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: RandomFlip("sideways"), "mode"),
        (lambda: RandomRotation(-0.1), "factor"),
        (lambda: RandomRotation(float("nan")), "factor"),
        (lambda: RandomTranslation(0.1, (0.2, 0.1)), "width_factor"),
        (lambda: RandomZoom(1.0), "height_factor must be above -1"),
        (lambda: RandomZoom(0.5, (-2, 0)), "width_factor must be above -1"),
        (lambda: RandomCrop(0, 3), "height"),
        (lambda: RandomCrop(3, 2.5), "width"),
        (lambda: RandomBrightness(0.1, (1, 0)), "value_range"),
        (lambda: RandomNoise(-1), "stddev"),
        (lambda: Augmentation(["flip"]), "expected steps"),
        (lambda: Augmentation([RandomFlip]), "expected steps"),
        (lambda: Augmentation([], fill_mode="mirror"), "fill_mode"),
        (lambda: Augmentation([], seed=-1), "seed"),
    ],
)
def test_impossible_settings_are_refused_at_once(make, match):
    with pytest.raises(ArgumentError, match=match):
        make()


def test_arrays_that_are_no_images_or_masks_are_refused():
    augment = Augmentation([RandomFlip(), RandomCrop(5, 5)], seed=0)
    with pytest.raises(ShapeError, match=r"images\[None\]"):
        augment(np.zeros((8, 8)))
    with pytest.raises(ShapeError, match="don't lie on"):
        augment(np.zeros((2, 8, 8)), np.zeros((2, 8, 7)))
    with pytest.raises(DataError, match="images has 2 rows"):
        augment(np.zeros((2, 8, 8)), np.zeros((3, 8, 8)))
    with pytest.raises(DTypeError, match="numbers"):
        augment(np.full((1, 8, 8), "a"))
    with pytest.raises(ShapeError, match=r"window of \(5, 5\) doesn't fit"):
        augment(np.zeros((1, 8, 4)))
