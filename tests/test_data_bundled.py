"""The sets that travel with the package: what is in them, and that nothing else is ever read in their "
"place."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import data
from tinygrad_edu.data import bundled
from tinygrad_edu.data.catalogue import ABOUT
from tinygrad_edu.errors import ArgumentError, FileError

ROOT = Path(__file__).parent.parent
FILES = bundled.FILES
REAL = os.environ.get("TINYGRAD_EDU_DATA")


def tool():
    path = ROOT / "tools" / "bundle_data.py"
    if not path.exists():
        pytest.skip("not a checkout")
    spec = importlib.util.spec_from_file_location("bundle_data", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """Keep each test from the user's folders."""
    monkeypatch.delenv("TINYGRAD_EDU_DATA", raising=False)
    monkeypatch.setenv("TINYGRAD_EDU_CACHE", str(tmp_path / "cache"))


# What is in them


def test_mnist_5000_is_the_head_of_the_training_file_cut_as_in_the_course():
    (x_train, y_train), (x_test, y_test) = mnist = data.mnist_5000()
    assert x_train.shape == (4000, 28, 28)
    assert x_test.shape == (1000, 28, 28)
    assert x_train.dtype == y_test.dtype == np.uint8
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(mnist.y).tolist() == [479, 563, 488, 493, 535, 434, 501, 550, 462, 495]
    assert abs(mnist.x.mean() / 255 - 0.1307) < 0.002
    assert abs(mnist.x.std() / 255 - 0.3081) < 0.002
    assert mnist.scaled().x_test.max() == 1


def test_dresses_and_coats_are_balanced():
    (x_train, y_train), (x_test, y_test) = data.dresses_coats()
    assert (x_train.shape, x_test.shape) == ((3000, 28, 28), (1000, 28, 28))
    assert np.bincount(y_train).tolist() == [1500, 1500]
    assert np.bincount(y_test).tolist() == [500, 500]
    # A coat has sleeves beside its body, a dress seldom has: its pixels at the sides are darker.
    sides = x_train[:, 10:24, [3, 4, 5, 22, 23, 24]].mean(axis=(1, 2))
    assert sides[y_train == 1].mean() > 4 * sides[y_train == 0].mean()
    assert np.abs(np.diff(y_train.astype(int))).sum() > 1000  # mixed, as in the source


def test_wine_quality_is_whole():
    wine = data.wine_quality(test_size=0)
    assert wine.x_train.shape == (1599, 11)
    assert wine.x_test.shape == (0, 11)
    assert np.bincount(wine.y_train)[3:].tolist() == [10, 53, 681, 638, 199, 18]
    assert wine.x_train[0].tolist() == [7.4, 0.7, 0, 1.9, 0.076, 11, 34, 0.9978, 3.51, 0.56, 9.4]
    assert wine.feature_names[-1] == "alcohol"
    assert wine.target_name == "quality"
    np.testing.assert_allclose(wine.x_train.mean(axis=0)[[0, 8, 10]], [8.3196, 3.3111, 10.4230], atol=1e-4)


def test_leukaemia_is_joined_on_the_patient_not_on_the_column():
    golub = data.leukaemia(test_size=0)
    assert golub.x_train.shape == (38, 7129)
    assert golub.y_train.tolist() == [0] * 27 + [1] * 11
    assert golub.feature_names[0] == "AFFX-BioB-5_at"
    # The source has patients 28 to 33 behind 34 to 38.
    assert golub.x_train[[0, 26, 27, 32, 33, 37], 0].tolist() == [-214, -273, -4, -135, -20, -72]
    assert len(set(golub.feature_names)) == 7129


def test_molecules_are_of_the_course_and_within_its_alphabet():
    molecules = data.molecules(test_size=0)
    known = dict(zip(molecules.x_train.tolist(), molecules.y_train.tolist(), strict=True))
    assert len(known) == 10_000
    course = {"N": 0.3399, "O": 0.3615, "C#C": 0.3351, "CC": 0.4426, "CO": 0.3437}
    assert {name: known[name] for name in course} == course
    assert {sign for text in known for sign in text} == set("#)3456789=CFNO")
    assert max(map(len, known)) == 17
    assert 0.02 < min(known.values()) < max(known.values()) < 0.7
    assert molecules.y_train.dtype == np.float64
    parts = data.molecules(seed=3)
    assert (len(parts.x_train), len(parts.x_test)) == (8000, 2000)


def test_both_notations_are_of_the_same_molecules():
    deepsmiles = pytest.importorskip("deepsmiles")
    converter = deepsmiles.Converter(rings=True, branches=True)
    deep, plain = data.molecules(test_size=0).x_train, data.molecules("smiles", test_size=0).x_train
    assert [converter.encode(str(smiles)) for smiles in plain[::20]] == deep[::20].tolist()
    with pytest.raises(ArgumentError, match="did you mean 'smiles'"):
        data.molecules("smile")


