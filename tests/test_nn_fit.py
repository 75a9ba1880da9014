"""fit and its callbacks: it does what the loop by hand does, and refuses what can't be learned from."""

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, DataError

# -- fit -----------------------------------------------------------------------------------------------


def blobs(n=120, seed=0, dtype="f4"):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    return (rng.normal(size=(n, 2)) + 4 * np.eye(3, 2)[y]).astype(dtype), y


def small_model(**compile_options):
    model = nn.Sequential([nn.Dense(8, "relu"), nn.Dropout(0.2), nn.Dense(3, "softmax")])
    options = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    model.compile(**(options | compile_options))
    return model


def test_fit_learns_and_reports():
    te.seed(0)
    x, y = blobs()
    model = small_model(optimizer=nn.optimizers.Adam(0.05))
    history = model.fit(x, y, epochs=12, batch_size=16, verbose=0, validation_split=0.25)
    assert history is model.history
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history.epoch == list(range(12))
    assert all(len(values) == 12 for values in history.history.values())
    assert history.history["val_accuracy"][-1] > 0.9
    loss, accuracy = model.evaluate(x[90:], y[90:], verbose=0)
    assert (loss, accuracy) == pytest.approx(
        (history.history["val_loss"][-1], history.history["val_accuracy"][-1])
    )
    assert (model.predict(x).argmax(1) == y).mean() > 0.9


def weights_after(seed, **fit_options):
    te.seed(seed)
    x, y = blobs()
    model = small_model()
    model.fit(x, y, epochs=3, batch_size=16, verbose=0, **fit_options)
    return model.state_dict()


def test_one_seed_gives_bit_identical_weights():
    a, b, c = weights_after(5), weights_after(5), weights_after(6)
    assert all(np.array_equal(a[k], b[k]) for k in a)
    assert any(not np.array_equal(a[k], c[k]) for k in a)


def test_fit_equals_the_loop_by_hand():
    x, y = blobs()
    te.seed(2)
    model = small_model()
    model.fit(x, y, epochs=2, batch_size=25, verbose=0, shuffle=False)
    te.seed(2)
    other = small_model()
    loss_of = nn.losses.SparseCategoricalCrossentropy()
    optimizer = None
    other.train()
    for _ in range(2):
        for start in range(0, len(x), 25):
            loss = loss_of(y[start : start + 25], other(x[start : start + 25]))
            optimizer = optimizer or nn.optimizers.Adam(params=other.parameters())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_validation_split_takes_the_last_samples_and_does_not_learn_from_them():
    x, y = blobs()
    te.seed(1)
    a = small_model()
    a.fit(x, y, epochs=2, verbose=0, validation_split=0.25)
    te.seed(1)
    b = small_model()
    b.fit(x[:90], y[:90], epochs=2, verbose=0, validation_data=(x[90:], y[90:]))
    assert a.history.history == b.history.history


def test_class_weights_are_sample_weights():
    a = weights_after(3, class_weight={0: 1.0, 1: 2.0, 2: 0.5})
    _, y = blobs()
    b = weights_after(3, sample_weight=np.array([1.0, 2.0, 0.5])[y])
    assert all(np.array_equal(a[k], b[k]) for k in a)
    with pytest.raises(DataError, match="nothing of class 2"):
        weights_after(3, class_weight={0: 1.0, 1: 2.0})


