# %% [markdown]
# # 3. Logistic regression
#
# The smallest classifier: one neuron. It tells two clouds apart with a plane, and we write its training by
# hand, once with all rows a step and once with a single one. Then we meet data that no plane separates.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

import tinygrad_edu as te
from tinygrad_edu import data, viz
from tinygrad_edu.lesson import Lesson

lesson = Lesson("03_logistic")

# %% [markdown]
# ## Two clouds
#
# 400 points with three features, 80 of them kept for the test. The clouds are wide enough to touch, so that
# no plane is right for all of them.

# %%
blobs = data.blobs(400, n_features=3, cluster_std=4, seed=42)
print(blobs)

figure = viz.scatter_3d(blobs.x_train, blobs.y_train, class_names=blobs.class_names)
lesson.picture(figure, "blobs.png")

# %% [markdown]
# ## The model and its loss
#
#     z = x · w + b             how far the point lies on the positive side of the plane
#     p = 1 / (1 + exp(-z))     the probability of class 1: 0.5 on the plane itself
#     loss = -mean(y log p + (1 - y) log(1 - p))
#
# The loss is small when each p is near its y. Being sure and wrong is expensive: log 0 is minus infinity.
# In the computer it would be just that, so we never compute p for the loss: `sigmoid_cross_entropy` takes z
# and gives the same number without overflow.


# %%
def loss_of(x, y, w, b):
    return te.mean(te.sigmoid_cross_entropy(x @ w + b, y))


def start(features):
    """Small random weights; zeros would do too, since one neuron has no twin to be told apart from."""
    generator = np.random.default_rng(lesson.seed)
    w = te.Tensor(generator.normal(0, 0.01, features), requires_grad=True)
    return w, te.Tensor(np.zeros(()), requires_grad=True)


x, y = te.Tensor(blobs.x_train), te.Tensor(blobs.y_train.astype(float))
w, b = start(3)
loss_of(x, y, w, b).backward()
print("the engine's gradient:", w.grad.numpy())

# %% [markdown]
# By hand: the derivative of the loss by z is `p - y`, a difference of what was said and what was right; the
# sigmoid's own derivative cancels out. So the gradient of w is `xᵀ (p - y) / n`. The engine must find the
# same.

# %%
p = te.sigmoid(x @ w + b).numpy()
by_hand = blobs.x_train.T @ (p - blobs.y_train) / len(p)
print("by hand:              ", by_hand)
lesson.claim("gradient, distance from the formula", np.abs(w.grad.numpy() - by_hand).max(), at_most=1e-12)

# %% [markdown]
# ## Batch gradient descent
#
# Each step uses all rows. We stop after 5,000 steps, or when the loss changes by less than 1e-6: then a
# step isn't worth its time.


# %%
def descend(x, y, lr, steps=5000, tolerance=1e-6):
    w, b = start(x.shape[1])
    losses = []
    while len(losses) < steps and not (len(losses) > 1 and abs(losses[-2] - losses[-1]) < tolerance):
        loss = loss_of(x, y, w, b)
        w.zero_grad()
        b.zero_grad()
        loss.backward()
        with te.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
        losses.append(loss.item())
    return w.numpy(), b.item(), losses


def scores(truth, said):
    """Accuracy, precision, recall and F1, by counting."""
    hits, alarms, misses = np.sum(said & truth), np.sum(said & ~truth), np.sum(~said & truth)
    precision, recall = hits / max(hits + alarms, 1), hits / max(hits + misses, 1)
    return {
        "accuracy": np.mean(said == truth),
        "precision": precision,
        "recall": recall,
        "F1": 2 * precision * recall / max(precision + recall, 1e-12),
    }


batch_w, batch_b, batch_losses = descend(x, y, lr=0.008, steps=lesson.pick(5000, fast=500))
print(f"stopped after {len(batch_losses)} steps at a loss of {batch_losses[-1]:.4f}")
print(f"w = {batch_w.round(3)}, b = {batch_b:.3f}")
tested = scores(blobs.y_test == 1, blobs.x_test @ batch_w + batch_b > 0)
print(*(f"{name} {value:.4f}" for name, value in tested.items()))
lesson.claim("blobs, test accuracy", tested["accuracy"], at_least=0.98, fast=0.95, course=0.9875)

# %% [markdown]
# Precision: of the points called class 1, how many are. Recall: of the points that are class 1, how many
# were called so. Accuracy alone hides which kind of mistake a model makes.
#
# scikit-learn's solver goes to the very bottom of the loss. Nothing forbids that the lower loss has one
# mistake more on 80 test points: the loss is of the training points.

# %%
yardstick = LogisticRegression(C=np.inf, max_iter=1000).fit(blobs.x_train, blobs.y_train)
print(
    "scikit-learn: w =",
    yardstick.coef_[0].round(3),
    f"test accuracy {yardstick.score(blobs.x_test, blobs.y_test):.4f}",
)
cosine = yardstick.coef_[0] @ batch_w / np.linalg.norm(yardstick.coef_) / np.linalg.norm(batch_w)
lesson.claim("the planes' normals, cosine of their angle", cosine, at_least=0.98, fast=0.9)

