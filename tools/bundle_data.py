"""Make the data files that travel with the package: ``python tools/bundle_data.py FOLDER [--out OUT]``.

FOLDER has the layout of ``TINYGRAD_EDU_DATA``: mnist/, fashion-mnist/, wine/, golub/, qm9/ and ct/, with the
files that tinygrad_edu/data/files/README.md names. The same sources give the same bytes on every run: rows
are chosen by rule and not by chance, and entries of the archives carry a fixed date. (Another build of zlib
may pack the same arrays into other bytes.) The checksums that are printed belong into
tinygrad_edu/data/bundled.py and the README.

Needs deepsmiles (O'Boyle, Dalke 2018) besides the package.
"""

import argparse
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np

from tinygrad_edu.data import read_csv, read_idx
from tinygrad_edu.data.tabular import read_golub, read_wine
from tinygrad_edu.files import writing

FILES = Path(__file__).parent.parent / "tinygrad_edu" / "data" / "files"
IMAGES = "{}-images-idx3-ubyte.gz"
LABELS = "{}-labels-idx1-ubyte.gz"


def mnist_5000(folder):
    """MNIST's first 5,000 training images."""
    place = folder / "mnist"
    return {
        "x": read_idx(place / IMAGES.format("train"))[:5000],
        "y": read_idx(place / LABELS.format("train"))[:5000],
    }


def dresses_coats(folder):
    """The first dresses and coats, half of each, in the order of Fashion-MNIST's files; 0 dress, 1 coat."""
    arrays = {}
    for part, prefix, each in (("train", "train", 1500), ("test", "t10k", 500)):
        x = read_idx(folder / "fashion-mnist" / IMAGES.format(prefix))
        y = read_idx(folder / "fashion-mnist" / LABELS.format(prefix))
        chosen = np.sort(np.concatenate([np.flatnonzero(y == label)[:each] for label in (3, 4)]))
        arrays |= {f"x_{part}": x[chosen], f"y_{part}": y[chosen] - 3}
    return arrays


def wine_quality(folder):
    """The whole table of red wines."""
    x, quality = read_wine(folder / "wine" / "winequality-red.csv")
    return {"x": x, "quality": quality.astype(np.uint8)}


def leukaemia(folder):
    """Patients by genes, patients in the order of their number; 0 ALL, 1 AML."""
    arrays = read_golub(folder / "golub" / "gedm.csv.gz", folder / "golub" / "labels.csv")
    return arrays | {"x": arrays["x"].astype(np.int32), "y": arrays["y"].astype(np.uint8)}


def molecules(folder):
    """10,000 neutral molecules whose DeepSMILES has at most 17 characters.

    All those of up to six atoms (hydrogen aside), and of the larger ones as many as are missing, evenly
    spread over QM9's order, which goes by size.
    """
    import deepsmiles

    converter = deepsmiles.Converter(rings=True, branches=True)
    table = read_csv(folder / "qm9" / "qm9_gap.csv.gz", text=["SMILES"])
    rows = [
        (smiles, deep, gap)
        for smiles, gap in zip(table["SMILES"], table["HOMO_LUMO_gap_au"], strict=True)
        if "[" not in smiles and len(deep := converter.encode(str(smiles))) <= 17
    ]
    atoms = np.array([sum(sign.isalpha() for sign in smiles) for smiles, _, _ in rows])
    small, large = np.flatnonzero(atoms <= 6), np.flatnonzero(atoms > 6)
    missing = 10_000 - len(small)
    chosen = np.concatenate([small, large[np.arange(missing) * len(large) // missing]])
    smiles, deep, gap = zip(*(rows[i] for i in chosen), strict=True)
    return {
        "smiles": np.array(smiles, np.bytes_),
        "deepsmiles": np.array(deep, np.bytes_),
        "gap": np.array(gap, np.float64),
    }


# What is shown as black and as white: Hounsfield units for CT; MR has no unit, so the scan's own range
# serves, up to the brightness that one pixel in 200 exceeds.
CT_WINDOW = (-1000, 400)
MR_WHITE = 99.5


def lesions(folder):
    """All slices at 128x128 as uint8: windowed, then averaged over squares; a small scan is framed in black.

    A pixel of the mask is lesion where at least half of its square is.
    """
    images, masks, scans = [], [], []
    with np.load(folder / "ct" / "lesion_slices.npz", allow_pickle=False) as source:
        for scan in ("lung1", "lung2", "brain1", "brain2", "breast1"):
            image, mask = source[f"{scan}_image"].astype(float), source[f"{scan}_mask"]
            low, high = CT_WINDOW if scan.startswith("lung") else (0, np.percentile(image, MR_WHITE))
            image = to_128(np.clip((image - low) / (high - low), 0, 1))
            reduced = to_128(mask.astype(float)) >= 0.5
            had, has = (m.any(axis=(1, 2)) for m in (mask, reduced))
            assert (had == has).all(), f"{scan}: a lesion is lost"
            images.append(np.rint(255 * image).astype(np.uint8))
            masks.append(reduced.astype(np.uint8))
            scans += [scan] * len(image)
    return {"x": np.concatenate(images), "mask": np.concatenate(masks), "scan": np.array(scans, np.bytes_)}


def to_128(slices):
    """Bring (N, H, W) to (N, 128, 128): the mean of squares where it is larger, a frame of 0 where "
    "smaller."""
    factor = max(1, slices.shape[1] // 128)
    count, height, width = slices.shape[0], slices.shape[1] // factor, slices.shape[2] // factor
    small = slices.reshape(count, height, factor, width, factor).mean(axis=(2, 4))
    top, left = (128 - height) // 2, (128 - width) // 2
    return np.pad(small, ((0, 0), (top, 128 - height - top), (left, 128 - width - left)))


def pack(arrays):
    """Return the bytes of a compressed .npz, the same for the same arrays."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            body = io.BytesIO()
            np.lib.format.write_array(body, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(entry, body.getvalue(), compresslevel=9)
    return content.getvalue()


MAKERS = (mnist_5000, dresses_coats, wine_quality, leukaemia, molecules, lesions)


def main(arguments=None):
    """Make all files and print their checksums."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="sources, in the layout of TINYGRAD_EDU_DATA")
    parser.add_argument("--out", type=Path, default=FILES, help="where the files go [default: the package]")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    total = 0
    for make in MAKERS:
        content = pack(make(options.folder))
        with writing(options.out / f"{make.__name__}.npz") as file:
            file.write(content)
        total += len(content)
        print(f'    "{make.__name__}": "{hashlib.sha256(content).hexdigest()}",  # {len(content):,} bytes')
    print(f"{total:,} bytes in all")


if __name__ == "__main__":
    main()
