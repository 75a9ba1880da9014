"""Kernels against their plain NumPy twins, and the machinery that compiles, keeps and announces them."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_edu import kernels
from tinygrad_edu.errors import DataError, DTypeError, ShapeError
from tinygrad_edu.kernels import reference

NO_PADDING = ((0, 0), (0, 0))
DTYPES = st.sampled_from([np.float32, np.float64])
SPECIAL = (np.nan, np.inf, -np.inf, -0.0)

# The first call of a kernel in a process compiles it or loads it from disk: no fair time limit.
unhurried = settings(deadline=None)


@st.composite
def arrays(draw, shape, dtype, special=False):
    """Normal numbers in a layout that callers may come with; if special, with a few NaN and inf."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    a = rng.normal(size=shape).astype(dtype)
    if special and a.size:
        for _ in range(draw(st.integers(1, 3))):
            a.reshape(-1)[rng.integers(a.size)] = draw(st.sampled_from(SPECIAL))
    match draw(st.sampled_from(["plain", "read-only", "fortran", "strided", "reversed", "unaligned"])):
        case "read-only":
            a.flags.writeable = False
        case "fortran":
            a = np.asfortranarray(a)
        case "strided":
            wide = np.zeros((*shape, 2), dtype)
            wide[..., 1] = a
            a = wide[..., 1]
        case "reversed":
            a = a[::-1].copy()[::-1]
        case "unaligned":
            raw = np.zeros(a.nbytes + 1, np.uint8)
            unaligned = raw[1:].view(dtype).reshape(shape)
            unaligned[...] = a
            a = unaligned
    return a


@st.composite
def windows(draw, largest=4, small_padding=False):
    """A window, its strides, a padding, and the shape (N, H, W, C) of images that it fits."""
    window = draw(st.tuples(st.integers(1, largest), st.integers(1, largest)))
    strides = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    pads = [st.integers(0, k - 1 if small_padding else 3) for k in window]
    padding = tuple(draw(st.tuples(pad, pad)) for pad in pads)
    n, c = draw(st.integers(0, 4)), draw(st.integers(0 if small_padding else 1, 5))
    size = [draw(st.integers(max(1, k - sum(pad)), k + 12)) for k, pad in zip(window, padding, strict=True)]
    return window, strides, padding, (n, *size, c)


def given_out(draw, shape, dtype):
    """An array to be filled, contiguous or not, and full of what must not survive."""
    out = np.full((*shape, 2), np.nan, dtype)
    return out[..., 0] if draw(st.booleans()) else out[..., 0].copy()


