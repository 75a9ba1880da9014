"""Made sets: a seed repeats them, classes are balanced, and they are as hard to separate as they claim."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import data
from tinygrad_edu.errors import ArgumentError, DataError
from tinygrad_edu.random import seed as seed_package

POINTS = [data.blobs, data.four_blobs, data.circles, data.moons, data.spirals]
CURVES = [data.sinusoid, data.linear]
ALL = [*POINTS, *CURVES, data.phantoms]


def arrays(dataset):
    return dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test


@pytest.mark.parametrize("make", ALL)
def test_a_seed_repeats_a_set(make):
    options = {"size": 32} if make is data.phantoms else {}
    first, again, other = (make(40, seed=seed, **options) for seed in (7, 7, 8))
    for one, two in zip(arrays(first), arrays(again), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first.x_train, other.x_train)
    drawn = []
    for start in (5, 5, 6):
        seed_package(start)
        drawn.append(make(40, seed=None, **options))
    np.testing.assert_array_equal(drawn[0].x_train, drawn[1].x_train)
    assert not np.array_equal(drawn[0].x_train, drawn[2].x_train)


@given(st.sampled_from(POINTS + CURVES), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_sizes_are_as_asked_and_classes_balanced(make, rows, seed):
    made = make(rows, test_size=0, seed=seed)
    assert len(made.x_train) == len(made.y_train) == rows
    assert made.x_train.dtype == np.float64
    assert np.isfinite(made.x_train).all()
    if make in POINTS:
        counts = np.bincount(made.y_train, minlength=len(made.class_names))
        assert np.ptp(counts) <= (2 if make is data.four_blobs else 1)


@pytest.mark.parametrize("make", ALL)
def test_the_split_is_a_share_of_the_same_rows(make):
    options = {"size": 32} if make is data.phantoms else {}
    whole, parts = make(40, test_size=0, **options), make(40, test_size=0.25, **options)
    assert (len(parts.x_train), len(parts.x_test)) == (30, 10)
    one, two = (x.reshape(40, -1) for x in (whole.x, parts.x))
    np.testing.assert_array_equal(one[np.lexsort(one.T)], two[np.lexsort(two.T)])
    assert f"seed {42 if make is data.four_blobs else 0}" in repr(parts)
    assert "cite" not in repr(parts)


def test_points_are_scikit_learns():
    from sklearn.datasets import make_blobs, make_circles, make_moons

    for made, (x, y) in [
        (data.blobs(400, 3, seed=42, test_size=0), make_blobs(400, 3, centers=2, random_state=42)),
        (
            data.circles(noise=0.1, seed=1, test_size=0),
            make_circles(500, noise=0.1, factor=0.5, random_state=1),
        ),
        (data.moons(99, 0.2, seed=2, test_size=0), make_moons(99, noise=0.2, random_state=2)),
    ]:
        np.testing.assert_array_equal(made.x_train, x)
        np.testing.assert_array_equal(made.y_train, y)


def test_four_blobs_are_even_against_odd():
    from sklearn.datasets import make_blobs

    x, cloud = make_blobs(100, centers=4, random_state=42)
    made = data.four_blobs(test_size=0)
    np.testing.assert_array_equal(made.x_train, x)
    np.testing.assert_array_equal(made.y_train, cloud % 2 == 0)


def test_blobs_stay_around_given_centers():
    centers = [[0, 0, 5], [50, 0, 0]]
    made = data.blobs(2000, centers=centers, cluster_std=[1, 3], test_size=0)
    for k, spread in enumerate([1, 3]):
        cloud = made.x_train[made.y_train == k]
        np.testing.assert_allclose(cloud.mean(axis=0), centers[k], atol=0.3)
        np.testing.assert_allclose(cloud.std(axis=0), spread, rtol=0.1)


def line_accuracy(made):
    """Return the share that the best line by least squares gets right."""
    x = np.column_stack([made.x_train, np.ones(len(made.x_train))])
    weights = np.linalg.lstsq(x, 2.0 * made.y_train - 1, rcond=None)[0]
    return ((x @ weights > 0) == made.y_train).mean()


def neighbour_accuracy(made):
    """Return the share of points whose nearest other point is of their class."""
    x = made.x_train
    distance = ((x[:, np.newaxis] - x) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    return (made.y_train[distance.argmin(axis=1)] == made.y_train).mean()


@pytest.mark.parametrize("seed", range(3))
def test_curved_classes_defeat_a_line_and_not_a_neighbour(seed):
    circles, spirals, moons = (
        f(400, test_size=0, seed=seed) for f in (data.circles, data.spirals, data.moons)
    )
    assert line_accuracy(circles) < 0.6
    assert line_accuracy(spirals) < 0.75
    assert 0.8 < line_accuracy(moons) < 0.95
    assert min(map(neighbour_accuracy, (circles, spirals, moons))) > 0.98
    assert neighbour_accuracy(data.spirals(400, noise=0.5, test_size=0)) < 0.7  # noise does make it harder


def test_a_spiral_is_on_its_formula():
    made = data.spirals(300, classes=3, turns=2, noise=0, test_size=0)
    radius, angle = np.hypot(*made.x_train.T), np.arctan2(*made.x_train.T[::-1])
    expected = 2 * np.pi * (2 * (radius - 0.1) / 0.9 + made.y_train / 3)
    np.testing.assert_allclose(np.exp(1j * angle), np.exp(1j * expected), atol=1e-9)
    inner = (radius < np.sqrt(0.505)).mean()  # half the area from 0.1 to 1
    assert 0.4 < inner < 0.6


def test_noise_has_the_spread_that_was_asked_for():
    wave = data.sinusoid(4000, frequency=3, noise=0.3, test_size=0)
    assert wave.x_train.shape == (4000, 1)
    error = wave.y_train - np.sin(6 * np.pi * wave.x_train[:, 0])
    np.testing.assert_allclose([error.mean(), error.std()], [0, 0.3], atol=0.02)
    plane = data.linear(4000, weights=[2, -1, 0.5], bias=7, noise=0.1, low=-1, high=1, test_size=0)
    x = np.column_stack([plane.x_train, np.ones(4000)])
    weights, squares = np.linalg.lstsq(x, plane.y_train, rcond=None)[:2]
    np.testing.assert_allclose(weights, [2, -1, 0.5, 7], atol=0.02)
    assert squares[0] / 4000 == pytest.approx(0.01, rel=0.1)
    assert plane.x_train.min() >= -1
    assert plane.x_train.max() <= 1


# Phantoms


@pytest.mark.parametrize("size", [16, 33, 128, (40, 64)])
def test_phantoms_come_at_any_size_with_masks_that_fit(size):
    made = data.phantoms(12, size, test_size=0, seed=3)
    shape = (size, size) if isinstance(size, int) else size
    assert made.x_train.shape == made.y_train.shape == (12, *shape)
    assert made.x_train.dtype == made.y_train.dtype == np.uint8
    assert set(np.unique(made.y_train)) == {0, 1}
    assert made.y_train.any(axis=(1, 2)).sum() == 9  # a quarter is healthy
    assert made.y_train.mean() < 0.15


@pytest.mark.parametrize(("healthy", "count"), [(0, 0), (1, 10), (0.3, 3), (0.1, 1)])
def test_the_share_of_healthy_ones_is_exact(healthy, count):
    made = data.phantoms(10, 24, healthy=healthy, test_size=0)
    assert (~made.y_train.any(axis=(1, 2))).sum() == count


def test_lesions_are_bright_and_lie_in_dark_lungs():
    made = data.phantoms(20, 96, healthy=0, noise=0, test_size=0)
    for image, mask in zip(made.x_train, made.y_train == 1, strict=True):
        ring = np.zeros_like(mask)
        for step in ((-6, 0), (6, 0), (0, -6), (0, 6)):
            ring |= np.roll(mask, step, axis=(0, 1))
        assert np.median(image[mask]) > 140
        assert np.quantile(image[ring & ~mask], 0.25) < 60
    # Brightness alone doesn't tell: tissue is as bright, so it has to be learned where lesions are.
    assert (made.x_train > 140).mean() > 5 * made.y_train.mean()


def test_a_phantom_depends_on_the_seed_and_its_number_alone():
    few, many = (data.phantoms(n, 32, test_size=0, seed=9) for n in (3, 6))
    np.testing.assert_array_equal(few.x_train, many.x_train[:3])
    small, large = (data.phantoms(8, size, noise=0, healthy=0, test_size=0).y_train for size in (64, 128))
    reduced = large.reshape(8, 64, 2, 64, 2).mean(axis=(2, 4)) >= 0.5
    overlap = (reduced & (small == 1)).sum() / (reduced | (small == 1)).sum()
    assert overlap > 0.9


def test_noise_of_phantoms_is_as_asked():
    clean, noisy = (
        data.phantoms(4, 64, noise=noise, test_size=0).x_train.astype(float) for noise in (0, 0.1)
    )
    grey = (clean > 90) & (clean < 200)
    assert (noisy - clean)[grey].std() / 255 == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: data.blobs(0), "n_samples"),
        (lambda: data.blobs(10.5), "n_samples"),
        (lambda: data.blobs(centers=[1, 2]), "centers"),
        (lambda: data.blobs(centers=0), "centers"),
        (lambda: data.blobs(cluster_std=-1), "cluster_std"),
        (lambda: data.blobs(cluster_std=[1, 2, 3]), "cluster_std"),
        (lambda: data.blobs(seed=-1), "seed"),
        (lambda: data.blobs(seed=2**32), "seed"),
        (lambda: data.circles(noise=-0.1), "noise"),
        (lambda: data.circles(noise="big"), "noise"),
        (lambda: data.circles(factor=2), "factor"),
        (lambda: data.moons(noise=float("nan")), "noise"),
        (lambda: data.spirals(classes=0), "classes"),
        (lambda: data.sinusoid(frequency=np.inf), "frequency"),
        (lambda: data.linear(weights=[]), "weights"),
        (lambda: data.linear(weights="steep"), "weights"),
        (lambda: data.linear(low=1, high=0), "high"),
        (lambda: data.phantoms(2, 8), "size"),
        (lambda: data.phantoms(2, "big"), "size"),
        (lambda: data.phantoms(2, (32, 32, 1)), "size"),
        (lambda: data.phantoms(2, healthy=1.5), "healthy"),
        (lambda: data.phantoms(2, max_lesions=0), "max_lesions"),
        (lambda: data.moons(test_size=1.5), "test_size"),
    ],
)
def test_what_can_not_be_made_is_refused(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
    with pytest.raises(DataError, match="empty"):
        data.sinusoid(1)
