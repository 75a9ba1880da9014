"""Tensor's methods: NumPy's, by name and by argument; and a hint for those of other packages."""

import numpy as np
import pytest

from tinygrad_edu import Tensor


def leaf(values):
    return Tensor(np.array(values, np.float64), requires_grad=True)


# Methods, each with arguments as NumPy's method takes them.
METHODS = {
    "all": [lambda t: t.all(), lambda t: t.all(0)],
    "any": [lambda t: t.any(), lambda t: t.any(1, keepdims=True)],
    "argmax": [lambda t: t.argmax(), lambda t: t.argmax(1)],
    "argmin": [lambda t: t.argmin(), lambda t: t.argmin(0)],
    "argsort": [lambda t: t.argsort(), lambda t: t.argsort(0)],
    "astype": [lambda t: t.astype("float32"), lambda t: t.astype(t.dtype, copy=False)],
    "clip": [lambda t: t.clip(1, 2), lambda t: t.clip(max=2)],
    "copy": [lambda t: t.copy()],
    "cumprod": [lambda t: t.cumprod(), lambda t: t.cumprod(1)],
    "cumsum": [lambda t: t.cumsum(), lambda t: t.cumsum(axis=0)],
    "diagonal": [lambda t: t.diagonal(), lambda t: t.diagonal(1)],
    "dot": [lambda t: t.dot(t), lambda t: t.dot(t[0])],
    "flatten": [lambda t: t.flatten()],
    "item": [lambda t: t[1, 1].item()],
    "max": [lambda t: t.max(), lambda t: t.max(0)],
    "mean": [lambda t: t.mean(), lambda t: t.mean(0, keepdims=True)],
    "min": [lambda t: t.min(), lambda t: t.min(axis=(0, 1))],
    "prod": [lambda t: t.prod(), lambda t: t.prod(0)],
    "ravel": [lambda t: t.ravel()],
    "repeat": [lambda t: t.repeat(2), lambda t: t.repeat(2, 0)],
    "reshape": [lambda t: t.reshape(4), lambda t: t.reshape(1, -1), lambda t: t.reshape((4, 1))],
    "round": [lambda t: t.round()],
    "squeeze": [lambda t: t[None].squeeze(), lambda t: t[None].squeeze(0)],
    "std": [lambda t: t.std(), lambda t: t.std(0)],
    "sum": [lambda t: t.sum(), lambda t: t.sum(0), lambda t: t.sum(dtype="float32")],
    "swapaxes": [lambda t: t.swapaxes(0, 1), lambda t: t[None].swapaxes(0, -1)],
    "take": [lambda t: t.take([0, 3]), lambda t: t.take([1], 1)],
    "tolist": [lambda t: t.tolist()],
    "trace": [lambda t: t.trace(), lambda t: t.trace(1)],
    "transpose": [lambda t: t.transpose(), lambda t: t.transpose(0, 1), lambda t: t.transpose((1, 0))],
    "var": [lambda t: t.var(), lambda t: t.var(1)],
}
OTHERS = {  # that NumPy's arrays don't have, or in another way
    "backward", "detach", "exp", "log", "numpy", "register_hook", "relu", "sigmoid", "softmax", "sort",
    "sqrt", "tanh", "to_device", "zero_grad",
}  # fmt: skip


def test_every_method_has_a_call_here():
    methods = {n for n in dir(Tensor) if not n.startswith("_") and callable(getattr(Tensor, n))}
    assert methods == set(METHODS) | OTHERS


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_numpys(name):
    a = np.array([[0.2, 1.7], [1.1, 3.4]])
    for call in METHODS[name]:
        got, expected = call(leaf(a)), call(a)
        if not isinstance(expected, np.ndarray | np.generic):
            assert got == expected
            continue
        np.testing.assert_allclose(got.data, expected, rtol=1e-12)
        assert got.dtype == expected.dtype
        assert got.requires_grad == (expected.dtype.kind == "f" and name != "round")


def test_sort_gives_a_new_tensor():
    x = leaf([[2.0, 1.0], [0.0, 3.0]])
    assert x.sort().tolist() == [[1, 2], [0, 3]]
    assert x.sort(0, descending=True).tolist() == [[2, 3], [0, 1]]
    assert x.tolist() == [[2, 1], [0, 3]]


def test_the_correction_is_numpys_ddof():
    x = leaf([[2.0, 1.0], [0.0, 3.0]])
    np.testing.assert_allclose(x.var(0, correction=1).data, x.data.var(0, ddof=1))
    np.testing.assert_allclose(x.std(0, correction=1).data, x.data.std(0, ddof=1))


def test_at_gives_a_new_tensor():
    x = leaf([2.0, 1.0])
    assert x.at[0].set(5.0).tolist() == [5, 1]
    assert x.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("view", r"x\.reshape\(shape\)"),
        ("unsqueeze", r"te\.expand_dims"),
        ("cpu", "one device"),
        ("add_", r"t\.data\[\.\.\.\] ="),
        ("erf", r"it is a function: tinygrad_edu\.erf\(x\)"),
        ("cumsums", "did you mean 'cumsum'"),
        ("zzz", "no attribute 'zzz'$"),
        ("__array_interface__", "no attribute '__array_interface__'$"),
    ],
)
def test_another_packages_method_is_told_ours(name, words):
    with pytest.raises(AttributeError, match=words):
        getattr(leaf([1.0]), name)
    assert not hasattr(leaf([1.0]), name)
