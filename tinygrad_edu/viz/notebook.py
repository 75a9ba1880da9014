"""What a notebook shows of a tensor, a model, a training: small tables of plain HTML.

No script, no file from elsewhere, and the notebook's own colours, so that they hold in light and dark and in
what is exported. All text is escaped: a tensor's name stays text.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from .numbers import short

if TYPE_CHECKING:
    from ..nn.summary import Summary
    from ..tensor import Tensor

__all__ = ["history_html", "summary_html", "tensor_html"]

ROWS, COLUMNS = 10, 10  # of a table; of more, the first and the last are shown
_CELL = 'style="text-align:{};font-family:monospace"'


def tensor_html(t: "Tensor") -> str:
    """Return shape, dtype, name and values: a table of the last two axes, abridged.

    Of more axes than two the first and the last table are shown.

    >>> import tinygrad_edu as te
    >>> tensor_html(te.Tensor([1.0, 2.5], name="x")).count("<td")
    2
    """
    parts = [f"<b>{escape(t.name or type(t).__name__)}</b>", str(t.shape), str(t.dtype)]
    if t.node is not None:
        parts.append(f"made by {escape(t.node.fn.name)}")
    elif t.requires_grad:
        parts.append("requires a gradient" if t.grad is None else f"gradient norm {_norm(t.grad.data)}")
    head = f"<div>{' · '.join(parts)}</div>"
    x = t.data
    if x.size == 0:
        return f"<div>{head}<div>no elements</div></div>"
    if x.ndim <= 2:
        return f"<div>{head}{_values(x)}</div>"
    places = list(np.ndindex(x.shape[:-2]))
    body = ""
    for i, place in enumerate(places[:1] + places[1:][-1:]):
        body += "<div>⋮</div>" if i and len(places) > 2 else ""
        body += f"<div>[{', '.join(map(str, place))}, :, :]</div>{_values(x[place])}"
    return f"<div>{head}{body}</div>"


def _norm(x: Any) -> str:
    with np.errstate(all="ignore"):
        return short(float(np.linalg.norm(x.astype(np.float64))))


def _values(x: Any) -> str:
    rows = np.atleast_2d(x)
    down, across = _shown(rows.shape[0], ROWS), _shown(rows.shape[1], COLUMNS)
    return _table(
        [["⋮" if i is None else "…" if j is None else _number(rows[i, j]) for j in across] for i in down]
    )


def _shown(n: int, most: int) -> list[int | None]:
    """Return which of n places to show, None for those that are left out."""
    return list(range(n)) if n <= most else [*range(most - 3), None, n - 2, n - 1]


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, np.floating) else str(value)


def _table(rows: Iterable[Sequence[str]], head: Sequence[str] = (), left: int = 0) -> str:
    """Write a table of HTML that is escaped already; the first ``left`` columns are texts."""

    def line(cells: Sequence[str], tag: str) -> str:
        styles = [_CELL.format("left" if i < left else "right") for i in range(len(cells))]
        return "".join(f"<{tag} {style}>{cell}</{tag}>" for style, cell in zip(styles, cells, strict=True))

    header = f"<thead><tr>{line(head, 'th')}</tr></thead>" if head else ""
    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table>{header}<tbody>{body}</tbody></table>"


def summary_html(summary: "Summary") -> str:
    """Return a model's layers as a table, and its totals."""
    rows = [
        [("&nbsp;" * (len(row[0]) - len(row[0].lstrip())) + escape(row[0].lstrip())), *map(escape, row[1:])]
        for row in summary.rows
    ]
    for row in rows:
        row.append(row.pop(2))  # the numbers last
    head = [*summary.columns[:2], *summary.columns[3:], summary.columns[2]]
    totals = "<br>".join(map(escape, summary.totals))
    title = f"<div><b>{escape(summary.title)}</b></div>"
    return f"<div>{title}{_table(rows, head, left=len(head) - 1)}<div>{totals}</div></div>"


def history_html(history: Mapping[str, Sequence[float]], epochs: Sequence[int]) -> str:
    """Return a table of what was measured: the first and the last value, the range, and a small curve.

    >>> text = history_html({"loss": [2.0, 1.0, 1.5]}, [0, 1, 2])
    >>> "1 to 2" in text, text.count("<polyline")
    (True, 1)
    """
    if not epochs:
        return "<div>no epoch is finished yet</div>"
    rows = []
    for name, values in history.items():
        if np.ndim(values[0]):  # a number for each class
            first, last = (" ".join(f"{x:.3g}" for x in np.ravel(values[i])[:COLUMNS]) for i in (0, -1))
            rows.append([escape(name), first, last, "", ""])
            continue
        finite = [v for v in map(float, values) if isfinite(v)]
        between = f"{min(finite):.4g} to {max(finite):.4g}" if finite else ""
        first, last = (f"{float(v):.4g}" for v in (values[0], values[-1]))
        rows.append([escape(name), first, last, between, _sparkline([float(v) for v in values])])
    head = ["", f"epoch {epochs[0] + 1}", f"epoch {epochs[-1] + 1}", "range", "curve"]
    return f"<div>{_table(rows, head, left=1)}</div>"


def _sparkline(values: list[float], width: int = 160, height: int = 28) -> str:
    """Draw a curve in the text's colour; nan and inf leave gaps."""
    finite = [v for v in values if isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    across, up = (width - 4) / max(len(values) - 1, 1), (height - 4) / ((high - low) or 1.0)
    runs: list[list[str]] = [[]]
    for i, v in enumerate(values):
        if isfinite(v):
            runs[-1].append(f"{2 + across * i:.1f},{height - 2 - up * (v - low):.1f}")
        elif runs[-1]:
            runs.append([])
    style = 'fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"'
    lines = "".join(f'<polyline {style} points="{" ".join(run + run[-1:])}"/>' for run in runs if run)
    return f'<svg width="{width}" height="{height}" role="img" aria-label="curve">{lines}</svg>'