def assert_same(got, want, terms=1):
    """Equal up to the rounding of sums of so many terms of normal numbers; NaN and inf in the same places."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    tolerance = 20 * np.finfo(want.dtype).eps * max(1, terms) ** 0.5
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def inner(a, b):
    return np.vdot(a.astype(np.float64), b.astype(np.float64))


# --- Convolution ------------------------------------------------------------------------------------------


@st.composite
def convolutions(draw, special=""):
    """x, w, g, strides and padding; the array called special holds a few NaN and inf."""
    (kh, kw), strides, padding, x_shape = draw(windows())
    dtype, features = draw(DTYPES), draw(st.integers(1, 5))
    x = draw(arrays(x_shape, dtype, special == "x"))
    w = draw(arrays((kh, kw, x_shape[3], features), dtype, special == "w"))
    with np.errstate(all="ignore"):
        g = draw(arrays(reference.conv2d(x, w, strides, padding).shape, dtype, special == "g"))
    return x, w, g, strides, padding


@pytest.mark.parametrize("special", ["", "x", "w", "g"])
@given(data=st.data())
@unhurried
def test_convolutions_agree_with_their_twins(special, data):
    x, w, g, strides, padding = data.draw(convolutions(special))
    with np.errstate(all="ignore"):
        assert_same(
            kernels.conv2d(x, w, strides, padding), reference.conv2d(x, w, strides, padding), w[..., 0].size
        )
        assert_same(
            kernels.conv2d_input_grad(g, w, x.shape, strides, padding),
            reference.conv2d_input_grad(g, w, x.shape, strides, padding),
            w[:, :, 0].size,
        )
        assert_same(
            kernels.conv2d_weight_grad(x, g, w.shape, strides, padding),
            reference.conv2d_weight_grad(x, g, w.shape, strides, padding),
            g.size,
        )


@given(convolutions())
@unhurried
def test_convolution_gradients_are_its_adjoints(case):
    x, w, g, strides, padding = case
    forward = inner(kernels.conv2d(x, w, strides, padding), g)
    scale = np.finfo(x.dtype).eps * 100 * (1 + np.sqrt(g.size * w[..., 0].size))
    assert abs(forward - inner(x, kernels.conv2d_input_grad(g, w, x.shape, strides, padding))) < scale
    assert abs(forward - inner(w, kernels.conv2d_weight_grad(x, g, w.shape, strides, padding))) < scale


LARGER = {
    "several images a task": ((40, 13, 13, 6), (3, 3, 6, 16), (1, 1), NO_PADDING),
    "several bands an image": ((3, 64, 50, 5), (3, 3, 5, 7), (1, 1), ((1, 1), (1, 1))),
    "bands and strides": ((2, 99, 70, 3), (5, 4, 3, 6), (2, 3), ((1, 2), (2, 0))),
    "rows wider than a plane": ((1, 9, 1500, 2), (3, 3, 2, 3), (1, 1), ((0, 1), (1, 0))),
    "stride beyond the kernel": ((9, 41, 40, 4), (2, 1, 4, 4), (3, 4), NO_PADDING),
    "pointwise": ((20, 16, 16, 20), (1, 1, 20, 9), (1, 1), NO_PADDING),
    "one output": ((20, 7, 7, 20), (7, 7, 20, 11), (1, 1), NO_PADDING),
}


@pytest.mark.parametrize("case", LARGER.values(), ids=LARGER)
def test_parallel_convolutions_agree_with_their_twins_and_repeat_to_the_bit(case):
    x_shape, w_shape, strides, padding = case
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=x_shape), rng.normal(size=w_shape)
    g = rng.normal(size=reference.conv2d(x, w, strides, padding).shape)
    for name, arguments, terms in (
        ("conv2d", (x, w), w[..., 0].size),
        ("conv2d_input_grad", (g, w, x_shape), w[:, :, 0].size),
        ("conv2d_weight_grad", (x, g, w_shape), g[..., 0].size),
    ):
        for dtype in (np.float32, np.float64):
            cast = [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in arguments]
            got = getattr(kernels, name)(*cast, strides, padding)
            assert_same(got, getattr(reference, name)(*cast, strides, padding), terms)
            for _ in range(3):
                assert np.array_equal(getattr(kernels, name)(*cast, strides, padding), got)


@given(convolutions(), st.data())
@unhurried
def test_convolutions_fill_and_return_out(case, data):
    x, w, g, strides, padding = case
    for name, arguments, shape in (
        ("conv2d", (x, w), g.shape),
        ("conv2d_input_grad", (g, w, x.shape), x.shape),
        ("conv2d_weight_grad", (x, g, w.shape), w.shape),
    ):
        function = getattr(kernels, name)
        out = given_out(data.draw, shape, x.dtype)
        assert function(*arguments, strides, padding, out=out) is out
        assert np.array_equal(out, function(*arguments, strides, padding))


def test_convolution_of_nothing():
    x, w = np.zeros((0, 5, 5, 2), np.float32), np.ones((3, 3, 2, 4), np.float32)
    g = kernels.conv2d(x, w, (1, 1), NO_PADDING)
    assert g.shape == (0, 3, 3, 4)
    assert kernels.conv2d_input_grad(g, w, x.shape, (1, 1), NO_PADDING).shape == x.shape
    assert not kernels.conv2d_weight_grad(x, g, w.shape, (1, 1), NO_PADDING).any()


def test_convolution_refuses_what_does_not_fit():
    x, w = np.zeros((1, 5, 5, 2), np.float32), np.zeros((3, 3, 2, 4), np.float32)
    with pytest.raises(ShapeError, match="C=2"):
        kernels.conv2d(x[..., :1], w, (1, 1), NO_PADDING)
    with pytest.raises(ShapeError, match="doesn't fit"):
        kernels.conv2d(x[:, :2], w, (1, 1), NO_PADDING)
    with pytest.raises(ShapeError, match="out must be"):
        kernels.conv2d(x, w, (1, 1), NO_PADDING, out=x)
    with pytest.raises(ShapeError, match="doesn't fit"):
        kernels.conv2d_input_grad(x, w, x.shape, (1, 1), NO_PADDING)
    with pytest.raises(ShapeError, match="doesn't fit"):
        kernels.conv2d_weight_grad(x, x, w.shape, (1, 1), NO_PADDING)
    with pytest.raises(DTypeError, match="int64"):
        kernels.conv2d(x.astype(np.int64), w, (1, 1), NO_PADDING)


def test_convolutions_may_be_called_from_several_threads_at_once():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(16, 20, 20, 3)), rng.normal(size=(3, 3, 3, 8))
    want = kernels.conv2d(x, w, (1, 1), NO_PADDING)
    same = []
    workers = [
        threading.Thread(
            target=lambda: same.extend(
                np.array_equal(kernels.conv2d(x, w, (1, 1), NO_PADDING), want) for _ in range(20)
            )
        )
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert same == [True] * 80


# --- Pooling ----------------------------------------------------------------------------------------------


@st.composite
def poolings(draw, special=False):
    """x (with ties), pool_size, strides and padding."""
    pool_size, strides, padding, shape = draw(windows(small_padding=True))
    x = draw(arrays(shape, draw(DTYPES), special))
    if draw(st.booleans()):
        x = np.round(x)
    return x, pool_size, strides, padding


@pytest.mark.parametrize("special", [False, True])
@given(data=st.data())
@unhurried
def test_pooling_agrees_with_its_twin(special, data):
    x, pool_size, strides, padding = data.draw(poolings(special))
    rule = pool_size, strides, padding
    with np.errstate(all="ignore"):
        want, winners = reference.max_pool2d(x, *rule)
        out, indices = kernels.max_pool2d(x, *rule)
        assert np.array_equal(out, want, equal_nan=True)
        assert np.array_equal(indices, winners)
        assert (out.dtype, indices.dtype) == (x.dtype, np.uint8)
        g = data.draw(arrays(out.shape, x.dtype, special))
        assert_same(
            kernels.max_pool2d_scatter(g, indices, x.shape, *rule),
            reference.max_pool2d_scatter(g, winners, x.shape, *rule),
        )
        assert np.array_equal(
            kernels.max_pool2d_gather(x, indices, *rule), want, equal_nan=True
        )  # what is read at the winners is the maximum
        assert np.array_equal(reference.max_pool2d_gather(x, winners, *rule), want, equal_nan=True)
        assert_same(kernels.avg_pool2d(x, *rule), reference.avg_pool2d(x, *rule), 16)
        assert_same(
            kernels.avg_pool2d_scatter(g, x.shape, *rule), reference.avg_pool2d_scatter(g, x.shape, *rule), 16
        )


@given(poolings(), st.data())
@unhurried
def test_pooling_gradients_are_adjoints(case, data):
    x, *rule = case
    v = data.draw(arrays(x.shape, x.dtype))
    indices = kernels.max_pool2d(x, *rule)[1]
    g = data.draw(arrays(indices.shape, x.dtype))
    close = {"rel": 1e-4, "abs": 1e-4 * (1 + g.size) ** 0.5}
    scattered = inner(kernels.max_pool2d_scatter(g, indices, x.shape, *rule), v)
    assert scattered == pytest.approx(inner(g, kernels.max_pool2d_gather(v, indices, *rule)), **close)
    shared = inner(kernels.avg_pool2d_scatter(g, x.shape, *rule), v)
    assert shared == pytest.approx(inner(g, kernels.avg_pool2d(v, *rule)), **close)


@given(poolings(), st.data())
@unhurried
def test_pooling_fills_and_returns_out(case, data):
    x, *rule = case
    want, winners = kernels.max_pool2d(x, *rule)
    out = given_out(data.draw, want.shape, x.dtype)
    indices = np.full(winners.shape, 99, np.uint8)
    results = kernels.max_pool2d(x, *rule, out=out, indices=indices)
    assert results[0] is out
    assert results[1] is indices
    assert np.array_equal(out, want)
    assert np.array_equal(indices, winners)
    for function, arguments, shape in (
        (kernels.max_pool2d_scatter, (want, winners, x.shape), x.shape),
        (kernels.max_pool2d_gather, (x, winners), want.shape),
        (kernels.avg_pool2d, (x,), want.shape),
        (kernels.avg_pool2d_scatter, (want, x.shape), x.shape),
    ):
        out = given_out(data.draw, shape, x.dtype)
        assert function(*arguments, *rule, out=out) is out
        assert np.array_equal(out, function(*arguments, *rule))


def test_parallel_pooling_agrees_with_its_twin():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 41, 40, 17)).astype(np.float32)
    rule = (3, 3), (2, 2), ((0, 1), (1, 1))
    out, indices = kernels.max_pool2d(x, *rule)
    want, winners = reference.max_pool2d(x, *rule)
    assert np.array_equal(out, want)
    assert np.array_equal(indices, winners)
    assert_same(
        kernels.max_pool2d_scatter(out, indices, x.shape, *rule),
        reference.max_pool2d_scatter(out, indices, x.shape, *rule),
    )
    assert_same(kernels.avg_pool2d(x, *rule), reference.avg_pool2d(x, *rule))
    assert_same(
        kernels.avg_pool2d_scatter(out, x.shape, *rule), reference.avg_pool2d_scatter(out, x.shape, *rule)
    )


def test_the_first_of_equal_maxima_wins_and_nan_beats_them():
    x = np.array([[2.0, 7.0, 7.0], [7.0, 1.0, np.nan]]).reshape(1, 2, 3, 1)
    out, indices = kernels.max_pool2d(x, (2, 2), (1, 1), NO_PADDING)
    assert np.array_equal(out.ravel(), [7, np.nan], equal_nan=True)
    assert indices.ravel().tolist() == [1, 3]
    _, indices = kernels.max_pool2d(np.full((1, 2, 2, 1), -np.inf), (2, 2), (1, 1), ((1, 1), (1, 1)))
    assert indices[0, :, :, 0].tolist() == [[3, 2, 2], [1, 0, 0], [1, 0, 0]]  # never a place on the padding


def test_windows_of_more_than_256_cells_count_in_int32():
    x = np.zeros((1, 20, 20, 1), np.float32)
    x[0, 19, 18] = 1
    rule = (20, 20), (1, 1), NO_PADDING
    out, indices = kernels.max_pool2d(x, *rule)
    assert indices.dtype == np.int32
    assert indices.item() == 19 * 20 + 18
    assert np.array_equal(kernels.max_pool2d_scatter(out, indices, x.shape, *rule), x)
    assert kernels.max_pool2d_gather(x, indices, *rule).item() == 1


def test_pooling_refuses_what_does_not_fit():
    x = np.zeros((1, 4, 4, 2), np.float32)
    with pytest.raises(ShapeError, match="less than the window"):
        kernels.max_pool2d(x, (2, 2), (1, 1), ((2, 0), (0, 0)))
    with pytest.raises(ShapeError, match="doesn't fit"):
        kernels.avg_pool2d(x, (5, 5), (1, 1), NO_PADDING)
    with pytest.raises(ShapeError, match="at least one pixel"):
        kernels.avg_pool2d(x[:, :0], (2, 2), (1, 1), ((1, 1), (1, 1)))
    with pytest.raises(ShapeError, match="g should be"):
        kernels.avg_pool2d_scatter(x, x.shape, (2, 2), (2, 2), NO_PADDING)
    with pytest.raises(ShapeError, match="indices should be"):
        kernels.max_pool2d_gather(x, x.astype(np.uint8), (2, 2), (2, 2), NO_PADDING)
    with pytest.raises(ShapeError, match="out must be"):
        kernels.max_pool2d(x, (2, 2), (2, 2), NO_PADDING, indices=np.zeros((1, 2, 2, 2), np.int32))


# --- Softmax cross-entropy --------------------------------------------------------------------------------


@st.composite
def classifications(draw, special=False):
    shape = draw(st.tuples(st.integers(0, 6), st.sampled_from([1, 2, 3, 10, 63, 64, 65, 200])))
    dtype = draw(DTYPES)
    logits = draw(arrays(shape, dtype, special)) * draw(st.sampled_from([1, 100, 1e4]))
    integers = st.sampled_from([np.int64, np.int32, np.uint8])
    labels = np.random.default_rng(draw(st.integers(0, 99))).integers(shape[1], size=shape[0])
    return logits.astype(dtype), labels.astype(draw(integers)), draw(arrays(shape[:1], dtype, special))


@pytest.mark.parametrize("special", [False, True])
@given(data=st.data())
@unhurried
def test_softmax_cross_entropy_agrees_with_its_twin(special, data):
    logits, labels, g = data.draw(classifications(special))
    with np.errstate(all="ignore"):
        want, want_p = reference.softmax_cross_entropy(logits, labels)
        losses, p = kernels.softmax_cross_entropy(logits, labels)
        assert_same(losses, want, 10)
        assert_same(p, want_p, 10)
        assert_same(kernels.softmax(logits), want_p, 10)
        assert_same(
            kernels.softmax_cross_entropy_grad(g, p, labels),
            reference.softmax_cross_entropy_grad(g, p, labels),
        )


@given(classifications(), st.data())
@unhurried
def test_softmax_cross_entropy_fills_and_returns_out(case, data):
    logits, labels, g = case
    want, want_p = kernels.softmax_cross_entropy(logits, labels)
    out = given_out(data.draw, want.shape, logits.dtype)
    p = given_out(data.draw, want_p.shape, logits.dtype)
    results = kernels.softmax_cross_entropy(logits, labels, out=out, probabilities=p)
    assert results[0] is out
    assert results[1] is p
    assert np.array_equal(out, want)
    assert np.array_equal(p, want_p)
    gradient = kernels.softmax_cross_entropy_grad(g, want_p, labels)
    assert kernels.softmax_cross_entropy_grad(g, p, labels, out=p) is p  # in place
    assert np.array_equal(p, gradient)
    in_place = logits.copy()
    assert kernels.softmax_cross_entropy(in_place, labels, probabilities=in_place)[1] is in_place
    assert_same(in_place, want_p)
    in_place = logits.copy()
    assert kernels.softmax(in_place, out=in_place) is in_place
    assert_same(in_place, want_p)


def test_huge_logits_neither_overflow_nor_lose_the_loss():
    logits = np.array([[1e4, 0, -1e4]], np.float32)
    for label, loss in enumerate([0, 1e4, 2e4]):
        losses, p = kernels.softmax_cross_entropy(logits, np.array([label]))
        assert losses[0] == loss
        assert p.tolist() == [[1, 0, 0]]


def test_losses_refuse_wrong_labels():
    logits = np.zeros((2, 3), np.float32)
    for wrong in ([0, 3], [-1, 0]):
        with pytest.raises(DataError, match=r"0\.\.2"):
            kernels.softmax_cross_entropy(logits, np.array(wrong))
        with pytest.raises(DataError, match=r"0\.\.2"):
            kernels.softmax_cross_entropy_grad(np.ones(2, np.float32), logits, np.array(wrong))
    with pytest.raises(ShapeError, match="one for each row"):
        kernels.softmax_cross_entropy(logits, np.array([0]))
    with pytest.raises(DTypeError, match="float64"):
        kernels.softmax_cross_entropy(logits, np.zeros(2))
    with pytest.raises(ShapeError, match="one number for each row"):
        kernels.softmax_cross_entropy_grad(np.ones(3, np.float32), logits, np.array([0, 1]))
    with pytest.raises(ShapeError, match="at least one class"):
        kernels.softmax(logits[:, :0])


# --- Optimizers -------------------------------------------------------------------------------------------


@st.composite
def parameters(draw, count, special=False):
    """So many arrays like one parameter, the second (its gradient) in any layout."""
    shape = tuple(draw(st.lists(st.integers(0, 7), max_size=3)))
    dtype = draw(DTYPES)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    made = [np.asarray(rng.normal(size=shape), dtype) for _ in range(count)]
    if shape:
        made[1] = draw(arrays(shape, dtype, special))
    return made


@pytest.mark.parametrize("special", [False, True])
@given(data=st.data())
@unhurried
def test_optimizer_steps_agree_with_their_twins(special, data):
    p, g, m, v = data.draw(parameters(4, special))
    np.abs(v, out=v)
    lr, momentum, t = data.draw(st.tuples(st.floats(0, 1), st.floats(0, 0.99), st.integers(1, 1000)))
    for name, state, settings_ in (
        ("sgd", (None,), (lr,)),
        ("sgd", (m,), (lr, momentum)),
        ("sgd", (m,), (lr, momentum, True)),
        ("adam", (m, v), (lr, 0.9, 0.999, 1e-7, t)),
    ):
        got, want = [[a if a is None else a.copy() for a in (p, *state)] for _ in range(2)]
        with np.errstate(all="ignore"):
            assert getattr(kernels, name)(got[0], g, *got[1:], *settings_) is None
            getattr(reference, name)(want[0], g, *want[1:], *settings_)
        for a, b in zip(got, want, strict=True):
            if a is not None:
                assert_same(a, b)


def test_optimizers_refuse_arrays_that_they_could_not_change_in_place():
    p = np.zeros((3, 4), np.float32)
    with pytest.raises(ShapeError, match="contiguous"):
        kernels.sgd(p.T, p.T, None, 0.1)
    with pytest.raises(ShapeError, match="shape"):
        kernels.sgd(p, p[:2], None, 0.1)
    with pytest.raises(DTypeError, match="float64"):
        kernels.adam(p, p, p.astype(np.float64), p.copy(), 0.1, 0.9, 0.999, 1e-7, 1)
    with pytest.raises(DTypeError, match="int64"):
        kernels.sgd(np.zeros(3, np.int64), np.zeros(3), None, 0.1)


# --- Compiling, keeping, announcing -----------------------------------------------------------------------

PACKAGE = Path(kernels.__file__).parent.parent
SOFTMAX = """
import numpy as np
from tinygrad_edu import kernels
print(kernels.softmax(np.zeros((1, 4)))[0, 0])
"""


def run_python(code, cache, package_root=PACKAGE.parent, **environment):
    """Run code in a new process with its own cache; return what it printed on stdout and on stderr."""
    environment = {
        **os.environ,
        "TINYGRAD_EDU_CACHE": str(cache),
        "PYTHONPATH": str(package_root),
    } | environment
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def kept(cache):
    return sorted(path.relative_to(cache) for path in Path(cache).rglob("*.nbc"))


def test_importing_the_package_does_not_import_numba(tmp_path):
    code = "import sys, tinygrad_edu.kernels as k; print('numba' in sys.modules, 'conv2d' in dir(k))"
    assert run_python(code, tmp_path)[0].split() == ["False", "True"]


def test_a_kernel_becomes_an_ordinary_name_at_its_first_use():
    assert kernels.softmax is vars(kernels)["softmax"]
    for name in kernels.__all__:
        assert callable(getattr(kernels, name))
    with pytest.raises(AttributeError, match="no attribute 'conv3d'"):
        kernels.conv3d  # noqa: B018


def test_every_kernel_has_a_twin():
    assert set(reference.__all__) == set(kernels.__all__) - {"cache_folder", "set_compile_announcer"}


def test_compiled_code_is_announced_once_kept_and_loaded_again(tmp_path):
    out, err = run_python(SOFTMAX, tmp_path)
    assert out == "0.25\n"
    assert err.count("compiling kernels") == 1
    assert str(tmp_path) in err
    assert len(kept(tmp_path)) == 1
    assert run_python(SOFTMAX, tmp_path) == ("0.25\n", "")


def test_a_replaced_announcer_hears_the_names_of_our_kernels_alone(tmp_path):
    code = """
