"""Weights from the files of Keras 3: ``.weights.h5``, and ``.keras``, a zip archive with such a file in it.

Keras names no weight in them. It goes through a model in a fixed order, and an array's path says where that
walk met it:

- a layer's own weights are ``vars/0``, ``vars/1`` …: first those that are trained, in the order in which they
  were made (kernel, bias; gamma, beta), then the others (moving_mean, moving_variance);
- the layers of a functional model or a Sequential are ``layers/<class>``, and from the second of a class on
  ``layers/<class>_1`` …, in the order of Keras' ``model.layers``;
- other layers are found in the attributes of what holds them, in alphabetical order, private ones last:
  ``encoder/layers/dense``. Layers in a list are numbered as in a model: ``blocks/dense_1``. A subclass of
  Model has its ``layers`` among its attributes. What was met before is left out.

The same walk through a model of ours (``places``) says where each of its weights must be in a file.
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..errors import FileError, ShapeError
from .graph import Graph
from .hdf5 import SIGNATURE, Dataset, Group, read_hdf5
from .metrics import Metric
from .model import Model
from .module import Module
from .named import snake_case
from .parameter import Parameter
from .sequential import Sequential
from .symbolic import Call, SymbolicTensor

__all__ = ["is_keras_file", "keras_order", "places", "read_keras_weights"]

ZIP = b"PK\x03\x04"
MEMBER = "model.weights.h5"

# Layers that keep their weights in layers of their own in Keras: where those are, in the order of ours.
INSIDE: Mapping[str, tuple[str, ...]] = dict.fromkeys(
    ("SimpleRNN", "LSTM", "GRU"), ("cell/vars/0", "cell/vars/1", "cell/vars/2")
)

# Attributes that Keras calls otherwise.
CALLED: Mapping[str, Mapping[str, str]] = {
    "MultiHeadAttention": {
        "query": "query_dense", "key": "key_dense", "value": "value_dense",
        "attention_output": "output_dense",
    },
}  # fmt: skip


def is_keras_file(start: bytes) -> bool:
    """Tell by its first bytes whether a file may be one of Keras'."""
    return start.startswith((SIGNATURE, ZIP))


def read_keras_weights(model: Model, path: Any) -> dict[str, NDArray[Any]]:
    """Return the arrays of a Keras file by the paths that the model's weights have here.

    Raises FileError for a damaged file, and ShapeError for one of another architecture.
    """
    try:
        contents = _Contents(read_hdf5(_weights_of(Path(path))))
        problems: list[str] = []
        for deep in (True, False):
            mine, ignored = places(model, deep)
            found = [*contents.compared(mine, ignored), *contents.misnamed(mine)]
            if not found:
                return {place.name: contents.arrays[path].read() for path, place in mine.items()}
            problems = problems or found
    except FileError as error:
        raise FileError(f"{path}: {error}") from None
    listed = "\n  ".join(problems[:8]) + ("\n  ..." if len(problems) > 8 else "")
    raise ShapeError(
        f"{path}: these weights belong to another architecture than {model.name} "
        f"({len(problems)} of its entries don't fit):\n  {listed}"
    )


def _weights_of(path: Path) -> bytes:
    """Return the HDF5 file that a path leads to, or that is in the archive there."""
    try:
        with path.open("rb") as file:
            if file.read(4) != ZIP:
                file.seek(0)
                return file.read()
            with zipfile.ZipFile(file) as archive:
                member = archive.getinfo(MEMBER)
                # Keras packs nothing. What isn't packed can't be larger than the archive is.
                if member.compress_type != zipfile.ZIP_STORED or member.file_size > path.stat().st_size:
                    raise FileError(f"{MEMBER} in it is compressed; unpack it, and load that file")
                return archive.read(member)
    except FileError:
        raise
    except KeyError:
        raise FileError(f"this zip archive has no {MEMBER}, so it isn't a file of Keras 3") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise FileError(f"damaged zip archive: {error}") from None
    except OSError as error:
        raise FileError(f"it can't be read: {error.strerror or error}") from None


class _Contents:
    """What is in a file: arrays by their paths, and the names of layers by theirs."""

    def __init__(self, root: Group) -> None:
        self.arrays: dict[str, Dataset] = {}
        self.layers: dict[str, str] = {}
        seen: set[int] = set()
        waiting: list[Group | Dataset] = [root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, Dataset):
                self.arrays[node.path[1:]] = node
                continue
            if node.address in seen:
                raise FileError(f"damaged HDF5 file: {node.path} leads back into itself")
            seen.add(node.address)
            if node.path.endswith("/vars"):
                self.layers[node.path[1 : -len("/vars")]] = node.attribute("name") or ""
            waiting += [node[name] for name in node.names]

    def compared(self, mine: "dict[str, Place]", ignored: tuple[str, ...]) -> Iterator[str]:
        """Yield in words what is missing, of another shape or left over."""
        for path, place in mine.items():
            found, shape = self.arrays.get(path), place.weight.shape
            if found is None:
                yield f"missing: {place.name} {shape} (the file has no {path})"
            elif found.shape != shape:
                yield f"{place.name}: expected {shape}, got {found.shape} ({path})"
            elif (found.dtype.kind == "f") != (wanted := place.weight.dtype.kind == "f"):
                kind = "floats" if wanted else "whole numbers"
                yield f"{place.name}: expected {kind}, got {found.dtype} ({path})"
        for path, found in self.arrays.items():  # the states of generators are whole numbers
            if path not in mine and found.dtype.kind == "f" and not path.startswith(ignored):
                layer = self.layers.get(path.rpartition("/vars/")[0])
                yield f"unknown: {path} {found.shape}" + (f" of the file's '{layer}'" if layer else "")

    def misnamed(self, mine: "dict[str, Place]") -> Iterator[str]:
        """Yield in words where the names that a user gave to layers speak against their order."""
        named = {place.at: place.layer.name for place in mine.values() if place.layer.named}
        for at, name in named.items():
            inside, here = at.rpartition("/")[0], self.layers.get(at)
            others = [] if here == name else [path for path, other in self.layers.items() if other == name]
            if any(other.rpartition("/")[0] == inside for other in others):
                yield f"{name}: the file has '{here}' in its place, and '{name}' in another ({others[0]})"


