"""From a trace to an explanation: the operations forward, the rules backward, what the parameters get."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from math import prod

import numpy as np

from ..context import SourceLine
from ..tracing import Gradient, Input, Leaf, Numbers, Source, Step, Trace
from .chain_rule import chain_section, signed, single_way
from .content import Array, Code, Entry, Math, Piece, Row, Section, Slope, short, summary
from .symbols import Symbols

__all__ = ["backward_entry", "forward_entry", "result_entry", "sections_of"]


def sections_of(trace: Trace, chosen: Collection[str], remark: str) -> tuple[Section, ...]:
    """Tell of the chosen steps; the remark says what was left out, and how to see it."""
    names = Symbols(trace, chosen)
    shown = [step for step in trace.steps if step.id in chosen]
    touched = {x.source for step in shown for x in step.inputs} | set(trace.outputs)
    leaves = [x for x in trace.leaves if x.kind != "number" and (x.id in touched or not remark)]
    entries = _forward_entries(shown, names)
    found = [
        _introduction(trace, names, remark),
        Section("What goes in", (), tuple(_listed(leaves, names, _leaf))),
        Section("Forward", (), tuple(_with_gaps(trace.steps, chosen, entries, names))),
    ]
    walked = list(trace.walked())
    turns = [backward_entry(step, names) for step in walked if step.id in chosen]
    found.append(Section("Backward", (), tuple(_with_gaps(walked, chosen, turns, names))))
    parameters = [x for x in leaves if x.kind == "parameter"]
    if parameters:
        text = "These are the gradients that backward() adds to the parameters' .grad."
        results = tuple(_listed(parameters, names, result_entry))
        found.append(Section("What the parameters get", (text,), results))
    if not remark and (chain := chain_section(trace, names)) is not None:
        found.append(chain)
    return tuple(found)


def _introduction(trace: Trace, names: Symbols, remark: str) -> Section:
    loss = names.output
    learned = [names.of(x.id) for x in trace.leaves if x.kind == "parameter"]
    example = learned[-1] if learned else "x"
    text: tuple[Piece, ...] = (
        f"Forward, {_many(len(trace.steps), 'operation')} compute ",
        Code(loss),
        ". Backward, from the last to the first, each one's rule takes the gradient of its result and sends "
        "one to each of its inputs: that is the chain rule. ",
        Slope(loss, example),
        " tells how fast ",
        Code(loss),
        " grows when ",
        Code(example),
        " does: one number for each of its numbers. In rules a bar marks a gradient: ",
        Math(r"\bar{y}"),
        " is the one that arrives, ",
        Math(r"\bar{x}"),
        " the one that is sent on.",
    )
    return Section(
        f"Where {loss} comes from, and how its gradient goes back",
        (*text, *([" ", remark] if remark else [])),
        (),
    )


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"


_MOST = 12  # parameters that are listed


def _listed(leaves: list[Leaf], names: Symbols, entry: Callable[[Leaf, Symbols], Entry]) -> Iterator[Entry]:
    for x in leaves[:_MOST]:
        yield entry(x, names)
    if len(leaves) > _MOST:
        yield Entry(None, (f"… and {len(leaves) - _MOST} more",), "")


def _leaf(x: Leaf, names: Symbols) -> Entry:
    what = "a parameter: its gradient is wanted" if x.kind == "parameter" else "data, without a gradient"
    shape = (f" {x.value.shape}",) if x.value.shape else ()
    return Entry(None, (Code(names.of(x.id)), *shape), what, (Row("is", (Array(x.value),)),))


def _with_gaps(
    steps: Iterable[Step], chosen: Collection[str], entries: Iterable[Entry], names: Symbols
) -> Iterator[Entry]:
    """Put a remark where operations were left out."""
    remaining = iter(entries)
    left: list[Step] = []
    for step in (*steps, None):
        if step is not None and step.id not in chosen:
            left.append(step)
            continue
        if left:
            first, last = names.number[left[0].id], names.number[left[-1].id]
            which = f"operation {first}" if len(left) == 1 else f"{len(left)} operations, {first} to {last},"
            yield Entry(None, (f"… {which} left out here",), "")
            left = []
        if step is not None:
            yield next(remaining)


def _place(step: Step) -> str:
    parts = [f"in {step.module}" if step.module else "", f"{step.line}" if step.line else ""]
    return ", ".join(part for part in parts if part)


def _value(x: Numbers) -> tuple[Piece, ...]:
    return (*((f" {x.shape}",) if x.shape else ()), " = ", Array(x))


def _forward_entries(steps: Iterable[Step], names: Symbols) -> Iterator[Entry]:
    before = None
    for step in steps:
        yield forward_entry(step, names, before)
        before = step.line


def forward_entry(step: Step, names: Symbols, before: SourceLine | None = None) -> Entry:
    """Tell of one operation; of its line only if it is another than the line before."""
    rows = []
    if step.line and step.line.text and step.line != before:  # a line of several operations stands once
        rows.append(Row("line", (Code(step.line.text),)))
    if step.formula:
        rows.append(Row("formula", (Math(step.formula), *_where(step, names, step.formula))))
    expression, options = names.expression(step), ", ".join(names.options(step))
    if options and options not in expression and step.operation != "part":
        rows.append(Row("options", (Code(options),)))
    shape = step.value.shape
    for x in step.inputs:
        mine, source = names.trace.value(x).shape, names.trace[x.source]
        number = isinstance(source, Leaf) and source.kind == "number"
        if step.broadcasts and mine != shape and not number:
            along = _axes([i for i, n in enumerate(shape) if _is_stretched(i - len(shape), mine, n)])
            text = f" {mine} is stretched to {shape}: its numbers are used again along {along}"
            rows.append(Row("broadcast", (Code(names.source(x)), text)))
    for i, value in enumerate(step.values):
        rows.append(Row("result", (Code(names.of(step.id, i)), *_value(value))))
    rows.append(Row("keeps", tuple(_kept(step, names))))
    title = (Code(names.names[step.id]), " = ", Code(expression))
    return Entry(names.number[step.id], title, _place(step), tuple(rows))


def _is_stretched(axis: int, shape: tuple[int, ...], n: int) -> bool:
    return -axis > len(shape) or (shape[axis] == 1 and n != 1)


def _axes(axes: Collection[int]) -> str:
    listed = [str(axis) for axis in axes]
    return f"axis {listed[0]}" if len(listed) == 1 else f"axes {', '.join(listed[:-1])} and {listed[-1]}"


def _symbol(name: str, formula: str) -> Math:
    """Return how a formula writes the input that the operation calls so: x1 is x_1, or X_1."""
    stem = name.rstrip("0123456789")
    latex = f"{stem}_{name[len(stem) :]}" if stem != name else name
    capital = latex[0].upper() + latex[1:]
    greek = {"scale": r"\gamma", "offset": r"\beta", "gamma": r"\gamma", "beta": r"\beta"}
    if len(latex.partition("_")[0]) > 1:
        return Math(greek.get(name, rf"\text{{{name}}}".replace("_", r"\_")))
    return Math(capital if capital in formula and latex not in formula else latex)


def _where(step: Step, names: Symbols, formula: str) -> Iterator[Piece]:
    """Say what the letters of a formula are: x₁ stands for v1 (4, 2), x₂ for b (2,)."""
    for i, x in enumerate(step.inputs[:4]):
        value = names.trace.value(x)
        yield "   where " if i == 0 else ", "
        yield _symbol(x.name, formula)
        yield " stands for " if i == 0 else " for "  # not "=": the reader's own tensor may be called x too
        yield Code(names.source(x))
        if value.shape:
            yield f" {value.shape}"
    if len(step.inputs) > 4:
        yield f" and {len(step.inputs) - 4} more"


def _kept(step: Step, names: Symbols) -> Iterator[Piece]:
    """Say what was saved for the rule, in the explanation's own names."""
    if not step.saved:
        yield "nothing: the rule needs none of these numbers again"
        return
    inputs = {x.name: x for x in step.inputs}
    yield "for the way back: "
    for i, name in enumerate(step.saved):
        yield ", " if i else ""
        stem = name.removesuffix("_shape")
        if name in inputs:
            yield Code(names.source(inputs[name]))
        elif name == "out":
            yield "the result"
        elif stem in inputs:
            yield "the shape of "
            yield Code(names.source(inputs[stem]))
        else:
            yield {"xs": "all inputs", "shapes": "the shapes of the inputs"}.get(name, name)


