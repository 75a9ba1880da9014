"""Keras itself beside tinygrad_edu: ``pytest -m parity`` runs these tests, which are skipped without Keras.

Keras takes seconds to import, so no test module imports it: a test asks for the fixture ``keras``.
"""

import os
import warnings
from pathlib import Path

import pytest
from side_by_side import TALLY

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before the marker expression is applied
def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.parity)
            # Keras' own, of NumPy 2, on its way to arrays.
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"))


@pytest.fixture(scope="session")
def keras(tmp_path_factory):
    """Keras on PyTorch, with its own defaults: the settings in a user's home don't count."""
    os.environ["KERAS_BACKEND"] = "torch"
    os.environ["KERAS_HOME"] = str(tmp_path_factory.mktemp("keras"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("torch")
        module = pytest.importorskip("keras")
    if module.backend.backend() != "torch":
        pytest.skip(f"Keras was imported before, on {module.backend.backend()}")
    return module


def pytest_terminal_summary(terminalreporter):
    """Count what was compared with Keras in this run, and say how far apart the two ever were."""
    if TALLY.arrays:
        terminalreporter.write_line(
            f"compared with Keras: {len(TALLY.sources)} source texts, {TALLY.arrays} arrays, "
            f"{TALLY.numbers:,} numbers; the largest difference is {TALLY.worst:.1e} of its array's scale"
        )