def test_class_weights_multiply_weights_of_samples_and_reach_into_them():
    from tinygrad_edu.nn.preparation import weights_of

    price, w = {0: 1.0, 1: 2.0, 2: 0.5}, np.array([1.0, 3.0])
    for y in ([2, 1], [[2.0], [1.0]], [[0, 0, 1], [0, 1, 0]], [[0.1, 0.2, 0.7], [0.0, 1.0, 0.0]]):
        np.testing.assert_array_equal(weights_of(np.array(y), None, price), [0.5, 2])
        np.testing.assert_array_equal(weights_of(np.array(y), w, price), [0.5, 6])
        np.testing.assert_array_equal(weights_of({"only": np.array(y)}, w[:, None], price), [[0.5], [6]])
    pixels = np.array([[[0], [1]], [[2], [1]]])
    np.testing.assert_array_equal(weights_of(pixels, None, price), [[1, 2], [0.5, 2]])
    np.testing.assert_array_equal(weights_of(np.eye(3)[pixels[..., 0]], w, price), [[1, 2], [1.5, 6]])
    for y, given, text in (
        ([np.ones(2), np.zeros(2)], price, "one output"),
        (np.array([[0, 1], [1, 1]]), price, r"write y\[..., np.newaxis\]"),
        (np.array([0, 1]), [1.0, 2.0], r"dict\(enumerate\(weights\)\)"),
    ):
        with pytest.raises(ArgumentError, match=text):
            weights_of(y, None, given)
    with pytest.raises(DataError, match="needs the targets y"):
        weights_of(None, None, price)
    with pytest.raises(DataError, match="class_weight has nan"):
        weights_of(np.array([0, 1]), None, {0: 1.0, 1: float("nan")})


def test_fit_takes_batches_from_anything_iterable():
    x, y = blobs()
    te.seed(4)
    model = small_model()
    batches = [(x[:50], y[:50]), (x[50:], y[50:], np.ones(70))]
    model.fit(batches, epochs=2, verbose=0, validation_data=(x, y))
    assert len(model.history.epoch) == 2
    with pytest.raises(ArgumentError, match="needs x and y as arrays"):
        model.fit(batches, validation_split=0.5, verbose=0)


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (lambda x, y: (x[:-1], y), DataError, "119 samples but 120 targets"),
        (lambda x, y: (x[:0], y[:0]), DataError, "no samples"),
        (lambda x, y: (np.where(x == x[7, 1], np.nan, x), y), DataError, r"nan or infinite.*\(7, 1\)"),
        (lambda x, y: (np.where(x == x[9, 0], np.inf, x), y), DataError, r"nan or infinite.*\(9, 0\)"),
        (lambda x, y: (x, np.where(y == 2, 3, y)), DataError, "label 3 is out of range"),
        (lambda x, y: (np.array([["a", "b"]] * 120), y), te.TinygradEduError, "real numbers"),
    ],
)
def test_fit_refuses_bad_data_and_learns_nothing_from_it(change, kind, text):
    x, y = blobs()
    te.seed(0)
    model = small_model()
    model(x)
    before = model.state_dict()
    with pytest.raises(kind, match=text):
        model.fit(*change(x, y), verbose=0, batch_size=120)
    assert all(np.array_equal(before[k], after) for k, after in model.state_dict().items())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"optimizer": "adm"}, "unknown optimizer 'adm'"),
        ({"loss": "crossentropy"}, "unknown loss"),
        ({"metrics": ["accuray"]}, "unknown metric"),
    ],
)
def test_compile_names_what_it_does_not_know(options, text):
    with pytest.raises(ArgumentError, match=text):
        small_model(**options)


def test_an_uncompiled_model_says_so():
    with pytest.raises(ArgumentError, match=r"model.compile\("):
        nn.Sequential([nn.Dense(1)]).fit(np.ones((2, 1)), np.ones((2, 1)))


# -- callbacks -----------------------------------------------------------------------------------------


class Recorder(nn.callbacks.Callback):
    def __init__(self, interrupt_at=None, stop_at=None):
        self.calls, self.interrupt_at, self.stop_at = [], interrupt_at, stop_at

    def on_train_begin(self, logs=None):
        self.calls.append("begin")

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(f"epoch {epoch}")

    def on_train_batch_end(self, batch, logs):
        assert {"loss", "accuracy"} == set(logs)
        self.calls.append(f"batch {batch}")
        if self.interrupt_at == len(self.calls):
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs):
        self.calls.append(f"end {epoch}")
        if epoch == self.stop_at:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        self.calls.append("done")


