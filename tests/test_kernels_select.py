"""The mask of bits against np.where: the same bits, nan, infinities and both zeros included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import kernels
from tinygrad_edu.kernels import reference
from tinygrad_edu.testing import LAYOUTS, arrays, with_layout

SIDES = st.sampled_from([(3,), (2500,), (50, 60), (2, 40, 30)])
NUMBERS = st.sampled_from([0, 0.0, -0.0, 1.5, np.nan, np.inf, np.float32(2), True])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@given(data=st.data())
def test_where_is_numpys(dtype, data):
    shape, layout = data.draw(SIDES), data.draw(st.sampled_from(LAYOUTS))
    condition = with_layout(data.draw(arrays(shape, dtype=bool)), layout)
    array = arrays(shape, dtype=dtype, special=dtype != "int64").map(lambda x: with_layout(x, layout))
    row = arrays(shape[-1:], dtype=data.draw(st.sampled_from([dtype, "float32"])))
    x1, x2 = data.draw(array | row | NUMBERS), data.draw(array | row | NUMBERS)
    got, expected = kernels.where(condition, x1, x2), reference.where(condition, x1, x2)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)
    if got.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(got), np.signbit(expected))
