"""Each layer beside Keras' own, built from the same source text."""

import pytest
from side_by_side import compare

DENSE = [
    "layers.Dense(3)",
    "layers.Dense(3, activation='relu', use_bias=False)",
    "layers.Dense(2, 'softmax', kernel_regularizer=regularizers.L2(0.1), bias_regularizer='l1', "
    "activity_regularizer='l2')",
]


@pytest.mark.parametrize("source", DENSE)
@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 5), (2, 3, 2, 5), (1, 5), (0, 5)])
def test_dense(keras, source, shape):
    compare(keras, source, shape)
