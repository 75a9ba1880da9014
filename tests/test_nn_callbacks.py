"""Callbacks: what decides and records while a model trains."""

import csv
import struct

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, FileError

X = np.linspace(-1, 1, 20, dtype="f4")[:, None]
Y = 2 * X + 1


class Scripted(nn.Model):
    """Its loss in validation follows a script, whatever it learns."""

    def __init__(self, script):
        super().__init__()
        self.dense, self.script = nn.Dense(1), script

    def call(self, x):
        return self.dense(x)


class Script(nn.callbacks.Callback):
    """Comes first, and puts the next number of the script into the logs."""

    def on_epoch_end(self, epoch, logs):
        logs["val_loss"] = float(self.model.script[epoch])


def run(script, *watchers, epochs=None, **options):
    te.seed(0)
    model = Scripted(script)
    model.compile(nn.optimizers.SGD(0.1), "mse")
    history = model.fit(
        X, Y, epochs=epochs or len(script), verbose=0, callbacks=[Script(), *watchers], **options
    )
    return model, history


@pytest.mark.parametrize(
    ("options", "script", "epochs", "best", "stops"),
    [
        ({}, [3, 2, 2.5, 1], 3, 1, True),
        ({"patience": 1}, [3, 2, 2.5, 1], 3, 1, True),
        ({"patience": 2}, [3, 2, 2.5, 1, 2, 3, 0], 6, 3, True),
        ({"patience": 2, "min_delta": 0.6}, [3, 2, 1.5, 1.3, 1], 5, 3, False),
        ({"patience": 1, "start_from_epoch": 2}, [1, 2, 3, 4, 5], 4, 2, True),
        ({"patience": 2, "baseline": 0.5}, [3, 2, 1, 0.4], 2, 1, True),
        ({"patience": 1, "mode": "max"}, [1, 2, 1.5], 3, 1, True),
        ({"patience": 9}, [3, 2, 1], 3, 2, False),
    ],
)
def test_early_stopping(options, script, epochs, best, stops):
    stop = nn.callbacks.EarlyStopping(**options)
    _, history = run(script, stop)
    assert len(history.epoch) == epochs
    assert stop.best_epoch == best
    assert stop.stopped_epoch == (epochs - 1 if stops else None)


@pytest.mark.parametrize("restore", [False, True])
def test_early_stopping_gives_the_best_weights_back(restore):
    kept = []
    keep = nn.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.append(kernels[0].dense.kernel.numpy().copy())
    )
    kernels = []
    keep.on_train_begin = lambda logs: kernels.append(keep.model)
    stop = nn.callbacks.EarlyStopping(patience=2, restore_best_weights=restore)
    model, _ = run([3, 1, 2, 2, 2], keep, stop)
    np.testing.assert_array_equal(model.dense.kernel.numpy(), kept[1 if restore else 3])


def test_checkpoints(tmp_path):
    path = tmp_path / "run" / "{epoch:02d}-{val_loss:.1f}.safetensors"
    run([3, 1, 2], nn.callbacks.ModelCheckpoint(path, save_weights_only=True))
    names = sorted(p.name for p in (tmp_path / "run").iterdir())
    assert names == ["01-3.0.safetensors", "02-1.0.safetensors", "03-2.0.safetensors"]

    best = tmp_path / "best.safetensors"
    keep = nn.callbacks.ModelCheckpoint(best, save_best_only=True, save_weights_only=True)
    other = nn.callbacks.BestWeights()
    model, _ = run([3, 1, 2], keep, other)
    kernel = model.dense.kernel.numpy().copy()
    model.dense.kernel.data = 0 * kernel
    model.load_weights(best)
    np.testing.assert_array_equal(model.dense.kernel.numpy(), kernel)
    assert keep.best == 1

    every = tmp_path / "{epoch}-{batch}.safetensors"
    freq = nn.callbacks.ModelCheckpoint(every, save_weights_only=True, save_freq=2)
    run([1, 1], freq, batch_size=4)  # 5 batches an epoch
    assert {p.stem for p in tmp_path.glob("?-?.safetensors")} == {"1-2", "1-4", "2-1", "2-3", "2-5"}
    with pytest.raises(ArgumentError, match="'val_acc'"):
        run([1], nn.callbacks.ModelCheckpoint(tmp_path / "{val_acc}", save_weights_only=True))


def test_learning_rates():
    plateau = nn.callbacks.ReduceLROnPlateau(factor=0.5, patience=2, cooldown=1, min_lr=0.02)
    _, history = run([3, 3, 3, 3, 3, 3, 3, 3, 3, 3], plateau)
    rates = history.history["learning_rate"]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.02, 0.02, 0.02])
    schedule = nn.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    _, history = run([1, 1, 1], schedule)
    np.testing.assert_allclose(history.history["learning_rate"], [0.1, 0.05, 0.1 / 3])
    with pytest.raises(ArgumentError, match=r"schedule\(0\) gave 'x', no number"):
        run([1], nn.callbacks.LearningRateScheduler(lambda epoch: "x"))
    with pytest.raises(ArgumentError, match="factor must lie between 0 and 1"):
        nn.callbacks.ReduceLROnPlateau(factor=1.5)


