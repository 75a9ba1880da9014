"""Models on disk: they come back the same, and bad files are refused in words."""

import json
import os
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, FileError, ShapeError


def every_layer():
    return nn.Sequential(
        [
            nn.Input((8, 8, 1)),
            nn.Conv2D(
                2,
                (3, 2),
                (1, 1),
                "same",
                activation="tanh",
                kernel_initializer=nn.initializers.HeNormal(seed=1),
            ),
            nn.MaxPooling2D(2, padding="same"),
            nn.AveragePooling2D((2, 1), strides=1),
            nn.Activation("sigmoid"),
            nn.ReLU(),
            nn.Flatten(),
            nn.Reshape((4, -1)),
            nn.Dropout(0.25, seed=3),
            nn.Sequential([nn.Flatten(), nn.Dense(5, use_bias=False)], name="inner"),
            nn.Dense(3),
            nn.Softmax(),
        ],
        name="everything",
    )


def trained(epochs=1):
    te.seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.random((30, 8, 8, 1), np.float32), rng.integers(0, 3, 30)
    model = every_layer()
    model.compile(nn.optimizers.Adam(0.01), "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(x, y, epochs=epochs, verbose=0)
    return model, x, y


def test_a_model_comes_back_the_same(tmp_path):
    model, x, y = trained()
    model.save(tmp_path / "run")
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "model.json", "optimizer.safetensors", "weights.safetensors",
    ]  # fmt: skip
    same = nn.load_model(tmp_path / "run")
    np.testing.assert_array_equal(same.predict(x), model.predict(x))
    assert same.get_config() == model.get_config()
    assert same.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    assert repr(same.optimizer) == repr(model.optimizer)
    assert same.optimizer.iterations == model.optimizer.iterations


def test_training_goes_on_exactly_where_it_was_saved(tmp_path):
    model, x, y = trained(2)
    model.save(tmp_path)
    same = nn.load_model(tmp_path)
    for m in (model, same):
        m.layers[7]._generator = np.random.default_rng(9)  # the dropout's own generator isn't saved
        te.seed(7)
        m.fit(x, y, epochs=2, verbose=0)
    for a, b in zip(model.parameters(), same.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_weights_alone(tmp_path):
    model, x, _ = trained()
    model.save_weights(tmp_path / "w.safetensors")
    other = every_layer()
    other.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(other.predict(x), model.predict(x))


def test_weights_of_another_architecture_are_refused_and_nothing_changes(tmp_path):
    nn.Sequential([nn.Input((4,)), nn.Dense(3), nn.Dense(2)]).save_weights(tmp_path / "w.safetensors")
    other = nn.Sequential([nn.Input((4,)), nn.Dense(5), nn.Dense(2, name="head")])
    before = other.state_dict()
    with pytest.raises(ShapeError) as caught:
        other.load_weights(tmp_path / "w.safetensors")
    text = str(caught.value)
    assert "another architecture" in text
    assert "dense/kernel: expected (4, 5), got (4, 3)" in text
    assert "missing: head/kernel" in text
    assert "unknown: dense_1/bias (2,)" in text
    assert all(np.array_equal(before[k], w) for k, w in other.state_dict().items())


def test_layers_of_ones_own_come_back_when_defined(tmp_path):
    class Scale(nn.Layer):
        fields = ("power",)

        def __init__(self, power=1, **options):
            super().__init__(**options)
            self.power = power

        def build(self, input_shape):
            self.factor = self.add_weight("factor", input_shape[-1:], "ones")

        def call(self, x):
            return (x * self.factor) ** self.power

    model = nn.Sequential([nn.Input((2,)), Scale(3)])
    model.save(tmp_path)
    assert nn.load_model(tmp_path).predict([[1.0, 2.0]]).tolist() == [[1.0, 8.0]]
    del nn.Module.classes["Scale"]
    with pytest.raises(FileError, match="unknown layer 'Scale'"):
        nn.load_model(tmp_path)


def test_an_unbuilt_model_has_nothing_to_save(tmp_path):
    with pytest.raises(ArgumentError, match="isn't built"):
        nn.Sequential([nn.Dense(1)]).save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_missing_files(tmp_path):
    with pytest.raises(FileError, match=r"model\.save\(\) wrote"):
        nn.load_model(tmp_path / "nowhere")
    model, _, _ = trained()
    model.save(tmp_path)
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(FileError, match="no such file"):
        nn.load_model(tmp_path)
    with pytest.raises(FileError, match="no such file"):
        model.load_weights(tmp_path / "weights.safetensors")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d | {"format": "something else"}, "isn't the description"),
        (lambda d: d | {"version": 99}, "version 99"),
        (lambda d: d | {"model": {"class": "os.system", "config": {}}}, "unknown layer"),
        (lambda d: d | {"model": {"class": "Dense", "config": {"units": 3}}}, "isn't a model"),
        (lambda d: d | {"model": {"class": "Sequential", "config": {"layers": 3}}}, "no list of layers"),
        (lambda d: d | {"model": {"class": "Sequential", "config": {"layers": [1]}}}, "expected"),
        (lambda d: d | {"compile": {}}, "can't be built"),
        (lambda d: [d], "isn't the description"),
    ],
)
def test_foreign_descriptions(tmp_path, change, text):
    model, _, _ = trained()
    model.save(tmp_path)
    path = tmp_path / "model.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(FileError, match=text):
        nn.load_model(tmp_path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    model, _, _ = trained()
    model.save(folder)
    return folder


@settings(max_examples=60)
@given(data=st.data(), name=st.sampled_from(["model.json", "weights.safetensors", "optimizer.safetensors"]))
def test_damaged_files_raise_our_error_or_load_whole(saved, tmp_path_factory, data, name):
    folder = tmp_path_factory.mktemp("damaged")
    for path in saved.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    raw = bytearray((folder / name).read_bytes())
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, min(len(raw), 400) - 1))] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(bytes(raw))
    with suppress(FileError):  # and no other
        nn.load_model(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_can_not_be_written(tmp_path):
    model, _, _ = trained()
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="can't write"):
        model.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    model, _, _ = trained()
    with pytest.raises(FileError, match="can't write"):
        model.save(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