def test_lesions_have_masks_and_no_scan_is_in_both_parts():
    lesions = data.lesions()
    assert lesions.x_train.shape == lesions.y_train.shape == (39, 128, 128)
    assert lesions.x_test.shape == lesions.y_test.shape == (18, 128, 128)
    assert lesions.x.dtype == lesions.y.dtype == np.uint8
    assert set(np.unique(lesions.y)) == {0, 1}
    assert lesions.y.any(axis=(1, 2)).sum() == 27
    for scan, count in {"lung1": 3, "lung2": 11, "brain1": 7, "brain2": 3, "breast1": 3}.items():
        assert data.lesions(test_scans=[scan]).y_test.any(axis=(1, 2)).sum() == count
    # A lesion in the lung is brighter than the lung around it: the mask lies where the picture says.
    lung, mask = data.lesions(test_scans=["lung1"]).x_test, data.lesions(test_scans=["lung1"]).y_test == 1
    ring = np.zeros_like(mask)
    for dy, dx in ((-5, 0), (5, 0), (0, -5), (0, 5)):
        ring |= np.roll(mask, (dy, dx), axis=(1, 2))
    assert lung[mask].mean() > 1.5 * np.median(lung[ring & ~mask])
    with pytest.raises(ArgumentError, match="did you mean 'breast1'"):
        data.lesions(test_scans=["breast"])
    with pytest.raises(ArgumentError, match="leave some"):
        data.lesions(test_scans=["lung1", "lung2", "brain1", "brain2", "breast1"])


