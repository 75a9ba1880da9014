"""Each metric beside Keras' own: over several batches, with weights and without, and in compile."""

import re

import numpy as np
import pytest
from side_by_side import agree, both, both_run, same_weights
from test_keras_losses import DRAWN, draw, softmax

DRAWN |= {
    "sparse yes": lambda rng, shape: (rng.integers(0, 2, shape[:1]), rng.uniform(0, 1, (*shape[:1], 1))),
    "equal": lambda rng, shape: (rng.integers(0, 3, shape), rng.integers(0, 3, shape)),
    "labels": lambda rng, shape: (rng.integers(0, 3, shape), rng.integers(0, 3, shape)),
    "void labels": lambda rng, shape: (rng.integers(-1, 3, shape), rng.integers(0, 3, shape)),
    "pixels": lambda rng, shape: (rng.integers(0, 4, shape), softmax(rng.normal(0, 1, (*shape, 4)))),
    "both one-hot": lambda rng, shape: (
        np.eye(4)[rng.integers(0, 4, shape)],
        softmax(rng.normal(0, 1, (*shape, 4))),
    ),
    "sorted": lambda rng, shape: (
        rng.integers(0, shape[-1], shape[:-1]),
        rng.permuted(np.tile(np.arange(shape[-1]), (*shape[:-1], 1)), axis=-1),
    ),
    "coarse": lambda rng, shape: (rng.integers(0, 2, shape), rng.integers(0, 9, shape) / 8),
    "values": lambda rng, shape: (rng.normal(0, 1, shape), rng.normal(3, 2, shape)),
}