# -- the walk ------------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """A weight of a model, and where in a file its layer is."""

    at: str
    layer: Module
    name: str  # the weight's path in the model
    weight: Parameter


def places(model: Model, deep: bool = True) -> tuple[dict[str, Place], tuple[str, ...]]:
    """Return where in a Keras file each weight of a model is, and the beginnings of paths that don't count.

    Older versions of Keras, such as 3.6, don't go into lists that are in lists: not ``deep``.

    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Input((2,)), nn.Dense(3), nn.Dense(1, use_bias=False)])
    >>> for path, place in places(model)[0].items():
    ...     print(path, place.name)
    layers/dense/vars/0 dense/kernel
    layers/dense/vars/1 dense/bias
    layers/dense_1/vars/0 dense_1/kernel
    """
    names = {id(w): name for name, w in model.named_weights()}
    found: dict[str, Place] = {}
    ignored = ["optimizer/", "metrics/"]
    met: dict[int, Any] = {}

    def visit(value: Any, path: str) -> None:
        if isinstance(value, Metric):
            ignored.append(f"{path}/")
        if id(value) in met or not isinstance(value, Module | list | tuple | dict):
            return
        met[id(value)] = value
        prefix = f"{path}/" if path else ""
        if isinstance(value, Module):
            for place, w in _own(value):
                found[prefix + place] = Place(path, value, names[id(w)], w)
        for label, item in _attributes(value) if isinstance(value, Module) else _numbered(value):
            if deep or isinstance(value, Module) or isinstance(item, Module):
                visit(item, prefix + label)

    visit(model, "")
    return found, tuple(ignored)


def _own(module: Module) -> Iterator[tuple[str, Parameter]]:
    weights = [w for _, w in module._own_weights()]
    weights = [w for w in weights if not w.buffer] + [w for w in weights if w.buffer]
    inside = INSIDE.get(type(module).__name__)
    return zip(inside or [f"vars/{i}" for i in range(len(weights))], weights, strict=False)


def _numbered(items: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is in a list or dict with its class's name, and a number from the second of a class on."""
    counts: dict[str, int] = {}
    for item in items.values() if isinstance(items, dict) else items:
        if isinstance(item, Module | list | tuple | dict):
            base = "container"
            if isinstance(item, Module):
                base = "functional" if _is_functional(item) else snake_case(type(item).__name__)
            counts[base] = n = counts.get(base, -1) + 1
            yield (f"{base}_{n}" if n else base), item


def _is_functional(module: Module) -> bool:
    """Tell models in the functional style that aren't of a user's class: nn.models.UNet is one too."""
    ours = type(module).__module__.startswith("tinygrad_edu.") and not isinstance(module, Sequential)
    return ours and isinstance(module, Model) and module.graph is not None


def _attributes(module: Module) -> list[tuple[str, Any]]:
    """Return what Keras finds in a module, in its order."""
    found: dict[str, Any] = dict(vars(module))
    first: list[str] = []
    if isinstance(module, Model):
        found["layers"] = module.layers
        if module.graph is not None:
            first = ["layers"]
            if not isinstance(module, Sequential):
                found["layers"] = keras_order(module.graph)
    rest = sorted(found.keys() - first, key=lambda name: (name.startswith("_"), name))
    called = CALLED.get(type(module).__name__, {})
    return [(called.get(name, name), found[name]) for name in (*first, *rest)]


def keras_order(graph: Graph) -> list[Module]:
    """Return a graph's layers in the order of Keras' ``model.layers``.

    A call is as deep as the longest way from it to an output. Layers come from the deepest call to the
    shallowest, and where they are equally deep, in the order in which a search from the outputs meets them.
    """
    met: dict[Module, int] = {}
    finished: list[Call] = []
    done: set[Call] = set()
    for output in _leaves(graph.outputs):
        waiting = [(output.call, False)]
        while waiting:
            call, ready = waiting.pop()
            if ready:
                finished.append(call)
            elif call not in done:
                done.add(call)
                met.setdefault(call.layer, len(met))
                waiting.append((call, True))
                if call not in graph.entries:
                    inputs = _leaves([call.args, call.kwargs])
                    waiting += [(symbol.call, False) for symbol in reversed(inputs)]
    calls: dict[Call, int] = {}
    depth: dict[Module, int] = {}
    for call in reversed(finished):
        depth[call.layer] = calls[call] = max(calls.get(call, 0), depth.get(call.layer, 0))
        if call not in graph.entries:
            for symbol in call.symbols():
                calls[symbol.call] = max(calls.get(symbol.call, 0), calls[call] + 1)
    return sorted(depth, key=lambda layer: (-depth[layer], met[layer]))


def _leaves(value: Any) -> list[SymbolicTensor]:
    """Return the symbols in a structure; of dicts in the order of their keys, as Keras does."""
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value] if isinstance(value, SymbolicTensor) else []
