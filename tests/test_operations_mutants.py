"""The gradient checker against rules that were broken on purpose: it must reject every one of them."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, seed, settings
from hypothesis import strategies as st
from operations_table import DIFFERENTIABLE, REGISTERED, TABLE, Case, cases, has_slopes, is_float
from rule_mutants import source_mutants

import tinygrad_edu as te
from tinygrad_edu import Function, Tensor
from tinygrad_edu.ops import OPERATIONS
from tinygrad_edu.testing import gradcheck, gradgradcheck


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


def mutants(name: str, case: Case) -> dict[str, Callable[[], type[Function]]]:
    """Return what makes the spoiled forms of an operation that there can be for these inputs."""
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
    spoiled = {what: functools.partial(mutant, operation, change) for what, change in made.items()}
    stretched = (
        operation.broadcasts and len({np.shape(x) for x in case.inputs} | set(out_shapes(name, case))) > 1
    )
    if stretched:
        whole = result_changed(lambda found: found)
        spoiled["not summed"] = functools.partial(mutant, operation, whole, broadcasts=False)
        means = averaged([np.shape(x) for x in case.inputs])
        spoiled["mean for sum"] = functools.partial(mutant, operation, means, broadcasts=False)
    return spoiled


def out_shapes(name: str, case: Case) -> list[tuple[int, ...]]:
    results = OPERATIONS[name].apply(*case.inputs, **case.params)
    return [np.shape(y) for y in (results if isinstance(results, tuple) else (results,))]


# Nothing is broken by these, whatever the inputs: both inputs of a sum get the same gradient, and the
# gradient of a matrix of which only the symmetric part counts is symmetric.
HARMLESS = {("add", "0, 1: swapped"), ("cholesky", "0: transposed"), ("eigh", "0: transposed")}


def is_caught(name: str, operation: type[Function], case: Case) -> bool:
    """Tell whether gradcheck objects, or a slope at a kink, or the rule as it runs on Tensors, twice."""

    def called(*inputs: Any) -> Any:
        return operation.apply(*inputs, **case.params)

    atol = TABLE[name].slope_atol
    if not gradcheck(called, list(case.inputs), atol=atol, raise_exception=False):
        return True
    for inputs, params, slopes in TABLE[name].at_kinks:
        if not has_slopes(functools.partial(operation.apply, **params), inputs, slopes):
            return True
    slow, fast = ([g.data for g in first_gradients(called, case, create)] for create in (True, False))
    if not all(np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(slow, fast, strict=True)):
        return True
    return not gradgradcheck(called, list(case.inputs), atol=atol, raise_exception=False)


def first_gradients(function: Any, case: Case, create_graph: bool) -> list[Tensor]:
    leaves = [Tensor(x, requires_grad=True) if is_float(x) else x for x in case.inputs]
    results = function(*leaves)
    results = [y for y in (results if isinstance(results, tuple) else [results]) if y.requires_grad]
    us = [np.cos(1.0 + np.arange(y.size)).reshape(y.shape) for y in results]
    wanted = [x for x in leaves if isinstance(x, Tensor)]
    found = te.grad(results, wanted, us, create_graph=create_graph, allow_unused=True)
    return [Tensor(np.zeros(x.shape)) if g is None else g for g, x in zip(found, wanted, strict=True)]


class Tally:
    def __init__(self) -> None:
        self.made: dict[str, set[str]] = {}
        self.caught: dict[str, set[str]] = {}

    def __str__(self) -> str:
        made, caught = (sum(map(len, d.values())) for d in (self.made, self.caught))
        return f"{made} broken rules made of {len(self.made)} operations, {caught} caught by gradcheck"


@pytest.fixture(scope="module")
def tally(request):
    """Count the broken rules, and print the counts after the last."""
    counts = {"results": Tally(), "source": Tally()}
    yield counts
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\nby spoiling what the rule returns: {counts['results']}")
        print(f"by a slip in the rule's source: {counts['source']}")


def hunted(name: str, tally: Tally, make: Any) -> None:
    """Try the spoiled forms of an operation on many inputs, and see that each of them is caught.

    A rule may be right by chance on some inputs (a mask that is symmetric, say), so it gets many, and as
    many again if one is left.
    """
    made, caught = tally.made.setdefault(name, set()), tally.caught.setdefault(name, set())

    @settings(max_examples=2 * settings().max_examples)
    @given(data=st.data())
    def hunt(data: Any) -> None:
        case = data.draw(cases(name, 2, 3))
        assume(all(np.size(x) for x in case.inputs) and all(map(np.prod, out_shapes(name, case))))
        for what, build in make(case).items():
            if (name, what) in HARMLESS or what in caught:
                continue
            made.add(what)
            try:
                found = is_caught(name, build(), case)
            except Exception:  # a rule that fails is no danger
                found = True
            if found:
                caught.add(what)

    for turn in range(8):
        seed(turn)(hunt)()
        if caught == made:
            break
    assert caught == made


RULES = sorted(set(DIFFERENTIABLE) & set(REGISTERED))


@pytest.mark.parametrize("name", RULES)
def test_gradcheck_catches_every_broken_rule(name, tally):
    hunted(name, tally["results"], lambda case: mutants(name, case))
    assert len(tally["results"].made[name]) > 10


@pytest.mark.parametrize("name", RULES)
def test_gradcheck_catches_every_slip_in_a_rule(name, tally):
    operation = OPERATIONS[name]
    slips = {
        what: functools.partial(type, "Slip", (operation,), {"backward": rule, "name": "slip"})
        for what, rule in source_mutants(operation).items()
    }
    hunted(name, tally["source"], lambda case: slips)
