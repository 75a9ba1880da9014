"""The table that ``model.summary()`` prints, and that a notebook shows of a model."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .module import Module
from .parameter import Parameter
from .training import Trainer

__all__ = ["Summary", "summarize"]


@dataclass(frozen=True)
class Summary:
    """The layers of a model with output shapes and parameter counts, and the totals; ``str`` prints it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    totals: tuple[str, ...]
    line_length: int

    def __str__(self) -> str:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=True)
        for column in self.columns:
            table.add_column(column, justify="right" if column == "Parameters" else "left")
        for row in self.rows:
            table.add_row(*map(Text, row))
        out = io.StringIO()
        Console(file=out, width=self.line_length, color_system=None, legacy_windows=False).print(table)
        lines = (line.rstrip() for line in out.getvalue().splitlines())
        return "\n".join([self.title, *lines, "", *self.totals])

    def _repr_html_(self) -> str:
        from ..viz.notebook import summary_html

        return summary_html(self)


def summarize(
    model: Module, line_length: int = 110, expand_nested: bool = False, show_trainable: bool = False
) -> Summary:
    """Return the layers of a model with output shapes and parameter counts, and the totals.

    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Input((4,)), nn.Dense(3), nn.Dense(2)], name="small")
    >>> print(summarize(model))
    Model: small
     Layer             Output shape   Parameters
    ─────────────────────────────────────────────
     dense (Dense)     (None, 3)              15
     dense_1 (Dense)   (None, 2)               8
    <BLANKLINE>
    Total parameters: 23 (92 bytes)
    Trainable: 23
    Not trainable: 0
    """
    columns = ["Layer", "Output shape", "Parameters"]
    sources = _sources(model)
    if sources:
        columns.append("Connected to")
    if show_trainable:
        columns.append("Trainable")
    rows = []
    for depth, name, layer in _rows(model, expand_nested):
        built = not any(module.waits for module in layer.modules())
        row = [
            f"{'  ' * depth}{name} ({type(layer).__name__})",
            _shape(layer),
            f"{_size(layer.weights):,}" if built else "not built",
        ]
        row += [", ".join(sources.get(layer, []))] if sources else []
        row += [("yes" if layer.parameters() else "no") if layer.weights else "-"] if show_trainable else []
        rows.append(tuple(row))
    trainable, total = _size(model.parameters()), _size(model.weights)
    size = sum(w.data.nbytes for _, w in model.named_weights())
    totals = [
        f"Total parameters: {total:,} ({_bytes(size)})",
        f"Trainable: {trainable:,}",
        f"Not trainable: {total - trainable:,}",
    ]
    if any(module.waits for module in model.modules()):
        totals.append("Not built yet: weights come with the first batch, build((None, ...)) or Input(shape)")
    return Summary(f"Model: {model.name}", tuple(columns), tuple(rows), tuple(totals), line_length)


def _size(weights: list[Parameter]) -> int:
    return sum(w.size for w in weights)


def _rows(model: Module, nested: bool, depth: int = 0) -> Iterator[tuple[int, str, Module]]:
    """Yield the layers with their names, and below a model those that it holds, if it is to be opened."""
    for name, layer in model.named_children():
        yield depth, name, layer
        if nested and isinstance(layer, Trainer):
            yield from _rows(layer, nested, depth + 1)


def _sources(model: Any) -> dict[Module, list[str]]:
    """Return what each layer gets its inputs from, by name; nothing where one simply follows the other."""
    graph = getattr(model, "graph", None)
    if graph is None:
        return {}
    labels = list(graph.labels.values())
    sources = {layer: graph.sources(layer) for layer in graph.labels}
    chain = all(found == labels[max(0, i - 1) : i] for i, found in enumerate(sources.values()))
    return {} if chain else sources


def _shape(layer: Any) -> str:
    shape = getattr(layer, "output_shape", None)
    if shape is None and getattr(layer, "input_shape", None) is not None:
        shape = layer.compute_output_shape(layer.input_shape)
    return "?" if shape is None else str(shape)


def _bytes(n: float) -> str:
    if n < 1024:
        return f"{n} bytes"
    return f"{n / 1024:.2f} KB" if n < 1024**2 else f"{n / 1024**2:.2f} MB"
