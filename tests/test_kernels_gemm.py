"""The products of matrices against their plain twin, in every layout, and what they promise beside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import DTYPES, arrays, assert_same, given_out, unhurried

from tinygrad_edu import kernels
from tinygrad_edu.errors import DTypeError, ShapeError
from tinygrad_edu.kernels import _gemm, _threads, reference
from tinygrad_edu.kernels._simd import LANES, ROWS, VECTORS

WIDTH = LANES * VECTORS  # of float32, and twice that of float64
SIDES = st.integers(0, 5) | st.sampled_from([ROWS - 1, 2 * ROWS + 1, WIDTH, 3 * WIDTH + 5, 150])


@st.composite
def matrices(draw, m, k, dtype, special=False):
    """A matrix in any layout, or as the transpose of one."""
    if draw(st.booleans()):
        return draw(arrays((k, m), dtype, special)).T
    return draw(arrays((m, k), dtype, special))


@pytest.fixture(scope="module", params=["serial", "parallel"])
def always_ours(request):
    """Leave nothing to BLAS, and use one form of the kernel alone."""
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("_SMALL", "_SMALL_IF_THIN"):
            patch.setattr(f"tinygrad_edu.kernels.gemm.{limit}", 1)
        patch.setattr(_threads, "_WORTH_SHARING", 0 if request.param == "parallel" else 2**60)
        patch.setattr(_threads._crowding, "alone", lambda now: False)  # whatever else this machine does
        yield


@pytest.mark.parametrize("special", ["", "a", "b"])
@given(data=st.data(), m=SIDES, k=SIDES, n=SIDES, dtype=DTYPES, relu=st.booleans())
@unhurried
def test_products_agree_with_their_twin(always_ours, special, data, m, k, n, dtype, relu):
    a = data.draw(matrices(m, k, dtype, special == "a"))
    b = data.draw(matrices(k, n, dtype, special == "b"))
    bias = data.draw(st.none() | arrays((n,), dtype, special == "b"))
    out = data.draw(st.none()) if data.draw(st.booleans()) else given_out(data.draw, (m, n), dtype)
    before = a.copy(), b.copy()
    with np.errstate(all="ignore"):
        got = kernels.matmul(a, b, bias=bias, relu=relu, out=out)
        assert_same(got, reference.matmul(a, b, bias=bias, relu=relu), k)
    assert out is None or got is out
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])


@given(
    data=st.data(),
    batch=st.sampled_from(
        [((), (3,)), ((3,), ()), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0,), ()), ((2,), (2,))]
    ),
    dtype=DTYPES,
)
@unhurried
def test_leading_axes_broadcast(always_ours, data, batch, dtype):
    a, b = data.draw(arrays((*batch[0], 9, 4), dtype)), data.draw(arrays((*batch[1], 4, 5), dtype))
    bias = data.draw(st.none() | arrays((5,), dtype))
    assert_same(kernels.matmul(a, b, bias=bias), reference.matmul(a, b, bias=bias), 4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape",
    [
        (700, 1100, 300),
        (40, 520, 1),
        (1, 60, 700),
        (130, 1, 520),
        (1030, 520, 140),
        (70, 9000, 40),
        (20, 2100, 260),
    ],
)
def test_every_block_of_a_large_product_is_right(always_ours, shape, dtype):
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b, bias = (rng.standard_normal(s, dtype) for s in ((m, k), (k, n), n))
    want = np.maximum(a.astype(np.float64) @ b + bias, 0)
    bound = 4 * np.finfo(dtype).eps * np.sqrt(k) * (np.abs(a).astype(np.float64) @ np.abs(b) + np.abs(bias))
    for left in (a, np.ascontiguousarray(a.T).T):
        for right in (b, np.ascontiguousarray(b.T).T):
            got = kernels.matmul(left, right, bias=bias, relu=True)
            assert np.all(np.abs(got - want) <= bound)


@pytest.mark.parametrize("flipped", [False, True])
def test_infinity_times_zero_is_nan_and_stays_in_its_row(always_ours, flipped):
    a, b = np.ones((20, 40), np.float32), np.ones((40, 70), np.float32)
    a[3, 5], b[5, 7], b[5, 8] = np.inf, 0, -1
    got = kernels.matmul(np.asfortranarray(a), np.asfortranarray(b) if flipped else b, relu=True)
    want = np.full((20, 70), 40.0)
    want[:, 7], want[:, 8] = 39, 38
    want[3], want[3, 7], want[3, 8] = np.inf, np.nan, 0
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(100, 600, 300), (16, 700, 1024), (24, 3000, 40), (2000, 64, 32)])
def test_threads_do_not_change_the_bits(shape, dtype):
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((k, m), dtype).T, rng.standard_normal((k, n), dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_threads, "_WORTH_SHARING", 2**60)
        alone = kernels.matmul(a, b, relu=True)
        patch.setattr(_threads, "_WORTH_SHARING", 0)
        patch.setattr(_threads._crowding, "alone", lambda now: False)
        for _ in range(3):
            np.testing.assert_array_equal(kernels.matmul(a, b, relu=True), alone)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m", [1, _gemm._FEW, _gemm._FEW + 1])
@pytest.mark.parametrize("n", [LANES // 2, LANES, WIDTH, 3 * LANES, 5 * WIDTH, 5 * WIDTH + 1])
def test_a_matrix_is_read_in_place_as_when_it_is_packed(always_ours, m, n, dtype):
    rng = np.random.default_rng(0)
    a, b, bias = (rng.standard_normal(s, dtype) for s in ((m, 600), (600, n), n))
    got, near = kernels.matmul(a, b, bias=bias, relu=True), 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(got, reference.matmul(a, b, bias=bias, relu=True), rtol=near, atol=near)


def test_products_refuse_what_does_not_fit():
    a, b = np.zeros((2, 3)), np.zeros((3, 4))
    with pytest.raises(ShapeError, match=r"got \(2, 3\) and \(2, 3\)"):
        kernels.matmul(a, a)
    with pytest.raises(ShapeError, match=r"got \(3,\)"):
        kernels.matmul(a[0], b)
    with pytest.raises(ShapeError, match=r"bias must be \(4,\)"):
        kernels.matmul(a, b, bias=np.zeros(2))
    with pytest.raises(ShapeError, match="don't broadcast"):
        kernels.matmul(np.zeros((2, 2, 3)), np.zeros((3, 3, 4)))
    with pytest.raises(ShapeError, match="out must be"):
        kernels.matmul(a, b, out=np.zeros((4, 2)))
    with pytest.raises(DTypeError, match="float32 or float64"):
        kernels.matmul(np.zeros((2, 3), int), b)
