"""A step of a tutorial as the subject of a picture: a tensor of the lesson, by its name there."""

import re
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ArgumentError
from ..tensor import Tensor

__all__ = ["Step", "find_step"]

_NAME = re.compile(r"(?P<tutorial>\d{1,2}(_\w+)?)(:(?P<variable>\w+))?")


class Step(NamedTuple):
    """A tensor of a lesson; what can be done with a model's ``Subject`` can be done with it."""

    name: str
    tensor: Tensor

    def loss(self) -> Tensor:
        return self.tensor

    @property
    def pictured(self) -> tuple[Any, ...]:
        """What viz.graph is given."""
        return (self.tensor,)


def find_step(name: str) -> Step | None:
    """Return the tensor of ``1:p``: what tutorial 1, in its short run, first computes under the name ``p``.

    The run ends there, before a backward pass frees what the rules have saved. None if the name isn't one of
    a tutorial.

    Raises FileError for a tutorial that isn't there, ArgumentError for a variable that isn't such a tensor.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    from ..lesson.cells import tutorial_of
    from ..lesson.running import run_tutorial
    from ..lesson.script import Settings

    path, variable = tutorial_of(found["tutorial"]), found["variable"]
    seen: dict[str, None] = {}

    def is_there(variables: dict[str, Any]) -> bool:
        seen.update(dict.fromkeys(name for name, x in variables.items() if _is_recorded(x)))
        return variable in seen

    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        given = Settings(fast=True, seed=0, out=Path(folder))
        variables = run_tutorial(path, given, until=is_there)
    number = int(path.name[:2])
    if variable not in seen:
        names = ", ".join(f"{number}:{each}" for each in seen) or "none"
        raise ArgumentError(f"tutorial {number} has these tensors to look at: {names}; got {name!r}")
    tensor: Tensor = variables[variable]
    if not tensor.name:
        tensor.name = variable
    return Step(f"{number:02}_{variable}", tensor)


def _is_recorded(x: Any) -> bool:
    """Tell whether it is a single number that operations led to, whose graph no backward pass has freed."""
    return isinstance(x, Tensor) and x.size == 1 and x.node is not None and x.node.saved is not None
