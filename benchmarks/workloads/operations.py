"""W6: single operations, forward and backward, and what the tape itself costs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import tinygrad_edu as te

from ..harness import Job
from .base import Array, Problem, Workload

# How an input's axes lie: images (N, H, W, C), filters (kh, kw, C, F), depthwise filters (kh, kw, C, 1), or
# anything else, which lies alike everywhere. PyTorch's: (N, C, H, W), (F, C, kh, kw), (C, 1, kh, kw).
TO_TORCH = {"image": (0, 3, 1, 2), "filter": (3, 2, 0, 1), "depthwise": (2, 3, 0, 1)}
FROM_TORCH = {kind: tuple(np.argsort(axes)) for kind, axes in TO_TORCH.items()}

Part = Literal["forward", "input gradient", "weight gradient", "both"]


@dataclass(frozen=True)
class Operation(Workload):
    """One operation on random inputs: its forward pass, one gradient alone, or both passes together.

    A gradient alone is walked again and again over one recorded forward pass, by both engines.
    """

    name: str
    title: str
    part: Part
    inputs: tuple[tuple[str, tuple[int, ...]], ...]  # kind and shape
    ours_of: Callable[..., Any]
    torch_of: Callable[..., Any]

    tolerance = 1e-4  # relative to the largest number of a result
    check_steps = 1
    single = True  # its memory says little

    def data(self) -> tuple[Array, ...]:
        rng = np.random.default_rng(0)
        return tuple(rng.standard_normal(shape, np.float32) for _, shape in self.inputs)

    def model(self) -> None:
        return None

    def problem(self) -> Problem:
        return Problem(self.data(), {})

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.inputs]

    def wanted(self) -> list[int]:
        """Return which inputs' gradients are computed."""
        choice = {"forward": [], "input gradient": [0], "weight gradient": [1]}
        return choice.get(self.part, list(range(len(self.inputs))))

    def ours(self, problem: Problem) -> Job:
        wanted = self.wanted()
        tensors = [te.Tensor(a, requires_grad=i in wanted) for i, a in enumerate(problem.data)]
        some = [tensors[i] for i in wanted]
        if self.part == "forward":

            def step() -> Any:
                with te.no_grad():
                    return [self.ours_of(*tensors)]

        elif self.part == "both":
            seed = te.Tensor(_seed(self.ours_of(*tensors).shape))

            def step() -> Any:
                return te.grad(self.ours_of(*tensors), some, seed)

        else:
            y = self.ours_of(*tensors)
            seed = te.Tensor(_seed(y.shape))

            def step() -> Any:
                return te.grad(y, some, seed, retain_graph=True)

        return Job(step, lambda found: [t.numpy() for t in found])

    def torch(self, problem: Problem, channels_last: bool = False) -> Job:
        import torch

        wanted = self.wanted()
        layout = torch.channels_last if channels_last else torch.contiguous_format

        def theirs(a: Array, kind: str) -> Any:
            if kind not in TO_TORCH:
                return torch.from_numpy(a)
            t = torch.from_numpy(np.ascontiguousarray(a.transpose(TO_TORCH[kind])))
            return t.contiguous(memory_format=layout)

        def ours(t: Any, kind: str) -> Array:
            a: Array = t.detach().numpy()
            return a.transpose(FROM_TORCH[kind]) if kind in FROM_TORCH else a

        tensors = [theirs(a, kind) for a, kind in zip(problem.data, self.kinds, strict=True)]
        for i in wanted:
            tensors[i].requires_grad_()
        some = [tensors[i] for i in wanted]
        result = "image" if "image" in self.kinds else "-"
        kinds = [self.kinds[i] for i in wanted] or [result]
        y = self.torch_of(*tensors)
        seed = theirs(_seed(ours(y, result).shape), result)
        if self.part == "forward":

            def step() -> Any:
                with torch.no_grad():
                    return [self.torch_of(*tensors)]

        elif self.part == "both":

            def step() -> Any:
                return torch.autograd.grad(self.torch_of(*tensors), some, seed)

        else:

            def step() -> Any:
                return torch.autograd.grad(y, some, seed, retain_graph=True)

        return Job(step, lambda found: [ours(t, kind) for t, kind in zip(found, kinds, strict=True)])

    def torch_channels_last(self, problem: Problem) -> Job:
        return self.torch(problem, channels_last=True)

    def runs_on(self, engine: str) -> bool:
        return engine in ("ours", "torch") or (engine == "torch_channels_last" and "image" in self.kinds)


