"""The table that ``model.summary()`` prints."""

import io
from typing import Any

from .module import Module

__all__ = ["summarize"]


def summarize(model: Module) -> str:
    """Return the layers of a model with output shapes and parameter counts, and the totals, as text.

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
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=True)
    table.add_column("Layer")
    table.add_column("Output shape")
    table.add_column("Parameters", justify="right")
    sources = _sources(model)
    if sources:
        table.add_column("Connected to")
    for name, layer in model.named_children():
        row = [f"{name} ({type(layer).__name__})", _shape(layer), f"{layer.count_params():,}"]
        table.add_row(*row, *([", ".join(sources.get(layer, []))] if sources else []))
    out = io.StringIO()
    Console(file=out, width=110, color_system=None, legacy_windows=False).print(table)
    trainable = sum(w.size for w in model.parameters())
    total = model.count_params()
    size = sum(w.data.nbytes for _, w in model.named_weights())
    lines = [f"Model: {model.name}", *(line.rstrip() for line in out.getvalue().splitlines()), ""]
    lines.append(f"Total parameters: {total:,} ({_bytes(size)})")
    lines.append(f"Trainable: {trainable:,}")
    lines.append(f"Not trainable: {total - trainable:,}")
    return "\n".join(lines)


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
