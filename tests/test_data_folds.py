"""Folds test each row once and never train on it; scales know the training part alone; classes get even."""

import builtins

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_edu import data
from tinygrad_edu.data import (
    class_weights,
    downsample,
    k_fold,
    leave_one_out,
    min_max_scale,
    smote,
    standardize,
    train_test_split,
    train_validation_test_split,
    upsample,
)
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, ShapeError
from tinygrad_edu.random import seed as seed_package

# --- Three parts -----------------------------------------------------------------------------------------


@given(st.integers(3, 80), st.data())
def test_three_parts_are_a_partition_that_keeps_rows_together(rows, draw):
    tested = draw.draw(st.integers(1, rows - 2))
    held = draw.draw(st.integers(1, rows - tested - 1))
    x = np.arange(rows)
    parts = train_validation_test_split(
        x, x * 10, validation_size=held, test_size=tested, seed=draw.draw(st.integers(0))
    )
    assert [len(part) for part in parts[:3]] == [rows - held - tested, held, tested]
    assert sorted(np.concatenate(parts[:3])) == list(range(rows))
    for one, other in zip(parts[:3], parts[3:], strict=True):
        np.testing.assert_array_equal(other, one * 10)


def test_three_parts_keep_each_class_share_and_the_test_part_of_two():
    y = np.repeat([0, 1, 2], [100, 60, 40])
    train, held, test = train_validation_test_split(y, stratify=y, seed=4)
    for part, size in ((train, 120), (held, 40), (test, 40)):
        np.testing.assert_allclose(np.bincount(part), np.array([100, 60, 40]) * size / 200)
    np.testing.assert_array_equal(test, train_test_split(y, test_size=0.2, stratify=y, seed=4)[1])


def test_three_parts_that_can_not_be_are_refused():
    with pytest.raises(DataError, match="leave none of 10"):
        train_validation_test_split(np.zeros(10), validation_size=0.5, test_size=5)
    with pytest.raises(ArgumentError, match="validation_size"):
        train_validation_test_split(np.zeros(10), validation_size=1.5)
    with pytest.raises(ArgumentError, match="at least one"):
        train_validation_test_split()
    with pytest.raises(DataError, match=r"^train_validation_test_split.*rarest, 1, has 1"):
        train_validation_test_split(np.zeros(10), stratify=[0] * 9 + [1])


# --- Folds -----------------------------------------------------------------------------------------------


@given(st.integers(2, 60), st.data())
def test_folds_test_each_row_once_and_never_train_on_it(rows, draw):
    splits = draw.draw(st.integers(2, rows))
    folds = list(k_fold(np.zeros((rows, 2)), splits, seed=draw.draw(st.integers(0))))
    assert len(folds) == splits
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(rows))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(rows))
        assert len(test) in (rows // splits, -(-rows // splits))


@given(st.lists(st.integers(4, 20), min_size=1, max_size=4), st.integers(2, 4))
def test_stratified_folds_share_each_class_to_within_a_row(counts, splits):
    y = np.repeat(np.arange(len(counts)) / 2, counts)  # halves: labels needn't be whole
    folds = list(k_fold(y, splits, stratify=y, seed=1))
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(y)))
    for _, test in folds:
        found = np.bincount((y[test] * 2).astype(int), minlength=len(counts))
        assert (abs(found - np.array(counts) / splits) < 1).all()


def test_folds_are_shuffled_and_follow_the_seed():
    first, again, other = ([t.tolist() for _, t in k_fold(np.zeros(50), seed=s)] for s in (1, 1, 2))
    assert first == again != other
    assert first != [list(range(i, i + 10)) for i in range(0, 50, 10)]
    big = 1 << 40  # beyond what scikit-learn takes
    assert [t.tolist() for _, t in k_fold(np.zeros(9), 3, seed=big)] == [
        t.tolist() for _, t in k_fold(np.zeros(9), 3, seed=big)
    ]
    drawn = []
    for start in (5, 5, 6):
        seed_package(start)
        drawn.append([t.tolist() for _, t in k_fold(np.zeros(30))])
    assert drawn[0] == drawn[1] != drawn[2]


@given(st.integers(2, 30))
def test_leaving_one_out_tests_row_after_row(rows):
    folds = list(leave_one_out(np.zeros((rows, 3))))
    assert [test.tolist() for _, test in folds] == [[row] for row in range(rows)]
    assert all(sorted([*train, *test]) == list(range(rows)) for train, test in folds)


def test_leaving_one_out_of_many_rows_takes_no_memory_beforehand():
    train, test = next(leave_one_out(np.zeros(200_000)))
    assert len(train) == 199_999
    assert test.tolist() == [0]


