"""The networks that benchmarks.lessons times are the same in both libraries."""

import pytest

from benchmarks.lessons import TASKS
from tinygrad_edu import nn


@pytest.mark.parametrize("number", TASKS)
def test_both_have_as_many_parameters(keras, number):
    make = TASKS[number][0]
    ours, theirs = make(nn), make(keras)
    ours.model.predict(ours.x[:1], verbose=0)  # which builds the VAE
    assert ours.model.count_params() == theirs.model.count_params()
    assert ours.batch_size == theirs.batch_size
    assert (ours.x == theirs.x).all()
