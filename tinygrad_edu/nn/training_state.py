"""What training goes on from besides weights: what ``compile`` was told, optimizers' slots, generators."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, unknown_name
from ..random import default_generator
from . import losses, metrics, optimizers
from .encoding import decode, encode
from .model import Model
from .module import Module
from .named import FUNCTIONS, Named
from .training import Trainer

__all__ = ["describe_random", "describe_training", "restore_random", "restore_training"]

Arrays = dict[str, NDArray[Any]]

# A metric's arrays are as large as its arguments say. A file can't say more than this.
LARGEST = 10_000

# What a generator may draw its bits from.
BITS = {cls.__name__: cls for cls in (
    np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64
)}  # fmt: skip


# -- compile and the optimizer -------------------------------------------------------------------------------


def describe_training(model: Model) -> tuple[dict[str, Any], Arrays]:
    """Return what ``compile`` was told as JSON can hold it, and the optimizer's arrays by name.

    Raises ArgumentError if there are functions in it that aren't registered.
    """
    optimizer, objective = model.optimizer, model.objective
    assert optimizer is not None
    assert objective is not None
    names = ("loss", "loss_weights", "metrics", "weighted_metrics")
    told = {name: _told(value) for name, value in zip(names, objective.given, strict=True)}
    paths = {id(w): path for path, w in model.named_weights()}
    kept = {i: paths[id(p)] for i, p in enumerate(optimizer.params) if id(p) in paths and p.requires_grad}
    arrays: Arrays = {}
    if kept:
        for key, array in optimizer.state_dict().items():
            i, _, slot = key.partition("/")
            if not slot:
                arrays[key] = array
            elif int(i) in kept:
                arrays[f"{kept[int(i)]}/{slot}"] = array
    params = [[path, {k: _told(v) for k, v in optimizer.own[i].items()}] for i, path in kept.items()]
    return {"optimizer": optimizer.describe(), "params": params, **told}, arrays


def restore_training(model: Model, description: Mapping[str, Any], arrays: Arrays) -> None:
    """Compile a model as described, and give the optimizer its slots back."""
    optimizer = optimizers.get(description["optimizer"])
    model.compile(
        optimizer,
        _untold(description["loss"], losses.Loss),
        _untold(description["metrics"], metrics.Metric),
        _untold(description["loss_weights"]),
        _untold(description["weighted_metrics"], metrics.Metric),
    )
    if not description["params"]:
        return
    weights = dict(model.named_weights())
    schedule = optimizers.schedules.LearningRateSchedule
    optimizer.bind(
        {"params": weights[path], **{key: _untold(value, schedule) for key, value in own.items()}}
        for path, own in description["params"]
    )
    state: Arrays = {}
    for key in optimizer.state_dict():
        i, _, slot = key.partition("/")
        state[key] = arrays[f"{description['params'][int(i)][0]}/{slot}" if slot else key]
    if len(state) != len(arrays):
        raise ArgumentError(f"the optimizer has {len(state)} arrays, and the file {len(arrays)}")
    optimizer.load_state_dict(state)


def _told(value: Any) -> Any:
    """Return what stands in a file for losses, metrics and the like, and lists and dicts of them."""
    if isinstance(value, dict):
        return {"by name": {key: _told(item) for key, item in value.items()}}
    if isinstance(value, list | tuple):
        return [_told(item) for item in value]
    if isinstance(value, Named):
        return {"object": value.describe()}
    if callable(value):
        for name, function in FUNCTIONS.items():
            if function is value:
                return {"function": name}
        raise ArgumentError(
            f"the function {getattr(value, '__name__', value)!r} isn't registered; put "
            "@nn.saving.register_keras_serializable() above it"
        )
    return value.item() if isinstance(value, np.generic) else value


def _untold(value: Any, family: type[Named] = Named) -> Any:
    match value:
        case {"by name": dict(items)}:
            return {key: _untold(item, family) for key, item in items.items()}
        case {"object": dict(described)}:
            if family is metrics.Metric:
                _check_modest(described.get("config"))
            return family.find(described)
        case {"function": str(name)}:
            if name not in FUNCTIONS:
                raise unknown_name("function", name, FUNCTIONS)
            return FUNCTIONS[name]
        case list():
            return [_untold(item, family) for item in value]
        case dict():
            raise ArgumentError(f"expected what compile was told, got {value!r:.60}")
    return value


def _check_modest(value: Any) -> None:
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(item, int) and item > LARGEST:
            raise ArgumentError(
                f"a metric with an argument of {item:,} (above {LARGEST:,}) isn't read from files"
            )
        _check_modest(item)


# -- random generators ---------------------------------------------------------------------------------------


def describe_random(model: Model) -> dict[str, Any]:
    """Return the states of the generator that the model trains with, and of those that its layers hold."""
    held: dict[int, tuple[np.random.Generator, list[list[str]]]] = {}
    for path, key, generator in _held(model):
        held.setdefault(id(generator), (generator, []))[1].append([path, key])
    return {
        "model": _state(model.generator or default_generator()),
        "layers": [[places, _state(generator)] for generator, places in held.values()],
    }


def restore_random(model: Model, description: Mapping[str, Any]) -> None:
    """Let the model and its layers draw from generators in the states that were described."""
    model.generator = _generator(description["model"])
    modules = dict(model.named_modules())
    for places, state in description["layers"]:
        generator = _generator(state)
        for path, key in places:
            module = modules[path]
            if not isinstance(vars(module)[key], np.random.Generator | None):
                raise ArgumentError(f"{module.name}.{key} isn't a generator")
            setattr(module, key, generator)


def _held(model: Model) -> Iterator[tuple[str, str, np.random.Generator]]:
    """Yield the generators in attributes of modules; that of a model itself counts only where it trains."""
    for path, module in model.named_modules():
        for key, value in vars(module).items():
            if isinstance(value, np.random.Generator) and not _is_own(module, key):
                yield path, key, value


def _is_own(module: Module, key: str) -> bool:
    return isinstance(module, Trainer) and key == "generator"


def _state(generator: np.random.Generator) -> Any:
    return encode(generator.bit_generator.state)


def _generator(state: Any) -> np.random.Generator:
    state = decode(state)
    name = state["bit_generator"]
    if name not in BITS:
        raise unknown_name("bit generator", name, BITS)
    bits = BITS[name](0)
    bits.state = state
    return np.random.Generator(bits)
