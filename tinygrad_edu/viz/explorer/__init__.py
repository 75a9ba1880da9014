"""The explorer: a web page that walks through forward and backward, one operation at a time."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from functools import cached_property
from html import escape
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

from ...errors import ArgumentError, DTypeError
from ...files import writing
from ...tensor import Tensor
from .content import content

__all__ = ["Page", "explore"]

# One script after the other: each uses what stands before it.
_SCRIPTS = ("model", "stretch", "draw", "map", "view", "tensors", "panel", "controls")


class Page:
    """A page of the explorer; see :func:`explore`. A notebook shows it by itself.

    Attributes
    ----------
    content : dict
        What the page shows, as it is written into it as JSON.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    @cached_property
    def html(self) -> str:
        """The whole page: one file that asks nobody for anything."""
        here = files(__package__)
        style = (here / "style.css").read_text(encoding="utf-8")
        script = "\n".join((here / "script" / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)
        script = f'"use strict";\n(() => {{\n{script}}})();\n'
        # Nothing is loaded, and nothing runs but this style and this script, whatever the data may hold.
        policy = (
            f"default-src 'none'; script-src '{_fingerprint(script)}'; style-src '{_fingerprint(style)}'; "
            "img-src data:; base-uri 'none'; form-action 'none'"
        )
        parts = {
            "policy": policy,
            "title": escape(self.content["title"]),
            "style": style,
            "script": script,
            "data": _escaped(self.content),
        }
        page = (here / "page.html").read_text(encoding="utf-8")
        return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the page. Raises FileError if it can't be written; nothing half-written stays behind."""
        with writing(Path(path)) as file:
            file.write(self.html.encode())

    def __repr__(self) -> str:
        return f"<Page of {self.content['title']}: {self.content['facts']}>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.html)}" title="{escape(self.content["title"])}" '
            'sandbox="allow-scripts" style="width: 100%; height: 640px; border: 1px solid #8884"></iframe>'
        )


def explore(
    tensor: Tensor | Sequence[Tensor],
    path: str | PathLike[str] | None = None,
    *,
    gradients: Any = None,
    limit: int = 20_000,
) -> Page:
    """Make a web page on which one walks through forward and backward, one operation at a time.

    The page is one file that works without a network: the graph, whose modules can be opened and folded; each
    operation with its formula, its rule, its line in the program; each array and each gradient as numbers or
    as a heatmap and a histogram. Call it instead of ``backward``, or before it.

    Parameters
    ----------
    tensor
        The result to explain, usually a loss; or several, whose gradients add up.
    path
        Where to write the page. Without it, a notebook shows the page that is returned.
    gradients
        dL/d(tensor) to begin with, of its shape; may be left out where the tensor is a single number.
    limit
        The most operations, parameters and inputs; each makes the page about a kilobyte larger.

    Returns
    -------
    Page
        With ``html``, ``save(path)`` and ``content``.

    Raises
    ------
    DTypeError
        For anything but Tensors.
    GradientError
        If nothing was recorded, if the graph was freed by ``backward``, or a tensor was changed since.
    ArgumentError
        For a file name that doesn't end in .html or .htm, or more than ``limit`` boxes.
    FileError
        If the page can't be written, or no Graphviz can be run.

    Examples
    --------
    >>> import tempfile, tinygrad_edu as te
    >>> from tinygrad_edu import viz
    >>> x = te.Tensor([1.0, -2.0], requires_grad=True, name="x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     viz.explore((x * x).sum(), f"{folder}/explorer.html")
    <Page of result = 5: 2 operations, 1 parameter with 2 numbers>
    """
    if path is not None and Path(path).suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"viz.explore: expected a file name that ends in .html, got {str(path)!r}")
    for x in tensor if isinstance(tensor, list | tuple) else [tensor]:
        if not isinstance(x, Tensor):
            raise DTypeError(
                f"viz.explore: expected a Tensor or a list of them, got {type(x).__name__}"
                + "; of a model show the loss: viz.explore(loss(y, model(x)))" * callable(x)
            )
    page = Page(content(tensor, gradients, limit))
    if path is not None:
        page.save(path)
    return page


def _fingerprint(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _escaped(content: dict[str, Any]) -> str:
    """Write JSON in which no text can end the element that holds it, whatever it looks like."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
