"""Files of the user's own: CSV and .npy, the forms in which courses leave their data, and what is wrong "
"with them."""

import gzip
import os
import pickle
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_edu import data
from tinygrad_edu.data import sources, tables
from tinygrad_edu.data.places import find_file
from tinygrad_edu.errors import ArgumentError, DataError, FileError, TinygradEduError

REAL = os.environ.get("TINYGRAD_EDU_DATA")


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """Keep each test from the user's folders and from the net."""
    monkeypatch.delenv("TINYGRAD_EDU_DATA", raising=False)
    monkeypatch.setenv("TINYGRAD_EDU_CACHE", str(tmp_path / "cache"))
    for name, whole in sources.SETS.items():
        nowhere = tuple(replace(source, places=()) for source in whole.sources)
        monkeypatch.setitem(sources.SETS, name, replace(whole, sources=nowhere))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("forms")


# CSV

numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(hnp.arrays(float, st.tuples(st.integers(0, 5), st.integers(1, 4)), elements=numbers), st.data())
def test_a_table_is_read_to_the_last_digit(folder, array, draw):
    sign = draw.draw(st.sampled_from([";", ",", "\t"]))
    quote, end, bom, packed = (draw.draw(st.sampled_from(pair)) for pair in
                               (["", '"'], ["\n", "\r\n"], ["", "\ufeff"], [False, True]))  # fmt: skip
    names = [f"column {k}" for k in range(array.shape[1])]
    lines = [
        sign.join(f"{quote}{name}{quote}" for name in names),
        *(sign.join(map(repr, row)) for row in array.tolist()),
    ]
    content = (bom + end.join(lines) + draw.draw(st.sampled_from(["", end, end + end]))).encode()
    path = folder / "table.csv"
    path.write_bytes(gzip.compress(content) if packed else content)
    columns = data.read_csv(path)
    assert list(columns) == names
    for k, name in enumerate(names):
        assert columns[name].dtype == np.float64
        np.testing.assert_array_equal(columns[name], array[:, k])


HEAD = "acid;alcohol;quality\n"


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (HEAD + "1;2;3\n4;;6\n", DataError, r"line 3, column 'alcohol': the value is missing"),
        (HEAD + "1;2;3\n4; ;6\n", DataError, r"line 3, column 'alcohol': the value is missing"),
        (HEAD + "1;strong;3\n", DataError, r"line 2, column 'alcohol': the value is 'strong'"),
        (HEAD + "1;2;nan\n", DataError, r"line 2, column 'quality'.*'nan'"),
        (HEAD + "inf;2;3\n", DataError, r"line 2, column 'acid'"),
        (HEAD + "1,5;2;3\n", DataError, r"line 2, column 'acid'.*'1,5'"),
        (HEAD + "1;2\n", DataError, r"line 2: 2 values where 3"),
        (HEAD + "1;2;3;4\n", DataError, r"line 2: 4 values where 3"),
        (HEAD + "\n\n1;2;x\n", DataError, r"line 4, column 'quality'"),
        ('c;"a\nb"\n1;2\nx;3\n', DataError, r"line 4, column 'c'"),
        ("a;b;a\n1;2;3\n", DataError, r"line 1.*named 'a'"),
        ("", FileError, "is empty"),
        ("<!DOCTYPE html><html>", FileError, "web page"),
        ("\n\n <html>", FileError, "web page"),
        (b"PK\x03\x04\x00", FileError, "zip"),
        (b"\x93NUMPY\x01\x00", FileError, "npy"),
        (b"a;b\n\x00;1\n", FileError, "no CSV"),
        ("größe;b\n1;2\n".encode("latin-1"), FileError, "UTF-8"),
        (gzip.compress(b"a;b\n1;2\n" * 100, mtime=0)[:-5], FileError, "damaged"),
        (gzip.compress(gzip.compress(b"a;b\n1;2\n", mtime=0), mtime=0), FileError, "no CSV.*gzip"),
    ],
)
def test_what_is_no_table_of_numbers_is_named_by_file_line_and_column(folder, content, error, words):
    path = folder / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(error, match=words) as caught:
        data.read_csv(path)
    assert str(path) in str(caught.value)


