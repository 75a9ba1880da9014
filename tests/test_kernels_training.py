"""The fused softmax loss and the optimizer steps against their plain NumPy twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import DTYPES, arrays, assert_same, given_out, unhurried

from tinygrad_edu import kernels
from tinygrad_edu.errors import DataError, DTypeError, ShapeError
from tinygrad_edu.kernels import reference


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
        want, want_slopes = reference.softmax_cross_entropy(logits, labels)
        losses, slopes = kernels.softmax_cross_entropy(logits, labels)
        assert_same(losses, want, 10)
        assert_same(slopes, want_slopes, 10)
        assert_same(kernels.softmax(logits), reference.softmax(logits), 10)
        assert_same(
            kernels.softmax_cross_entropy_grad(g, slopes), reference.softmax_cross_entropy_grad(g, slopes)
        )


@st.composite
def rows(draw, count, special):
    """So many arrays (…, C) of one shape."""
    before = draw(st.sampled_from([(), (4,), (2, 3), (0,), (70,)]))
    shape, dtype = (*before, draw(st.sampled_from([1, 3, 10, 64, 1030]))), draw(DTYPES)
    return [draw(arrays(shape, dtype, special)) for _ in range(count)]


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("softmax", 1), ("softmax_grad", 2), ("log_softmax", 1), ("log_softmax_grad", 2),
        ("target_cross_entropy", 2), ("sigmoid_cross_entropy", 2), ("sigmoid_cross_entropy_grad", 3),
    ],
)  # fmt: skip
@given(data=st.data())
@unhurried
def test_row_kernels_agree_with_their_twins(name, count, special, data):
    given_ = data.draw(rows(count, special))
    with np.errstate(all="ignore"):
        want = np.asarray(getattr(reference, name)(*given_))
    got = getattr(kernels, name)(*given_)
    assert_same(got, want, given_[0].shape[-1] * 10)
    out = given_out(data.draw, want.shape, want.dtype)
    assert getattr(kernels, name)(*given_, out=out) is out
    np.testing.assert_array_equal(out, got)
    if want.shape == given_[0].shape:
        first = np.array(given_[0], order="C")
        assert getattr(kernels, name)(first, *given_[1:], out=first) is first  # in place
        assert_same(first, got, given_[0].shape[-1])


@pytest.mark.parametrize("special", [False, True])
@given(data=st.data())
@unhurried
def test_the_gradient_for_targets_agrees_with_its_twin(special, data):
    logits, targets = data.draw(rows(2, special))
    g = data.draw(arrays(logits.shape[:-1], logits.dtype)) if logits.ndim > 1 else logits.sum(-1)
    with np.errstate(all="ignore"):
        want = reference.target_cross_entropy_grad(g, logits, targets)
        assert_same(kernels.target_cross_entropy_grad(g, logits, targets), want, logits.shape[-1] * 10)
    out = given_out(data.draw, want.shape, want.dtype)
    assert kernels.target_cross_entropy_grad(g, logits, targets, out=out) is out


@given(classifications(), st.data())
@unhurried
def test_softmax_cross_entropy_fills_and_returns_out(case, data):
    logits, labels, g = case
    want, want_slopes = kernels.softmax_cross_entropy(logits, labels)
    out = given_out(data.draw, want.shape, logits.dtype)
    slopes = given_out(data.draw, want_slopes.shape, logits.dtype)
    results = kernels.softmax_cross_entropy(logits, labels, out=out, slopes=slopes)
    assert results[0] is out
    assert results[1] is slopes
    assert np.array_equal(out, want)
    assert np.array_equal(slopes, want_slopes)
    gradient = kernels.softmax_cross_entropy_grad(g, want_slopes)
    assert kernels.softmax_cross_entropy_grad(g, slopes, out=slopes) is slopes  # in place
    assert np.array_equal(slopes, gradient)
    in_place = logits.copy()
    assert kernels.softmax_cross_entropy(in_place, labels, slopes=in_place)[1] is in_place
    assert_same(in_place, want_slopes)
    in_place = logits.copy()
    assert kernels.softmax(in_place, out=in_place) is in_place
    assert_same(in_place, kernels.softmax(logits))


def test_huge_logits_neither_overflow_nor_lose_the_loss():
    logits = np.array([[1e4, 0, -1e4]], np.float32)
    for label, loss in enumerate([0, 1e4, 2e4]):
        losses, slopes = kernels.softmax_cross_entropy(logits, np.array([label]))
        assert losses[0] == loss
        assert slopes.tolist() == [[1 - (label == 0), -(label == 1), -(label == 2)]]


def test_losses_refuse_wrong_labels():
    logits = np.zeros((2, 3), np.float32)
    for wrong in ([0, 3], [-1, 0], [0, 2**63 - 1], [-(2**63), 2]):
        for dtype in (np.float32, np.float64):
            with pytest.raises(DataError, match=r"0\.\.2"):
                kernels.softmax_cross_entropy(logits.astype(dtype), np.array(wrong))
    many = np.zeros(50_000, int)  # for all cores
    many[40_000] = 3
    with pytest.raises(DataError, match=r"got 0\.\.3"):
        kernels.softmax_cross_entropy(np.zeros((50_000, 3), np.float32), many)
    with pytest.raises(ShapeError, match="one for each row"):
        kernels.softmax_cross_entropy(logits, np.array([0]))
    with pytest.raises(DTypeError, match="float64"):
        kernels.softmax_cross_entropy(logits, np.zeros(2))
    with pytest.raises(ShapeError, match="one number for each row"):
        kernels.softmax_cross_entropy_grad(np.ones(3, np.float32), logits)
    with pytest.raises(ShapeError, match="at least one class"):
        kernels.softmax(logits[:, :0])


# --- A small dense layer ----------------------------------------------------------------------------------


@pytest.mark.parametrize("special", [False, True])
@given(data=st.data())
@unhurried
def test_a_small_layer_and_its_gradients_agree_with_their_twins(special, data):
    n, inputs, outputs = data.draw(st.tuples(*[st.integers(0, 9)] * 3))
    dtype, relu = data.draw(DTYPES), data.draw(st.booleans())
    x, w, b, g = (
        data.draw(arrays(shape, dtype, special))
        for shape in ((n, inputs), (inputs, outputs), (outputs,), (n, outputs))
    )
    with np.errstate(all="ignore"):
        want = reference.linear(x, w, b, relu)
        assert_same(kernels.linear(x, w, b, relu), want, inputs)
        out = given_out(data.draw, want.shape, dtype)
        assert kernels.linear(x, w, b, relu, out=out) is out
        assert_same(out, want, inputs)
        y = want if relu else None
        for got, twin in zip(kernels.linear_grad(g, x, w, y), reference.linear_grad(g, x, w, y), strict=True):
            assert_same(got, twin, 10)
    assert kernels.linear_grad(g, x, w, y, input_wanted=False)[0] is None


def test_a_long_batch_is_summed_exactly():
    g, x = np.full((900, 1), 0.1, np.float32), np.ones((900, 1), np.float32)
    _, dw, db = kernels.linear_grad(g, x, np.ones((1, 1), np.float32))
    assert dw.item() == db.item() == np.float32(g.sum(dtype=np.float64))


def test_a_small_layer_refuses_shapes_that_do_not_fit():
    x, w, b = np.zeros((2, 3), np.float32), np.zeros((3, 4), np.float32), np.zeros(4, np.float32)
    with pytest.raises(ShapeError, match="fit"):
        kernels.linear(x, w.T, b)
    with pytest.raises(ShapeError, match="fit"):
        kernels.linear(x, w, b[:3])
    with pytest.raises(ShapeError, match="fit"):
        kernels.linear_grad(x, x, w)
    with pytest.raises(ShapeError, match="fit"):
        kernels.linear_grad(np.zeros((2, 4), np.float32), x, w, x)


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [8191, 8192, 60_001])
def test_large_parameters_are_cut_into_pieces(size, dtype):
    rng = np.random.default_rng(size)
    arrays_ = [rng.random(size).astype(dtype) for _ in range(4)]
    twins = [a.copy() for a in arrays_]
    kernels.adam(*arrays_, 0.1, 0.9, 0.999, 1e-7, 3)
    reference.adam(*twins, 0.1, 0.9, 0.999, 1e-7, 3)
    for nesterov in (False, True):
        kernels.sgd(*arrays_[:3], 0.1, 0.9, nesterov)
        reference.sgd(*twins[:3], 0.1, 0.9, nesterov)
    kernels.sgd(arrays_[0], arrays_[1], None, 0.1)
    reference.sgd(twins[0], twins[1], None, 0.1)
    for a, b in zip(arrays_, twins, strict=True):
        assert_same(a, b, 10)