def test_the_csv_file_has_every_epoch_and_can_be_gone_on_with(tmp_path):
    path = tmp_path / "a" / "log.csv"
    run([3, 2], nn.callbacks.CSVLogger(path))
    run([1], nn.callbacks.CSVLogger(path, append=True))
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [(r["epoch"], float(r["val_loss"])) for r in rows] == [("0", 3), ("1", 2), ("0", 1)]
    run([5], nn.callbacks.CSVLogger(path, separator=";"))
    assert path.read_text().splitlines()[0] == "epoch;loss;val_loss"
    with pytest.raises(FileError, match="CSVLogger: can't write"):
        run([1], nn.callbacks.CSVLogger(tmp_path))


def test_hooks_are_called_in_order():
    seen = []
    names = [name for name in dir(nn.callbacks.Callback) if name.startswith("on_")]
    hooks = {name: (lambda *_, name=name: seen.append(name)) for name in names if "on_batch" not in name}
    watch = nn.callbacks.LambdaCallback(**hooks)
    model, _ = run([1], watch, validation_data=(X[:5], Y[:5]), batch_size=10)
    batch = ["on_train_batch_begin", "on_train_batch_end"]
    test = ["on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end"]
    expected = ["on_train_begin", "on_epoch_begin", *batch, *batch, *test, "on_epoch_end", "on_train_end"]
    assert seen == expected
    seen.clear()
    model.evaluate(X, Y, verbose=0, callbacks=[watch])
    assert seen == test
    seen.clear()
    model.predict(X, callbacks=[watch])
    middle = ["on_predict_batch_begin", "on_predict_batch_end"]
    assert seen == ["on_predict_begin", *middle, "on_predict_end"]
    with pytest.raises(ArgumentError, match="did you mean 'on_epoch_end'"):
        nn.callbacks.LambdaCallback(on_epoch_ends=print)


def test_the_older_names_of_the_batch_hooks():
    seen = []

    class Old(nn.callbacks.Callback):
        def on_batch_end(self, batch, logs=None):
            seen.append(batch)

    run([1], Old(), batch_size=10)
    assert seen == [0, 1]


def scalars(folder):
    """Read the values out of TensorBoard's files: records of a length, a checksum, the event, a checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (n,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + n])
            found += [(v.tag, event.step, v.simple_value) for v in event.summary.value if not v.histo.num]
            data = data[16 + n :]
    return found


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    watch = nn.callbacks.TensorBoard(tmp_path, histogram_freq=1, update_freq=2)
    _, history = run([3, 2], watch, batch_size=10)
    losses = history.history["loss"]
    train = scalars(tmp_path / "train")
    assert [(t, s) for t, s, _ in train if t == "epoch_loss"] == [("epoch_loss", 0), ("epoch_loss", 1)]
    np.testing.assert_allclose([v for t, _, v in train if t == "epoch_loss"], losses, rtol=1e-6)
    assert [s for t, s, _ in train if t == "batch_loss"] == [2, 4]
    assert scalars(tmp_path / "validation") == [("epoch_loss", 0, 3.0), ("epoch_loss", 1, 2.0)]


def test_epochs_of_batches_that_never_end():
    def batches():
        i = 0
        while True:
            seen.append(i)
            yield X[i % 4 :: 4], Y[i % 4 :: 4]
            i += 1

    seen = []
    te.seed(0)
    model = nn.Sequential([nn.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(
        batches(), epochs=3, steps_per_epoch=5, verbose=0, validation_data=batches(), validation_steps=2
    )
    assert len(history.history["val_loss"]) == 3
    assert len(seen) == 15 + 6
    history = model.fit(
        X, Y, epochs=4, batch_size=5, steps_per_epoch=2, verbose=0, validation_data=(X, Y), validation_freq=2
    )
    assert len(history.history["loss"]) == 4
    assert len(history.history["val_loss"]) == 2


def test_a_training_step_of_ones_own():
    class AutoEncoder(nn.Model):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = nn.Dense(1), nn.Dense(2)
            self.total = nn.metrics.Mean(name="total")

        @property
        def metrics(self):
            return [self.total]

        def call(self, x):
            return self.decoder(self.encoder(x))

        def train_step(self, data):
            loss = ((self(data) - data) ** 2).mean()
            self.minimize(loss)
            self.total.update_state(loss)
            return {"loss": self.total.result()}

    te.seed(0)
    data = np.random.default_rng(0).normal(size=(64, 1)) * [[1.0, 2.0]]
    model = AutoEncoder()
    model.compile(optimizer=nn.optimizers.Adam(0.05))
    losses = model.fit(data, epochs=30, verbose=0).history["loss"]
    assert len(losses) == 30
    assert losses[-1] < 0.05 * losses[0]