def _seed(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(1).standard_normal(shape, np.float32)


def _torch(call: Callable[..., Any]) -> Callable[..., Any]:
    """Hand PyTorch's functions to a lambda when it runs: it may not be installed."""

    def with_torch(*tensors: Any) -> Any:
        import torch

        return call(torch.nn.functional, *tensors)

    return with_torch


def _scalars(x: Any) -> Any:
    y = x
    for _ in range(200):
        y = y * x
        y = y + x
    return y


BIG = ("image", (10, 64, 64, 64))
SMALL = ("image", (10, 32, 32, 64))
CODE = ("image", (64, 14, 14, 32))
CHANNELS = ("-", (64,))
TABLE = ("-", (1000, 1000))
ROW = ("-", (1000,))
SQUARE = ("-", (1024, 1024))

# name, title, the parts that are timed, inputs, ours, PyTorch's
_LIST: list[tuple[str, str, str, tuple[Any, ...], Any, Any]] = [
    (
        "conv", "conv 3x3, 64 to 64 at 10x64x64", "forward, input gradient, weight gradient",
        (BIG, ("filter", (3, 3, 64, 64))),
        lambda x, w: te.conv2d(x, w, padding=1),
        lambda F, x, w: F.conv2d(x, w, padding=1),
    ),
    (
        "depthwise", "depthwise 3x3 at 10x64x64x64", "forward, both",
        (BIG, ("depthwise", (3, 3, 64, 1))),
        lambda x, w: te.depthwise_conv2d(x, w, padding=1),
        lambda F, x, w: F.conv2d(x, w, padding=1, groups=64),
    ),
    (
        "strided", "conv 3x3 stride 2, 64 to 64 at 10x64x64", "forward, both",
        (BIG, ("filter", (3, 3, 64, 64))),
        lambda x, w: te.conv2d(x, w, strides=2, padding=1),
        lambda F, x, w: F.conv2d(x, w, stride=2, padding=1),
    ),
    (
        "transposed", "transposed conv 3x3 stride 2, 32 to 64 at 64x14x14", "forward, both",
        (CODE, ("filter", (3, 3, 64, 32))),
        lambda x, w: te.conv2d_transpose(x, w, strides=2),
        lambda F, x, w: F.conv_transpose2d(x, w, stride=2),
    ),
    (
        "maxpool2", "max pool 2x2 at 10x64x64x64", "forward, both", (BIG,),
        lambda x: te.max_pool2d(x, 2), lambda F, x: F.max_pool2d(x, 2),
    ),
    (
        "maxpool3", "max pool 3x3 stride 2 at 10x64x64x64", "forward, both", (BIG,),
        lambda x: te.max_pool2d(x, 3, strides=2), lambda F, x: F.max_pool2d(x, 3, stride=2),
    ),
    (
        "upsample", "upsampling 2x at 10x32x32x64", "forward, both", (SMALL,),
        lambda x: te.upsample2d(x, 2), lambda F, x: F.interpolate(x, scale_factor=2),
    ),
    (
        "batchnorm", "batch norm at 10x64x64x64", "forward, both", (BIG, CHANNELS, CHANNELS),
        lambda x, gamma, beta: te.batch_norm(x, gamma, beta),
        lambda F, x, gamma, beta: F.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-3),
    ),
    (
        "layernorm", "layer norm 1000x1000", "forward, both", (TABLE, ROW, ROW),
        lambda x, gamma, beta: te.layer_norm(x, gamma, beta),
        lambda F, x, gamma, beta: F.layer_norm(x, (1000,), gamma, beta, eps=1e-3),
    ),
    ("softmax", "softmax 1000x1000", "forward, both", (TABLE,), te.softmax, lambda F, x: F.softmax(x, -1)),
    ("gelu", "GELU of 1e6", "forward, both", (TABLE,), te.gelu, lambda F, x: F.gelu(x)),
    ("tanh", "tanh of 1e6", "forward, both", (TABLE,), te.tanh, lambda F, x: x.tanh()),
    ("exp", "exp of 1e6", "forward, both", (TABLE,), te.exp, lambda F, x: x.exp()),
    ("matmul", "matmul 1024x1024", "forward, both", (SQUARE, SQUARE), te.matmul, lambda F, x, y: x @ y),
    ("tape", "400 operations on a number", "both", (("-", ()),), _scalars, lambda F, x: _scalars(x)),
]  # fmt: skip

_SUFFIX = {"forward": "", "input gradient": "-dx", "weight gradient": "-dw", "both": "-both"}
_SAYS = {"both": "forward and backward"}


def _parts(name: str, title: str, parts: str, inputs: Any, ours: Any, theirs: Any) -> list[Operation]:
    return [
        Operation(
            f"W6-{name}{_SUFFIX[part]}",
            f"{title}, {_SAYS.get(part, part)}",
            part,
            inputs,
            ours,
            _torch(theirs),
        )
        for part in parts.split(", ")
    ]


WORKLOADS = [operation for row in _LIST for operation in _parts(*row)]