def backward_entry(step: Step, names: Symbols) -> Entry:
    """Tell what the rule of one operation gets and sends."""
    loss = names.output
    rows: list[Row] = []
    for i, gradient in enumerate(step.gradients):
        if gradient is not None:
            rows += _arriving(names.of(step.id, i), gradient, names, step)
    if step.derivative:
        rule = (Math(step.derivative), *_where(step, names, step.derivative))
        if _CONDITION.search(step.derivative):
            rule += ("   [a condition] is 1 where it holds, else 0",)
        rows.append(Row("rule", rule))
    if step.words:
        rows.append(Row("in words", (step.words,)))
    for x in step.inputs:
        rows += _sending(step, x, names, loss)
        rows += _worked(step, x, names)
    title = (step.operation, ":  ", Code(names.names[step.id]), " = ", Code(names.expression(step)))
    return Entry(names.number[step.id], title, "", tuple(rows))


# Iverson's bracket, as in the rule of relu, but not the index of x[index].
_CONDITION = re.compile(r"\[[^\]]*([<>=]|\\le|\\ge|is |condition|won)[^\]]*\]")


def _arriving(name: str, gradient: Gradient, names: Symbols, at: Step | None = None) -> Iterator[Row]:
    """Tell what reaches an operation's result, or finally a parameter, and of which parts it is the sum."""
    loss = names.output
    parts = gradient.parts
    if len(parts) > 1:
        yield Row("meeting", (Code(name), f" has {len(parts)} uses, and what comes back from them is added:"))
        for source in parts[:_PARTS]:
            yield Row(*_part(source, gradient, names))
        if len(parts) > _PARTS:
            yield Row("", (f"… and {len(parts) - _PARTS} more",))
    total = (Slope(loss, name), *_value(gradient.total))
    sender = parts[0]
    told = len(parts) == 1 and sender is not None and sender.step in names.told
    number = names.number[sender.step] if told and sender is not None else 0
    # What stands a few lines above, or would be long, isn't written out again.
    just_now = at is not None and number == names.number[at.id] + 1 and gradient.total.shape != ()
    if told and (just_now or summary(gradient.total)):
        text = f" {gradient.total.shape}, as operation {number} {'has just ' * just_now}sent it"
        text += f": {summary(gradient.total)}" if at is None else ""
        yield Row("arrives", (Slope(loss, name), text))
    elif parts == (None,) and gradient.total.shape == () and gradient.total.array == 1:
        yield Row("arrives", (*total, "   where every walk begins"))
    elif parts == (None,):
        yield Row("arrives", (*total, "   which was given to begin with"))
    else:
        yield Row("sum" if len(parts) > 1 else "arrives", total)
    if gradient.hooked:
        yield Row("hook", ("a hook puts another in its place: ", Slope(loss, name), *_value(gradient.final)))


