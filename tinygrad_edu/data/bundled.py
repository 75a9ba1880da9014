"""The data files that come with the package, each held against its checksum before it is opened.

``files/README.md`` tells what is in them, where it comes from and under which licence;
``tools/bundle_data.py`` makes them.
"""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.errors import FileError

__all__ = ["FILES", "SHA256", "load"]

FILES = Path(__file__).parent / "files"

SHA256 = {
    "mnist_5000": "b78fb11e1dc268d5b8e74c8faf2c7e06d95116b63b819f501fc035feba9f6b55",
    "dresses_coats": "d4630c879daec3585d49b5d63b7ae98ddb8f08e8ef83f540f3d37f7f2d02621c",
    "wine_quality": "e5cfd6842ddd3f790492cc14228748a3a4bfb4e436f97723d7a717c9ff904f93",
    "leukaemia": "46da5985f40f66b41e7d12ae7ab72746fd7d6e3d44be5fcc1e767c67d0f8073d",
    "molecules": "9e811e581cbe6f7667e35ca69c641378e5636aa76e7c6671322fd5738cddee95",
    "lesions": "4f00b37a6c042ff664e8693d7bb9cbaf962de4f7ffbde4012298922b35beec2a",
}


def load(name: str) -> dict[str, NDArray[Any]]:
    """Read the arrays of a bundled file.

    Raises
    ------
    FileError
        It is missing or isn't the one that came with the package; no other is taken in its place.

    >>> sorted(load("wine_quality"))
    ['quality', 'x']
    """
    path = FILES / f"{name}.npz"
    mend = "install the package again: pip install --force-reinstall --no-deps tinygrad_edu"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"{name}: can't read {path} ({error.strerror or error}); {mend}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise FileError(
            f"{name}: {path} isn't the file that came with the package ({len(content)} bytes, SHA-256 "
            f"{found} where {SHA256[name]} was expected); it was changed or cut short. {mend.capitalize()}"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
