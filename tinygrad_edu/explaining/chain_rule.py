"""The chain rule in full, where all are single numbers: a product for each way, and the sum of the ways."""

from collections.abc import Iterator

from ..tracing import Input, Leaf, Step, Trace
from .content import Entry, Piece, Row, Section, Slope, short
from .formulas import unicode_math
from .symbols import Symbols

__all__ = ["chain_section", "signed", "single_way"]

_STEPS, _WAYS, _FACTORS = 40, 6, 8  # beyond these nobody reads it

Way = tuple[tuple[Step, Input], ...]  # from the output down to the leaf


def chain_section(trace: Trace, names: Symbols) -> Section | None:
    """Write out dL/dx of each parameter with symbols and then with numbers; None if it isn't that small."""
    if len(trace.outputs) != 1 or not 0 < len(trace.steps) <= _STEPS:
        return None
    wanted = [x for step in trace.steps for x in step.inputs if x.gradient is not None]
    if not wanted or any(x.slope is None for x in wanted) or any(s.several for s in trace.steps):
        return None
    top = trace[trace.outputs[0]]
    if isinstance(top, Leaf) or top.gradient is None or top.gradient.final.array.item() != 1:
        return None
    if any(s.gradient is not None and s.gradient.hooked for s in trace.steps):
        return None  # what a hook did is no derivative
    users = _users(trace)
    learned = [x for x in trace.leaves if x.kind == "parameter" and x.gradient is not None]
    entries = [_entry(x, trace, names, users) for x in learned]
    text = "Along a way the slopes are multiplied; where ways meet, they are added. "
    text += "The slope of an operation is its rule with 1 for the arriving gradient."
    return Section("The chain rule, written out", (text,), tuple(entries))


def single_way(trace: Trace, leaf: str) -> list[Step] | None:
    """Return the steps that a gradient takes from the output to a leaf, if there is just one way."""
    users = _users(trace)
    way: list[Step] = []
    id = leaf
    while id not in trace.outputs:
        if len(users.get(id, [])) != 1:
            return None
        way.insert(0, users[id][0][0])
        id = way[0].id
    return way if not users.get(id) else None


def _users(trace: Trace) -> dict[str, list[tuple[Step, Input]]]:
    """Return, for each thing, the steps that sent it a gradient."""
    users: dict[str, list[tuple[Step, Input]]] = {}
    for step in trace.walked():
        for x in step.inputs:
            if x.gradient is not None:
                users.setdefault(x.source, []).append((step, x))
    return users


def _entry(leaf: Leaf, trace: Trace, names: Symbols, users: dict[str, list[tuple[Step, Input]]]) -> Entry:
    assert leaf.gradient is not None
    loss, name = names.output, names.of(leaf.id)
    ways = _ways(leaf.id, trace.outputs[0], users)
    symbols: list[Piece] = []
    numbers: list[str] = []
    if ways is not None:
        for way in ways:
            symbols += [" + "] if symbols else []
            factors = list(_factors(way, names))
            symbols += [piece for f in factors for piece in (" · ", f)][1:]
            numbers.append(" · ".join(signed(x.slope) for _, x in way))
    else:  # one level of it: the gradients of what the leaf goes into are in the list above
        for step, x in users[leaf.id]:
            assert step.gradient is not None
            symbols += [" + "] if symbols else []
            symbols += [Slope(loss, names.of(step.id)), " · ", _slope(step, x, names)]
            numbers.append(f"{signed(step.gradient.final.array.item())} · {signed(x.slope)}")
    final = short(leaf.gradient.total.array.item())
    rows = [Row("symbols", tuple(symbols)), Row("numbers", (" + ".join(numbers),)), Row("result", (final,))]
    return Entry(None, (Slope(loss, name),), "", tuple(rows))


def _ways(id: str, top: str, users: dict[str, list[tuple[Step, Input]]]) -> list[Way] | None:
    """Return all ways from the top down to a thing, or None if they are too many or too long."""
    ways: list[Way] = []
    stack: list[tuple[str, Way]] = [(id, ())]
    while stack:
        at, way = stack.pop()
        if at == top:
            ways.append(way)
        for step, x in users.get(at, []):
            if len(way) == _FACTORS or len(stack) + len(ways) > _WAYS:
                return None
            stack.append((step.id, ((step, x), *way)))
    return ways if len(ways) <= _WAYS else None


def _factors(way: Way, names: Symbols) -> Iterator[Piece]:
    for step, x in way:
        yield _slope(step, x, names)


def _slope(step: Step, x: Input, names: Symbols) -> Slope:
    """Name the slope of an operation, saying which input is meant where one thing is two of them."""
    by = names.source(x)
    if sum(y.source == x.source for y in step.inputs) > 1:
        stem = x.name.rstrip("0123456789")
        by = f"{by} as {unicode_math(f'{stem}_{{{x.name[len(stem) :]}}}') if stem != x.name else x.name}"
    return Slope(names.of(step.id), by)


def signed(x: float | None) -> str:
    assert x is not None
    text = short(x)
    return f"({text})" if text.startswith("-") else text
