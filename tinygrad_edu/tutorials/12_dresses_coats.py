# %% [markdown]
# # 12. Fashion-MNIST: dresses against coats
#
# Two kinds of clothes, photographed at 28 x 28 pixels, and a network with one hidden layer of 16. We train it
# as the course did, one image a step, see why batches do better, and then go deeper, with and without L2.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as te
from tinygrad_edu import data, nn, viz
from tinygrad_edu.lesson import Lesson

lesson = Lesson("12_dresses_coats")

# %% [markdown]
# ## The data
#
# Classes 3 and 4 of Fashion-MNIST: 12,000 images to learn from, 2,000 to test. If the whole set isn't at
# hand, 3,000 and 1,000 of them come along, and the figures are a little lower.
#
# Both classes are equally frequent, so accuracy is an honest measure here: guessing gives 0.5.

# %%
whole = lesson.has("fashion-mnist")
if whole:
    (x_train, y_train), (x_test, y_test) = data.fashion_mnist().scaled()
    train, test = np.isin(y_train, (3, 4)), np.isin(y_test, (3, 4))
    x_train, y_train = x_train[train], y_train[train] == 4
    x_test, y_test = x_test[test], y_test[test] == 4
else:
    (x_train, y_train), (x_test, y_test) = data.dresses_coats().scaled()
    keep = lesson.pick(3000, fast=1000)
    x_train, y_train = x_train[:keep], y_train[:keep]
x_train, x_test = x_train.reshape(-1, 784), x_test.reshape(-1, 784)
y_train, y_test = y_train.astype(np.float32), y_test.astype(np.float32)
names = ("dress", "coat")
print(
    "the whole set" if whole else "what comes along:", len(x_train), "to learn from,", len(x_test), "to test"
)
print(f"coats among them: {y_train.mean():.3f} and {y_test.mean():.3f}")
titles = [names[int(label)] for label in y_train[:20]]
lesson.picture(viz.show_images(x_train[:20].reshape(-1, 28, 28), titles=titles, columns=10), "clothes.png")

# %% [markdown]
# ## Four figures
#
# A coat is the positive class. Of the test images, let TP be coats that were called coats, FP dresses that
# were called coats, FN coats that were called dresses.
#
#     accuracy  = right ones / all
#     precision = TP / (TP + FP)        of those called coats, how many are
#     recall    = TP / (TP + FN)        of the coats, how many were found
#     F1        = 2 / (1 / precision + 1 / recall)


# %%
def figures(model):
    """Accuracy, precision, recall and F1 of the test images."""
    coat, called = y_test == 1, model.predict(x_test, verbose=0)[:, 0] > 0.5
    tp, fp, fn = np.sum(coat & called), np.sum(~coat & called), np.sum(coat & ~called)
    precision, recall = tp / max(tp + fp, 1), tp / max(tp + fn, 1)
    return np.mean(coat == called), precision, recall, 2 * tp / max(2 * tp + fp + fn, 1)


def network(*hidden, activation="relu", optimizer=None, start="glorot_uniform", l2=0.0):
    price = nn.regularizers.L2(l2) if l2 else None
    layers = [
        nn.Dense(units, activation, kernel_initializer=start, kernel_regularizer=price) for units in hidden
    ]
    last = nn.Dense(1, "sigmoid", kernel_initializer=start)
    model = nn.Sequential([nn.Input((784,)), *layers, last])
    model.compile(optimizer or nn.optimizers.Adam(1e-3), "binary_crossentropy", ["accuracy"])
    return model


def learn(name, model, epochs, batch_size):
    """Train, print what came out, and return the test figures."""
    begin = time.perf_counter()
    model.fit(x_train, y_train, epochs=epochs, batch_size=batch_size, verbose=0)
    seconds = time.perf_counter() - begin
    result = figures(model)
    row = "  ".join(
        f"{what} {value:.3f}"
        for what, value in zip(("accuracy", "precision", "recall", "F1"), result, strict=True)
    )
    print(f"{name:24} {row}  ({seconds:.1f} s)")
    return result


# %% [markdown]
# ## One image a step
#
# The course's way: sigmoid in both layers, weights that start near zero, `normal(0, 0.01)`, and after each
# image a step against its gradient. 48,000 steps see each of 12,000 images four times. (The course drew each
# image at random, so some came more often; here all come once an epoch, in random order.)

