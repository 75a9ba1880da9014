"""Weights from Keras' files: the same predictions, and words for other architectures and damaged files."""

import io
import os
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_samples import sources
from keras_samples.sources import SAMPLES, inputs, made

from tinygrad_edu import nn
from tinygrad_edu.errors import FileError, ShapeError
from tinygrad_edu.nn.hdf5 import Dataset, Group, read_hdf5
from tinygrad_edu.nn.keras_files import keras_order

HERE = Path(sources.__file__).parent


def built(name):
    source, shapes = SAMPLES[name]
    model, x = made(nn, source), inputs(shapes)
    model.predict(x)
    return model, x


def columns(predictions):
    return np.concatenate(predictions, axis=-1) if isinstance(predictions, list) else predictions


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_that_keras_wrote_predicts_the_same(name):
    model, x = built(name)
    expected = np.loadtxt(HERE / f"{name}.txt")
    assert not np.allclose(columns(model.predict(x)), expected, rtol=0.1)
    model.load_weights(HERE / name)
    np.testing.assert_allclose(columns(model.predict(x)), expected, rtol=1e-5)


def test_keras_orders_layers_by_how_far_they_are_from_the_outputs():
    a, b = nn.Input((3,), name="a"), nn.Input((3,), name="b")
    early, late, shared = nn.Dense(3, name="early"), nn.Dense(3, name="late"), nn.Dense(3, name="shared")
    x = shared(b)
    model = nn.Model([a, b], late(nn.layers.add([shared(early(a)), x])))
    # A search from the output meets "early" before "b", which is as far from it.
    assert [layer.name for layer in keras_order(model.graph)] == ["a", "early", "b", "shared", "add", "late"]


def other(*layers):
    return nn.Sequential([nn.Input((6, 6, 1)), *layers])


def cnn(filters=2, units=3, **head):
    return (
        nn.Conv2D(filters, 3, activation="relu"), nn.BatchNormalization(), nn.Dropout(0.5), nn.Flatten(),
        nn.Dense(units, **head),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (other(*cnn(units=4)), r"dense/bias: expected \(4,\), got \(3,\) \(layers/dense/vars/1\)"),
        (other(*cnn(), nn.Dense(3)), r"missing: dense_1/kernel \(3, 3\) \(the file has no layers/de"),
        (other(*cnn()[:-1]), r"unknown: layers/dense/vars/0 \(32, 3\) of the file's 'dense"),
        (other(*cnn(use_bias=False)), r"unknown: layers/dense/vars/1 \(3,\)"),
        (other(nn.Conv2D(2, 3), nn.LayerNormalization(), *cnn()[2:]), "missing: layer_normalization/gamma"),
    ],
)  # fmt: skip
def test_another_architecture_is_refused_and_nothing_changes(model, text):
    before = model.state_dict()
    with pytest.raises(ShapeError, match=text) as caught:
        model.load_weights(HERE / "cnn.keras")
    assert "cnn.keras: these weights belong to another architecture than sequential" in str(caught.value)
    assert all(np.array_equal(before[k], w) for k, w in model.state_dict().items())


def two_denses(first, second):
    return nn.Sequential([nn.Input((3,)), nn.Dense(3, name=first), nn.Dense(3, name=second)])


def test_names_that_speak_against_the_order_are_an_error(tmp_path):
    """Shapes can't tell these layers apart, but the user named them."""
    path = tmp_path / "x.weights.h5"
    write_hdf5(path, {"dense": "trunk", "dense_1": "head"})
    two_denses("trunk", "head").load_weights(path)
    two_denses("my_trunk", "my_head").load_weights(path)
    with pytest.raises(ShapeError, match="head: the file has 'trunk' in its place, and 'head' in another"):
        two_denses("head", "trunk").load_weights(path)


def write_hdf5(path, names, change=None, **options):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", **options) as file:
        for layer, name in names.items():
            group = file.create_group(f"layers/{layer}/vars")
            group.attrs["name"] = name
            for i, shape in enumerate([(3, 3), (3,)]):
                if change is None or not change(h5py, group, str(i), shape):
                    group[str(i)] = np.ones(shape, "f4")


