"""A running lesson: how long, with which seed, where its pictures go, and what it claims."""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tinygrad_edu.errors import ArgumentError, FileError
from tinygrad_edu.files import writing
from tinygrad_edu.random import seed as seed_engine

from .cells import FOLDER
from .claims import Claim, ClaimError

__all__ = ["Lesson", "Picture", "Settings", "settings"]

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """How a tutorial is run."""

    fast: bool = False
    seed: int = 0
    out: Path = Path("out")


_given: ContextVar[Settings | None] = ContextVar("given", default=None)


@contextmanager
def settings(given: Settings) -> Iterator[None]:
    """Run the lessons of the block with these settings, instead of those of the command line."""
    token = _given.set(given)
    try:
        yield
    finally:
        _given.reset(token)


class Picture:
    """A picture that was written; a notebook shows it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Picture({str(self.path)!r})"

    def _repr_png_(self) -> bytes | None:
        return self.path.read_bytes() if self.path.suffix == ".png" else None

    def _repr_svg_(self) -> str | None:
        return self.path.read_text(encoding="utf-8") if self.path.suffix == ".svg" else None


class Lesson:
    """The frame of a tutorial: ``lesson = Lesson("05_four_blobs")`` in its first cell of code.

    It seeds the engine, sets the look of pictures, and reads ``--fast``, ``--seed`` and ``--out`` when the
    script is run by itself. In a notebook the defaults hold; ``Lesson(name, fast=True)`` changes them there.

    Parameters
    ----------
    name : str
        The script's name without its ending: number, underscore, words.
    fast, seed, out :
        Instead of what the command line says.

    Attributes
    ----------
    fast : bool
        Whether this is the short run, for tests.
    seed : int
        Decides initial weights and the order of samples. Data and splits stay as they are.
    out : Path
        The folder of pictures and claims.

    Examples
    --------
    >>> import tempfile
    >>> lesson = Lesson("05_four_blobs", fast=True, out=tempfile.mkdtemp())
    >>> lesson.pick(2000, fast=50)
    50
    >>> lesson.claim("test accuracy", 0.8, at_least=0.9, fast=0.7, course=0.919)
    claim holds: test accuracy: 0.8 (at least 0.7; the course: 0.919)
    """

    def __init__(
        self,
        name: str,
        *,
        fast: bool | None = None,
        seed: int | None = None,
        out: str | Path | None = None,
    ) -> None:
        if not (name[:2].isdecimal() and name[2:3] == "_"):
            raise ArgumentError(f"Lesson: expected the script's name, such as '05_four_blobs'; got {name!r}.")
        self.name = name
        given = _given.get() or _from_command_line(name)
        self.fast = given.fast if fast is None else fast
        self.seed = given.seed if seed is None else seed
        self.out = given.out if out is None else Path(out)
        self._claims: list[Claim] = []
        self._started = time.perf_counter()
        self._pictures: list[str] = []
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"can't write to the folder {self.out}: {error.strerror or error}") from error
        seed_engine(self.seed)
        _set_style()

    def pick(self, full: T, fast: T) -> T:
        """Return the setting of the full length, or of the short run: ``lesson.pick(100, fast=2)``."""
        return fast if self.fast else full

    def has(self, name: str) -> bool:
        """Tell whether a whole data set ("mnist", "fashion-mnist", "qm9" …) is at hand without a download.

        It is when the folder ``TINYGRAD_EDU_DATA`` or the cache has it. The short run never wants it.
        Raises ArgumentError for a set that isn't known, FileError for one that is there in part.
        """
        from tinygrad_edu.data.fetching import find_whole

        return not self.fast and find_whole(name) is not None

    def path(self, name: str) -> Path:
        """Return where a file of this lesson goes: ``out/05_name``."""
        return self.out / f"{self.name[:2]}_{name}"

    def picture(self, figure: Any, name: str) -> Picture:
        """Write a picture into the folder ``out`` and say where.

        Parameters
        ----------
        figure : Matplotlib's Figure, or anything with ``save(path)``, such as what viz.graph returns
        name : str
            "curves.png", "graph.svg"; the lesson's number is put before it.
        """
        path = self.path(name)
        if hasattr(figure, "savefig"):
            import matplotlib.pyplot as plt

            from tinygrad_edu.viz.figures import save

            save(figure, path)
            plt.close(figure)  # else a notebook shows it twice
        else:
            figure.save(path)
        self._pictures.append(path.name)
        self._write_result()
        print(f"picture: {path}")
        return Picture(path)

    def claim(
        self,
        what: str,
        value: float,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        about: float | None = None,
        within: float = 0.0,
        fast: float | None = None,
        course: float | str | None = None,
        unit: str = "",
    ) -> None:
        """Check a statement about the result, print it, and keep it in ``out/NN_claims.json``.

        Parameters
        ----------
        what : str
            What was measured, in words: "test accuracy, 5 hidden".
        value : float
        at_least, at_most, about : float
            One of them: the bound at full length, for every seed. ``about`` is a target that ``value`` is
            ``within`` of.
        fast : float, optional
            The bound of the short run (for ``about``: its ``within``). Without it the same bound holds there.
        course : float or str, optional
            The course's figure: with it, the claim is a row of the table in the README.
        unit : str, optional
            Written behind the value.

        Raises
        ------
        ClaimError
            It doesn't hold.
        ArgumentError
            Not one bound.
        """
        bounds = {"at_least": at_least, "at_most": at_most, "about": about, "within": within}
        if self.fast and fast is not None:
            changed = "within" if about is not None else "at_least" if at_least is not None else "at_most"
            bounds[changed] = fast
        numbers = {name: None if bound is None else _plain(bound) for name, bound in bounds.items()}
        claim = Claim(what, _plain(value), course=course, unit=unit, **numbers)  # type: ignore[arg-type]
        self._claims.append(claim)
        self._write_result()
        if not claim.holds:
            raise ClaimError(
                f"this claim doesn't hold: {claim}. If you changed a setting, that is your finding; if you "
                "changed nothing, please report it with the seed, "
                f"{self.seed}."
            )
        print(f"claim holds: {claim}")

    def _write_result(self) -> None:
        result = {
            "tutorial": self.name,
            "script": fingerprint(self.name),
            "fast": self.fast,
            "seed": self.seed,
            "seconds": round(time.perf_counter() - self._started, 1),
            "pictures": self._pictures,
            "claims": [claim.as_dict() for claim in self._claims],
        }
        with writing(self.path("claims.json")) as file:
            file.write((json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())


def _plain(number: float) -> float:
    """Return NumPy's numbers as Python's: JSON knows no others."""
    return number if type(number) is int else float(number)


def fingerprint(name: str) -> str:
    """Return a hash of the script, by which a result tells whether it is still the script's."""
    path = FOLDER / f"{name}.py"
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else ""


def _from_command_line(name: str) -> Settings:
    """Read the options if the script itself was started; a notebook's arguments are not for us."""
    if Path(sys.argv[0]).stem != name:
        return Settings()
    parser = argparse.ArgumentParser(description=f"Tutorial {name}: `tinygrad-edu tutorial` explains more.")
    parser.add_argument("--fast", action="store_true", help="the short run, for tests")
    parser.add_argument("--seed", type=int, default=0, help="decides initial weights and order [0]")
    parser.add_argument("--out", type=Path, default=Path("out"), help="the folder of the pictures [out]")
    return Settings(**vars(parser.parse_args()))


def _set_style() -> None:
    """Give the lesson's pictures the look of tinygrad_edu.viz; pictures go to files, never to windows."""
    import matplotlib
    import matplotlib.style

    from tinygrad_edu.viz.figures import STYLE

    if "ipykernel" not in sys.modules:
        matplotlib.use("Agg")
    matplotlib.style.use(["default", STYLE])
