"""The workloads by name, in the order of the table."""

from . import cnn, dense, operations, unet, vae
from .base import Problem, Workload

__all__ = ["WORKLOADS", "Problem", "Workload", "choose"]

_NETWORKS: list[Workload] = [*dense.WORKLOADS, *cnn.WORKLOADS, *vae.WORKLOADS, *unet.WORKLOADS]
_ALL = [*sorted(_NETWORKS, key=lambda w: w.name), *operations.WORKLOADS]
WORKLOADS: dict[str, Workload] = {w.name: w for w in _ALL}


def choose(names: tuple[str, ...]) -> list[Workload]:
    """Return the workloads of these names, or that begin with them: "W1" means both of W1; none means all.

    Raises ValueError for a name that there isn't.
    """
    for name in names:
        if not any(known.startswith(name) for known in WORKLOADS):
            raise ValueError(f"there is no workload {name}; there are {', '.join(WORKLOADS)}")
    return [w for known, w in WORKLOADS.items() if not names or known.startswith(names)]