# %%
small = nn.initializers.RandomNormal(stddev=0.01)
epochs = 1 if lesson.fast else 48_000 // len(x_train)
one_by_one = {}
for hidden, rate in (((16,), 0.005), ((16, 4), 0.05)):
    model = network(*hidden, activation="sigmoid", optimizer=nn.optimizers.SGD(rate), start=small)
    name = "-".join(map(str, (784, *hidden, 1)))
    one_by_one[hidden] = learn(f"{name}, one a step", model, epochs, batch_size=1)

# %% [markdown]
# The course has accuracy 0.938, precision 0.925, recall 0.953 and F1 0.939 with the first network, and 0.948,
# 0.937, 0.961 and 0.949 with the second. The same recipe gives about the same here.

# %%
for hidden, result in one_by_one.items():
    lesson.claim(f"accuracy, one image a step, {len(hidden)} hidden", result[0], at_least=0.9, fast=0.4)

# %% [markdown]
# ## Why batches help
#
# A step follows the gradient of the images in its batch. What we want is the gradient of all of them, and a
# batch is a sample of it. Averaging B images divides the noise by the square root of B; that is a law of
# statistics, and can be measured.

# %%
model = network(16)
model.fit(x_train, y_train, epochs=1, batch_size=32, verbose=0)
loss_of = nn.losses.BinaryCrossentropy()


def gradient(rows):
    model.zero_grad()
    loss_of(y_train[rows, None], model(te.Tensor(x_train[rows]))).backward()
    return np.concatenate([parameter.grad.numpy().ravel() for parameter in model.parameters()])


rng = np.random.default_rng(lesson.seed)
everything = gradient(np.arange(len(x_train)))
sizes, noise = (1, 4, 16, 64, 256), []
for size in sizes:
    draws = [gradient(rng.integers(0, len(x_train), size)) for _ in range(lesson.pick(400, fast=100))]
    squares = np.sum((np.stack(draws) - everything) ** 2, axis=1)
    noise.append(np.sqrt(squares.mean()) / np.linalg.norm(everything))
    print(f"batch of {size:3}: the noise is {noise[-1]:6.2f} times the gradient itself")
slope = np.polyfit(np.log(sizes), np.log(noise), 1)[0]
lesson.claim("noise of a gradient against batch size: power", slope, about=-0.5, within=0.1, fast=0.2)

# %% [markdown]
# A single image's gradient is mostly noise. But a batch of 256 costs 256 times the arithmetic for a sixteenth
# of the noise: is that a good trade? It is up to some size, because the machine multiplies one matrix by 32
# rows in hardly more time than by one. The time of an epoch shows it:

# %%
seconds = []
for size in (*sizes, len(x_train)):
    model = network(16, optimizer=nn.optimizers.SGD(0.01))
    model.fit(x_train[:256], y_train[:256], batch_size=min(size, 256), verbose=0)
    rows = min(len(x_train), lesson.pick(250, fast=50) * size)  # a part of an epoch is enough for small ones
    begin = time.perf_counter()
    model.fit(x_train[:rows], y_train[:rows], batch_size=size, verbose=0)
    seconds.append((time.perf_counter() - begin) * len(x_train) / rows)
    print(f"batch of {size:6}: {seconds[-1]:6.3f} s an epoch, {-(-len(x_train) // size):6} steps")

figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.2))
left.loglog(sizes, noise, "o-", label="measured")
left.loglog(sizes, noise[-1] * np.sqrt(sizes[-1] / np.array(sizes)), "k:", label="1 / square root")
left.set(xlabel="batch size", ylabel="noise / gradient", title="Noise falls slowly")
left.legend()
right.loglog(sizes, seconds[:-1], "o-")
right.set(xlabel="batch size", ylabel="seconds an epoch", title="Time falls fast, then hardly")
for panel in (left, right):
    panel.set_xticks(sizes, sizes)
    panel.xaxis.minorticks_off()
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_minor_formatter("")
lesson.picture(figure, "batches.png")

# %% [markdown]
# So a few dozen rows a step are the usual choice: the time of an epoch has nearly reached its floor, and an
# epoch still has hundreds of steps. All rows at once would be without noise, and one step an epoch.
#
# ## 16 hidden, ReLU, Adam, batches of 32
#
# 10 epochs, and a rate that falls from 0.003 to 0 along a cosine: large at first, to get somewhere, small at
# last, so that the noise of the last batches doesn't decide where it ends.


