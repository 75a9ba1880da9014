"""Metrics one by one, as a student writes them, and in compile and fit."""

import json

import numpy as np
import pytest
from metric_cases import measured, rows

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, DataError, ShapeError
from tinygrad_edu.viz import plot_history

M = nn.metrics


# -- single metrics ------------------------------------------------------------------------------------


def test_accuracy_chooses_by_loss_and_shapes():
    y, z = np.array([1, 0, 1]), np.array([[0.2], [-0.2], [-1.0]])
    plain = M.get("accuracy", nn.losses.BinaryCrossentropy())
    logit = M.get("accuracy", nn.losses.BinaryCrossentropy(from_logits=True))
    for metric, expected in ((plain, 1 / 3), (logit, 2 / 3)):
        np.testing.assert_allclose(measured(metric, y, z), expected)
    p = rows(np.random.default_rng(0), 20)
    y = np.random.default_rng(1).integers(0, 4, 20)
    for targets in (y, y[:, None], np.eye(4)[y]):
        np.testing.assert_allclose(measured(M.get("acc"), targets, p), np.mean(p.argmax(1) == y))


def test_nothing_seen_is_0_and_ratios_of_nothing_are_0():
    for metric in (M.Mean(), M.Sum(), M.Precision(), M.Recall(), M.BinaryAccuracy(), M.MeanIoU(2), M.AUC()):
        assert metric.result() == 0
    assert measured(M.Precision(), [1, 1], [0.1, 0.2]) == 0
    assert measured(M.F1Score(threshold=0.5), [[0], [0]], [[0.1], [0.2]]) == 0
    for metric in (M.F1Score(), M.R2Score()):
        with pytest.raises(DataError, match="no result yet"):
            metric.result()


def test_a_prediction_that_is_no_number_is_no_yes():
    assert measured(M.TruePositives(), [1, 1], [np.nan, 0.9]) == 1
    assert measured(M.BinaryAccuracy(), [1, 1], [np.nan, 0.9]) == 0.5
    assert measured(M.SparseTopKCategoricalAccuracy(1), [0, 1], [[np.nan, 1.0], [0.1, 0.9]]) == 0.5


def test_ties_in_top_k_count_as_in_and_a_filter_takes_the_first():
    assert measured(M.SparseTopKCategoricalAccuracy(1), [1], [[0.5, 0.5]]) == 1
    assert measured(M.Precision(top_k=1), [[0, 1]], [[0.5, 0.5]]) == 0
    assert measured(M.Precision(top_k=1), [[1, 0]], [[0.5, 0.5]]) == 1


def test_an_ignored_class_does_not_count():
    y, p = np.array([0, -1, 2, -1]), rows(np.random.default_rng(0), 4)
    known = y >= 0
    for make in (
        lambda: M.SparseCategoricalCrossentropy(ignore_class=-1),
        lambda: M.MeanIoU(4, ignore_class=-1, sparse_y_pred=False),
    ):
        for w in (None, np.array([1.0, 2.0, 0.5, 3.0])):
            rest = None if w is None else w[known]
            np.testing.assert_allclose(measured(make(), y, p, w), measured(make(), y[known], p[known], rest))
            np.testing.assert_allclose(measured(make(), y[:, None], p, w), measured(make(), y, p, w))


def test_r2_of_equal_targets_is_0_and_adjusting_needs_samples():
    assert measured(M.R2Score(), [2.0, 2.0], [1.0, 2.0]) == 0
    with pytest.warns(UserWarning, match="5 regressors and 3 numbers"):
        adjusted = measured(M.R2Score(num_regressors=5), [1.0, 4.0, 3.0], [2.0, 4.0, 4.0])
    assert adjusted == measured(M.R2Score(), [1.0, 4.0, 3.0], [2.0, 4.0, 4.0])


