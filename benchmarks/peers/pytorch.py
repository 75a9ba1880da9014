"""PyTorch: images come with channels first, and filters with the outputs first."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

Array = np.ndarray[Any, Any]


def take_weights(model: nn.Module, weights: Mapping[str, Array]) -> None:
    """Take our weights over, in order: both sides list them as the layers were made."""
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    with torch.no_grad():
        for theirs, (path, ours) in zip(state.values(), weights.items(), strict=True):
            if ours.ndim == 4:
                ours = ours.transpose((2, 3, 0, 1) if "depthwise" in path else (3, 2, 0, 1))
            elif ours.ndim == 2:
                ours = ours.T
            if ours.shape != tuple(theirs.shape):
                raise ValueError(
                    f"{path} is {ours.shape} in PyTorch's layout, expected {tuple(theirs.shape)}"
                )
            theirs.copy_(torch.from_numpy(ours.copy()))


def images(x: Array) -> torch.Tensor:
    """Return (N, H, W, C) as (N, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def rows_of_images(kernel: Array, shape: tuple[int, int, int], mirrored: bool = False) -> Array:
    """Reorder a dense kernel's rows, one for each number of a flattened image (H, W, C), for (C, H, W)."""
    by_pixel = kernel.reshape(*shape, -1)
    by_pixel = by_pixel[::-1, ::-1] if mirrored else by_pixel
    return by_pixel.transpose(2, 0, 1, 3).reshape(kernel.shape)


def optimizer_for(
    name: str, parameters: Iterable[Any], rate: float, checking: bool = False
) -> torch.optim.Optimizer:
    if name == "sgd":
        return torch.optim.SGD(parameters, rate)
    return (KerasAdam if checking else torch.optim.Adam)(parameters, rate, eps=1e-7)


class KerasAdam(torch.optim.Adam):
    """Adam with ε added before √v is corrected for its start at 0, for the comparison of results alone.

    PyTorch adds it afterwards. Where gradients are tiny the two differ, by a percent of the loss soon.
    """

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            steps = [float(self.state[p].get("step", 0)) for p in group["params"]]
            group["eps"] = 1e-7 / (1 - 0.999 ** (1 + max(steps))) ** 0.5
        return super().step(closure)
