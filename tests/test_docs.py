"""What every public function must say of itself."""

import inspect
import re
from typing import Any

import pytest

import tinygrad_edu as te
from tinygrad_edu import linalg, testing

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
NO_TENSORS = {"tinygrad_edu.default_generator", "tinygrad_edu.is_grad_enabled", "tinygrad_edu.seed"}
PUBLIC = functions(te) | functions(linalg) | functions(testing)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_docstring_tells_shapes_dtypes_errors_and_shows_an_example(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    told = {"an example": TOLD["an example"]} if name in NO_TENSORS else TOLD
    missing = [what for what, words in told.items() if not re.search(words, text)]
    assert not missing, f"{name} doesn't tell {', '.join(missing)}"
