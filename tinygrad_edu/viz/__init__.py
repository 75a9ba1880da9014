"""Pictures: graphs of tensors, what a training does and has learned, the console that watches it, and data.

Nothing is imported before it is used: a program that draws nothing pays nothing for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .animation import animate_backward as animate_backward
    from .boundaries import decision_boundary as decision_boundary
    from .boundaries import scatter_3d as scatter_3d
    from .boxes import Graph as Graph
    from .cards import data_card as data_card
    from .codes import latent_grid as latent_grid
    from .codes import latent_space as latent_space
    from .codes import reconstructions as reconstructions
    from .computation_graph import graph as graph
    from .console import Console as Console
    from .convolutions import feature_maps as feature_maps
    from .convolutions import filters as filters
    from .curves import plot_history as plot_history
    from .distributions import class_balance as class_balance
    from .distributions import histograms as histograms
    from .explorer import Page as Page
    from .explorer import explore as explore
    from .folding import fold as fold
    from .galleries import show_images as show_images
    from .gradients import gradient_flow as gradient_flow
    from .gradients import layer_history as layer_history
    from .learning import plot_estimator as plot_estimator
    from .learning import plot_learning_curve as plot_learning_curve
    from .learning import plot_validation_curve as plot_validation_curve
    from .overlaps import segmentation as segmentation
    from .scores import confusion_matrix as confusion_matrix
    from .scores import precision_recall_curve as precision_recall_curve
    from .scores import roc_curve as roc_curve
    from .structures import show_molecules as show_molecules
    from .surfaces import optimizer_paths as optimizer_paths
    from .surfaces import surface as surface
    from .units import activations as activations
    from .watching import LayerWatch as LayerWatch

# A file must not be called as what it exports: its import would put the module in the function's place.
_HOMES = {
    "Console": "console",
    "Graph": "boxes",
    "LayerWatch": "watching",
    "Page": "explorer",
    "activations": "units",
    "animate_backward": "animation",
    "class_balance": "distributions",
    "confusion_matrix": "scores",
    "data_card": "cards",
    "decision_boundary": "boundaries",
    "explore": "explorer",
    "feature_maps": "convolutions",
    "filters": "convolutions",
    "fold": "folding",
    "gradient_flow": "gradients",
    "graph": "computation_graph",
    "histograms": "distributions",
    "latent_grid": "codes",
    "latent_space": "codes",
    "layer_history": "gradients",
    "optimizer_paths": "surfaces",
    "plot_estimator": "learning",
    "plot_history": "curves",
    "plot_learning_curve": "learning",
    "plot_validation_curve": "learning",
    "precision_recall_curve": "scores",
    "reconstructions": "codes",
    "roc_curve": "scores",
    "scatter_3d": "boundaries",
    "segmentation": "overlaps",
    "show_images": "galleries",
    "show_molecules": "structures",
    "surface": "surfaces",
}

__all__ = [
    "Console",
    "Graph",
    "LayerWatch",
    "Page",
    "activations",
    "animate_backward",
    "class_balance",
    "confusion_matrix",
    "data_card",
    "decision_boundary",
    "explore",
    "feature_maps",
    "filters",
    "fold",
    "gradient_flow",
    "graph",
    "histograms",
    "latent_grid",
    "latent_space",
    "layer_history",
    "optimizer_paths",
    "plot_estimator",
    "plot_history",
    "plot_learning_curve",
    "plot_validation_curve",
    "precision_recall_curve",
    "reconstructions",
    "roc_curve",
    "scatter_3d",
    "segmentation",
    "show_images",
    "show_molecules",
    "surface",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
