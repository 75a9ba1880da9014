"""Metrics: the same whatever the batches, and the same as scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_cases import classes, labels, measured, numbers, one_hot, rows, yes

from tinygrad_edu import nn

M = nn.metrics


STREAMED = [
    (M.MeanSquaredError, numbers), (M.RootMeanSquaredError, numbers), (M.MeanAbsoluteError, numbers),
    (M.CosineSimilarity, numbers), (M.LogCoshError, numbers), (M.R2Score, numbers),
    (lambda: M.R2Score(None), numbers), (M.Accuracy, labels), (M.BinaryAccuracy, yes),
    (M.CategoricalAccuracy, one_hot), (M.SparseCategoricalAccuracy, classes),
    (lambda: M.TopKCategoricalAccuracy(2), one_hot), (lambda: M.SparseTopKCategoricalAccuracy(2), classes),
    (lambda: M.Precision([0.7, 0.2]), yes), (lambda: M.Recall(top_k=2), yes), (M.TruePositives, yes),
    (M.TrueNegatives, yes), (M.FalsePositives, yes), (M.FalseNegatives, yes), (M.AUC, yes),
    (lambda: M.AUC(curve="PR"), yes), (lambda: M.AUC(multi_label=True, num_labels=3), yes),
    (M.F1Score, one_hot), (lambda: M.FBetaScore("weighted", 2.0, 0.3), yes), (lambda: M.MeanIoU(3), labels),
    (M.BinaryIoU, yes), (M.BinaryCrossentropy, yes), (M.CategoricalCrossentropy, one_hot),
    (M.SparseCategoricalCrossentropy, classes), (M.KLDivergence, one_hot), (M.Hinge, yes),
]  # fmt: skip


@pytest.mark.parametrize(("make", "draw"), STREAMED)
@given(
    seed=st.integers(0, 1000),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    weighted=st.booleans(),
)
def test_results_do_not_depend_on_the_batches(make, draw, seed, sizes, weighted):
    rng = np.random.default_rng(seed)
    y_true, y_pred = draw(rng, sum(sizes) + 2)
    weights = rng.uniform(0.1, 2, len(y_true)) if weighted else None
    metric, whole = make(), make()
    metric.update_state(y_true, y_pred, weights)
    metric.reset_state()  # it forgets
    for part in np.split(np.arange(len(y_true)), np.cumsum(sizes)):
        metric.update_state(y_true[part], y_pred[part], None if weights is None else weights[part])
    whole.update_state(y_true, y_pred, weights)
    np.testing.assert_allclose(metric.result().numpy(), whole.result().numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("make", "draw"), STREAMED)
def test_a_weight_is_how_often_a_sample_is_there(make, draw):
    y_true, y_pred = draw(np.random.default_rng(0), 8)
    times = np.array([1, 0, 3, 2, 1, 1, 0, 2])
    weighted, repeated = make(), make()
    weighted.update_state(y_true, y_pred, times)
    repeated.update_state(np.repeat(y_true, times, axis=0), np.repeat(y_pred, times, axis=0))
    np.testing.assert_allclose(weighted.result().numpy(), repeated.result().numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("make", "draw"), STREAMED)
def test_no_samples_change_nothing(make, draw):
    y_true, y_pred = draw(np.random.default_rng(0), 4)
    metric = make()
    metric.update_state(y_true, y_pred)
    before = metric.result().numpy()
    metric.update_state(y_true[:0], y_pred[:0])
    np.testing.assert_array_equal(metric.result().numpy(), before)


# -- beside scikit-learn -------------------------------------------------------------------------------


@given(seed=st.integers(0, 1000), n=st.integers(2, 30), weighted=st.booleans())
def test_classification_as_scikit_learn_has_it(seed, n, weighted):
    from sklearn import metrics as sk

    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, 4, n), rows(rng, n)
    w = rng.uniform(0.1, 2, n) if weighted else None
    said, onehot = p.argmax(-1), np.eye(4)[y]
    every = {"labels": range(4), "zero_division": 0, "sample_weight": w}
    for average in (None, "micro", "macro", "weighted"):
        for beta in (1.0, 2.0):
            ours = measured(M.FBetaScore(average, beta), onehot, p, w)
            np.testing.assert_allclose(
                ours, sk.fbeta_score(y, said, beta=beta, average=average, **every), atol=1e-9
            )
    for k in (1, 2, 3):
        ours = measured(M.SparseTopKCategoricalAccuracy(k), y, p, w)
        np.testing.assert_allclose(
            ours, sk.top_k_accuracy_score(y, p, k=k, labels=range(4), sample_weight=w), atol=1e-7
        )
    ours = measured(M.MeanIoU(4, sparse_y_pred=False), y, p, w)
    there = sorted(set(y) | set(said))
    jaccard = sk.jaccard_score(y, said, labels=there, average="macro", zero_division=0, sample_weight=w)
    np.testing.assert_allclose(ours, jaccard, atol=1e-9)


@given(seed=st.integers(0, 1000), n=st.integers(4, 30), weighted=st.booleans())
def test_answers_of_yes_or_no_as_scikit_learn_has_them(seed, n, weighted):
    from sklearn import metrics as sk

    rng = np.random.default_rng(seed)
    y, p = np.append(rng.integers(0, 2, n - 2), [0, 1]), rng.integers(0, 101, n) / 100
    w = rng.uniform(0.1, 2, n) if weighted else None
    for metric, theirs in (
        (M.Precision(), sk.precision_score), (M.Recall(), sk.recall_score),
        (M.BinaryAccuracy(), sk.accuracy_score),
    ):  # fmt: skip
        options = {} if theirs is sk.accuracy_score else {"zero_division": 0}
        expected = theirs(y, p > 0.5, sample_weight=w, **options)
        np.testing.assert_allclose(measured(metric, y, p[:, None], w), expected, atol=1e-7)
    expected = sk.confusion_matrix(y, p > 0.5, sample_weight=w).ravel()
    for metric, count in zip(
        (M.TrueNegatives(), M.FalsePositives(), M.FalseNegatives(), M.TruePositives()), expected, strict=True
    ):
        np.testing.assert_allclose(measured(metric, y, p, w), count, atol=1e-9)
    # With a threshold between each two scores the area is exact.
    ours = measured(M.AUC(thresholds=(np.arange(100) + 0.5) / 100), y, p, w)
    np.testing.assert_allclose(ours, sk.roc_auc_score(y, p, sample_weight=w), atol=1e-9)


@given(seed=st.integers(0, 1000), n=st.integers(4, 30))
def test_counts_and_areas_by_their_definition(seed, n):
    """Thresholds in any order; areas as sums of small pieces."""
    rng = np.random.default_rng(seed)
    y, p = np.append(rng.integers(0, 2, n - 2), [0, 1]), rng.random(n)
    thresholds = np.array([0.7, 0.1, 0.9, 0.4])
    says = p > thresholds[:, None]
    tp, fp = np.count_nonzero(says & (y == 1), axis=1), np.count_nonzero(says & (y == 0), axis=1)
    np.testing.assert_array_equal(measured(M.TruePositives(thresholds), y, p), tp)
    np.testing.assert_array_equal(measured(M.FalsePositives(thresholds), y, p), fp)
    np.testing.assert_allclose(measured(M.Precision(thresholds), y, p), tp / np.maximum(tp + fp, 1))

    says = p > np.array([-1, 0.1, 0.4, 0.7, 0.9, 2])[:, None]
    tp, fp = np.count_nonzero(says & (y == 1), axis=1), np.count_nonzero(says & (y == 0), axis=1)
    for curve, x, height in (
        ("ROC", fp / np.sum(y == 0), tp / np.sum(y)),
        ("PR", tp / np.sum(y), tp / np.maximum(tp + fp, 1)),
    ):
        for method, pick in (("minoring", np.minimum), ("majoring", np.maximum)):
            expected = np.sum((x[:-1] - x[1:]) * pick(height[:-1], height[1:]))
            ours = measured(M.AUC(curve=curve, summation_method=method, thresholds=thresholds), y, p)
            np.testing.assert_allclose(ours, expected, atol=1e-9)
    # Between two thresholds the counts move along a line: precision there, over many small steps in recall.
    steps = (np.arange(20_000) + 0.5) / 20_000
    expected = 0.0
    for i in range(5):
        true, false = (c[i + 1] + steps * (c[i] - c[i + 1]) for c in (tp, fp))
        expected += np.mean(true / np.maximum(true + false, 1e-12)) * (tp[i] - tp[i + 1]) / np.sum(y)
    ours = measured(M.AUC(curve="PR", thresholds=thresholds), y, p)
    np.testing.assert_allclose(ours, expected, atol=1e-3)


@given(seed=st.integers(0, 1000), n=st.integers(3, 30), weighted=st.booleans())
def test_regression_as_scikit_learn_has_it(seed, n, weighted):
    from sklearn import metrics as sk

    rng = np.random.default_rng(seed)
    y, p = rng.normal(5, 2, (n, 3)), rng.normal(5, 2, (n, 3))
    w = rng.uniform(0.1, 2, n) if weighted else None
    for ours, theirs in (("uniform_average", "uniform_average"), (None, "raw_values"),
                         ("variance_weighted_average", "variance_weighted")):  # fmt: skip
        expected = sk.r2_score(y, p, sample_weight=w, multioutput=theirs)
        np.testing.assert_allclose(measured(M.R2Score(ours), y, p, w), expected, rtol=1e-6)
    expected = sk.mean_squared_error(y, p, sample_weight=w)
    np.testing.assert_allclose(measured(M.RootMeanSquaredError(), y, p, w) ** 2, expected, rtol=1e-6)
