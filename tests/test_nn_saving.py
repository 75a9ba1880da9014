"""Models on disk: they come back the same, training goes on to the bit, and bad files are refused."""

import json
import os

import numpy as np
import pytest
from saving_cases import MODELS, Pair, Scale, data, forge, made, same_arrays, sequential, trained

from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, FileError, ShapeError
from tinygrad_edu.nn.arrays import read_arrays
from tinygrad_edu.nn.structure import flatten

# -- what comes back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_comes_back_the_same(tmp_path, name):
    model, x = made(name)
    model.save(tmp_path / "model.keras")  # as notebooks call it
    assert os.listdir(tmp_path) == ["model.keras"]
    same = nn.load_model(tmp_path / "model.keras")
    assert type(same) is type(model)
    assert same.name == model.name
    same_arrays(same.state_dict(), model.state_dict())
    model.generator, same.generator = np.random.default_rng(1), np.random.default_rng(1)
    if name != "vae":  # whose codes are drawn
        for a, b in zip(flatten(model.predict(x)), flatten(same.predict(x)), strict=True):
            np.testing.assert_array_equal(a, b)
    assert json.loads(same.to_json()) == json.loads(model.to_json())
    same.save(tmp_path / "again")
    same_arrays(read_arrays(tmp_path / "again")[0], read_arrays(tmp_path / "model.keras")[0])


@pytest.mark.parametrize("name", MODELS)
def test_an_architecture_as_json_and_a_clone_have_new_weights(name):
    model, x = made(name)
    for same in (nn.models.model_from_json(model.to_json(indent=2)), nn.models.clone_model(model)):
        assert {k: w.shape for k, w in same.named_weights()} == {k: w.shape for k, w in model.named_weights()}
        pairs = zip(model.parameters(), same.parameters(), strict=True)
        assert any(not np.array_equal(a.data, b.data) for a, b in pairs)
        same.set_weights(model.get_weights())
        if name != "vae":
            for a, b in zip(flatten(model.predict(x)), flatten(same.predict(x)), strict=True):
                np.testing.assert_array_equal(a, b)
        assert same.optimizer is None


def test_one_file_with_weights_and_slots_by_their_paths(tmp_path):
    model = trained()
    model.save(tmp_path / "digits.safetensors")
    arrays, notes = read_arrays(tmp_path / "digits.safetensors")
    assert list(notes) == ["tinygrad_edu model"]
    paths = [path for path, _ in model.named_weights()]
    slots = [f"{path}/{slot}" for path, _ in model.named_parameters() for slot in ("momentum", "velocity")]
    expected = [f"model/{p}" for p in paths] + ["optimizer/iterations"] + [f"optimizer/{s}" for s in slots]
    assert sorted(arrays) == sorted(expected)
    assert "optimizer/inner/dense/kernel/velocity" in arrays


def test_a_compiled_model_comes_back_compiled(tmp_path):
    model = trained()
    model.save(tmp_path / "m")
    same = nn.load_model(tmp_path / "m")
    assert same.evaluate(*data(), verbose=0) == model.evaluate(*data(), verbose=0)
    assert repr(same.optimizer) == repr(model.optimizer)
    assert same.optimizer.iterations == model.optimizer.iterations == 1
    bare = nn.load_model(tmp_path / "m", compile=False)
    assert bare.optimizer is None
    same_arrays(bare.state_dict(), model.state_dict())


def test_input_layers_keep_their_names_and_sizes(tmp_path):
    model = nn.Sequential([nn.Input((4,), batch_size=3, dtype="float64", name="rows"), nn.Dense(2)])
    model.save(tmp_path / "m")
    same = nn.load_model(tmp_path / "m")
    assert same.input_shape == (3, 4)
    assert same.input.dtype == np.float64
    assert same.input.name == "rows"


def test_what_is_frozen_stays_frozen(tmp_path):
    inner = nn.Sequential([nn.Input((3,)), nn.Dense(3), nn.Dense(3, name="free")])
    model = nn.Sequential([inner, nn.Dense(2), nn.BatchNormalization()])
    inner.trainable = False
    inner.get_layer("free").trainable = True
    model.layers[2].trainable = False
    model.save(tmp_path / "m")
    same = nn.load_model(tmp_path / "m")
    assert [p for p, _ in same.named_parameters()] == [p for p, _ in model.named_parameters()]
    assert [m.trainable for m in same.modules()] == [m.trainable for m in model.modules()]


# -- what compile was told ----------------------------------------------------------------------------------


def test_losses_and_metrics_by_output(tmp_path):
    model, x = made("functional")
    model.compile(
        "sgd",
        {"left": nn.losses.MeanSquaredError(), "right": "mae"},
        metrics={"left": ["mae", nn.metrics.MeanSquaredError(name="squares")], "right": None},
        loss_weights={"left": 0.5, "right": np.float32(2)},
        weighted_metrics={"right": ["mse"]},
    )
    y = {"left": np.ones((5, 6)), "right": np.zeros((5, 1))}
    before = model.evaluate(x, y, verbose=0, return_dict=True)
    for _ in range(2):
        model.save(tmp_path / "m")
        model = nn.load_model(tmp_path / "m")
        assert model.evaluate(x, y, verbose=0, return_dict=True) == before
    assert "left_squares" in before