_PARTS = 6  # of a sum, that are written out


def _part(source: Source | None, gradient: Gradient, names: Symbols) -> tuple[str, tuple[Piece, ...]]:
    if source is None:
        return "start", ("what the walk begins with",)
    step = names.trace[source.step]
    assert isinstance(step, Step)
    what = (f"{step.operation} (operation {names.number[step.id]})",)
    return "from", (*what, *_value(names.trace.part(source)))


def _sending(step: Step, x: Input, names: Symbols, loss: str) -> Iterator[Row]:
    """Tell what a rule gives for one input."""
    source = names.trace[x.source]
    if isinstance(source, Leaf) and source.kind == "number":
        return
    name = names.source(x)
    label = f"to {name}" if len(name) <= _LONG else "sends"
    if x.gradient is None:
        data = isinstance(source, Leaf) and source.kind == "input"
        why = "no gradient is asked of it" if data else "the rule has none for it"
        yield Row(label, (f"nothing: {why}",))
        return
    if x.summed_axes:
        yield Row(label, tuple(_summing(x, name)))
        label = ""
    pieces: list[Piece] = ["a part of "] if names.uses[x.source, x.result] > 1 else []
    pieces.append(Slope(loss, name))
    if x.slope is not None and step.gradient is not None and not x.gradient.shape:
        arrived = step.gradient.final.array.item()
        result = names.names[step.id]
        pieces += [" = ", Slope(loss, result), " · ", Slope(result, name)]
        pieces += [f" = {short(arrived)} · {short(x.slope)}"]
    yield Row(label, (*pieces, *_value(x.gradient)))