METRICS = [
    ("metrics.Mean()", "values"),
    ("metrics.Sum()", "values"),
    ("metrics.MeanSquaredError()", "numbers"),
    ("metrics.RootMeanSquaredError()", "numbers"),
    ("metrics.MeanAbsoluteError()", "numbers"),
    ("metrics.MeanAbsolutePercentageError()", "positive"),
    ("metrics.MeanSquaredLogarithmicError()", "positive"),
    ("metrics.LogCoshError()", "numbers"),
    ("metrics.CosineSimilarity()", "numbers"),
    ("metrics.CosineSimilarity(axis=1)", "numbers"),
    ("metrics.Poisson()", "positive"),
    ("metrics.KLDivergence()", "rows"),
    ("metrics.Hinge()", "signs"),
    ("metrics.SquaredHinge()", "signs"),
    ("metrics.CategoricalHinge()", "one-hot, logits"),
    ("metrics.BinaryCrossentropy()", "yes"),
    ("metrics.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)", "yes, logits"),
    ("metrics.CategoricalCrossentropy()", "one-hot"),
    ("metrics.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)", "one-hot, logits"),
    ("metrics.SparseCategoricalCrossentropy()", "classes"),
    ("metrics.SparseCategoricalCrossentropy(from_logits=True)", "classes, logits"),
    ("metrics.Accuracy()", "equal"),
    ("metrics.BinaryAccuracy()", "yes"),
    ("metrics.BinaryAccuracy()", "sparse yes"),
    ("metrics.BinaryAccuracy(threshold=0.3)", "yes"),
    ("metrics.CategoricalAccuracy()", "one-hot"),
    ("metrics.SparseCategoricalAccuracy()", "classes"),
    ("metrics.TopKCategoricalAccuracy(k=2)", "one-hot"),
    ("metrics.TopKCategoricalAccuracy()", "one-hot"),
    ("metrics.SparseTopKCategoricalAccuracy(k=3)", "classes"),
    ("metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True)", "sorted"),
    ("metrics.TruePositives()", "yes"),
    ("metrics.TrueNegatives(0.3)", "yes"),
    ("metrics.FalsePositives([0.2, 0.7])", "yes"),
    ("metrics.FalseNegatives([0.7, 0.2, 0.4])", "yes"),
    ("metrics.Precision()", "yes"),
    ("metrics.Precision()", "sparse yes"),
    ("metrics.Precision([0.2, 0.5, 0.7])", "yes"),
    ("metrics.Precision(thresholds=[0.0, 0.5, 1.0])", "yes"),
    ("metrics.Precision(top_k=2)", "yes"),
    ("metrics.Precision(0.4, top_k=2, class_id=1)", "yes"),
    ("metrics.Precision(class_id=3)", "yes"),
    ("metrics.Recall()", "yes"),
    ("metrics.Recall([0.9, 0.1])", "yes"),
    ("metrics.Recall(top_k=3)", "yes"),
    ("metrics.Recall(class_id=0)", "yes"),
    ("metrics.AUC()", "yes"),
    ("metrics.AUC()", "sparse yes"),
    ("metrics.AUC()", "coarse"),
    ("metrics.AUC(num_thresholds=9)", "coarse"),
    ("metrics.AUC(50, 'PR')", "yes"),
    ("metrics.AUC(curve='PR', summation_method='majoring')", "yes"),
    ("metrics.AUC(curve='PR', summation_method='minoring')", "yes"),
    ("metrics.AUC(summation_method='majoring')", "yes"),
    ("metrics.AUC(summation_method='minoring')", "yes"),
    ("metrics.AUC(thresholds=[0.7, 0.2, 0.3])", "yes"),
    ("metrics.AUC(from_logits=True)", "yes, logits"),
    ("metrics.AUC(multi_label=True, num_labels=6)", "yes"),
    ("metrics.AUC(20, 'PR', multi_label=True, num_labels=6, label_weights=[1, 2, 0.5, 0, 1, 3])", "yes"),
    ("metrics.FBetaScore()", "one-hot"),
    ("metrics.FBetaScore('macro', 2.0)", "one-hot"),
    ("metrics.FBetaScore('weighted', 0.5, 0.4)", "yes"),
    ("metrics.F1Score()", "one-hot"),
    ("metrics.F1Score('micro')", "one-hot"),
    ("metrics.F1Score('macro', 0.5)", "yes"),
    ("metrics.F1Score('weighted')", "one-hot"),
    ("metrics.R2Score()", "numbers"),
    ("metrics.R2Score(None)", "numbers"),
    ("metrics.R2Score('variance_weighted_average')", "numbers"),
    ("metrics.R2Score(num_regressors=2)", "numbers"),
    ("metrics.IoU(3, [0, 2])", "labels"),
    ("metrics.IoU(3, [1], ignore_class=-1)", "void labels"),
    ("metrics.MeanIoU(3)", "labels"),
    ("metrics.MeanIoU(5)", "labels"),
    ("metrics.MeanIoU(4, sparse_y_pred=False)", "pixels"),
    ("metrics.MeanIoU(4, sparse_y_true=False, sparse_y_pred=False, axis=-1)", "both one-hot"),
    ("metrics.BinaryIoU()", "yes"),
    ("metrics.BinaryIoU([1], threshold=0.3)", "yes"),
]
FLAT = ("F1Score", "FBetaScore", "R2Score", "AUC(multi", "AUC(20", "CosineSimilarity(axis")  # of two axes


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("source", "drawn"), METRICS)
def test_metrics_over_batches(keras, source, drawn, weighted):
    theirs, ours = both(keras, source)
    assert ours.name == re.sub(r"_\d+$", "", theirs.name)  # Keras numbers those without a name
    rng = np.random.default_rng(0)
    for shapes in ([(6, 6), (1, 6), (5, 6)], [(2, 3, 6), (4, 3, 6)]):
        if len(shapes[0]) == 3 and source.removeprefix("metrics.").startswith(FLAT):
            continue
        for shape in shapes:
            y_true, y_pred = draw(drawn, rng, shape)
            batch = [y_pred] if drawn == "values" else [y_true, y_pred]
            if weighted:
                batch.append(weights_for(source, drawn, rng, y_true.shape, shape))
            ours.update_state(*batch)
            theirs.update_state(*batch)
            agree(ours.result(), theirs.result(), f"{source} {drawn} {shape} weighted={weighted}")
        ours.reset_state()
        theirs.reset_state()


def weights_for(source, drawn, rng, targets, shape):
    """Return weights of the shape that Keras takes: of each sample, of each row, or of each number."""
    if "IoU" in source:  # which counts in whole numbers there
        return rng.integers(0, 3, targets[:-1] if drawn == "both one-hot" else targets)
    if drawn not in ("labels", "equal"):
        targets = shape[:1] if len(shape) == 2 or drawn == "sparse yes" else shape[:2]
    return rng.uniform(0, 2, targets).astype("f4")


