"""Breaks gradient rules in their source: a sign turned, a term or factor dropped, two inputs swapped."""

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from tinygrad_edu import Function

Edit = Callable[[ast.AST], ast.AST]


def source_mutants(operation: type[Function]) -> dict[str, Any]:
    """Return the rule of an operation in every form that one small slip of the pen makes of it.

    Only arithmetic is changed, where a slip gives another number: a comparison at a kink or a guard
    against nan has no effect on inputs in general position, and is tested by examples.
    """
    rule = inspect.unwrap(operation.backward)  # without what would hand large arrays to a kernel
    tree = ast.parse(textwrap.dedent(inspect.getsource(rule)))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    inputs = [n for n in operation._inputs if n in inspect.signature(rule).parameters]
    made = {}
    for place, what, edit in slips(definition, inputs):
        changed = copy.deepcopy(tree)
        *_, parent, field, index = walk_to(changed.body[0], place)
        node = getattr(parent, field)
        if index is None:
            setattr(parent, field, edit(node))
        else:
            node[index] = edit(node[index])
        scope: dict[str, Any] = {}
        code = compile(ast.fix_missing_locations(changed), inspect.getfile(rule), "exec")
        exec(code, rule.__globals__, scope)
        made[f"line {place_of(definition, place)}: {what}"] = staticmethod(scope[definition.name])
    return made


def slips(definition: ast.FunctionDef, inputs: list[str]) -> Iterator[tuple[tuple[Any, ...], str, Edit]]:
    """Yield the place, the description and the edit of every slip."""
    for place, node in arithmetic(definition, ()):
        text = ast.unparse(node)
        if isinstance(node, ast.BinOp):
            left, right = ast.unparse(node.left), ast.unparse(node.right)
            if isinstance(node.op, ast.Add | ast.Sub):
                other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
                yield place, f"{text} with the other sign", with_operator(other)
                yield place, f"{text} is just {left}", lambda n: n.left  # type: ignore[attr-defined]
                yield place, f"{text} is just {right}", lambda n: n.right  # type: ignore[attr-defined]
            elif isinstance(node.op, ast.Mult | ast.Div):
                other = ast.Div() if isinstance(node.op, ast.Mult) else ast.Mult()
                yield place, f"{text} without {right}", lambda n: n.left  # type: ignore[attr-defined]
                yield place, f"{text} upside down", with_operator(other)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield place, f"{text} without its sign", lambda n: n.operand  # type: ignore[attr-defined]
        elif isinstance(node, ast.Name) and node.id in inputs and isinstance(node.ctx, ast.Load):
            for name in inputs:
                if name != node.id:
                    yield place, f"{name} for {node.id}", lambda n, name=name: ast.Name(name, ast.Load())


def with_operator(operator: ast.operator) -> Edit:
    return lambda n: ast.BinOp(n.left, operator, n.right)  # type: ignore[attr-defined]


def arithmetic(node: ast.AST, place: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], ast.AST]]:
    """Walk over a rule, leaving out what isn't arithmetic: shapes, indices, conditions, axes."""
    skipped = {
        ast.Subscript: ("slice",), ast.IfExp: ("test",), ast.If: ("test",), ast.keyword: ("value",),
        ast.Compare: ("left", "comparators"), ast.Attribute: ("value",), ast.FunctionDef: ("args", "returns"),
        ast.ListComp: ("elt", "generators"), ast.GeneratorExp: ("elt", "generators"), ast.Raise: ("exc",),
        ast.JoinedStr: ("values",), ast.Lambda: ("args",),
    }  # fmt: skip
    yield place, node
    for field, value in ast.iter_fields(node):
        if field in skipped.get(type(node), ()):
            continue
        if field == "body" and isinstance(node, ast.If) and "is_float32" in ast.unparse(node.test):
            continue  # a kernel in place of the rule; gradients are checked in float64
        if isinstance(value, ast.AST):
            yield from arithmetic(value, (*place, (field, None)))
        elif isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from arithmetic(item, (*place, (field, i)))


def walk_to(node: ast.AST, place: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the parent of a place, and the field and index at which it hangs."""
    for field, index in place[:-1]:
        value = getattr(node, field)
        node = value if index is None else value[index]
    return node, *place[-1]


def place_of(definition: ast.FunctionDef, place: tuple[Any, ...]) -> int:
    parent, field, index = walk_to(definition, place)
    value = getattr(parent, field)
    return int((value if index is None else value[index]).lineno)