def _worked(step: Step, x: Input, names: Symbols) -> Iterator[Row]:
    """Write out one number of the gradient of a product of small matrices, term by term."""
    if step.operation != "matmul" or step.gradient is None or x.gradient is None:
        return
    place = next(i for i, other in enumerate(step.inputs) if other is x)
    other, arrived = names.trace.value(step.inputs[1 - place]), step.gradient.final
    if not (len(step.inputs) == 2 and other.whole and arrived.whole and x.gradient.whole):
        return
    if not other.array.ndim == arrived.array.ndim == x.gradient.array.ndim == 2 or not x.gradient.size:
        return
    mine, rows = names.source(step.inputs[1 - place]), place == 0
    along = "row" if rows else "column"
    pairs = zip(*[(m.array if rows else m.array.T)[0].tolist() for m in (other, arrived)], strict=True)
    products = [f"{signed(a)}·{signed(b)}" for a, b in pairs]
    if 0 < len(products) <= _TERMS:
        how = f"{along} 0 of ", Code(mine), f" times {along} 0 of ", Math(r"\bar{Y}")
        said = f": {' + '.join(products)} = {short(x.gradient.array[0, 0].item())}, "
        yield Row("", (Code(f"{names.source(x)}[0, 0]"), said, *how))


_LONG = 10  # letters of a name that fit into the column of labels


def _summing(x: Input, name: str) -> Iterator[Piece]:
    """Tell why a gradient is summed over axes, and write out one of the sums."""
    assert x.gradient is not None
    assert x.raw_shape is not None
    shape = x.gradient.shape
    times = prod([x.raw_shape[axis] for axis in x.summed_axes])
    yield f"the rule's gradient is {x.raw_shape}, but "
    yield Code(name)
    yield f" is {shape}: each of its numbers" if shape else " is a single number: it"
    yield f" was used {times:,} times. All uses count, so it is summed over {_axes(x.summed_axes)}"
    if x.raw is None or not x.raw.whole or not 0 < times <= _TERMS or not x.gradient.size:
        return
    picked = tuple([slice(None) if axis in x.summed_axes else 0 for axis in range(len(x.raw_shape))])
    terms = " + ".join([short(v) for v in x.raw.array[picked].ravel().tolist()]).replace("+ -", "- ")
    first = (0,) * len(shape)
    yield ". For "
    yield Code(f"{name}{list(first)}" if first else name)
    yield f": {terms} = {short(x.gradient.array[first].item())}"


_TERMS = 6  # of a sum, that are written out


def result_entry(x: Leaf, names: Symbols) -> Entry:
    """Tell what a parameter gets, and what that means."""
    loss, name = names.output, names.of(x.id)
    title = (Code(name), *((f" {x.value.shape}",) if x.value.shape else ()))
    if x.gradient is None:
        return Entry(None, title, "", (Row("", ("nothing: no gradient came to it",)),))
    rows: list[Row] = []
    way = single_way(names.trace, x.id)
    if way is not None and len(way) <= 12:
        stations = [f"{step.operation} ({names.number[step.id]})" for step in way]
        rows.append(Row("way", (" → ".join([loss, *stations, name]),)))
    rows += _arriving(name, x.gradient, names)
    rows.append(Row("means", tuple(_meaning(x.gradient.final, name, loss))))
    return Entry(None, title, "", tuple(rows))


def _meaning(gradient: Numbers, name: str, loss: str) -> Iterator[Piece]:
    """Say in numbers what a slope is: what a small step of the parameter does."""
    if not gradient.size:
        yield "there is nothing to change"
        return
    if gradient.strange:
        yield f"{gradient.strange:,} slopes are nan or inf: te.detect_anomaly() finds where that began"
        return
    if gradient.low == gradient.high == 0:
        yield "a small step of "
        yield Code(name)
        yield " changes "
        yield Code(loss)
        yield " not at all"
        return
    slope = gradient.low if -gradient.low > gradient.high else gradient.high
    yield "raise "
    if gradient.whole:
        place = [int(i) for i in np.argwhere(gradient.array == slope)[0]]
        yield Code(f"{name}{place}" if place else name)
    else:
        yield "the steepest number of "
        yield Code(name)
    yield " by 0.001, and "
    yield Code(loss)
    yield f" {'rises' if slope > 0 else 'falls'} by about {short(abs(slope) / 1000)}"