MODELS = {
    "yes or no": (
        "model = Sequential([Input((4,)), layers.Dense(1, 'sigmoid')])\n"
        "model.compile('sgd', 'binary_crossentropy',\n"
        "    metrics=['accuracy', 'AUC', metrics.Precision(), metrics.Recall(name='r'), 'mae'],\n"
        "    weighted_metrics=['accuracy', 'mse', metrics.Precision(name='p')])",
        lambda rng: rng.integers(0, 2, 20),
    ),
    "logits": (
        "model = Sequential([Input((4,)), layers.Dense(1)])\n"
        "model.compile('sgd', losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),\n"
        "    metrics=[metrics.BinaryAccuracy(threshold=0.0), metrics.AUC(from_logits=True)])",
        lambda rng: rng.integers(0, 2, (20, 1)),
    ),
    "class numbers": (
        "model = Sequential([Input((4,)), layers.Dense(3, 'softmax')])\n"
        "model.compile('sgd', 'sparse_categorical_crossentropy', metrics=['acc'],\n"
        "    weighted_metrics=['acc', metrics.SparseTopKCategoricalAccuracy(2)])",
        lambda rng: rng.integers(0, 3, 20),
    ),
    "one-hot": (
        "model = Sequential([Input((4,)), layers.Dense(3, 'softmax')])\n"
        "model.compile('sgd', losses.CategoricalFocalCrossentropy(gamma=1.5),\n"
        "    metrics=['accuracy', metrics.F1Score('macro'), metrics.F1Score(name='each'), 'KLDivergence',\n"
        "             metrics.Precision(class_id=0), metrics.Precision(class_id=1)])",
        lambda rng: np.eye(3)[rng.integers(0, 3, 20)],
    ),
    "numbers": (
        "model = Sequential([Input((4,)), layers.Dense(2)])\n"
        "model.compile('sgd', 'huber', metrics=['mae', metrics.RootMeanSquaredError(), metrics.R2Score()],\n"
        "    weighted_metrics=[metrics.MeanSquaredError(), 'cosine_similarity'])",
        lambda rng: rng.normal(0, 2, (20, 2)),
    ),
    "a function": (
        "def worst(y_true, y_pred):\n"
        "    return keras.ops.max(keras.ops.abs(y_true - y_pred), axis=-1)\n"
        "model = Sequential([Input((4,)), layers.Dense(2)])\n"
        "model.compile('sgd', worst, metrics=[worst, 'mse'])",
        lambda rng: rng.normal(0, 2, (20, 2)),
    ),
}


CASES = [(case, weights) for case in MODELS for weights in ("none", "of samples", "of classes")]
CASES = [pair for pair in CASES if pair not in (("numbers", "of classes"), ("a function", "of classes"))]


@pytest.mark.parametrize(("case", "weights"), CASES)
def test_what_fit_and_evaluate_report(keras, case, weights):
    keras.utils.clear_session()  # it numbers names
    source, targets = MODELS[case]
    theirs, ours = both_run(keras, source)
    same_weights(theirs.model, ours.model)
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((20, 4)).astype("f4"), targets(rng)
    y = y.astype("f4") if y.dtype.kind == "f" else y
    given = {"sample_weight": rng.uniform(0.2, 3, 20).astype("f4")} if weights == "of samples" else {}
    for model in (theirs.model, ours.model):
        model.evaluated = model.evaluate(x, y, batch_size=8, verbose=0, return_dict=True, **given)
    for name, value in theirs.model.evaluated.items():
        agree(ours.model.evaluated[name], value, f"{case}: {name}")
    assert set(ours.model.evaluated) == set(theirs.model.evaluated)
    if weights == "of classes":
        given = {"class_weight": {0: 0.5, 1: 2.0, 2: 1.5}}
    fitted = [
        model.fit(x, y, batch_size=8, epochs=3, verbose=0, shuffle=False, **given).history
        for model in (ours.model, theirs.model)
    ]
    assert set(fitted[0]) == set(fitted[1])
    for name, values in fitted[1].items():
        agree(fitted[0][name], values, f"{case}: {name}")
