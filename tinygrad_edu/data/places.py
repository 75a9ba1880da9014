"""Where data files lie on this machine: the user's own folder, and the cache of what was fetched."""

import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from tinygrad_edu.errors import FileError

__all__ = ["cache_folder", "find_file", "find_set", "user_folder"]


def user_folder() -> Path | None:
    """Return the folder that ``TINYGRAD_EDU_DATA`` names, or None where it is unset.

    Raises
    ------
    FileError
        The variable names something that isn't a folder.
    """
    value = os.environ.get("TINYGRAD_EDU_DATA")
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise FileError(
            f"TINYGRAD_EDU_DATA is {value!r}, which is not a folder; correct the path or unset it."
        )
    return folder


def cache_folder() -> Path:
    """Return where fetched data is kept: ``$TINYGRAD_EDU_CACHE/data``, or the same in the user's cache.

    >>> cache_folder().name
    'data'
    """
    value = os.environ.get("TINYGRAD_EDU_CACHE")
    if value:
        return Path(value).expanduser() / "data"
    from platformdirs import user_cache_path

    return user_cache_path("tinygrad_edu") / "data"


def find_set(folder: Path, name: str, files: Sequence[str]) -> list[Path] | None:
    """Find the files of a set in ``folder/name`` or in ``folder`` itself, unpacked or as ``.gz``.

    A folder that holds none of them gives None.

    Raises
    ------
    FileError
        Some of the files are there and others are missing: half a set is a mistake to report, not to mend
        with another's files.
    """
    for place in (folder / name, folder):
        found = [_first_file(place, file) for file in files]
        if all(found):
            return [path for path in found if path]
        if any(found):
            missing = ", ".join(file for file, path in zip(files, found, strict=True) if path is None)
            raise FileError(
                f"{name}: {place} holds a part of the set, but not {missing} (nor the same with .gz); "
                "add what is missing or move the rest elsewhere."
            )
    return None


def _first_file(folder: Path, name: str) -> Path | None:
    # Some unpackers write the name that is stored inside the .gz: "train-images.idx3-ubyte".
    candidates = (
        folder / f"{form}{end}" for form in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")
    )
    return next((path for path in candidates if path.is_file()), None)


def find_file(path: str | PathLike[str]) -> Path:
    """Find a file that a user named: by its path, or within ``TINYGRAD_EDU_DATA`` and the folders in it.

    The ending ``.npy`` may be left out.

    Raises
    ------
    FileError
        There is none, or the folder has several of that name.
    """
    named = Path(path).expanduser()
    if named.is_dir():
        raise FileError(f"{named} is a folder; give the path of a file.")
    folder = user_folder()
    own = [] if folder is None or named.is_absolute() else [folder, *sorted(folder.glob("*/"))]
    for place in ([Path()], own):
        for form in (named, named.with_name(f"{named.name}.npy")):
            found = [path for path in (folder / form for folder in place) if path.is_file()]
            if len(found) > 1:
                raise FileError(f"several files are {form}: {', '.join(map(str, found))}; give one's path.")
            if found:
                return found[0]
    where = f"neither here nor in TINYGRAD_EDU_DATA ({folder})" if own else "check the path"
    hint = "" if folder else ", or set TINYGRAD_EDU_DATA to the folder that holds it"
    raise FileError(f"no file {named}; {where}{hint}.")