def test_columns_of_text_are_asked_for(folder):
    path = folder / "text.csv"
    path.write_text("id,status,x\n7,ALL ,1\n8, AML,2\n")
    columns = data.read_csv(path, text=["id", "status"])
    assert columns["id"].tolist() == ["7", "8"]
    assert columns["status"].tolist() == ["ALL", "AML"]
    with pytest.raises(DataError, match="no column 'state'; its columns are id, status, x"):
        data.read_csv(path, text=["state"])


@pytest.mark.parametrize("packed", [False, True])
def test_a_bomb_is_not_unpacked(monkeypatch, folder, packed):
    monkeypatch.setattr(tables, "_LARGEST", 1 << 20)
    path = folder / "bomb.csv"
    content = b"a\n" + b"1\n" * (1 << 23)
    path.write_bytes(gzip.compress(content) if packed else content)
    del content
    tracemalloc.start()
    try:
        with pytest.raises(FileError, match="more than 1 MiB"):
            data.read_csv(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


# .npy


@given(hnp.arrays(st.sampled_from(["u1", "<i4", ">i4", "f4", "f8", "?", "<U3"]), hnp.array_shapes(min_dims=0,
min_side=0)),
       st.booleans())  # fmt: skip
def test_an_array_is_read_and_mapped(folder, array, mmap):
    path = folder / "x.npy"
    np.save(path, array)
    back = data.read_npy(path, mmap=mmap)
    assert (back.shape, back.dtype) == (array.shape, array.dtype)
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable is not mmap
    del back


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_array_is_read_as_an_array_or_refused(folder, position, byte):
    path = folder / "damaged.npy"
    np.save(path, np.arange(20.0))
    content = bytearray(path.read_bytes())
    content[position % 130] = byte  # in the header, mostly
    path.write_bytes(content)
    try:
        assert isinstance(data.read_npy(path), np.ndarray)
    except TinygradEduError as error:
        if str(path) not in str(error):
            raise


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda b: b[:-1], "cut short.*160 bytes, but 159 bytes follow"),
        (lambda b: b + b"?", "trailing"),
        (lambda b: b[:50], "damaged"),
        (lambda b: b"", "is empty"),
        (lambda b: b"<html>", "web page"),
        (lambda b: b"PK\x03\x04" + bytes(50), "zip"),
        (lambda b: gzip.compress(b), "gzip"),
        (lambda b: b.replace(b"(20,)", b"(2000000000000,)"), "cut short|damaged"),
    ],
)
def test_what_is_no_array_is_refused(folder, spoil, words):
    path = folder / "bad.npy"
    np.save(path, np.arange(20.0))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(FileError, match=words) as caught:
        data.read_npy(path)
    assert str(path) in str(caught.value)


