"""Splits keep rows together and shares in proportion; labels as vectors are checked for range."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_edu.data import one_hot, train_test_split
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError
from tinygrad_edu.random import seed as seed_package


@given(st.integers(2, 60), st.data())
def test_a_split_is_a_partition_that_keeps_rows_together(rows, data):
    tested = data.draw(st.integers(1, rows - 1))
    x = np.arange(rows)
    x_train, x_test, y_train, y_test = train_test_split(
        x, x * 10, test_size=tested, seed=data.draw(st.integers(0))
    )
    assert len(x_test) == tested
    assert sorted([*x_train, *x_test]) == list(range(rows))
    np.testing.assert_array_equal(y_train, x_train * 10)
    np.testing.assert_array_equal(y_test, x_test * 10)


@given(st.lists(st.integers(2, 30), min_size=1, max_size=5), st.floats(0.05, 0.95), st.integers(0, 9))
def test_a_stratified_split_keeps_each_share_to_within_a_row(counts, share, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    tested = int(np.ceil(len(labels) * share - 1e-9))
    if not len(counts) <= tested <= len(labels) - len(counts):
        with pytest.raises(DataError):
            train_test_split(labels, test_size=share, seed=seed, stratify=labels)
        return
    train, test = train_test_split(labels, test_size=share, seed=seed, stratify=labels)
    assert len(test) == tested
    assert sorted([*train, *test]) == sorted(labels)
    expected = np.array(counts) * tested / len(labels)
    assert (abs(np.bincount(test, minlength=len(counts)) - expected) < 1).all()


def test_splits_are_shuffled_and_follow_the_seed():
    x = np.repeat([0, 1], 50)
    for stratify in (None, x):
        first, again, other = (
            train_test_split(np.arange(100), seed=seed, stratify=stratify) for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])
        assert first[0].tolist() != other[0].tolist()
        assert all(part.tolist() != sorted(part) for part in first)
        if stratify is not None:  # the classes are mixed, not one after the other
            assert all(np.diff(x[part]).any() for part in first)
            assert 0.2 < x[first[0]][:40].mean() < 0.8


def test_without_a_seed_the_package_generator_decides():
    drawn = []
    for start in (5, 5, 6):
        seed_package(start)
        drawn.append(train_test_split(np.arange(30))[0].tolist())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("rows", "size", "tested"), [(1797, 0.2, 360), (100, 0.07, 7), (10, 3, 3), (3, 0.1, 1)]
)
def test_shares_are_rounded_up(rows, size, tested):
    assert len(train_test_split(np.zeros(rows), test_size=size)[1]) == tested


@pytest.mark.parametrize("size", [0, -1, 1.0, 0.0, 1.5, -0.2, float("nan"), "0.2", None, True])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ArgumentError, match="test_size"):
        train_test_split(np.zeros(10), test_size=size)


def test_what_can_not_be_split_is_refused():
    with pytest.raises(ArgumentError, match="at least one"):
        train_test_split()
    with pytest.raises(DataError, match=r"array 1 has 3 rows.*array 2 has 4"):
        train_test_split(np.zeros(3), np.zeros((4, 2)))
    with pytest.raises(DataError, match="single"):
        train_test_split(3.0)
    for rows in (0, 1):
        with pytest.raises(DataError, match="empty"):
            train_test_split(np.zeros(rows))
    with pytest.raises(DataError, match="empty"):
        train_test_split(np.zeros(4), test_size=4)
    with pytest.raises(DataError, match=r"rarest, b, has 1"):
        train_test_split(np.zeros(5), stratify=list("aaaab"), test_size=2)
    with pytest.raises(DataError, match="one label a row"):
        train_test_split(np.zeros(4), stratify=np.zeros((4, 2)), test_size=2)
    with pytest.raises(ArgumentError, match="seed"):
        train_test_split(np.zeros(4), seed=-1)


@given(
    hnp.arrays(
        st.sampled_from(["uint8", "int8", "int64"]), hnp.array_shapes(min_side=0), elements=st.integers(0, 6)
    )
)
def test_one_hot_has_its_single_one_at_the_label(labels):
    vectors = one_hot(labels, 7)
    assert vectors.shape == (*labels.shape, 7)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors.argmax(-1), labels)
    np.testing.assert_array_equal(vectors.sum(-1), np.ones(labels.shape))
    np.testing.assert_array_equal(np.unique(vectors), [0, 1] if labels.size else [])


def test_one_hot_takes_a_single_label_and_none():
    assert one_hot(2, 3).tolist() == [0, 0, 1]
    assert one_hot([], 3).shape == (0, 3)
    assert one_hot([True, False], 2).tolist() == [[0, 1], [1, 0]]


def test_one_hot_refuses_what_is_no_class():
    with pytest.raises(DataError, match=r"label 3 at index \(1, 0\) is outside 0…2"):
        one_hot([[0, 1], [3, 5]], 3)
    with pytest.raises(DataError, match="label -1"):
        one_hot([-1], 3)
    with pytest.raises(DTypeError, match="astype"):
        one_hot([0.0, 1.0], 3)
    for count in (0, -1, 2.0, True):
        with pytest.raises(ArgumentError, match="num_classes"):
            one_hot([0], count)
