"""What the tests of all kernels draw from and compare with."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

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