class Blocks(nn.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [nn.Dense(3), [nn.Dense(3)]]

    def call(self, x):
        return self.blocks[1][0](self.blocks[0](x))


@pytest.mark.parametrize("second", ["blocks/container/dense", "layers/dense_1"])
def test_lists_in_lists_as_keras_writes_them_and_as_it_did(tmp_path, second):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        for number, path in enumerate(["blocks/dense", second]):
            file[f"{path}/vars/0"], file[f"{path}/vars/1"] = np.full((3, 3), number), np.zeros(3)
    model = Blocks()
    model.predict(np.ones((1, 3)))
    with pytest.raises(ShapeError, match=r"expected floats, got int64 \(blocks/dense/vars/0\)"):
        model.load_weights(tmp_path / "x.weights.h5")
    with h5py.File(tmp_path / "x.weights.h5", "a") as file:
        for number, path in enumerate(["blocks/dense", second]):
            del file[f"{path}/vars/0"]
            file[f"{path}/vars/0"] = np.full((3, 3), number, "f8")
    model.load_weights(tmp_path / "x.weights.h5")
    assert model.blocks[0].kernel.numpy().max() == 0
    assert model.blocks[1][0].kernel.numpy().min() == 1


def changes():
    def filled(h5py, group, name, shape):
        group.create_dataset(name, shape, "f4", compression="gzip")

    def claimed(h5py, group, name, shape):
        group.create_dataset(name, (10**9, 10**3), "f4", chunks=(10**3, 10**3))

    def unwritten(h5py, group, name, shape):
        group.create_dataset(name, shape, "f4")

    def linked(h5py, group, name, shape):
        group[name] = h5py.ExternalLink("/etc/passwd", "/")

    def soft(h5py, group, name, shape):
        group[name] = h5py.SoftLink("/layers")

    def external(h5py, group, name, shape):
        group.create_dataset(name, shape, "f4", external=[("/etc/passwd", 0, 36)])

    def virtual(h5py, group, name, shape):
        layout = h5py.VirtualLayout(shape, "f4")
        layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape)
        group.create_virtual_dataset(name, layout)

    def texts(h5py, group, name, shape):
        group[name] = np.full(shape, b"x")

    def compound(h5py, group, name, shape):
        group[name] = np.zeros(shape, "f4,f4")

    return {
        filled: "compressed", claimed: "pieces", unwritten: "bytes", linked: "newer layout", soft: "link",
        external: "another file", virtual: "pieces", texts: "ordinary kind", compound: "ordinary kind",
    }  # fmt: skip


@pytest.mark.parametrize(("change", "text"), changes().items(), ids=lambda x: getattr(x, "__name__", ""))
def test_only_plain_arrays_are_read(tmp_path, change, text):
    def changed(*arguments):
        return arguments[2] == "1" and change(*arguments) is None

    path = tmp_path / "x.weights.h5"
    write_hdf5(path, {"dense": "a", "dense_1": "b"}, changed)
    with pytest.raises((FileError, ShapeError), match=rf"x.weights.h5: (?s:.*){text}|expected \(3,\)"):
        two_denses(None, None).load_weights(path)


