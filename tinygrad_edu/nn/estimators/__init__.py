"""Estimators as scikit-learn knows them: for its pipelines, searches, cross-validations, and for clusters.

Importing this imports scikit-learn, which the rest of ``nn`` does without.

>>> from sklearn.datasets import load_iris
>>> from sklearn.model_selection import GridSearchCV
>>> x, y = load_iris(return_X_y=True)
>>> model = MLPClassifier(solver="lbfgs", alpha=1.0, tol=0.01, random_state=1)
>>> search = GridSearchCV(model, {"hidden_layer_sizes": [(2,), (8,)]}, cv=3).fit(x, y)
>>> bool(search.best_score_ > 0.9)
True
"""

from .crossvalidation import CrossValidation, cross_validate
from .mlp import MLPClassifier, MLPRegressor
from .network import NetworkClassifier, NetworkRegressor

__all__ = [
    "CrossValidation",
    "MLPClassifier",
    "MLPRegressor",
    "NetworkClassifier",
    "NetworkRegressor",
    "cross_validate",
]
