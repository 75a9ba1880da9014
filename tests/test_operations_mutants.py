"""The gradient checker against rules that were broken on purpose: it must reject every one of them."""

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from operations_table import DIFFERENTIABLE, REGISTERED, Case, cases, is_float

import tinygrad_edu as te
from tinygrad_edu import Function
from tinygrad_edu.ops import OPERATIONS
from tinygrad_edu.testing import gradcheck


def mutant(operation: type[Function], change: Any, **attributes: Any) -> type[Function]:
    """Make an operation whose rule is spoiled by ``change(rule, g, arguments) -> gradients``."""

    @functools.wraps(operation.backward)
    def backward(g: Any, *arguments: Any) -> Any:
        return change(operation.backward, g, arguments)

    return type("Mutant", (operation,), {"backward": staticmethod(backward), "name": "mutant", **attributes})


def result_changed(change: Any) -> Any:
    """Turn a change of the list of gradients into a change of the rule."""

    def changed(rule: Any, g: Any, arguments: Any) -> Any:
        found = rule(g, *arguments)
        return tuple(change(list(found) if isinstance(found, tuple) else [found]))

    return changed


def one_changed(i: int, change: Any) -> Any:
    def changed(found: list[Any]) -> list[Any]:
        if found[i] is not None:
            found[i] = change(found[i])
        return found

    return result_changed(changed)


def without_largest(dx: Any) -> Any:
    dx = np.array(dx)
    if dx.size:
        dx.flat[np.abs(dx).argmax()] = 0
    return dx


def swapped(i: int, j: int) -> Any:
    def change(found: list[Any]) -> list[Any]:
        found[i], found[j] = found[j], found[i]
        return found

    return result_changed(change)


def of_each(function: Any, g: Any) -> Any:
    """Apply a function to g, or to each where the operation has several results."""
    return tuple([function(part) for part in g]) if isinstance(g, tuple) else function(g)


def averaged(shapes: list[Any]) -> Any:
    """Take the mean over the axes that were stretched, where a sum belongs."""

    def change(found: list[Any]) -> list[Any]:
        return [
            dx if dx is None else te.ops.unbroadcast(dx, shape) * (np.prod(shape) / max(np.size(dx), 1))
            for dx, shape in zip(found, shapes, strict=True)
        ]

    return result_changed(change)


def mutants(name: str, case: Case) -> dict[str, type[Function]]:
    """Return the spoiled forms of an operation that can be made for these inputs."""
    operation = OPERATIONS[name]
    floats = [i for i, x in enumerate(case.inputs) if is_float(x)]
    made: dict[str, Any] = {}
    for i in floats:
        made[f"{i}: wrong sign"] = one_changed(i, lambda dx: -dx)
        for factor in (1.01, 2, 0.5):
            made[f"{i}: times {factor}"] = one_changed(i, lambda dx, factor=factor: dx * factor)
        made[f"{i}: None"] = one_changed(i, lambda dx: None)
        made[f"{i}: zeros"] = one_changed(i, lambda dx: dx * 0)
        made[f"{i}: a constant too much"] = one_changed(i, lambda dx: dx + 0.01)
        made[f"{i}: one element dropped"] = one_changed(i, without_largest)
        made[f"{i}: float32"] = one_changed(i, lambda dx: dx.astype(np.float32))
        if len(case.inputs[i].shape) >= 2 and case.inputs[i].shape[-1] == case.inputs[i].shape[-2] > 1:
            made[f"{i}: transposed"] = one_changed(i, lambda dx: np.swapaxes(dx, -1, -2).copy())
        for j in floats:
            if i < j and case.inputs[i].shape == case.inputs[j].shape:
                made[f"{i}, {j}: swapped"] = swapped(i, j)
    made["g forgotten"] = lambda rule, g, arguments: rule(of_each(np.ones_like, g), *arguments)
    made["g squared"] = lambda rule, g, arguments: rule(of_each(np.square, g), *arguments)
    classes = {what: mutant(operation, change) for what, change in made.items()}
    stretched = (
        operation.broadcasts and len({np.shape(x) for x in case.inputs} | set(out_shapes(name, case))) > 1
    )
    if stretched:
        whole = result_changed(lambda found: found)
        classes["not summed"] = mutant(operation, whole, broadcasts=False)
        means = averaged([x.shape for x in case.inputs])
        classes["mean for sum"] = mutant(operation, means, broadcasts=False)
    return classes


def out_shapes(name: str, case: Case) -> list[tuple[int, ...]]:
    results = OPERATIONS[name].apply(*case.inputs, **case.params)
    return [np.shape(y) for y in (results if isinstance(results, tuple) else (results,))]


# Nothing is broken by these, whatever the inputs: both inputs of a sum get the same gradient.
HARMLESS = {("add", "0, 1: swapped")}


@pytest.fixture(scope="module")
def tally(request):
    """Count the broken rules, and print the count after the last."""
    count = {"made": 0, "caught": 0}
    yield count
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\nbroken rules: {count['made']} made, {count['caught']} caught by gradcheck")


@pytest.mark.parametrize("name", sorted(set(DIFFERENTIABLE) & set(REGISTERED)))
def test_gradcheck_catches_every_broken_rule(name, tally):
    made: set[str] = set()
    caught: set[str] = set()

    # A rule may be right by chance on some inputs (a mask that is symmetric, say), so it gets many.
    @settings(max_examples=4 * settings().max_examples)
    @given(data=st.data())
    def hunt(data: Any) -> None:
        case = data.draw(cases(name, 2, 3))
        assume(all(np.size(x) for x in case.inputs) and all(map(np.prod, out_shapes(name, case))))
        for what, operation in mutants(name, case).items():
            if (name, what) in HARMLESS or what in caught:
                continue
            made.add(what)
            if not gradcheck(
                lambda *x, operation=operation: operation.apply(*x, **case.params),
                list(case.inputs),
                raise_exception=False,
            ):
                caught.add(what)

    hunt()
    tally["made"] += len(made)
    tally["caught"] += len(caught)
    assert caught == made
    assert len(made) > 10