def line():
    rng = np.random.default_rng(0)
    x = rng.random((20, 3))
    return x, x.sum(axis=1, keepdims=True)


def linear(*compiled, **more):
    model = nn.Sequential([nn.Input((3,)), nn.Dense(1)])
    model.compile(*compiled, **more)
    return model


def test_functions_come_back_if_they_are_registered(tmp_path):
    def cubes(y_true, y_pred):
        return abs(y_true - y_pred) ** 3

    def bent(x):
        return x * abs(x)

    with pytest.warns(UserWarning, match=r"'cubes' isn't registered; put @nn.saving.register_keras_ser"):
        linear("sgd", cubes).save(tmp_path / "m")
    assert nn.load_model(tmp_path / "m").loss is None
    with pytest.raises(ArgumentError, match=r"can't be built again .* unknown activation 'bent'"):
        nn.Sequential([nn.Input((3,)), nn.Dense(1, bent)]).save(tmp_path / "m")
    for function in (cubes, bent):
        assert nn.saving.register_keras_serializable(package="tests")(function) is function
    try:
        model = nn.Sequential([nn.Input((3,)), nn.Dense(1, bent)])
        model.compile("sgd", cubes, [cubes])
        model.save(tmp_path / "m")
        assert nn.load_model(tmp_path / "m").evaluate(*line(), verbose=0) == model.evaluate(
            *line(), verbose=0
        )
    finally:
        for name in ("cubes", "bent"):
            del nn.named.FUNCTIONS[name]
    with pytest.raises(FileError, match="unknown activation 'bent'"):
        nn.load_model(tmp_path / "m")
    custom = {"cubes": cubes, "bent": bent}
    same = nn.load_model(tmp_path / "m", custom_objects=custom)
    assert same.evaluate(*line(), verbose=0) == model.evaluate(*line(), verbose=0)
    assert not set(custom) & set(nn.named.FUNCTIONS)


def test_rates_that_are_functions_leave_compile_out(tmp_path):
    model = linear(nn.optimizers.SGD(lambda step: 0.1), "mse")
    with pytest.warns(UserWarning, match="a learning rate that is a function can't be saved"):
        model.save(tmp_path / "m")
    assert nn.load_model(tmp_path / "m").optimizer is None


def test_a_model_without_loss_that_trains_itself(tmp_path):
    model, x = made("vae")
    model.compile("adam")
    model.fit(x, epochs=2, verbose=0)
    model.save(tmp_path / "m")
    same = nn.load_model(tmp_path / "m")
    for m in (model, same):
        m.generator = np.random.default_rng(1)
        m.fit(x, epochs=2, verbose=0)
    same_arrays(same.state_dict(), model.state_dict())


# -- layers and models of one's own -------------------------------------------------------------------------


def test_layers_of_ones_own_come_back_when_they_are_defined(tmp_path):
    class Cube(Scale):
        pass

    model = nn.Sequential([nn.Input((2,)), Cube(3)])
    model.save(tmp_path / "m")
    assert nn.load_model(tmp_path / "m").predict([[1.0, 2.0]]).tolist() == [[1.0, 8.0]]
    for name in ("Cube", f"{__name__}:Cube"):
        del nn.Module.classes[name]
    with pytest.raises(FileError, match="unknown layer 'test_nn_saving:Cube'"):
        nn.load_model(tmp_path / "m")
    same = nn.load_model(tmp_path / "m", custom_objects={"Cube": Cube})
    assert same.predict([[1.0, 2.0]]).tolist() == [[1.0, 8.0]]
    assert "Cube" not in nn.Module.classes
    with nn.saving.custom_object_scope({"Cube": Cube}):
        assert type(nn.load_model(tmp_path / "m").layers[0]) is Cube
    with pytest.raises(FileError, match="custom_objects: expected classes"):
        nn.load_model(tmp_path / "m", custom_objects={"Cube": 3})


def test_nothing_runs_while_a_file_is_loaded(tmp_path):
    model = nn.Sequential([nn.Input((2,)), Scale(2), Pair(3), nn.Operation("exp")])
    model.save(tmp_path / "m")

    def fail(*_):
        raise AssertionError

    calls = [(cls, cls.call) for cls in (Scale, Pair, nn.Operation, nn.Dense)]
    try:
        for cls, _ in calls:
            cls.call = fail
        same = nn.load_model(tmp_path / "m")
    finally:
        for cls, call in calls:
            cls.call = call
    assert same.output_shape == model.output_shape
    np.testing.assert_array_equal(same.predict([[1.0, 2.0]]), model.predict([[1.0, 2.0]]))


class Unsaid(nn.Model):
    def __init__(self, units):
        super().__init__()
        self.dense = nn.Dense(units)

    def call(self, x):
        return self.dense(x)