@pytest.mark.parametrize(
    ("load", "rows", "columns", "counts"),
    [
        (data.breast_cancer, 569, 30, [212, 357]),
        (data.iris, 150, 4, [50, 50, 50]),
        (data.diabetes, 442, 10, None),
    ],
)
def test_the_classics_of_scikit_learn(load, rows, columns, counts):
    whole, parts = load(test_size=0), load()
    assert whole.x.shape == (rows, columns)
    assert len(whole.feature_names) == columns
    if counts:
        assert np.bincount(whole.y).tolist() == counts
    assert len(parts.x_test) == -(-rows // 5)
    np.testing.assert_array_equal(np.sort(parts.x, axis=0), np.sort(whole.x, axis=0))


def test_diabetes_is_in_its_units():
    assert data.diabetes(test_size=0).x[:2, 0].tolist() == [59, 48]


@pytest.mark.parametrize("name", ABOUT)
def test_each_set_says_whose_it_is(name):
    about = ABOUT[name]
    assert all((about.description, about.licence, about.source, about.citation))
    assert callable(getattr(data, name))
    if name not in ("mnist", "fashion_mnist", "qm9"):
        loaded = getattr(data, name)()
        assert loaded.name == name
        assert about.licence in repr(loaded)


# Files


def test_the_bundled_files_are_small_and_listed_with_their_checksums():
    listed = {path.stem for path in FILES.glob("*.npz")}
    assert listed == set(bundled.SHA256)
    assert sum(path.stat().st_size for path in FILES.iterdir()) < 6e6
    readme = (FILES / "README.md").read_text(encoding="utf-8")
    for name, checksum in bundled.SHA256.items():
        section = readme.split(f"## {name}.npz")[1].split("##")[0]
        size = (FILES / f"{name}.npz").stat().st_size
        assert checksum in section
        assert f"{size:,} bytes" in section
        for row in ("source", "licence", "cite"):
            assert f"| {row} | " in section


@pytest.fixture
def copies(monkeypatch, tmp_path):
    """Have the package read copies of its files, which a test may spoil."""
    shutil.copytree(FILES, tmp_path / "files")
    monkeypatch.setattr(bundled, "FILES", tmp_path / "files")
    return tmp_path / "files"


LOADERS = {name: getattr(data, name) for name in bundled.SHA256}


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("harm", ["flipped", "cut", "empty", "page", "other", "longer"])
def test_a_harmed_file_is_refused(copies, name, harm):
    path = copies / f"{name}.npz"
    content = path.read_bytes()
    middle = len(content) // 2
    other = next(n for n in LOADERS if n != name)
    spoilt = {
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "cut": content[:-1],
        "empty": b"",
        "page": b"<html>please log in</html>",
        "other": (copies / f"{other}.npz").read_bytes(),
        "longer": content + b"\0",
    }
    LOADERS[name]()
    path.write_bytes(spoilt[harm])
    with pytest.raises(FileError, match=r"(?i)SHA-256.*install the package again") as caught:
        LOADERS[name]()
    assert str(path) in str(caught.value)


@given(st.integers(0), st.integers(0, 7))
def test_any_flipped_bit_is_found(position, bit):
    content = bytearray((FILES / "wine_quality.npz").read_bytes())
    content[position % len(content)] ^= 1 << bit

    class Spoilt:
        def __truediv__(self, name):
            return self

        def read_bytes(self):
            return bytes(content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundled, "FILES", Spoilt())
        with pytest.raises(FileError, match="was changed"):
            bundled.load("wine_quality")


def test_a_missing_file_is_named(copies):
    (copies / "leukaemia.npz").unlink()
    with pytest.raises(FileError, match=r"leukaemia\.npz.*install the package again"):
        data.leukaemia()


def test_arrays_are_the_callers_own():
    first = data.mnist_5000()
    first.x_train[:] = 0
    assert data.mnist_5000().x_train.any()


# How they are made


def test_packing_gives_the_same_bytes_at_any_time(monkeypatch, tmp_path):
    pack = tool().pack
    arrays = {"x": np.arange(1000).reshape(10, 100)[:, ::2], "names": np.array(["a", "bc"], np.bytes_)}
    first = pack(arrays)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert pack(arrays) == first
    (tmp_path / "x.npz").write_bytes(first)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as loaded:
        for name, array in arrays.items():
            np.testing.assert_array_equal(loaded[name], array)


def test_slices_are_reduced_by_means_and_small_ones_framed():
    to_128 = tool().to_128
    x = np.random.default_rng(0).random((2, 256, 256))
    np.testing.assert_allclose(to_128(x)[1, 3, 5], x[1, 6:8, 10:12].mean())
    small = to_128(np.ones((1, 120, 45)))
    assert small.shape == (1, 128, 128)
    assert small.sum() == 120 * 45
    assert small[0, 4:124, 41:86].all()


@pytest.mark.slow
@pytest.mark.skipif(not (REAL and Path(REAL, "ct").is_dir()), reason="TINYGRAD_EDU_DATA has no sources")
def test_the_bundled_files_are_what_the_script_makes_of_the_sources(tmp_path):
    pytest.importorskip("deepsmiles")
    script = tool()
    for out in (tmp_path / "a", tmp_path / "b"):
        script.main([REAL, "--out", str(out)])
    for name in bundled.SHA256:
        made = (tmp_path / "a" / f"{name}.npz").read_bytes()
        assert made == (tmp_path / "b" / f"{name}.npz").read_bytes()
        with np.load(tmp_path / "a" / f"{name}.npz", allow_pickle=False) as arrays:
            kept = bundled.load(name)
            assert set(arrays) == set(kept)
            for key, array in kept.items():
                assert arrays[key].dtype == array.dtype
                np.testing.assert_array_equal(arrays[key], array)


OFFLINE = """
import socket, sys
def refuse(*args, **kwargs):
    raise OSError("no network")
socket.socket.connect = socket.getaddrinfo = refuse
sys.path.insert(0, sys.argv[1])
from tinygrad_edu import data
assert data.__file__.startswith(sys.argv[1]), data.__file__
shapes = {
    "digits": ((1437, 8, 8), (360, 8, 8)),
    "mnist_5000": ((4000, 28, 28), (1000, 28, 28)),
    "dresses_coats": ((3000, 28, 28), (1000, 28, 28)),
    "wine_quality": ((1279, 11), (320, 11)),
    "leukaemia": ((30, 7129), (8, 7129)),
    "molecules": ((8000,), (2000,)),
    "lesions": ((39, 128, 128), (18, 128, 128)),
    "breast_cancer": ((455, 30), (114, 30)),
    "iris": ((120, 4), (30, 4)),
    "diabetes": ((353, 10), (89, 10)),
}
for name, (train, test) in shapes.items():
    loaded = getattr(data, name)()
    assert (loaded.x_train.shape, loaded.x_test.shape) == (train, test), loaded
try:
    data.mnist()
except data.mnist_files.FileError as error:
    assert "mnist_5000" in str(error)
else:
    raise AssertionError("a set from nowhere")
print("all", len(shapes))
"""


@pytest.mark.slow
def test_an_installed_wheel_has_all_sets_without_network(tmp_path):
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    place = tmp_path / "site"
    subprocess.run(
        [*pip, "install", "-q", "--no-deps", "--no-index", "-t", str(place), str(wheel)], check=True
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("TINYGRAD_EDU_DATA", "PYTHONPATH")}
    environment["TINYGRAD_EDU_CACHE"] = str(tmp_path / "cache")
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(place)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "all 10"
    assert wheel.stat().st_size < 7e6