class Trap:
    """A pickle of this runs a program when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("bare", [False, True])
def test_a_pickle_is_never_opened_unasked(tmp_path, bare):
    sprung, path = tmp_path / "sprung", tmp_path / "trap.npy"
    if bare:
        path.write_bytes(pickle.dumps(Trap(sprung)))
    else:
        np.save(path, np.array([Trap(sprung)], object), allow_pickle=True)
    for load in (data.read_npy, data.mnist_5000, data.leukaemia, data.lesions):
        with pytest.raises(FileError, match=r"pickle.*allow_pickle=True"):
            load(path)
    with pytest.raises(FileError, match="pickle"):
        data.mnist_5000(path, path)
    assert not sprung.exists()
    data.read_npy(path, allow_pickle=True)
    assert sprung.exists()
    with pytest.raises(ArgumentError, match="mapped"):
        data.read_npy(path, mmap=True, allow_pickle=True)


def test_a_damaged_pickle_is_named(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}, {}], object), allow_pickle=True)
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content[:-3])
    with pytest.raises(FileError, match=r"x\.npy is damaged"):
        data.read_npy(tmp_path / "x.npy", allow_pickle=True)


# Where a named file lies


def test_a_name_is_looked_for_here_and_then_in_the_users_folder(monkeypatch, tmp_path):
    own = tmp_path / "own"
    (own / "wine").mkdir(parents=True)
    (own / "wine" / "a.csv").touch()
    with pytest.raises(FileError, match=r"no file a\.csv.*set TINYGRAD_EDU_DATA"):
        find_file("a.csv")
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(own))
    assert find_file("a.csv") == find_file("wine/a.csv") == own / "wine" / "a.csv"
    (own / "a.csv").touch()
    with pytest.raises(FileError, match=r"several files are a\.csv"):
        find_file("a.csv")
    with pytest.raises(FileError, match="is a folder"):
        find_file(own)
    with pytest.raises(FileError, match="no file /nowhere"):
        find_file("/nowhere/a.csv")
    with pytest.raises(FileError, match="neither here nor in TINYGRAD_EDU_DATA"):
        find_file("b.csv")
    monkeypatch.chdir(own / "wine")
    assert find_file("a.csv") == Path("a.csv")


# MNIST as two arrays


@pytest.fixture
def mnist_files_of_the_course(tmp_path, monkeypatch):
    """Write mnist_data_5k.npy and its labels: ``write(images, labels)``."""
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))

    def write(x, y):
        np.save(tmp_path / "mnist_data_5k.npy", x)
        np.save(tmp_path / "mnist_labels_5k.npy", y)

    return write


NAMES = "mnist_data_5k.npy", "mnist_labels_5k.npy"
FORMS = {
    "images": lambda x, y: (x, y),
    "rows": lambda x, y: (x.reshape(len(x), 784), y),
    "with channels": lambda x, y: (x[..., np.newaxis], y.astype(np.int64)),
    "floats": lambda x, y: (x.astype(np.float64).reshape(len(x), 784), y.astype(np.float32)),
    "a column of labels": lambda x, y: (x, y[:, np.newaxis]),
}


@pytest.mark.parametrize("form", FORMS)
def test_mnist_of_the_course_opens_in_any_form(mnist_files_of_the_course, form):
    mnist = data.mnist_5000()
    mnist_files_of_the_course(*FORMS[form](mnist.x, mnist.y))
    opened = data.mnist_5000(*NAMES)
    for part, expected in zip(opened, mnist, strict=True):
        for found, array in zip(part, expected, strict=True):
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array)
    assert opened.maximum == 255
    assert opened.source == NAMES[0]


def test_scaled_pixels_stay_scaled(mnist_files_of_the_course):
    x = np.random.default_rng(0).random((10, 784))
    mnist_files_of_the_course(x, np.arange(10))
    opened = data.mnist_5000(*NAMES)
    assert opened.maximum == 1
    np.testing.assert_allclose(opened.scaled().x, x.reshape(10, 28, 28), rtol=1e-6)


X, Y = np.zeros((10, 28, 28), np.uint8), np.zeros(10, np.uint8)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.zeros((10, 28, 27)), Y, r"data_5k.*\(10, 28, 27\)"),
        (np.zeros((10, 785)), Y, r"\(10, 785\).*\(N, 784\)"),
        (X, Y[:9], r"labels_5k.*\(9,\).*\(10,\) is expected"),
        (X, Y + 10, "labels_5k.*0 to 9"),
        (X, Y + 0.5, "0 to 9"),
        (X, np.array(["five"] * 10), "0 to 9"),
        (X - 1.0, Y, "from -1.0 to"),
        (X + 300.0, Y, "to 300"),
        (X + 0.5 + np.arange(10).reshape(10, 1, 1), Y, "from 0.5 to"),
        (np.where(X == 0, np.nan, X), Y, "nan"),
    ],
)
def test_arrays_that_are_no_digits_are_refused(mnist_files_of_the_course, x, y, words):
    mnist_files_of_the_course(x, y)
    with pytest.raises(DataError, match=words):
        data.mnist_5000(*NAMES)


def test_images_without_labels_are_refused(mnist_files_of_the_course):
    mnist_files_of_the_course(X, Y)
    with pytest.raises(DataError, match="no labels with it"):
        data.mnist_5000(NAMES[0])
    with pytest.raises(DataError, match="labels without images"):
        data.mnist_5000(labels=NAMES[1])
    with pytest.raises(FileError, match=r"no file labels\.npy"):
        data.mnist_5000(NAMES[0], "labels.npy")
    with pytest.raises(DataError, match="masks without images"):
        data.lesions(masks=NAMES[1])
    with pytest.raises(DataError, match="status without expression"):
        data.leukaemia(status=NAMES[1])


@pytest.mark.parametrize(
    "pair",
    [
        lambda x, y: {"images": x, "labels": y},
        lambda x, y: {"data": x.reshape(10, 784), "target": y.tolist()},
        lambda x, y: (x, y),
        lambda x, y: [x.tolist(), y.tolist()],
    ],
)
def test_a_pickled_pair_opens_when_asked_to(tmp_path, pair):
    x, y = np.random.default_rng(0).integers(2, 256, (10, 28, 28), np.uint8), np.arange(10, dtype=np.uint8)
    box = np.empty((), object)
    box[()] = pair(x, y)
    np.save(tmp_path / "both.npy", box, allow_pickle=True)
    with pytest.raises(FileError, match="pickle"):
        data.mnist_5000(tmp_path / "both.npy")
    opened = data.mnist_5000(tmp_path / "both.npy", allow_pickle=True)
    np.testing.assert_array_equal(opened.x, x)
    np.testing.assert_array_equal(opened.y, y)


@pytest.mark.parametrize("thing", [{"a": 1}, [1, 2, 3], "text", {"x": [[1], [2, 3]], "y": [1]}])
def test_a_pickle_of_something_else_is_named(tmp_path, thing):
    box = np.empty((), object)
    box[()] = thing
    np.save(tmp_path / "odd.npy", box, allow_pickle=True)
    with pytest.raises(DataError, match=r"odd\.npy"):
        data.mnist_5000(tmp_path / "odd.npy", allow_pickle=True)


# Wine


def wine_file(path, rows=1599, sign=";", header=None):
    wine = data.wine_quality(test_size=0)
    names = header or [*wine.feature_names, "quality"]
    lines = [sign.join(f'"{name}"' for name in names)]
    lines += [
        sign.join(map(str, [*x, y]))
        for x, y in zip(wine.x[:rows].tolist(), wine.y[:rows].tolist(), strict=True)
    ]
    path.write_text("\n".join(lines))
    return wine


@pytest.mark.parametrize("official", [True, False])
def test_both_forms_of_the_wine_file_are_read(monkeypatch, tmp_path, official):
    path = tmp_path / "winequality-red.csv"
    names = data.wine_quality().feature_names
    header = None if official else [*(name.replace(" ", "_") for name in names), "class"]
    wine = wine_file(path, sign=";" if official else ",", header=header)
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    for opened in (data.wine_quality(test_size=0), data.wine_quality("winequality-red.csv", test_size=0)):
        np.testing.assert_array_equal(opened.x, wine.x)
        np.testing.assert_array_equal(opened.y, wine.y)


def test_a_part_of_the_wines_is_not_taken_for_the_whole(monkeypatch, tmp_path):
    path = tmp_path / "winequality-red.csv"
    wine_file(path, rows=1000)
    assert len(data.wine_quality(path).x) == 1000  # asked for by name
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"winequality-red\.csv holds \(1000, 11\).*\(1599, 11\)"):
        data.wine_quality()
    path.write_text(path.read_text()[:-30])
    with pytest.raises(DataError, match=r"line 1001: .* values where 12"):
        data.wine_quality()


def test_another_table_is_no_wine(tmp_path):
    path = tmp_path / "iris.csv"
    path.write_text("sepal,alcohol,quality\n1,2,3\n")
    with pytest.raises(
        DataError, match=r"iris\.csv has no column fixed acidity, .*; it has sepal, alcohol, quality"
    ):
        data.wine_quality(path)
    wine_file(path, rows=3)
    path.write_text(path.read_text().replace("9.8;5", "9.8;5.5", 1))
    with pytest.raises(DataError, match=r"row 2 .*quality 5\.5"):
        data.wine_quality(path)


# Genes


@pytest.mark.parametrize("labels", [["ALL", "AML "], [0, 1], [0.0, 1.0]])
@pytest.mark.parametrize("turned", [False, True])
def test_gene_expression_of_the_course_opens(monkeypatch, tmp_path, labels, turned):
    x = np.random.default_rng(0).normal(size=(72, 100))
    y = np.arange(72) % 3 == 0
    np.save(tmp_path / "gene_exp_X.npy", x.T if turned else x)
    np.save(tmp_path / "gene_exp_y.npy", np.array(labels)[y.astype(int)])
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    opened = data.leukaemia("gene_exp_X", "gene_exp_y", test_size=0)
    np.testing.assert_array_equal(opened.x, x.astype(np.float32))
    np.testing.assert_array_equal(opened.y, y)


def test_gene_expression_as_csv(tmp_path):
    (tmp_path / "X.csv").write_text("g1,g2\n1,2\n3,4\n5,6\n")
    (tmp_path / "y.csv").write_text("status\n0\n1\n0\n")
    opened = data.leukaemia(tmp_path / "X.csv", tmp_path / "y.csv", test_size=0)
    assert opened.x.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert opened.y.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.zeros((3, 5)), np.zeros(4), r"X\.npy.*4 patients"),
        (np.zeros((3, 5)), np.array([0, 1, 2]), r"y\.npy.*0, 1, ALL or AML"),
        (np.zeros((3, 5)), np.array(["ALL", "AML", "CLL"]), "ALL or AML"),
        (np.full((3, 5), np.nan), np.zeros(3), r"X\.npy.*finite"),
    ],
)
def test_genes_that_do_not_fit_are_refused(tmp_path, x, y, words):
    np.save(tmp_path / "X.npy", x)
    np.save(tmp_path / "y.npy", y)
    with pytest.raises(DataError, match=words):
        data.leukaemia(tmp_path / "X.npy", tmp_path / "y.npy")


def test_golub_files_are_joined_on_the_patient(monkeypatch, tmp_path):
    (tmp_path / "golub").mkdir()
    genes, labels = tmp_path / "golub" / "gedm.csv", tmp_path / "golub" / "labels.csv"
    genes.write_text("Gene Accession Number,1,3,2\ng1,10,30,20\ng2,11,31,21\n")
    labels.write_text("sample,status\n1,ALL\n2,ALL \n3,AML ")
    read = data.tabular.read_golub(genes, labels)
    assert read["x"].tolist() == [[10, 11], [20, 21], [30, 31]]
    assert read["y"].tolist() == [0, 0, 1]
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"gedm\.csv holds \(3, 2\)"):
        data.leukaemia()
    labels.write_text("sample,status\n1,ALL\n2,ALL\n4,AML")
    with pytest.raises(DataError, match="differ in 3, 4"):
        data.leukaemia()
    labels.unlink()
    with pytest.raises(FileError, match=r"not labels\.csv"):
        data.leukaemia()


# Lesions


def test_lung_slices_of_the_course_open(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(-500, 300, (119, 32, 32)), rng.integers(0, 2, (119, 32, 32, 1)).astype(bool)
    np.save(tmp_path / "lidc_images_119.npy", x[..., np.newaxis])
    np.save(tmp_path / "lidc_masks_119.npy", y)
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    opened = data.lesions("lidc_images_119.npy", "lidc_masks_119.npy")
    assert (len(opened.x_train), len(opened.x_test)) == (100, 19)
    np.testing.assert_array_equal(opened.x, x)
    np.testing.assert_array_equal(opened.y, y[..., 0])
    assert opened.maximum is None
    np.save(tmp_path / "lidc_masks_119.npy", y[:, :16])
    with pytest.raises(DataError, match=r"masks_119.*\(119, 32, 32\) is expected"):
        data.lesions("lidc_images_119.npy", "lidc_masks_119.npy")


# Fashion-MNIST


def idx_set(place, rows=4):
    place.mkdir(parents=True)
    for name in sources.SETS["fashion-mnist"].files:
        shape = (rows, 28, 28) if "images" in name else (rows,)
        data.write_idx(place / f"{name}.gz", np.zeros(shape, np.uint8))


def test_fashion_is_read_from_its_own_folder_alone(monkeypatch, tmp_path):
    idx_set(tmp_path / "a" / "fashion-mnist")
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path / "a"))
    assert data.fashion_mnist().class_names[3:5] == ("dress", "coat")
    idx_set(tmp_path / "b")  # digits, clothes? the names don't tell
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path / "b"))
    with pytest.raises(FileError, match="may be of any set"):
        data.fashion_mnist()
    assert data.mnist().x_train.shape == (4, 28, 28)


@pytest.mark.parametrize("load", [data.mnist, data.fashion_mnist])
def test_the_whole_set_is_never_replaced_by_the_bundled_part(load):
    with pytest.raises(
        FileError, match=r"Without it: data\.(mnist_5000|dresses_coats)\(\) has .* needs no download"
    ):
        load()


# The real files, where TINYGRAD_EDU_DATA holds them

real = pytest.mark.skipif(not (REAL and Path(REAL, "golub").is_dir()), reason="TINYGRAD_EDU_DATA has no sets")


@real
def test_the_users_folder_gives_what_travels_with_the_package(monkeypatch):
    bundled = [load(test_size=0) for load in (data.wine_quality, data.leukaemia)]
    monkeypatch.setenv("TINYGRAD_EDU_DATA", REAL)
    for expected, load in zip(bundled, (data.wine_quality, data.leukaemia), strict=True):
        opened = load(test_size=0)
        np.testing.assert_array_equal(opened.x, expected.x)
        np.testing.assert_array_equal(opened.y, expected.y)
        assert opened.feature_names == expected.feature_names


@real
def test_subsets_are_the_heads_of_the_whole_sets(monkeypatch):
    monkeypatch.setenv("TINYGRAD_EDU_DATA", REAL)
    mnist = data.mnist()
    np.testing.assert_array_equal(data.mnist_5000().x, mnist.x_train[:5000])
    np.testing.assert_array_equal(data.mnist_5000().y, mnist.y_train[:5000])
    fashion = data.fashion_mnist()
    assert (fashion.x_train.shape, fashion.x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert np.bincount(fashion.y_train).tolist() == [6000] * 10
    assert abs(fashion.x_train.mean() / 255 - 0.2860) < 1e-4
    assert abs(fashion.x_train.std() / 255 - 0.3530) < 1e-4
    coats = data.dresses_coats()
    np.testing.assert_array_equal(
        coats.x_train[coats.y_train == 1], fashion.x_train[fashion.y_train == 4][:1500]
    )
    np.testing.assert_array_equal(coats.x_test[coats.y_test == 0], fashion.x_test[fashion.y_test == 3][:500])