# %% [markdown]
# Both planes look the same way. Ours has shorter weights, so its probabilities are more cautious: when
# clouds hardly touch, w grows and grows, ever slower, and stopping early is a kind of ridge.
#
# ## Stochastic gradient descent
#
# One row, drawn at random, gives a gradient that is wrong in detail and right on average, for 1/320 of the
# work. So a pass over the data makes 320 steps instead of one.

# %%
rng = np.random.default_rng(lesson.seed)
w, b = start(3)
noisy = []
passes = lesson.pick(10, fast=3)
for row in rng.integers(len(y), size=passes * len(y)):
    loss = loss_of(x[row : row + 1], y[row : row + 1], w, b)
    w.zero_grad()
    b.zero_grad()
    loss.backward()
    with te.no_grad():
        w -= 0.008 * w.grad
        b -= 0.008 * b.grad
    noisy.append(loss.item())
by_pass = np.reshape(noisy, (passes, -1)).mean(1)
tested = scores(blobs.y_test == 1, blobs.x_test @ w.numpy() + b.item() > 0)
print("mean loss of each pass:", *by_pass.round(4))
print(*(f"{name} {value:.4f}" for name, value in tested.items()))
lesson.claim("blobs, stochastic, test accuracy", tested["accuracy"], at_least=0.96)

# %%
figure, panel = plt.subplots(figsize=(6, 3.6))
panel.plot(np.arange(1, len(batch_losses) + 1), batch_losses, label="all 320 rows a step")
panel.plot(np.arange(1, passes + 1), by_pass, "s--", label="one row a step")
panel.set(xscale="log", yscale="log", xlabel="passes over the data", ylabel="loss")
panel.legend()
lesson.picture(figure, "losses.png")

# %% [markdown]
# In its second pass the descent by single rows is where the whole batch arrives after hundreds of passes.
# Then its loss jumps about: a few rows near the border decide it, and how often each is drawn is chance.
# Larger networks are trained in between, with small batches.
#
# ## Where no line helps
#
# Two circles, one inside the other. We take the course's learning rate, 1e-5, and its tolerance.

# %%
circles = data.circles(500, seed=42)
x, y = te.Tensor(circles.x_train), te.Tensor(circles.y_train.astype(float))
w, b, losses = descend(x, y, lr=1e-5)
accuracy = np.mean((circles.x_test @ w + b > 0) == circles.y_test)
print(f"stopped after {len(losses)} steps at a loss of {losses[-1]:.4f}; log 2 = {math.log(2):.4f}")
print(f"accuracy {accuracy:.2f}")
lesson.claim("circles, test accuracy: chance", accuracy, about=0.5, within=0.1, course=0.52)

# %% [markdown]
# It stopped at once, and not because it had arrived: with steps this small the loss can't change by 1e-6. A
# tolerance measures the step, not the distance to the goal. So try again, with a learning rate that gets
# there.

# %%
w, b, losses = descend(x, y, lr=1.0, tolerance=1e-12)
accuracy = np.mean((circles.x_test @ w + b > 0) == circles.y_test)
print(f"stopped after {len(losses)} steps at a loss of {losses[-1]:.6f}; w = {w.round(4)}")
print(f"accuracy {accuracy:.2f}")
lesson.claim("circles, loss at the bottom", losses[-1], about=math.log(2), within=0.001)
lesson.claim("circles at the bottom, test accuracy: chance", accuracy, about=0.5, within=0.1)

# %% [markdown]
# Now it has arrived, and is no better: a loss of log 2 is that of a coin. Both circles have their centre at
# 0, so for each point on one side of a line there is one of the same class on the other. The best w is
# nearly 0: know nothing. No learning rate mends a model that can't say what is true.
#
# ## A feature that helps
#
# What tells the circles apart is the distance from the centre. Give the model `r² = x0² + x1²` as a third
# feature; the "line" through the new space is a circle in the old one.


# %%
def with_radius(x):
    return np.column_stack([x, (x**2).sum(1)])


w, b, losses = descend(te.Tensor(with_radius(circles.x_train)), y, lr=1.0, steps=lesson.pick(5000, fast=500))
accuracy = np.mean((with_radius(circles.x_test) @ w + b > 0) == circles.y_test)
radius = math.sqrt(b / -w[2])
print(f"w = {w.round(2)}, b = {b:.2f}: a circle of radius {radius:.2f}; accuracy {accuracy:.2f}")
lesson.claim("circles with r² as a feature, test accuracy", accuracy, at_least=0.98, fast=0.9)


# %%
def said(x):
    """Return the probability of class 1, for rows of x0 and x1."""
    return 1 / (1 + np.exp(-(with_radius(x) @ w + b)))


figure = viz.decision_boundary(said, circles.x_test, circles.y_test, class_names=circles.class_names)
lesson.picture(figure, "circle.png")

# %% [markdown]
# Somebody had to know that the radius matters. A hidden layer finds such features by itself: tutorial 4.
#
# ## Try it
#
# - Which learning rate is too large for the blobs? Watch the loss of the first ten steps.
# - Stop when the *gradient* is smaller than a bound, instead of the change of the loss. What happens on the
#   circles now?
# - Add only `x0 · x1` as a feature. Why doesn't it help?