def test_callbacks_are_called_in_order_and_can_stop():
    x, y = blobs(40)
    watcher = Recorder(stop_at=1)
    small_model().fit(x, y, epochs=5, batch_size=20, verbose=0, callbacks=[watcher])
    assert watcher.calls == [
        "begin", "epoch 0", "batch 0", "batch 1", "end 0", "epoch 1", "batch 0", "batch 1", "end 1", "done",
    ]  # fmt: skip
    assert watcher.params["steps"] == 2
    assert watcher.params["samples"] == 40


def test_an_interrupted_run_ends_cleanly_with_the_best_weights():
    te.seed(0)
    x, y = blobs(40)
    model = small_model()
    best, watcher = nn.callbacks.BestWeights(), Recorder(interrupt_at=7)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=5, batch_size=20, verbose=0, callbacks=[best, watcher])
    assert watcher.calls[-1] == "done"
    assert len(model.history.epoch) == 1
    assert all(np.array_equal(best.weights[k], w) for k, w in model.state_dict().items())
    assert not any(module.training for module in model.modules())


def test_best_weights_are_those_of_the_best_epoch():
    best = nn.callbacks.BestWeights("val_accuracy")
    model = nn.Sequential([nn.Input((1,)), nn.Dense(1)])
    best.set_model(model)
    for epoch, value in enumerate([0.5, 0.9, float("nan"), 0.8]):
        model.layers[0].kernel.data = [[float(epoch)]]
        best.on_epoch_end(epoch, {"val_accuracy": value})
    best.on_train_end()
    assert best.best_epoch == 1
    assert model.layers[0].kernel.numpy() == 1


def test_a_diverging_run_is_stopped_with_advice():
    te.seed(0)
    x, y = blobs()
    model = nn.Sequential([nn.Dense(8), nn.Dense(1)])
    model.compile(nn.optimizers.SGD(1e4), "mse")
    with np.errstate(all="ignore"), pytest.warns(UserWarning, match="learning rate ten times smaller"):
        history = model.fit(x, y, epochs=50, verbose=0, callbacks=[nn.callbacks.TerminateOnNaN()])
    assert len(history.epoch) < 50
    assert not np.isfinite(history.history["loss"][-1])


def test_fit_reads_memory_maps(tmp_path):
    x, y = blobs()
    np.save(tmp_path / "x.npy", x)
    te.seed(0)
    a = small_model()
    a.fit(np.load(tmp_path / "x.npy", mmap_mode="r"), y, epochs=2, verbose=0)
    te.seed(0)
    b = small_model()
    b.fit(x, y, epochs=2, verbose=0)
    assert a.history.history == b.history.history


def test_float64_data_does_not_widen_a_float32_model():
    x, y = blobs(dtype="f8")
    model = small_model()
    model.fit(x, y, verbose=0)
    assert model.predict(x).dtype == np.float32
    assert all(w.dtype == np.float32 for w in model.parameters())


def test_bad_batches_and_weights_are_refused_too():
    x, y = blobs(20)
    bad = np.where(x == x[3, 1], np.nan, x)
    model = small_model()
    model(x)
    before = model.state_dict()
    for batches in ([(bad, y)], [(x, y, np.full(20, np.nan))]):
        with pytest.raises(DataError, match="nan or infinite"):
            model.fit(batches, verbose=0)
        with pytest.raises(DataError, match="nan or infinite"):
            model.evaluate(batches, verbose=0)
    with pytest.raises(DataError, match="sample_weight has nan"):
        model.fit(x, y, sample_weight=np.full(20, np.nan), verbose=0)
    assert all(np.array_equal(before[k], w) for k, w in model.state_dict().items())
    with pytest.raises(DataError, match="gives its batches only once"):
        model.fit(((x, y) for _ in range(2)), epochs=2, verbose=0)
