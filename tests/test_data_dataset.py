"""The one form in which all sets come: split anew, as frames, described."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import data
from tinygrad_edu.errors import ArgumentError, DataError

ABOUT = {
    "name": "rows",
    "description": "numbered rows",
    "licence": "none",
    "source": "here",
    "citation": "nobody",
}


def numbered(train, test, classes=3):
    x = np.arange(train + test)
    y = x % classes
    parts = dict(x_train=x[:train], y_train=y[:train], x_test=x[train:], y_test=y[train:])  # noqa: C408
    return data.Dataset(**ABOUT, **parts)


@given(st.integers(6, 40), st.integers(0, 20), st.integers(3, 6), st.integers(0, 99))
def test_a_split_is_of_all_rows_and_follows_its_seed(train, test, tested, seed):
    rows = numbered(train, test)
    first, again = (rows.split(tested, seed, stratify=False) for _ in range(2))
    assert len(first.x_test) == tested
    assert sorted(first.x) == list(range(train + test))
    np.testing.assert_array_equal(first.y, first.x % 3)
    np.testing.assert_array_equal(first.x_train, again.x_train)


def test_whole_numbers_are_stratified_and_others_are_not():
    split = numbered(80, 10).split(0.1, seed=0)
    assert np.bincount(split.y_test).tolist() == [3, 3, 3]
    real = data.Dataset.of(split, split.x, split.y + 0.5)
    assert len(real.split(0.1, seed=0).x_test) == 9
    with pytest.raises(DataError, match="stratified"):
        numbered(4, 0, classes=4).split(2)
    assert len(numbered(4, 0, classes=4).split(2, stratify=False).x_test) == 2


def test_none_held_back_keeps_the_order():
    rows = numbered(5, 2).split(0)
    assert rows.x_train.tolist() == list(range(7))
    assert rows.x_test.shape == (0,)
    with pytest.raises(ArgumentError, match="test_size"):
        rows.split(0.0)
    with pytest.raises(ArgumentError, match="test_size"):
        rows.split(False)


def test_the_summary_tells_what_there_is():
    text = repr(data.wine_quality())
    for words in ("(1279, 11) float64", "fixed acidity, volatile acidity", "CC BY 4.0", "Cortez"):
        assert words in text
    assert "… (7129 in all)" in repr(data.leukaemia())
    assert "lesion: 2803 + 183 (pixels of train + test)" in repr(data.lesions())
    assert "<U17" in repr(data.molecules())


def test_names_must_fit_the_columns():
    with pytest.raises(DataError, match=r"2 feature names for x_train of shape \(3, 4\)"):
        data.Dataset.of(data.About(**ABOUT, feature_names=("a", "b")), np.zeros((3, 4)), np.zeros(3))


def test_a_frame_has_features_and_target():
    pandas = pytest.importorskip("pandas")
    iris = data.iris()
    frame = iris.as_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert [*frame.columns] == [*iris.feature_names, "species"]
    np.testing.assert_array_equal(frame.to_numpy()[:, :4], iris.x)
    np.testing.assert_array_equal(frame["species"], iris.y)
    assert (len(iris.as_frame("train")), len(iris.as_frame("test"))) == (120, 30)
    pixels = data.digits().as_frame("test")
    assert pixels.columns[[0, 9, 64]].tolist() == ["x_0_0", "x_1_1", "target"]
    assert data.molecules(test_size=0).as_frame()["gap"][1] == 0.3399
    with pytest.raises(ArgumentError, match="did you mean 'train'"):
        iris.as_frame("trains")
    with pytest.raises(DataError, match="one target a row"):
        data.lesions().as_frame()


def test_without_pandas_a_frame_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ArgumentError, match=r"pip install 'tinygrad_edu\[frames\]'"):
        data.iris().as_frame()
