"""What every public function must say of itself, and that each has been tested by the table."""

import inspect
import re
from typing import Any

import pytest
from operations_table import TABLE

import tinygrad_edu as te
from tinygrad_edu import linalg, nn, testing
from tinygrad_edu.ops import OPERATIONS

# What a docstring must tell, and the words that tell it. An example is run with all others.
TOLD = {
    "shapes": r"shape|scalar|single number|\(…|\(N|\(n|\(m|dimension",
    "dtypes": r"dtype|float|whole number|bool|int64|integer",
    "what it raises": r"[Rr]aises",
    "an example": r">>> ",
}


def functions(namespace: Any) -> dict[str, Any]:
    found = {name: getattr(namespace, name) for name in namespace.__all__}
    return {
        f"{namespace.__name__}.{name}": value for name, value in found.items() if inspect.isfunction(value)
    }


PUBLIC = functions(te) | functions(linalg) | functions(testing)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_docstring_tells_shapes_dtypes_errors_and_shows_an_example(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    missing = [what for what, words in TOLD.items() if not re.search(words, text)]
    assert not missing, f"{name} doesn't tell {', '.join(missing)}"