# %%
def adam(epochs):
    steps = epochs * -(-len(x_train) // 32)
    return nn.optimizers.Adam(nn.optimizers.schedules.CosineDecay(3e-3, decay_steps=steps))


epochs = lesson.pick(10, fast=3)
model = network(16, optimizer=adam(epochs))
before = model.layers[0].kernel.numpy().copy()
accuracy, precision, recall, f1 = learn("784-16-1", model, epochs, batch_size=32)
bound = 0.95 if whole else 0.94
lesson.claim("accuracy, 16 hidden", accuracy, at_least=bound, fast=0.85, course=0.938)
lesson.claim("F1, 16 hidden", f1, at_least=bound, fast=0.85, course=0.939)

# %% [markdown]
# A fraction of the time, and better. A unit has a weight for each pixel, so its weights are an image. Their
# random start hides what they learned; we take it away. Where a unit got orange weights, bright pixels excite
# it, where blue ones, they silence it.

# %%
learned = model.layers[0].kernel.numpy() - before
lesson.picture(viz.filters(learned, title="16 hidden units: what each has learned"), "units.png")

# %% [markdown]
# A few units do most of the work. Their strongest marks lie left and right of the body, where a coat has its
# sleeves and a dress has nothing. Others have learned little, and a white one nothing: its ReLU is silent for
# all images, so it gets no gradient. The ragged rim is Adam's: pixels are rarely bright there, but Adam
# divides a gradient by its usual size, and so takes rare small ones as seriously as frequent large ones.
#
# ## One layer more: 784-16-4-1

# %%
model = network(16, 4, optimizer=adam(epochs))
accuracy, precision, recall, f1 = learn("784-16-4-1", model, epochs, batch_size=32)
bound = 0.955 if whole else 0.94
lesson.claim("accuracy, 784-16-4-1", accuracy, at_least=bound, fast=0.85, course=0.948)
lesson.claim("F1, 784-16-4-1", f1, at_least=bound, fast=0.85, course=0.949)
probabilities = model.predict(x_test, verbose=0)[:, 0]
lesson.picture(viz.confusion_matrix(y_test.astype(int), probabilities, class_names=names), "confusion.png")

# %% [markdown]
# Which images does it get wrong, and how sure is it?

# %%
surprise = np.abs(probabilities - y_test)
worst = np.argsort(-surprise)[:20]
titles = [f"{names[int(y_test[i])]}, {1 - surprise[i]:.3f}" for i in worst]
title = "Least expected: the truth, and the probability given to it"
lesson.picture(
    viz.show_images(x_test[worst].reshape(-1, 28, 28), titles=titles, columns=5, title=title), "worst.png"
)

# %% [markdown]
# Some of them a person would get wrong too: a long coat without a visible front, a dress with sleeves and
# buttons. Some labels may be mistakes. A few per cent is what is left for a better model.
#
# ## Deeper, and L2
#
# More layers fit the training images better. Whether that helps the test images is another question. L2 adds
# `factor · sum of w²` to the loss: each step pulls each weight a little towards 0, and only what the data
# keep asking for stays.

# %%
table = {}
for l2 in (0.0, 1e-4, 1e-3):
    model = network(128, 64, 32, 16, l2=l2, optimizer=adam(2 * epochs))
    result = learn(f"128-64-32-16, L2 {l2:g}", model, 2 * epochs, batch_size=32)
    on_training = float(np.mean((model.predict(x_train, verbose=0)[:, 0] > 0.5) == y_train))
    size = float(np.sqrt(sum(np.sum(layer.kernel.numpy() ** 2) for layer in model.layers)))
    table[l2] = on_training, result[0], size
    print(f"{'':24} accuracy in training {on_training:.3f}, length of the weights {size:.1f}")

# %% [markdown]
# Without L2 the deep network does better on its training images than the small one did, and the test images
# gain little or nothing by it: the distance between the two accuracies is overfitting. L2 makes the
# weights much shorter, and closes a little of the distance. The course found so too: little gain.

# %%
gap = {l2: on_training - accuracy for l2, (on_training, accuracy, _) in table.items()}
print("training minus test accuracy:", {l2: round(float(value), 3) for l2, value in gap.items()})
lesson.claim(
    "length of the weights, L2 1e-3 against none", table[1e-3][2] / table[0.0][2], at_most=0.8, fast=1
)
lesson.claim("accuracy, deeper with L2", table[1e-4][1], at_least=bound - 0.01, fast=0.8)

# %% [markdown]
# ## Try it
#
# - `start=nn.initializers.Zeros()`: what do the 16 hidden units of a network learn that start all alike?
# - One image a step, with the rate 0.5 instead of 0.005. And batches of 32 with 0.5?
# - A shop wants no dress to be sold as a coat. Which threshold instead of 0.5 gives a precision of 0.99, and
#   what does it cost in recall? `viz.precision_recall_curve` draws it.
