"""scikit-learn's own checks of what an estimator must do, on all four of ours.

Slow but for a few: `pytest -m slow tests/test_nn_estimators_checks.py` runs them all.
"""

import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from tinygrad_edu.nn.estimators import MLPClassifier, MLPRegressor, NetworkClassifier, NetworkRegressor

ESTIMATORS = [
    MLPClassifier(max_iter=100),
    MLPRegressor(max_iter=100),
    NetworkClassifier(),
    NetworkRegressor(),
]
QUICK = {
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_no_attributes_set_in_init",
    "check_estimator_get_tags_default_keys",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_dont_overwrite_attributes",
    "check_n_features_in_after_fitting",
    "check_estimators_nan_inf",
    "check_estimators_pickle",
    "check_sample_weights_shape",
    "check_fit2d_1feature",
    "check_dict_unchanged",
    "check_readonly_memmap_input",
}


def run(estimator, check):
    with warnings.catch_warnings():
        # They are fitted in few iterations, with labels and weights that aren't meant to be learned.
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


@pytest.mark.slow
@parametrize_with_checks(ESTIMATORS)
def test_every_check_of_scikit_learn(estimator, check):
    run(estimator, check)


def name_of(value):
    return getattr(getattr(value, "func", value), "__name__", type(value).__name__)


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        (estimator, check)
        for each in ESTIMATORS
        for estimator, check in estimator_checks_generator(each)
        if name_of(check) in QUICK
    ],
    ids=name_of,
)
def test_the_quick_checks_of_scikit_learn(estimator, check):
    run(estimator, check)
