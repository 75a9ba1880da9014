# %% [markdown]
# # 6. MNIST with an MLP
#
# A multilayer perceptron reads handwritten digits. We train the course's network for 10 epochs and for 100,
# ask what each setting is worth, and do it all again in scikit-learn's manner: estimator, grid search,
# report.

# %%
import warnings

import numpy as np
from sklearn import metrics
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import tinygrad_edu as te
from tinygrad_edu import data, nn, viz
from tinygrad_edu.lesson import Lesson
from tinygrad_edu.nn.estimators import MLPClassifier

lesson = Lesson("06_mnist_mlp")
warnings.simplefilter("ignore", ConvergenceWarning)  # we end trainings before they converge, on purpose

# %% [markdown]
# ## The data
#
# MNIST's first 5,000 digits, 28 x 28 pixels. 3,000 are learned from, 1,000 are watched while we choose
# settings (validation), and the last 1,000 are looked at when all is chosen (test). Who chooses by the test
# images has learned from them.
#
# The pixels, 0 to 255, are divided by 255: with large inputs the first gradients would be large too.

# %%
digits = data.mnist_5000().scaled()
keep = lesson.pick(3000, fast=1000)
x_train, y_train = digits.x_train[:keep], digits.y_train[:keep]
validation = digits.x_train[3000:], digits.y_train[3000:]
x_test, y_test = digits.x_test, digits.y_test
print("to learn from", x_train.shape, "to validate", validation[0].shape, "to test", x_test.shape)
lesson.picture(viz.show_images(x_train[:20], titles=y_train[:20], columns=10), "digits.png")

# %% [markdown]
# ## The course's network
#
# `Flatten` makes an image 784 numbers. Two hidden layers, 1,024 and 512 neurons with ReLU; ten scores, which
# softmax turns into probabilities. 1.3 million parameters for 3,000 images: they could learn
# every image by heart.

# %%
model = nn.Sequential(
    [
        nn.Input((28, 28)),
        nn.Flatten(),
        nn.Dense(1024, activation="relu"),
        nn.Dense(512, activation="relu"),
        nn.Dense(10, activation="softmax"),
    ]
)
model.summary()
lesson.claim("parameters", model.count_params(), about=1333770, course=1333770)

# %% [markdown]
# Plain stochastic gradient descent, rate 0.01, batches of 16: 188 steps an epoch. First 10 epochs, then 90
# more with the same model; `fit` goes on where it stopped.

# %%
model.compile(nn.optimizers.SGD(0.01), "sparse_categorical_crossentropy", ["accuracy"])
curves = {}
for epochs, course, bound in ((10, 0.907, 0.9), (100, 0.926, 0.925)):
    done = len(curves.get("loss", []))
    last = lesson.pick(epochs, fast=done + 1)
    history = model.fit(
        x_train, y_train, batch_size=16, initial_epoch=done, epochs=last, verbose=0,
        validation_data=validation,
    )  # fmt: skip
    for name, values in history.history.items():
        curves.setdefault(name, []).extend(values)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(
        f"after {len(curves['loss'])} epochs:",
        {name: round(values[-1], 4) for name, values in curves.items()},
    )
    lesson.claim(
        f"MNIST 5k, MLP, {epochs} epochs: test accuracy", accuracy, at_least=bound, fast=0.3, course=course
    )
lesson.picture(viz.plot_history(curves, title="1.3 million parameters, 3,000 digits"), "curves.png")

# %% [markdown]
# The course has 0.907 and 0.926. On 1,000 test images the standard error of such a figure is 0.009, and the
# start of the weights moves it by as much: ours, after 10 epochs, are 0.90 to 0.91, and after 100 about
# 0.935.
#
# Look at the curves. In training the loss falls to nearly 0: every image is known by heart. In validation it
# turns and rises slowly, while the accuracy hardly moves: the model becomes surer of its mistakes. It is
# harmless here, but the last 70 epochs brought next to nothing. `nn.callbacks.EarlyStopping` would
# have stopped.
#
# ## What is a setting worth?
#
# A small network, and one thing changed at a time; 10 epochs, batches of 32. The validation accuracy says
# which is better. With 1,000 images it has a standard error of about 0.008, so differences below 0.02 mean
# little.


