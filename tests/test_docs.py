"""What every public function must say of itself."""

import inspect
import re
from typing import Any

import pytest
from operations_table import TABLE

import tinygrad_edu as te
from tinygrad_edu import linalg, ops, testing

# What a docstring must tell, and the words that tell it. An example is run with all others.
TOLD = {
    "shapes": r"shape|broadcast|\(…|\(N|\(n|\(m|dimension",
    "dtypes": r"dtype|float|whole number|bool|int64",
    "what it raises": r"[Rr]aises",
    "an example": r">>> ",
}


def functions(namespace: Any) -> dict[str, Any]:
    found = {name: getattr(namespace, name) for name in namespace.__all__}
    return {
        f"{namespace.__name__}.{name}": value for name, value in found.items() if inspect.isfunction(value)
    }


# What takes no tensor: a setting, or a question about dtypes alone.
NO_TENSORS = {
    f"tinygrad_edu.{name}"
    for name in (
        "can_cast",
        "default_generator",
        "finfo",
        "get_num_threads",
        "iinfo",
        "is_grad_enabled",
        "isdtype",
        "result_type",
        "seed",
        "set_num_threads",
    )
}
PUBLIC = functions(te) | functions(linalg) | functions(testing)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_docstring_tells_shapes_dtypes_errors_and_shows_an_example(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    told = {"an example": TOLD["an example"]} if name in NO_TENSORS else TOLD
    missing = [what for what, words in told.items() if not re.search(words, text)]
    assert not missing, f"{name} doesn't tell {', '.join(missing)}"


# These have no number of their own to verify: a bool of isclose, shapes alone, the parts of unique_all.
WITHOUT_A_ROW = {"allclose", "broadcast_shapes", "unique_counts", "unique_inverse", "unique_values"}


def test_every_function_on_tensors_is_in_the_table_of_tests():
    names = {name for name in ops.__all__ if inspect.isfunction(getattr(ops, name))} | set(linalg.__all__)
    assert names - set(TABLE) == WITHOUT_A_ROW