def test_folds_that_can_not_be_are_refused_before_the_first():
    with pytest.raises(DataError, match="3 rows can't fill 5"):
        k_fold(np.zeros(3))
    with pytest.raises(DataError, match="class b has 2 rows"):
        k_fold(np.zeros(6), 3, stratify=list("aaaabb"))
    with pytest.raises(DataError, match="one label a row"):
        k_fold(np.zeros(4), 2, stratify=np.zeros((4, 2)))
    with pytest.raises(DataError, match=r"x has 4 rows.*stratify has 5"):
        k_fold(np.zeros(4), 2, stratify=np.zeros(5))
    for splits in (1, 0, 2.0, True):
        with pytest.raises(ArgumentError, match="n_splits"):
            k_fold(np.zeros(9), splits)
    with pytest.raises(ArgumentError, match="seed"):
        k_fold(np.zeros(9), seed=-1)
    for rows in (0, 1):
        with pytest.raises(DataError, match="nothing left"):
            leave_one_out(np.zeros(rows))
    with pytest.raises(DataError, match="single"):
        leave_one_out(3)


# --- Scales ----------------------------------------------------------------------------------------------

tables = hnp.arrays(
    st.sampled_from(["float32", "float64", "int64"]),
    st.tuples(st.integers(1, 20), st.integers(1, 4)) | st.tuples(st.integers(1, 20)),
    elements=st.integers(-1000, 1000),
)


