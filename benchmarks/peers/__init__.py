"""The engines beside ours: which there are, which are installed, and how many threads they get.

Each has a file here with what its workloads share: taking our weights over, and the training step as that
engine's users write it. The networks themselves stand in ``workloads``, so that one file shows one network
in every engine.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any


@dataclass(frozen=True)
class Engine:
    name: str
    title: str
    package: str


OURS = Engine("ours", "tinygrad_edu", "tinygrad_edu")

# In the order in which they are imported. PyTorch comes first and we last: our kernels choose how long
# OpenMP's threads spin, through a variable of the environment that PyTorch's should not see.
PEERS = {
    peer.name: peer
    for peer in (
        Engine("torch", "PyTorch", "torch"),
        Engine("torch_channels_last", "PyTorch channels_last", "torch"),
        Engine("keras", "Keras", "keras"),
        Engine("jax", "JAX jit", "jax"),
        Engine("mygrad", "MyGrad", "mygrad"),
        Engine("autograd", "HIPS autograd", "autograd"),
    )
}
ENGINES = {**PEERS, OURS.name: OURS}


def limit_threads(threads: int) -> None:
    """Give every engine so many threads; before any of them is imported."""
    for variable in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ):
        os.environ[variable] = str(threads)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    if hasattr(os, "sched_setaffinity"):  # for those that count the cores: XLA
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def is_installed(engine: Engine) -> bool:
    return find_spec(engine.package) is not None


def load(names: Iterable[str], threads: int) -> None:
    """Import engines, in the order above, and tell those that ask for it how many threads they have."""
    chosen = set(names)
    for name in ENGINES:
        if name not in chosen:
            continue
        if name.startswith("torch"):
            import torch

            torch.set_num_threads(threads)
        elif name == "keras":
            os.environ.setdefault("KERAS_BACKEND", _keras_backend())
            import keras  # noqa: F401
        elif name == "ours":
            import tinygrad_edu as te

            if hasattr(te, "set_num_threads"):
                te.set_num_threads(threads)
            else:
                import numba

                numba.set_num_threads(threads)
        else:
            import_module(ENGINES[name].package)


def _keras_backend() -> str:
    return next((name for name in ("tensorflow", "jax", "torch") if find_spec(name)), "tensorflow")


def describe(name: str) -> str:
    """Return an engine's title and version; for Keras also what it stands on."""
    engine = ENGINES[name]
    text = f"{engine.title} {_version(engine.package)}"
    if name == "keras":
        backend = os.environ.get("KERAS_BACKEND", _keras_backend())
        text += f" on {backend} {_version({'tensorflow': 'tensorflow_cpu'}.get(backend, backend))}"
    return text


def _version(package: str) -> Any:
    try:
        return version(package)
    except PackageNotFoundError:
        return getattr(import_module(package), "__version__", "")
