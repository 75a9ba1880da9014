"""What the tests of exported models share: exporting one, running it with onnxruntime, comparing."""

from collections import Counter

import numpy as np
import pytest

from tinygrad_edu import nn
from tinygrad_edu.nn.structure import flatten

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def drawn(shape, dtype=np.float32, seed=0):
    """Numbers of both signs; for whole numbers 0 … 4."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 5, shape).astype(dtype)


class Exports:
    """Exports models into a folder, runs them, and compares."""

    def __init__(self, folder):
        self.path = folder / "model.onnx"

    def write(self, model, example=None):
        nn.export_onnx(model, self.path, example)
        proto = onnx.load(self.path)
        onnx.checker.check_model(proto, full_check=True)
        return proto

    def run(self, *inputs):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        names = [x.name for x in session.get_inputs()]
        return session.run(None, dict(zip(names, inputs, strict=True)))

    def compare(self, model, *batches, example=None, arguments=None):
        """Export, and compare the outputs for each batch, a tuple of the inputs; return the graph."""
        proto = self.write(model, example)
        for batch in batches:
            given_ = arguments(batch) if arguments else [batch[0]] if len(batch) == 1 else [list(batch)]
            expected = [y.numpy() for y in flatten(model(*given_))]
            for y, wanted in zip(self.run(*batch), expected, strict=True):
                assert (y.shape, y.dtype) == (wanted.shape, wanted.dtype)
                scale = max(1.0, np.abs(wanted).max(initial=0))
                np.testing.assert_allclose(y / scale, wanted / scale, rtol=0, atol=1e-4)
        return proto


def kinds(proto):
    return Counter(node.op_type for node in proto.graph.node)


def sequential(shape, *rest, dtype="float32"):
    return nn.Sequential([nn.Input(shape, dtype=dtype), *rest])
