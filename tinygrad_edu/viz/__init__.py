"""Pictures: graphs of tensors, curves of a training, the console that watches it, and data itself.

Nothing is imported before it is used: a program that draws nothing pays nothing for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .boxes import Graph as Graph
    from .cards import data_card as data_card
    from .computation_graph import graph as graph
    from .console import Console as Console
    from .curves import plot_history as plot_history
    from .distributions import class_balance as class_balance
    from .distributions import histograms as histograms
    from .folding import fold as fold
    from .galleries import show_images as show_images

# A file must not be called as what it exports: its import would put the module in the function's place.
_HOMES = {
    "Console": "console",
    "Graph": "boxes",
    "class_balance": "distributions",
    "data_card": "cards",
    "fold": "folding",
    "graph": "computation_graph",
    "histograms": "distributions",
    "plot_history": "curves",
    "show_images": "galleries",
}

__all__ = [
    "Console",
    "Graph",
    "class_balance",
    "data_card",
    "fold",
    "graph",
    "histograms",
    "plot_history",
    "show_images",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
