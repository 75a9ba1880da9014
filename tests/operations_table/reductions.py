"""Rows of reductions and scans: many numbers to one, or to as many."""

import math

import numpy as np

from operations_table.row import Row, along, of_sizes, reduction


def log_sum_exp(values: list[float]) -> float:
    total = math.fsum(math.exp(v) for v in values)
    return math.log(total) if total else -math.inf


ROWS: dict[str, Row] = {
    "sum": reduction(math.fsum, terms=of_sizes(along(math.fsum))),
    "mean": reduction(lambda v: math.fsum(v) / len(v), least=1, terms=of_sizes(along(math.fsum))),
    "max": reduction(max, least=1),
    "min": reduction(min, least=1),
    "logsumexp": reduction(log_sum_exp, terms=lambda x, **params: np.float64(4)),
    "argmax": reduction(lambda v: v.index(max(v)), several=False, least=1, keeps_dtype=False),
    "argmin": reduction(lambda v: v.index(min(v)), several=False, least=1, keeps_dtype=False),
}