def test_what_can_not_be_built_again_is_not_saved(tmp_path):
    (tmp_path / "m").write_text("mine")
    model = Unsaid(3)
    model.predict(np.ones((1, 2)))
    with pytest.raises(
        ArgumentError, match=r"missing .*'units'.* names its constructor's arguments in `fields`"
    ):
        model.save(tmp_path / "m")
    with pytest.raises(ArgumentError, match="isn't built"):
        nn.Sequential([nn.Dense(1)]).save(tmp_path / "m")
    assert (tmp_path / "m").read_text() == "mine"
    assert os.listdir(tmp_path) == ["m"]
    model.save_weights(tmp_path / "m")
    other = Unsaid(3)
    other.predict(np.ones((1, 2)))
    other.load_weights(tmp_path / "m")
    same_arrays(other.state_dict(), model.state_dict())


# -- weights alone ------------------------------------------------------------------------------------------


def test_weights_alone_and_those_of_a_whole_model(tmp_path):
    model = trained()
    model.save_weights(tmp_path / "w.safetensors")
    model.save(tmp_path / "m.safetensors")
    for name in ("w.safetensors", "m.safetensors"):
        other = sequential()
        other.load_weights(tmp_path / name)
        same_arrays(other.state_dict(), model.state_dict())
    with pytest.raises(FileError, match=r"arrays alone; build the model, and call model.load_weights"):
        nn.load_model(tmp_path / "w.safetensors")


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
    same_arrays(other.state_dict(), before)


# -- files that are something else --------------------------------------------------------------------------


def test_files_that_are_not_there_or_something_else(tmp_path):
    model = linear("sgd", "mse")
    for load in (nn.load_model, model.load_weights):
        with pytest.raises(FileError, match="no such file"):
            load(tmp_path / "nowhere")
        with pytest.raises(FileError, match="is a folder"):
            load(tmp_path)
        with pytest.raises(FileError, match="isn't a whole safetensors file"):
            load(__file__)
    for start in (b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"):
        (tmp_path / "keras").write_bytes(start + bytes(99))
        with pytest.raises(
            FileError, match=r"a file of Keras itself. Build the same model here, and call model.lo"
        ):
            nn.load_model(tmp_path / "keras")
    with pytest.raises(FileError, match="it is a folder"):
        model.save(tmp_path)
    for save in (model.save, model.save_weights):
        with pytest.raises(FileError, match="keras is there already, and overwrite=False"):
            save(tmp_path / "keras", overwrite=False)
    with pytest.raises(FileError, match="can't write"):
        model.save(tmp_path / "keras" / "m")
    with pytest.raises(ArgumentError, match="no unsafe mode"):
        nn.load_model(tmp_path, safe_mode=False)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_can_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="can't write"):
        linear("sgd", "mse").save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def model_of(description, layer):
    return description["model"]["config"]["layers"][layer]["config"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.update(version=1), "has version 1, and this package reads 2"),
        (lambda d: [d], "has version None"),
        (lambda d: d.update(model={"class": "os.system", "config": {}}), "unknown layer"),
        (lambda d: d.update(model={"class": "Dense", "config": {"units": 3}}), "isn't a model"),
        (lambda d: d.update(model={"class": "Sequential", "config": {"layers": 3}}), "no list of layers"),
        (lambda d: d.update(model={"class": "Sequential", "config": {"layers": [1]}}), "expected"),
        (lambda d: d.update(compile={}), "can't be built"),
        (lambda d: d.update(random={}), "can't be built"),
        (
            lambda d: d["random"]["model"]["dict"].update(bit_generator="Random"),
            "unknown bit generator 'Random'",
        ),
        (lambda d: d["random"]["layers"][0][0][0].__setitem__(1, "fields"), "can't be built"),
        (lambda d: d["compile"].update(loss="msee"), "did you mean"),
        (lambda d: d["compile"].update(loss={"class": "x"}), "expected what compile was told"),
        (lambda d: d["compile"].update(loss={"function": "eval"}), "unknown function 'eval'"),
        (lambda d: d["compile"].update(params=d["compile"]["params"][1:]), "can't be built"),
        (lambda d: model_of(d, 1).update(activation="eval"), "unknown activation 'eval'"),
        (lambda d: model_of(d, 1).update(filters=10**9), "more than the file has numbers for"),
        (lambda d: model_of(d, 1).update(filters=3), "the file doesn't say what comes of"),
        (lambda d: model_of(d, 10).update(units=4), "belong to another architecture"),
        (lambda d: model_of(d, 0).update(shape=[9, 9, 10**9]), "more than the file has numbers for"),
    ],
)
def test_foreign_descriptions(tmp_path, change, text):
    trained().save(tmp_path / "m")
    forge(tmp_path / "m", change)
    with pytest.raises(FileError, match=text):
        nn.load_model(tmp_path / "m")


def test_a_changed_number_is_noticed(tmp_path):
    trained().save(tmp_path / "m")
    raw = (tmp_path / "m").read_bytes()
    for place in (-1, -1000, raw.index(b"softmax")):
        damaged = bytearray(raw)
        damaged[place] ^= 1
        (tmp_path / "m").write_bytes(damaged)
        with pytest.raises(FileError, match="aren't those that were saved"):
            nn.load_model(tmp_path / "m")