def test_the_mean_of_a_loss_with_its_graph():
    w = te.Tensor([2.0], requires_grad=True)
    mean = M.Mean()
    mean.update_state((w * w).sum())
    mean.update_state([1.0, 3.0], sample_weight=[0.0, 2.0])
    assert mean.result().item() == pytest.approx(10 / 3)
    assert float(mean.result().numpy()) == pytest.approx(10 / 3)
    metric = M.MeanSquaredError()
    assert metric(te.Tensor([[1.0]]), w * te.Tensor([[3.0]])).item() == 25
    assert not metric.result().requires_grad


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: M.get("acuracy"), ArgumentError, "did you mean 'accuracy'"),
        (lambda: M.get("mean_io_u"), ArgumentError, "MeanIoU: .*num_classes"),
        (lambda: M.get(M.AUC), ArgumentError, r"is a class; write AUC\(\)"),
        (lambda: M.Precision(1.5), ArgumentError, "between 0 and 1, got 1.5"),
        (lambda: M.Recall(top_k=0), ArgumentError, "top_k: expected a positive"),
        (lambda: M.Precision(class_id=3)([[1, 0]], [[0.1, 0.9]]), ShapeError, "no class 3"),
        (lambda: M.Precision()([0, 2], [0.1, 0.9]), DataError, "0 or 1, and 2 is among them"),
        (lambda: M.Precision()([0, 1], [[0.1, 0.9], [0.1, 0.9]]), ShapeError, r"one-hot rows are np\.eye"),
        (lambda: M.AUC(num_thresholds=1), ArgumentError, "at least 2 thresholds"),
        (lambda: M.AUC(curve="roc curve"), ArgumentError, "unknown curve"),
        (lambda: M.AUC(summation_method="sum"), ArgumentError, "unknown summation_method"),
        (lambda: M.AUC(multi_label=True), ArgumentError, "need one another"),
        (lambda: M.AUC()([0, 1], [-2.0, 3.0]), DataError, "from_logits=True"),
        (
            lambda: M.AUC(multi_label=True, num_labels=2)([[0, 1, 1]], [[0, 1, 1.0]]),
            ShapeError,
            r"\(samples, 2\)",
        ),
        (lambda: M.F1Score("mean"), ArgumentError, "unknown average"),
        (lambda: M.F1Score(threshold=0.0), ArgumentError, "threshold must be above 0"),
        (lambda: M.FBetaScore(beta=0.0), ArgumentError, "beta must be above 0"),
        (lambda: M.F1Score()([[1], [0]], [[0.9], [0.1]]), ArgumentError, "say threshold=0.5"),
        (lambda: M.F1Score()([[[1, 0]]], [[[0.9, 0.1]]]), ShapeError, r"\(samples, classes\)"),
        (lambda: M.R2Score("sum"), ArgumentError, "unknown class_aggregation"),
        (lambda: M.R2Score(num_regressors=-1), ArgumentError, "at least 0"),
        (lambda: M.IoU(2, [2]), ArgumentError, "between 0 and 1"),
        (lambda: M.MeanIoU(2)([0, np.nan], [0, 1]), DataError, "nan is"),
        (lambda: M.MeanIoU(2)([0, 255], [0, 1]), DataError, "255 is among them; ignore_class="),
        (lambda: M.MeanIoU(2)([0, 1], [0.2, 0.8]), DataError, "y_pred must be class numbers"),
        (lambda: M.MeanIoU(2)([0, 1], [[0.9, 0.1], [0.2, 0.8]]), ShapeError, "sparse_y_pred=False"),
        (lambda: M.BinaryAccuracy()([0, 1, 1], [0.1, 0.9]), ShapeError, "must be equal"),
        (lambda: M.SparseCategoricalAccuracy()([0.5], [[0.1, 0.9]]), DataError, "whole numbers"),
        (lambda: M.SparseCategoricalAccuracy()([np.nan], [[0.1, 0.9]]), DataError, "whole numbers"),
        (lambda: M.Mean()([1.0, 2.0], [1.0, 2.0, 3.0]), ShapeError, "sample_weight is"),
        (lambda: M.Metric()([1.0], [1.0]), ArgumentError, "no `update_state`"),
        (lambda: M.Mean().total.assign([1.0, 2.0]), ShapeError, r"total is \(\)"),
    ],
)
def test_metrics_name_mistakes(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


OURS = [c for c in M.Metric.classes.values() if c.__module__.startswith("tinygrad_edu")]


@pytest.mark.parametrize("cls", [c for c in OURS if c is not M.MeanMetricWrapper])
def test_a_metric_is_described_and_built_again(cls):
    needed = {M.IoU: (3, [1]), M.MeanIoU: (3,)}
    metric = cls(*needed.get(cls, ()), name="mine")
    description = json.loads(json.dumps(metric.describe()))
    again = M.get(description)
    assert (type(again), again.name) == (cls, "mine")
    assert again.describe() == description
    assert {v.shape for v in again.variables} == {v.shape for v in metric.variables}


# -- as a student writes them --------------------------------------------------------------------------


class F1(nn.metrics.Metric):
    """As the gene expression notebook has it."""

    def __init__(self, name="f1_score", **kwargs):
        super().__init__(name=name, **kwargs)
        self.tp = self.add_weight(name="tp", initializer="zeros")
        self.fp = self.add_weight(name="fp", initializer="zeros")
        self.fn = self.add_weight("fn", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = nn.ops.cast(y_true, "float32"), nn.ops.round(y_pred)
        self.tp.assign_add(nn.ops.sum(y_true * y_pred))
        self.fp.assign_add(nn.ops.sum((1 - y_true) * y_pred))
        self.fn.assign_add(nn.ops.sum(y_true * (1 - y_pred)))

    def result(self):
        precision = self.tp / (self.tp + self.fp + 1e-7)
        recall = self.tp / (self.tp + self.fn + 1e-7)
        return 2 * (precision * recall) / (precision + recall + 1e-7)

    def reset_states(self):
        self.tp.assign(0)
        self.fp.assign(0)
        self.fn.assign(0.0)


def fitted(metrics, y, units=1, activation="sigmoid", loss="binary_crossentropy", **options):
    te.seed(0)
    x = np.random.default_rng(0).standard_normal((len(y), 3)).astype("f4")
    model = nn.Sequential([nn.Input((3,)), nn.Dense(units, activation=activation)])
    model.compile("adam", loss, metrics)
    history = model.fit(x, y, epochs=2, batch_size=8, verbose=0, **options)
    return model, x, history


def test_a_metric_of_ones_own_in_fit():
    """Labels are (batch,), predictions (batch, 1), and the metric multiplies them."""
    from sklearn.metrics import f1_score

    y = np.random.default_rng(1).integers(0, 2, 30)
    model, x, history = fitted(
        [F1(), nn.metrics.F1Score(threshold=0.5, name="ours")], y, validation_split=0.2
    )
    p = model.predict(x[24:])[:, 0]
    assert history.history["val_f1_score"][-1] == pytest.approx(
        f1_score(y[24:], p.round(), zero_division=0), abs=1e-6
    )
    for key in ("f1_score", "val_f1_score"):
        np.testing.assert_allclose(
            history.history[key], history.history[key.replace("f1_score", "ours")], atol=1e-6
        )


def test_both_names_of_resetting_are_one():
    metric = F1()
    metric.update_state(np.array([[1]]), np.array([[0.9]]))
    metric.reset_state()
    assert [v.item() for v in metric.variables] == [0, 0, 0]

    class Counting(F1):
        def reset_state(self):
            super().reset_states()
            self.resets = getattr(self, "resets", 0) + 1

    counting = Counting()
    counting.reset_states()
    counting.reset_state()
    assert counting.resets == 2


def test_variables():
    class Kept(nn.metrics.Metric):
        def __init__(self):
            super().__init__("float32", "kept")
            self.counts = self.add_weight((2,), "ones")
            self.inner = nn.metrics.Mean()

    metric = Kept()
    assert [v.shape for v in metric.variables] == [(2,), (), ()]
    metric.counts.assign_add([1.0, 2.0])
    metric.counts.assign_sub(te.Tensor([0.5, 0.5]))
    np.testing.assert_array_equal(metric.counts.numpy(), [1.5, 2.5])
    np.testing.assert_array_equal((metric.counts * 2 - np.array([1, 1]))[0].numpy(), 2)
    assert metric.counts.dtype == np.float32
    earlier = metric.counts.numpy()
    metric.inner.update_state(3.0)
    metric.reset_state()
    assert [v.numpy().tolist() for v in metric.variables] == [[0, 0], 0, 0]
    np.testing.assert_array_equal(earlier, [1.5, 2.5])  # what was handed out stays

    class Forgetful(nn.metrics.Metric):
        def __init__(self):
            self.total = 0.0

    with pytest.raises(ArgumentError, match=r"call super\(\)\.__init__"):
        nn.Sequential([nn.Dense(1)]).compile("sgd", "mse", [Forgetful()])


def test_millions_of_samples_stay_exact():
    mean = nn.metrics.BinaryAccuracy()
    mean.total.assign(2.0**25)
    mean.count.assign(2.0**25)
    mean.update_state([1, 0], [0.9, 0.9])
    assert (mean.total.item(), mean.count.item()) == (2**25 + 1, 2**25 + 2)


# -- in compile and fit --------------------------------------------------------------------------------


def test_weights_count_for_weighted_metrics_alone():
    te.seed(0)
    x, y = np.ones((4, 2), "f4"), np.array([[1.0], [2.0], [3.0], [4.0]])
    w = np.array([0.0, 0.0, 1.0, 3.0])
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mae", nn.metrics.RootMeanSquaredError()])
    logs = model.evaluate(x, y, sample_weight=w, verbose=0, return_dict=True)
    assert logs == pytest.approx(
        {
            "loss": (9 + 3 * 16) / 4,
            "mae": 2.5,
            "weighted_mae": 15 / 4,
            "root_mean_squared_error": np.sqrt(57 / 4),
        }
    )


def test_two_of_a_kind_are_numbered():
    metrics = [nn.metrics.Precision(class_id=0), nn.metrics.Precision(class_id=1), nn.metrics.Precision()]
    model, _, history = fitted(
        metrics, np.eye(3)[np.arange(12) % 3], 3, "softmax", "categorical_crossentropy"
    )
    assert set(history.history) == {"loss", "precision", "precision_1", "precision_2"}
    model.compile("adam", "categorical_crossentropy", metrics)  # once more, with the same ones
    assert [m.name for m in model.objective.metrics] == ["precision", "precision_1", "precision_2"]


def test_a_number_for_each_class(tmp_path, capsys):
    y = np.eye(3)[np.arange(12) % 3]
    model, x, history = fitted(
        [nn.metrics.F1Score()], y, 3, "softmax", "categorical_crossentropy", validation_split=0.5
    )
    assert [v.shape for v in history.history["val_f1_score"]] == [(3,), (3,)]
    logs = model.evaluate(x, y, return_dict=True)
    assert f"f1_score {logs['f1_score'].mean():.4f}" in capsys.readouterr().out
    model.fit(x, y, verbose=2)
    assert "f1_score 0." in capsys.readouterr().out
    figure = plot_history(history)
    assert "f1 score[2]" in str([axis.get_ylabel() + axis.get_title() for axis in figure.axes])
    with pytest.raises(ArgumentError, match="has a number for each class"):
        model.fit(x, y, verbose=0, callbacks=nn.callbacks.EarlyStopping("f1_score", mode="max"))


def test_a_result_may_be_a_dict():
    class Range(nn.metrics.Metric):
        def __init__(self):
            super().__init__(name="range")
            self.low, self.high = self.add_weight(name="low"), self.add_weight(name="high")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.low.assign(min(self.low, y_pred.min()))
            self.high.assign(max(self.high, y_pred.max()))

        def result(self):
            return {"lowest": self.low, "highest": self.high}

    _, _, history = fitted([Range()], np.arange(12) % 2)
    assert {"lowest", "highest"} < set(history.history)
    assert all(type(v) is float for v in history.history["highest"])


def test_evaluating_in_the_middle_leaves_a_metric_as_it_was():
    y = np.eye(3)[np.arange(12) % 3]
    model, x, _ = fitted([nn.metrics.F1Score("macro")], y, 3, "softmax", "categorical_crossentropy")
    (metric,) = model.objective.metrics
    before = metric.result().item()
    model.evaluate(x[:3], y[:3], verbose=0)
    assert metric.result().item() == before
    fresh = nn.Sequential([nn.Input((3,)), nn.Dense(3, "softmax")])
    fresh.compile("sgd", "categorical_crossentropy", [nn.metrics.F1Score("macro")])
    fresh.evaluate(x, y, verbose=0)
    with pytest.raises(DataError, match="no result yet"):
        fresh.objective.metrics[0].result()

    class Late(nn.metrics.Metric):
        def update_state(self, y_true, y_pred, sample_weight=None):
            if not hasattr(self, "seen"):
                self.seen = self.add_weight()
            self.seen.assign_add(len(y_true))

        def result(self):
            return self.seen

    fresh.compile("sgd", "categorical_crossentropy", [Late()])
    assert fresh.evaluate(x, y, verbose=0, return_dict=True)["late"] == 12
    assert fresh.train_on_batch(x[:5], y[:5], return_dict=True)["late"] == 5


def test_one_output_may_be_named():
    te.seed(0)
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1, name="price")])
    model.compile("sgd", {"price": "mse"}, {"price": ["mae"]})
    x, y = np.ones((4, 2), "f4"), np.ones((4, 1))
    logs = model.evaluate(x, {"price": y}, verbose=0, return_dict=True)
    model.compile("sgd", "mse", ["mae"])
    assert logs == model.evaluate(x, y, verbose=0, return_dict=True)