@given(tables)
def test_scales_follow_their_formulas_and_back(train):
    test = train[::2] + 7
    reals = train.astype(float)
    spread = reals.std(axis=0)
    z_train, z_test, scaler = standardize(train, test)
    for z, x in ((z_train, train), (z_test, test)):
        assert z.shape == x.shape
        assert z.dtype == (np.float32 if x.dtype == np.float32 else np.float64)
        np.testing.assert_allclose(z, (x - reals.mean(axis=0)) / np.where(spread, spread, 1), atol=1e-3)
        back = scaler.inverse_transform(z.reshape(len(z), -1)).reshape(x.shape)
        np.testing.assert_allclose(back, x, rtol=1e-4, atol=1e-2)
    width = np.ptp(reals, axis=0)
    u_train, u_test, scaler = min_max_scale(train, test, feature_range=(-1, 1))
    for u, x in ((u_train, train), (u_test, test)):
        np.testing.assert_allclose(u, 2 * (x - reals.min(axis=0)) / np.where(width, width, 1) - 1, atol=1e-2)
        back = scaler.inverse_transform(u.reshape(len(u), -1)).reshape(x.shape)
        np.testing.assert_allclose(back, x, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("scale", [standardize, min_max_scale])
def test_the_other_parts_change_nothing_and_nothing_is_changed_in_place(scale):
    train = np.random.default_rng(0).normal(size=(10, 3)).T.copy().T  # not in C order
    before = train.copy()
    alone = scale(train)[0]
    with_others = scale(train, train[:2] * 1e6, train[:0])
    np.testing.assert_array_equal(alone, with_others[0])
    np.testing.assert_array_equal(train, before)
    assert with_others[2].shape == (0, 3)


def test_a_constant_column_becomes_zero_and_keeps_its_units():
    x, later, _ = standardize([[5.0], [5.0]], [[7.0]])
    assert x.tolist() == [[0], [0]]
    assert later.tolist() == [[2]]
    # Far from 0 the mean is rounded, and a column would be scaled by what rounding left of it.
    x, _ = standardize(np.full((7, 1), 1e8 + 0.1))
    np.testing.assert_allclose(x, 0, atol=1e-6)
    assert min_max_scale(np.full(3, 2))[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("scale", [standardize, min_max_scale])
def test_what_can_not_be_scaled_is_refused(scale):
    with pytest.raises(DataError, match=r"train has nan at row 1, column 0"):
        scale([[1.0], [np.nan]])
    with pytest.raises(DataError, match=r"part 2 has -inf at row 0\b"):
        scale([1.0, 2.0], [-np.inf])
    with pytest.raises(DataError, match="no rows"):
        scale(np.zeros((0, 2)))
    with pytest.raises(ShapeError, match="same columns"):
        scale(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(ShapeError, match=r"scaled"):
        scale(np.zeros((3, 28, 28)))
    with pytest.raises(ShapeError):
        scale(3.0)
    with pytest.raises(DTypeError, match="numbers"):
        scale(["a", "b"])


def test_a_range_has_its_low_below_its_high():
    with pytest.raises(ArgumentError, match="feature_range"):
        min_max_scale([1, 2], feature_range=(1, 0))


# --- Balance ---------------------------------------------------------------------------------------------

labels = st.lists(st.integers(0, 3), min_size=1, max_size=40).map(np.array)


@given(labels)
def test_weighted_classes_count_the_same_and_one_on_average(y):
    weights = class_weights(y)
    assert weights == class_weights(y[:, None])
    totals = [weights[c] * (y == c).sum() for c in np.unique(y).tolist()]
    np.testing.assert_allclose(totals, len(y) / len(totals))


@given(labels, st.integers(0, 9))
def test_upsampling_keeps_all_rows_and_repeats_evenly(y, seed):
    x = np.arange(len(y))
    drawn, drawn_y = upsample(x, y, seed=seed)
    np.testing.assert_array_equal(drawn_y, y[drawn])
    counts = np.bincount(drawn_y)
    assert set(counts[counts > 0]) == {np.bincount(y).max()}
    times = np.bincount(drawn, minlength=len(x))
    assert times.min() >= 1
    assert all(np.ptp(times[y == c]) <= 1 for c in np.unique(y))


@given(labels, st.integers(0, 9))
def test_downsampling_drops_and_never_repeats(y, seed):
    x = np.stack([np.arange(len(y))] * 2, axis=1)
    drawn, drawn_y = downsample(x, y[:, None], seed=seed)
    assert drawn_y.shape == (len(drawn), 1)
    np.testing.assert_array_equal(drawn_y[:, 0], y[drawn[:, 0]])
    found = np.bincount(y)
    counts = np.bincount(drawn_y[:, 0])
    assert set(counts[counts > 0]) == {found[found > 0].min()}
    assert len(np.unique(drawn[:, 0])) == len(drawn)


@pytest.mark.parametrize("resample", [upsample, downsample])
def test_resampled_rows_are_mixed_and_follow_the_seed(resample):
    x, y = np.arange(100), np.repeat([0, 1], [70, 30])
    first, again, other = (resample(x, y, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    assert first[0].tolist() != other[0].tolist()
    assert 0.2 < first[1][: len(first[1]) // 2].mean() < 0.8


def test_labels_of_any_kind_are_resampled():
    _, y = upsample(np.arange(3), ["all", "all", "aml"], seed=0)
    assert sorted(y) == ["all", "all", "aml", "aml"]
    assert class_weights(["all", "all", "aml"]) == {"all": 0.75, "aml": 1.5}


@given(st.integers(0, 99))
def test_smote_keeps_the_rows_and_mixes_neighbours_of_one_class(seed):
    pytest.importorskip("imblearn")
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(20, 2)).astype(np.float32)
    y = np.repeat([0, 1], [14, 6])
    grown, grown_y = smote(x, y, k_neighbors=1, seed=seed)
    np.testing.assert_array_equal(grown[:20], x)
    np.testing.assert_array_equal(grown_y, [*y, *[1] * 8])
    assert grown.dtype == np.float32
    few = x[14:].astype(float)
    for row in grown[20:].astype(float):
        assume(len(np.unique(few, axis=0)) == len(few))
        # on a line between two of the class: |a - row| + |row - b| = |a - b|
        away = np.linalg.norm(few - row, axis=1)
        between = np.linalg.norm(few[:, None] - few[None], axis=-1)
        assert np.abs(away[:, None] + away[None] - between).min() < 1e-5
    np.testing.assert_array_equal(grown, smote(x, y[:, None], k_neighbors=1, seed=seed)[0])


def test_smote_refuses_what_it_can_not_mix():
    pytest.importorskip("imblearn")
    y = np.repeat([0, 1], [10, 3])
    with pytest.raises(DataError, match="a class has 3 rows"):
        smote(np.zeros((13, 2)), y)
    with pytest.raises(DataError, match="one class"):
        smote(np.zeros((13, 2)), np.zeros(13, int))
    with pytest.raises(DataError, match="NaN"):
        smote(np.full((13, 2), np.nan), y, k_neighbors=2)
    with pytest.raises(ShapeError, match=r"\(rows, columns\)"):
        smote(np.zeros((13, 2, 2)), y)
    with pytest.raises(DTypeError, match="numbers"):
        smote(np.full((13, 2), "a"), y)
    with pytest.raises(ArgumentError, match="k_neighbors"):
        smote(np.zeros((13, 2)), y, k_neighbors=0)


def test_smote_says_what_to_install(monkeypatch):
    imported = builtins.__import__

    def absent(name, *rest):
        if name.startswith("imblearn"):
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ArgumentError, match=r"pip install 'tinygrad_edu\[balance\]'"):
        smote(np.random.default_rng(0).normal(size=(9, 2)), [0] * 6 + [1] * 3, k_neighbors=2)


@pytest.mark.parametrize("function", [upsample, downsample, smote, lambda x, y: class_weights(y)])
def test_labels_that_are_none_are_refused(function):
    with pytest.raises(ShapeError, match="argmax"):
        function(np.zeros((4, 2)), np.eye(4))
    with pytest.raises(DataError, match="no labels"):
        function(np.zeros((0, 2)), np.zeros(0))


@pytest.mark.parametrize("function", [upsample, downsample, smote])
def test_rows_without_labels_are_refused(function):
    with pytest.raises(DataError, match="x has 4 rows"):
        function(np.zeros((4, 2)), np.zeros(3))


def test_class_weights_are_what_fit_takes():
    from tinygrad_edu import nn

    x, y = data.digits().scaled().x_train[:50], np.repeat([0, 1], [40, 10])
    model = nn.Sequential([nn.Flatten(), nn.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert model.fit(x, y, class_weight=class_weights(y), verbose=0).history["loss"]