def test_a_group_that_holds_itself(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "x.weights.h5"
    write_hdf5(path, {"dense": "a", "dense_1": "b"})
    with h5py.File(path, "a") as file:
        file["layers/dense/again"] = file["layers"]
    with pytest.raises(FileError, match="leads back into itself"):
        two_denses(None, None).load_weights(path)


def test_a_file_has_no_more_in_it_than_bytes(tmp_path):
    """Its pieces could overlap, and so be many more than there is room for."""
    write_hdf5(tmp_path / "x.weights.h5", {"dense": "a", "dense_1": "b"})
    root = read_hdf5((tmp_path / "x.weights.h5").read_bytes())

    def read(times):
        for _ in range(times):
            assert list(root["layers"].names) == ["dense", "dense_1"]

    read(10)
    with pytest.raises(FileError, match="more in it than it has bytes for"):
        read(10**4)


@pytest.mark.parametrize(
    ("path", "text"), [("a/" * 70 + "b", "more than 64"), ("x" * 300 + "/vars/0", "longer than 256 bytes")]
)
def test_paths_that_are_too_deep_or_too_long(tmp_path, path, text):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        file[path] = np.ones(3)
    with pytest.raises(FileError, match=text):
        two_denses(None, None).load_weights(tmp_path / "x.weights.h5")


def test_newer_layouts_of_hdf5_say_what_to_do(tmp_path):
    write_hdf5(tmp_path / "x.weights.h5", {"dense": "a", "dense_1": "b"}, libver="latest")
    with pytest.raises(FileError, match="newer layout, of libver='latest'"):
        two_denses(None, None).load_weights(tmp_path / "x.weights.h5")


@settings(max_examples=25)
@given(data=st.data())
def test_what_is_read_is_what_h5py_reads(data):
    h5py = pytest.importorskip("h5py")
    kinds = st.sampled_from(["f2", "f4", "f8", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"])
    shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
    names = st.text("abc_:.", min_size=1, max_size=12).filter(lambda s: s.strip("."))
    tree = st.dictionaries(names, st.tuples(kinds, shapes), max_size=40)
    trees = data.draw(st.dictionaries(names, tree, max_size=5))
    buffer = io.BytesIO()
    rng = np.random.default_rng(0)
    with h5py.File(buffer, "w") as file:
        for path, arrays in trees.items():
            group = file.create_group(path)
            group.attrs["name"] = f"{path} and more"
            for name, (kind, shape) in arrays.items():
                group[name] = rng.uniform(0, 100, shape).astype(kind)
        expected = {path: {name: array[()] for name, array in group.items()} for path, group in file.items()}
    root = read_hdf5(buffer.getvalue())
    assert set(root.names) == set(expected)
    for path, arrays in expected.items():
        group = root[path]
        assert isinstance(group, Group)
        assert group.attribute("name") == f"{path} and more"
        assert group.attribute("other") is None
        assert set(group.names) == set(arrays)
        for name, array in arrays.items():
            found = group[name]
            assert isinstance(found, Dataset)
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found.read(), array, strict=True)


# -- zip archives -------------------------------------------------------------------------------------------


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)


def test_zip_archives_that_are_something_else(tmp_path):
    with zipfile.ZipFile(HERE / "cnn.keras") as file:
        weights = file.read("model.weights.h5")
    model, x = built("cnn.keras")
    for members, options, text in (
        ({"readme.txt": "hello"}, {}, "no model.weights.h5"),
        ({"../model.weights.h5": weights}, {}, "no model.weights.h5"),
        ({"/tmp/model.weights.h5": weights}, {}, "no model.weights.h5"),
        ({"model.weights.h5": b""}, {}, "isn't an HDF5 file"),
        ({"model.weights.h5": weights}, {"compression": zipfile.ZIP_DEFLATED}, "is compressed"),
        ({"model.weights.h5": bytes(10**8)}, {"compression": zipfile.ZIP_DEFLATED}, "is compressed"),
    ):
        archive(tmp_path / "x.keras", members, **options)
        with pytest.raises(FileError, match=f"x.keras: .*{text}"):
            model.load_weights(tmp_path / "x.keras")
    # Others in the archive are never looked at.
    archive(
        tmp_path / "x.keras", {"../../evil": "x", "model.weights.h5": weights, "config.json": "[" * 10**5}
    )
    model.load_weights(tmp_path / "x.keras")
    assert sorted(os.listdir(tmp_path)) == ["x.keras"]
    np.testing.assert_allclose(model.predict(x), np.loadtxt(HERE / "cnn.keras.txt"), rtol=1e-5)


def test_a_member_that_claims_to_be_huge(tmp_path):
    raw = bytearray((HERE / "cnn.keras").read_bytes())
    entry = raw.rindex(b"model.weights.h5") - 46
    raw[entry + 20 : entry + 28] = struct.pack("<II", 2**32 - 2, 2**32 - 2)
    (tmp_path / "x.keras").write_bytes(raw)
    model, _ = built("cnn.keras")
    tracemalloc.start()
    with pytest.raises(FileError):
        model.load_weights(tmp_path / "x.keras")
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


# -- damaged files ------------------------------------------------------------------------------------------

CONTENTS = {name: (HERE / name).read_bytes() for name in SAMPLES}
WITHIN = {name: [i for i, byte in enumerate(raw) if byte] for name, raw in CONTENTS.items()}


@st.composite
def damages(draw):
    """A sample's bytes, truncated or with bytes changed where there are any, or close by."""
    name = draw(st.sampled_from(sorted(CONTENTS)))
    raw = bytearray(CONTENTS[name])
    if draw(st.integers(0, 5)) == 0:
        raw = raw[: draw(st.integers(0, len(raw) - 1))]
    for _ in range(draw(st.integers(1, 6))):
        i = draw(st.sampled_from(WITHIN[name])) + draw(st.sampled_from([0, 0, 0, 1, 2, 4, 8, -1]))
        if 0 <= i < len(raw):
            raw[i] = draw(st.sampled_from([0, 1, 2, 127, 128, 255])) ^ draw(st.sampled_from([0, 0, raw[i]]))
    return name, bytes(raw)


MODELS = {name: built(name)[0] for name in SAMPLES}


def loads_or_is_refused(damage, path):
    """Load a damaged file: it gives our errors or the weights, soon and within the memory of the file."""
    name, raw = damage
    path.write_bytes(raw)
    model = MODELS[name]
    before = model.state_dict()
    started = time.process_time()
    try:
        model.load_weights(path)
    except (FileError, ShapeError):  # and no other
        assert all(np.array_equal(before[k], w) for k, w in model.state_dict().items())
    assert time.process_time() - started < 0.5


@settings(max_examples=150)
@given(damage=damages())
def test_damaged_files_are_refused_or_load_whole(tmp_path_factory, damage):
    loads_or_is_refused(damage, tmp_path_factory.getbasetemp() / "damaged")


@pytest.mark.slow
@settings(max_examples=1500)
@given(damage=damages())
def test_many_damaged_files_are_refused_or_load_whole(tmp_path_factory, damage):
    tracemalloc.start()
    try:
        loads_or_is_refused(damage, tmp_path_factory.getbasetemp() / "damaged")
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
