"""Hypothesis profiles: "default" is quick and the same in every run; "thorough" tries 20 times as much.

Choose with ``--hypothesis-profile=thorough`` or the variable HYPOTHESIS_PROFILE.
"""

import os
import re
import signal

import pytest
from hypothesis import HealthCheck, settings

EXAMPLES = 10

# A shell that starts a program in the background has it ignore Ctrl-C, and so do the programs that it starts:
# those of the tests must not.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: the first call of a kernel compiles it. Shapes within an operation's limits are drawn by
# filtering now and then.
slow_start = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much]}

settings.register_profile("default", max_examples=EXAMPLES, derandomize=True, database=None, **slow_start)
settings.register_profile("thorough", max_examples=20 * EXAMPLES, print_blob=True, **slow_start)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture
def no_system_dot(monkeypatch):
    """Draw with graphviz-pure, found as pip noted it, whatever else is installed on this machine."""
    monkeypatch.setenv("PATH", "")


def pytest_terminal_summary(terminalreporter):
    """Count the operations and those whose derivatives were verified in this run."""
    passed = {report.nodeid for report in terminalreporter.stats.get("passed", ())}
    verified = [
        {m[1] for m in (re.search(rf"::{test}\[(.*)\]$", node) for node in passed) if m}
        for test in ("test_gradient", "test_gradient_of_the_gradient", "test_jvp_and_vjp_are_transposes")
    ]
    if not any(verified):
        return
    from operations_table import COMPOSED, DIFFERENTIABLE, REGISTERED

    for kind, names in (("operations", REGISTERED), ("functions composed of them", COMPOSED)):
        smooth = set(names) & set(DIFFERENTIABLE)
        first, second, jvp = (len(smooth & found) for found in verified)
        terminalreporter.write_line(
            f"{len(names)} {kind}, {len(smooth)} differentiable: first derivative verified of {first}, "
            f"second of {second}, jvp against vjp of {jvp}"
        )
