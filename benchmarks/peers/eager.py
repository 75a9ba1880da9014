"""The training step of eager engines: ours and PyTorch's read alike."""

from collections.abc import Callable
from typing import Any

from ..harness import Job


def training(optimizer: Any, loss_of: Callable[[], Any]) -> Job:
    """Return the step that computes the loss, differentiates it and changes the parameters."""

    def step() -> float:
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()  # type: ignore[no-any-return]

    return Job(step)