# %%
steps = 10 * -(-len(x_train) // 32)  # in 10 epochs


def accuracy_of(hidden=(100,), activation="relu", optimizer=None, l2=0.0):
    te.seed(lesson.seed)
    price = nn.regularizers.L2(l2) if l2 else None
    layers = [nn.Dense(units, activation, kernel_regularizer=price) for units in hidden]
    model = nn.Sequential([nn.Input((28, 28)), nn.Flatten(), *layers, nn.Dense(10, "softmax")])
    model.compile(optimizer or nn.optimizers.SGD(0.1), "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(x_train, y_train, batch_size=32, epochs=lesson.pick(10, fast=1), verbose=0)
    return [model.evaluate(*rows, verbose=0)[1] for rows in ((x_train, y_train), validation)]


sgd, schedules = nn.optimizers.SGD, nn.optimizers.schedules
trials = {
    "100 hidden, ReLU, SGD 0.1": {},
    "hidden: none": {"hidden": ()},
    "hidden: 10": {"hidden": (10,)},
    "hidden: 400": {"hidden": (400,)},
    "hidden: 100, 100": {"hidden": (100, 100)},
    "activation: sigmoid": {"activation": "sigmoid"},
    "activation: tanh": {"activation": "tanh"},
    "activation: linear": {"activation": "linear"},
    "rate 0.01": {"optimizer": sgd(0.01)},
    "rate 0.01, momentum 0.9": {"optimizer": sgd(0.01, momentum=0.9)},
    "rate 0.01, Nesterov 0.9": {"optimizer": sgd(0.01, momentum=0.9, nesterov=True)},
    "rate 1": {"optimizer": sgd(1.0)},
    "rate 0.3, cosine to 0": {"optimizer": sgd(schedules.CosineDecay(0.3, decay_steps=steps))},
    "rate 0.3 / (1 + epoch)": {"optimizer": sgd(schedules.InverseTimeDecay(0.3, steps // 10, 1.0))},
    "Adam 0.001": {"optimizer": nn.optimizers.Adam(1e-3)},
    "L2 0.001": {"l2": 1e-3},
    "L2 0.1": {"l2": 0.1},
}
found = {}
print(f"{'':28} training  validation")
for name, settings in trials.items():
    found[name] = accuracy_of(**settings)
    print(f"{name:28} {found[name][0]:8.3f}  {found[name][1]:10.3f}")

# %% [markdown]
# - **Size.** Without a hidden layer it is logistic regression, and not bad. 10 neurons are a bottleneck; 400
#   are no better than 100.
# - **Activation.** `linear` is logistic regression again, whatever the number of layers. Sigmoid learns
#   slower: its slope is at most 1/4, and the gradient is multiplied by it.
# - **Rate.** 0.01 is too small for 10 epochs. Momentum 0.9 adds up the last ten or so gradients and so makes
#   it ten times as large, along the directions that stay. A schedule begins large and ends small: with the
#   cosine the last steps settle, and it is among the best.
# - **L2.** 0.1 is too much: the price of the weights outweighs the loss.

# %%
lesson.claim("linear hidden layer minus none", found["activation: linear"][1] - found["hidden: none"][1],
             about=0, within=0.03, fast=0.1)  # fmt: skip
gain = found["rate 0.01, momentum 0.9"][1] - found["rate 0.01"][1]
lesson.claim("validation accuracy gained by momentum, rate 0.01", gain, at_least=0.0)
lesson.claim("L2 0.1 against L2 0.001", found["L2 0.001"][1] - found["L2 0.1"][1], at_least=0.02, fast=-0.1)

# %% [markdown]
# ## An estimator
#
# `nn.estimators.MLPClassifier` has scikit-learn's names and defaults, and our engine inside. 15,000 digits to
# learn from and 2,500 to test, one hidden layer of 100, Adam; where the whole set isn't at hand, the 4,000
# and 1,000 that come along.

# %%
if lesson.has("mnist"):
    (x, y), (x_new, y_new) = data.mnist().scaled()
    x, y, x_new, y_new = x[:15_000], y[:15_000], x_new[:2_500], y_new[:2_500]
else:
    (x, y), (x_new, y_new) = digits
    x, y = x[: lesson.pick(4000, fast=1000)], y[: lesson.pick(4000, fast=1000)]
x, x_new = x.reshape(-1, 784), x_new.reshape(-1, 784)
classifier = MLPClassifier((100,), max_iter=lesson.pick(30, fast=3), random_state=lesson.seed)
classifier.fit(x, y)
said = classifier.predict(x_new)
right = np.mean(said == y_new)
print(f"{len(x):,} to learn from, {len(x_new):,} to test, {classifier.n_iter_} epochs: accuracy {right:.4f}")
many = len(x) == 15_000
lesson.claim(
    f"MNIST {'15,000/2,500' if many else '4,000/1,000'}, 100 hidden, Adam: test accuracy", right,
    at_least=0.94 if many else 0.92, fast=0.6, course="0.84 (10 units)",
)  # fmt: skip

# %% [markdown]
# ## The report
#
# One number hides which digits are confused. For each class: precision, of those called so, how many are;
# recall, of those that are, how many were called so; F1 their harmonic mean; support, how many there are.

# %%
print(metrics.classification_report(y_new, said, digits=3))

# %% [markdown]
# Three averages, by hand:
#
# - **macro**: the mean over classes. Each class counts the same, a rare one too.
# - **weighted**: each class counts by its support.
# - **micro**: count right and wrong over all classes together, then divide. With one label a row each mistake
#   is one false positive (of the class called) and one false negative (of the true one), so
#   micro precision, recall and F1 are the same: the accuracy. That is why the report prints "accuracy" there.
#
# The balanced accuracy is the macro recall.

# %%
counts = metrics.confusion_matrix(y_new, said)  # rows: what it is; columns: what it was called
hits, support, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
precision, recall = hits / np.maximum(called, 1), hits / support
f1 = 2 * hits / (support + called)
averages = {
    "macro": (precision.mean(), recall.mean(), f1.mean()),
    "weighted": tuple(np.average(each, weights=support) for each in (precision, recall, f1)),
    "micro": (hits.sum() / called.sum(), hits.sum() / support.sum(), hits.sum() / counts.sum()),
}
furthest = 0.0
for name, by_hand in averages.items():
    theirs = metrics.precision_recall_fscore_support(y_new, said, average=name, zero_division=0)[:3]
    furthest = max(furthest, *(abs(a - b) for a, b in zip(by_hand, theirs, strict=True)))
    print(
        f"{name:8}",
        *(
            f"{what} {value:.4f}  "
            for what, value in zip(("precision", "recall", "F1"), by_hand, strict=True)
        ),
    )
print(f"balanced accuracy {metrics.balanced_accuracy_score(y_new, said):.4f}")
lesson.claim("averages: by hand against scikit-learn", furthest, at_most=1e-12)
lesson.picture(viz.confusion_matrix(y_new, said), "confusion.png")

# %%
lesson.picture(viz.plot_history({"loss": classifier.loss_curve_}), "classifier.png")
lesson.picture(viz.filters(classifier.coefs_[0], count=32, title="32 of 100 hidden neurons"), "neurons.png")

# %% [markdown]
# `loss_curve_` is the loss of each epoch, `coefs_` the weights; those of a hidden neuron are an image. Some
# neurons fall silent if there is a stroke at one place (blue), others want one (orange). The corners are
# white: no digit reaches there, so the data say nothing of these weights, and the small price `alpha` on
# all weights has brought them to 0.
#
# ## A grid search
#
# All combinations of a few values, each trained and scored on rows set aside. Scaling belongs into the
# pipeline: it is fitted on the training rows of each split alone. `refit=False`, since we only look.

# %%
rows = slice(0, lesson.pick(2000, fast=400))
pixels = 255 * digits.x_train[rows].reshape(-1, 784)
pipeline = make_pipeline(
    MinMaxScaler(), MLPClassifier(max_iter=lesson.pick(20, fast=2), random_state=lesson.seed)
)
grid = {
    "mlpclassifier__hidden_layer_sizes": [(10,), (100,)],
    "mlpclassifier__activation": ["logistic", "relu"],
    "mlpclassifier__learning_rate_init": [1e-3, 1e-2],
}
splits = ShuffleSplit(n_splits=2, test_size=0.25, random_state=0)
search = GridSearchCV(pipeline, grid, cv=splits, refit=False).fit(pixels, digits.y_train[rows])
for k in np.argsort(search.cv_results_["rank_test_score"]):
    chosen = {name.split("__")[1]: value for name, value in search.cv_results_["params"][k].items()}
    print(f"{search.cv_results_['mean_test_score'][k]:.3f}", chosen)
lesson.claim("grid search: the best combination", search.best_score_, at_least=0.88, fast=0.3)

# %% [markdown]
# 8 combinations and 2 splits are 16 trainings; three more values each and it is a hundred and more. And the
# best of many has been lucky too: its score here flatters it. What it is worth, the test images say.
#
# ## Try it
#
# - Train on the first 1,000 digits only, and on 2,000. What would 6,000 give? Try it if you have the whole
#   set.
# - `early_stopping=True` sets a tenth of the rows aside, and stops when they get no better. What does it
#   cost, what does it save?
# - Which pair of digits is confused most? Draw these images with `viz.show_images`.
