# %% [markdown]
# # 5. Sequential: four blobs, two classes
#
# A network of 17 numbers learns to tell two classes apart that no line separates. It is small enough to be
# followed by hand: at the end we compute one of its predictions with NumPy, and get the same digits.

# %%
import numpy as np

from tinygrad_edu import data, nn, viz
from tinygrad_edu.lesson import Lesson

lesson = Lesson("05_four_blobs")

# %% [markdown]
# ## The data
#
# Four clouds of 25 points; the even ones are class 1, the odd ones class 0. 30 of the 100 points are put
# aside: a model is judged by what it never saw, otherwise learning by heart would look like understanding.

# %%
points = data.four_blobs(seed=42)
x_train, x_test = points.x_train.astype(np.float32), points.x_test.astype(np.float32)
y_train, y_test = points.y_train, points.y_test
print(points)

# %% [markdown]
# ## The model
#
# `Sequential` hands each layer's result to the next. The hidden layer has three neurons with ReLU, each a
# line in the plane that bends the result; the last one has two, one score for each class. Softmax turns
# scores into probabilities: `p = exp(z) / sum(exp(z))`.
#
# Count the parameters before you look: 2·3 weights + 3 biases, then 3·2 weights + 2 biases.

# %%
model = nn.Sequential(
    [
        nn.Input((2,)),
        nn.Flatten(),
        nn.Dense(3, activation="relu", name="hidden"),
        nn.Dense(2, name="scores"),
        nn.Softmax(),
    ]
)
model.summary()
lesson.claim("parameters", model.count_params(), about=17, course=17)

# %% [markdown]
# ## Training
#
# `compile` says how to learn. The loss is the cross-entropy, the mean of `-log p` of the right class: 0
# when it is sure and right, large when it is sure and wrong. "Sparse" means that a label is a number (0 or
# 1), not a vector (1, 0). Adam is the rule that turns gradients into steps.
#
# `fit` goes 2,000 times through the training points. `validation_split=0.2` takes a fifth of them out, to
# watch the loss on points that aren't learned from.

# %%
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x_train, y_train, epochs=lesson.pick(2000, fast=300), validation_split=0.2, verbose=0
)  # fmt: skip
for epoch in (0, 10, 100, -1):
    now = {name: values[epoch] for name, values in history.history.items()}
    print(f"epoch {history.epoch[epoch] + 1:4}", *(f"{name} {value:.3f}" for name, value in now.items()))
lesson.picture(viz.plot_history(history, title="17 parameters learn four blobs"), "curves.png")

# %% [markdown]
# Look at the curves: both losses fall together, so nothing is learned by heart; 17 numbers couldn't. The
# accuracy climbs in stairs, since it counts points and a point flips all at once, while the loss is smooth.
# That is why we descend on the loss and only *report* the accuracy.

# %%
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test loss {loss:.3f}, accuracy {accuracy:.3f} on {len(y_test)} points that it never saw")
lesson.claim("test accuracy", accuracy, at_least=0.9, fast=0.6, course="not given")

# %% [markdown]
# ## What it sees
#
# The model gives a probability everywhere, not only where there are points. `viz.decision_boundary` colours
# the plane by it. The dashed lines are the three neurons: on one side of its line a ReLU gives 0, on the
# other it grows. The boundary between the classes can only bend where it crosses one of them.

# %%
hidden_kernel, hidden_bias = (parameter.numpy() for parameter in model.get_layer("hidden").parameters())

figure = viz.decision_boundary(model, x_test, y_test, class_names=points.class_names)
panel = figure.axes[0]
frame = panel.get_xlim(), panel.get_ylim()
across, up = np.meshgrid(*(np.linspace(*limits, 200) for limits in frame))
for weights, bias in zip(hidden_kernel.T, hidden_bias, strict=True):
    z = across * weights[0] + up * weights[1] + bias
    panel.contour(across, up, z, levels=[0], colors="0.35", linestyles="dashed", linewidths=0.8)
panel.plot(0, 0, "k*", markersize=11)
lesson.picture(figure, "boundary.png")

# %% [markdown]
# ## One prediction by hand
#
# Now for the point (0, 0), the star in the picture. No training point lies near it, so the model guesses
# there, and a model that started from other weights guesses otherwise: try `--seed 1`. Whether a
# probability of 0.9 deserves trust, the model itself can't tell.
#
# But what it computes is no secret:
#
#     h = max(0, x W1 + b1)         the hidden layer
#     z = h W2 + b2                 the scores
#     p = exp(z) / sum(exp(z))      the probabilities

# %%
scores_kernel, scores_bias = (parameter.numpy() for parameter in model.get_layer("scores").parameters())
origin = np.zeros(2)

before = origin @ hidden_kernel + hidden_bias
hidden = np.maximum(0, before)
scores = hidden @ scores_kernel + scores_bias
by_hand = np.exp(scores) / np.exp(scores).sum()
for name, value in {
    "x W1 + b1": before,
    "h": hidden,
    "z": scores,
    "p": by_hand,
}.items():
    print(f"{name:14}", value.round(4))

by_model = model.predict(origin[np.newaxis], verbose=0)[0]
print("the model says", by_model)

# %% [markdown]
# The two agree to float32's rounding. At the origin the weights of the hidden layer play no part: x W1 is
# 0, and only the biases count. The course's notebook did this with weights as they were printed, rounded to
# a few digits, and got 0.920 where its model said 0.919; we took all digits.

# %%
difference = float(np.abs(by_hand - by_model).max())
lesson.claim(
    "by hand against the model, at the origin", difference, at_most=1e-6, course="0.001 (0.920 against 0.919)"
)

# %% [markdown]
# ## One gradient
#
# And the way back? This is the loss of a single point, with every number that leads to it, and every gradient
# that comes back. `tinygrad-edu explore 5:loss` makes a page on which you can step through it.

# %%
loss = nn.losses.SparseCategoricalCrossentropy()(y_test[:1], model(x_test[:1]))
lesson.picture(viz.graph(loss, trace=True), "graph.png")

# %% [markdown]
# ## Try it
#
# - Two hidden neurons instead of three. Does it still learn? What does the boundary look like?
# - `--seed 5`: it stays at an accuracy of 0.7. Print `hidden` for all training points and find the neuron
#   that is 0 for every one of them: a dead ReLU gets no gradient, and never comes back (tutorial 1).
# - Leave the ReLU out. Why can it learn no more than a line, whatever the number of neurons?
