"""What things are called in an explanation: by their own names, by their variables, or v1, v2 …"""

from collections import Counter
from collections.abc import Collection

from ..tracing import Input, Leaf, Numbers, Step, Trace
from .content import short

__all__ = ["Symbols"]

_LONG = 50  # characters, beyond which the options get a row of their own

_BETWEEN = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@", "pow": "**"}


class Symbols:
    """Names for all steps and leaves of a trace, each different."""

    def __init__(self, trace: Trace, told: Collection[str]) -> None:
        self.trace = trace
        self.told = told  # ids of the steps that the explanation tells of
        self.names: dict[str, str] = {}
        self.number = {step.id: i for i, step in enumerate(trace.steps, 1)}
        self.uses: dict[tuple[str, int], int] = {}
        taken: dict[str, int] = {}
        users = {x.source: step.module for step in reversed(trace.steps) for x in step.inputs}
        alike = Counter(x.name for x in trace.leaves)
        counts = {"parameter": 0, "input": 0}
        things: tuple[Leaf | Step, ...] = (*trace.leaves, *trace.steps)
        for x in things:
            if isinstance(x, Leaf) and x.kind == "number":
                self.names[x.id] = short(x.value.array.item())
                continue
            name = x.name
            if name and isinstance(x, Leaf) and alike[name] > 1 and users.get(x.id):
                name = f"{users[x.id]}/{name.rpartition('/')[2]}"  # many models have a "dense/kernel"
            if not name and x.id in trace.outputs:
                name = "loss"
            if not name and isinstance(x, Leaf):
                counts[x.kind] += 1
                name = f"{'p' if x.kind == 'parameter' else 'c'}{counts[x.kind]}"
            name = name or f"v{self.number[x.id]}"
            taken[name] = taken.get(name, 0) + 1
            self.names[x.id] = name if taken[name] == 1 else f"{name}#{taken[name]}"
        for step in trace.steps:
            for i in step.inputs:
                self.uses[i.source, i.result] = self.uses.get((i.source, i.result), 0) + 1

    @property
    def output(self) -> str:
        """The name of what is differentiated."""
        return " + ".join(self.names[id] for id in self.trace.outputs)

    def of(self, id: str, result: int = 0) -> str:
        x = self.trace[id]
        return f"{self.names[id]}[{result}]" if isinstance(x, Step) and x.several else self.names[id]

    def source(self, x: Input) -> str:
        return self.of(x.source, x.result)

    def expression(self, step: Step) -> str:
        """Write what a step computes as the program would: v1 + b, sum(v3, axis=0)."""
        if step.operation == "part":
            return self.source(step.inputs[0])
        names = [self.names[x.source] for x in step.inputs]
        if step.operation in _BETWEEN and len(names) == 2:
            return f" {_BETWEEN[step.operation]} ".join(names)
        if step.operation == "negative":
            return f"-{names[0]}"
        text = f"{step.operation}({', '.join([*names, *self.options(step)])})"
        return text if len(text) <= _LONG else f"{step.operation}({', '.join(names)})"

    def options(self, step: Step) -> list[str]:
        """Return the arguments that aren't inputs, but for those that are None or False."""
        found = []
        for key, value in step.params.items():
            if isinstance(value, Numbers):
                found.append(f"{key} {value.shape}")
            elif value is not None and value is not False:
                text = repr(value)
                found.append(f"{key}={text if len(text) <= 30 else '…'}")
        return found