import numba
import numpy as np
from tinygrad_edu import kernels
kernels.set_compile_announcer(lambda kernel: print("compiling", kernel))
numba.njit(lambda x: x + 1)(1.0)
numba.njit(lambda x: x + 1, cache=False)(1)
kernels.softmax(np.zeros((1, 4)))
kernels.softmax(np.zeros((2, 4)))
kernels.set_compile_announcer(None)
kernels.softmax(np.zeros((1, 4), np.float32))
"""
    out, err = run_python(code, tmp_path)
    assert out == "compiling losses._softmax_rows\n"
    assert "compiling kernels" in err


def test_the_cache_folder_changes_with_any_kernel_source(tmp_path):
    shutil.copytree(PACKAGE / "kernels", tmp_path / "tinygrad_edu" / "kernels")
    shutil.copy(PACKAGE / "errors.py", tmp_path / "tinygrad_edu")
    (tmp_path / "tinygrad_edu" / "__init__.py").touch()
    code = "from tinygrad_edu import kernels; print(kernels.cache_folder())"
    before = run_python(code, tmp_path, tmp_path)[0]
    assert run_python(code, tmp_path, tmp_path)[0] == before
    with (tmp_path / "tinygrad_edu" / "kernels" / "_arrays.py").open("a") as source:
        source.write("# edited\n")
    assert run_python(code, tmp_path, tmp_path)[0] != before


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path):
    (tmp_path / "file").touch()
    out, err = run_python(SOFTMAX, tmp_path / "file")
    assert out == "0.25\n"
    assert "not kept" in err


def test_a_damaged_cache_is_written_anew(tmp_path):
    run_python(SOFTMAX, tmp_path)
    for damaged in ("*.nbc", "*.nbi"):
        next(tmp_path.rglob(damaged)).write_bytes(b"not a cache")
        out, err = run_python(SOFTMAX, tmp_path)
        assert out == "0.25\n"
        assert "compiling" in err
    assert run_python(SOFTMAX, tmp_path)[1] == ""


def test_the_cache_leaves_the_users_own_functions_alone(tmp_path):
    (tmp_path / "mine.py").write_text("import numba\n@numba.njit(cache=True)\ndef f(x):\n    return x + 1\n")
    code = (
        SOFTMAX
        + f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import mine
mine.f(1)
"""
    )
    run_python(code, tmp_path / "ours", NUMBA_CACHE_DIR=str(tmp_path / "theirs"))
    assert [path.name.partition("-")[0] for path in kept(tmp_path / "ours")] == ["losses._softmax_rows"]
    assert [path.name.partition("-")[0] for path in kept(tmp_path / "theirs")] == ["mine.f"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_kernels_work_in_a_forked_process(tmp_path):
    code = """
import os, numpy as np, warnings
from tinygrad_edu import kernels
x, w = np.ones((16, 20, 20, 3)), np.ones((3, 3, 3, 8))
kernels.conv2d(x, w, (1, 1), ((0, 0), (0, 0)))  # wakes the threads, which the child won't have
warnings.simplefilter("ignore")
child = os.fork()
if child == 0:
    os._exit(int(kernels.conv2d(x, w, (1, 1), ((0, 0), (0, 0)))[-1, -1, -1, -1]))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run_python(code, kernels.cache_folder().parent.parent)[0] == "27\n"
