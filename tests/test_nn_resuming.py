"""Training that goes on from a file: to the bit as if there had been no pause."""

import subprocess
import sys

import numpy as np
import pytest
from saving_cases import data, same_arrays, trained

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.nn.arrays import read_arrays

RESUMED = """
import sys
import numpy as np, tinygrad_edu as te
from tinygrad_edu import nn

rng = np.random.default_rng(5)
x, y = rng.random((70, 6, 6, 1), np.float32), rng.integers(0, 3, 70)

def build():
    te.seed(7)
    model = nn.Sequential([
        nn.Conv2D(4, 3, activation="relu"), nn.BatchNormalization(), nn.Dropout(0.3), nn.Flatten(),
        nn.Dense(8, activation="tanh", kernel_regularizer="l2"), nn.Dropout(0.3, seed=11), nn.Dense(3),
    ])
    model.compile(
        nn.optimizers.Adam(nn.optimizers.schedules.CosineDecay(0.01, 40), clipnorm=1.0, weight_decay=0.01),
        nn.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"],
    )
    return model

what, path = sys.argv[1:]
if what == "resume":
    te.seed(999)  # changes nothing: the model has a generator of its own
    model = nn.load_model(path)
    model.fit(x, y, batch_size=16, epochs=10, initial_epoch=5, verbose=0)
else:
    model = build()
    model.fit(x, y, batch_size=16, epochs=10 if what == "straight" else 5, verbose=0)
model.save(path)
"""


def test_five_epochs_and_five_in_another_process_are_ten(tmp_path):
    """Adam with a schedule and clipping, dropout with and without a seed, batch norm, shuffled rows."""

    def run(what, path):
        done = subprocess.run([sys.executable, "-c", RESUMED, what, path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    run("straight", tmp_path / "straight")
    run("half", tmp_path / "half")
    half = read_arrays(tmp_path / "half")
    run("resume", tmp_path / "half")
    straight, resumed = read_arrays(tmp_path / "straight"), read_arrays(tmp_path / "half")
    same_arrays(resumed[0], straight[0])
    assert resumed[1] == straight[1]  # the architecture, and the states of all generators
    assert any(not np.array_equal(half[0][k], resumed[0][k]) for k in half[0])


def test_a_checkpoint_in_the_middle_of_a_run_goes_on_as_the_run_did(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.random((50, 4)), rng.random((50, 1))
    te.seed(3)
    layers = [
        nn.Dense(8, "relu"),
        nn.BatchNormalization(),
        nn.Dropout(0.3),
        nn.Dropout(0.2, seed=1),
        nn.Dense(1),
    ]
    model = nn.Sequential(layers)
    model.compile("adam", "mse", ["mae"])
    keep = nn.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    model.fit(x, y, epochs=4, verbose=0, validation_split=0.2, callbacks=[keep])
    same = nn.load_model(tmp_path / "2.keras")
    same.fit(x, y, epochs=4, initial_epoch=2, verbose=0, validation_split=0.2)
    same_arrays(same.state_dict(), model.state_dict())


OPTIMIZERS = [
    "SGD(0.1)", "SGD(0.1, momentum=0.9, nesterov=True)", "Adam(0.01, amsgrad=True)", "AdamW(0.01)",
    "RMSprop(0.01, centered=True, momentum=0.5)", "Adagrad(0.1)", "Adadelta(1.0)", "Lion(0.01)",
]  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_goes_on_where_it_was(tmp_path, optimizer):
    def start():
        te.seed(3)
        model = nn.Sequential([nn.Dense(5, activation="tanh"), nn.Dropout(0.4), nn.Dense(1)])
        model.compile(eval(f"nn.optimizers.{optimizer}"), "mse")
        return model

    rng = np.random.default_rng(0)
    x, y = rng.random((40, 3)), rng.random((40, 1))
    straight = start()
    straight.fit(x, y, epochs=4, verbose=0)
    half = start()
    half.fit(x, y, epochs=2, verbose=0)
    half.save(tmp_path / "m")
    resumed = nn.load_model(tmp_path / "m")
    resumed.fit(x, y, epochs=4, initial_epoch=2, verbose=0)
    same_arrays(resumed.state_dict(), straight.state_dict())
    same_arrays(resumed.optimizer.state_dict(), straight.optimizer.state_dict())


def test_loading_leaves_the_default_generator_alone(tmp_path):
    model = trained()
    model.save(tmp_path / "m")
    te.seed(5)
    expected = te.default_generator().random()
    te.seed(5)
    nn.load_model(tmp_path / "m").fit(*data(), verbose=0)
    assert te.default_generator().random() == expected


def test_a_generator_that_layers_share_is_shared_again(tmp_path):
    model = nn.Sequential([nn.Input((50,)), nn.Dropout(0.5, seed=1), nn.Dropout(0.5, seed=2)])
    model.layers[1]._generator = model.layers[0]._generator = np.random.Generator(np.random.MT19937(3))
    model.save(tmp_path / "m")
    same = nn.load_model(tmp_path / "m")
    assert same.layers[0]._generator is same.layers[1]._generator
    x = np.ones((2, 50))
    np.testing.assert_array_equal(same(x, training=True).data, model(x, training=True).data)


def test_what_was_frozen_after_training_goes_on_as_in_memory(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.random((20, 3)), rng.random((20, 1))
    te.seed(1)
    model = nn.Sequential([nn.Dense(4), nn.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, epochs=2, verbose=0)
    model.layers[0].trainable = False
    model.save(tmp_path / "m")
    same = nn.load_model(tmp_path / "m")
    for m in (model, same):
        m.generator = np.random.default_rng(4)
        m.fit(x, y, epochs=2, verbose=0)
    same_arrays(same.state_dict(), model.state_dict())


def test_groups_of_parameters_keep_what_is_their_own(tmp_path):
    te.seed(1)
    model = nn.Sequential([nn.Input((3,)), nn.Dense(4), nn.Dense(1)])
    first, last = (layer.parameters() for layer in model.layers)
    decay = nn.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    groups = [{"params": last, "learning_rate": decay}, {"params": first, "weight_decay": 0.5}]
    model.compile(nn.optimizers.SGD(0.01, momentum=0.9, params=groups), "mse")
    rng = np.random.default_rng(0)
    x, y = rng.random((20, 3)), rng.random((20, 1))
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m")
    same = nn.load_model(tmp_path / "m")
    for m in (model, same):
        m.generator = np.random.default_rng(4)
        m.fit(x, y, epochs=2, verbose=0)
    same_arrays(same.state_dict(), model.state_dict())
