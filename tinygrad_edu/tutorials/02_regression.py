# %% [markdown]
# # 2. Linear and ridge regression
#
# The oldest model that learns: a line through points. It can be solved in one formula, so here we can check
# what gradient descent finds, and see what goes wrong when a model has too much freedom.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression, Ridge

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.lesson import Lesson

lesson = Lesson("02_regression")

# %% [markdown]
# ## The data
#
# Ten points on `y = 10 x`, with noise of standard deviation 20. The generator and the seed are the
# course's, so these are its points to the last digit. They are float64: here we want to compare many
# digits.

# %%
generator = np.random.RandomState(123)
x = np.sort(generator.uniform(0, 50, 10))
y = 10 * x + generator.normal(0, 20, 10)
x_new = np.sort(generator.uniform(0, 50, 200))  # the same law, never learned from
y_new = 10 * x_new + generator.normal(0, 20, 200)
for a, b in zip(x.round(1), y.round(1), strict=True):
    print(f"x {a:5}   y {b:6}")

# %% [markdown]
# ## In one formula
#
# The model is `p = X w`, X with one column for each feature. The loss is the sum of squares, `|X w - y|²`.
# It is a bowl, and at its bottom the gradient `2 Xᵀ (X w - y)` is zero. Solved for w, that is the normal
# equation:
#
#     Xᵀ X w = Xᵀ y
#
# R² tells how good it is: 1 - (squares that are left) / (squares around the mean). 1 is perfect, 0 is no
# better than always saying the mean, and it can be negative.

# %%
X, target = te.Tensor(x[:, np.newaxis]), te.Tensor(y)
w_formula = te.linalg.solve(X.T @ X, X.T @ target)


def r2(y, prediction):
    return 1 - float(np.sum((y - prediction) ** 2) / np.sum((y - y.mean()) ** 2))


slope = w_formula.item()
print(f"y = {slope:.3f} x")
lesson.claim("slope by the normal equation", slope, about=10.375, within=0.001, course=10.375)
lesson.claim("R² of the line", r2(y, slope * x), about=0.9656, within=1e-4, course=0.9656)
by_sklearn = LinearRegression(fit_intercept=False).fit(x[:, np.newaxis], y).coef_[0]
lesson.claim("slope, distance from scikit-learn's", abs(slope - by_sklearn), at_most=1e-10)

# %% [markdown]
# ## By gradient
#
# Most models have no formula. Then we go downhill: `w ← w - lr · gradient`, again and again. The engine
# finds the gradient from the loss alone: nobody wrote `2 Xᵀ (X w - y)` below.
#
# The step must fit the bowl. For the mean of squares the curvature is c = 2 · mean(x²), and one step
# multiplies the error of w by `1 - lr · c`. So it shrinks as long as lr < 2 / c; beyond, each step
# overshoots by more than the last.


# %%
def descend(lr, steps):
    w = te.Tensor(np.zeros(1), requires_grad=True)
    path = []
    for _ in range(steps):
        loss = te.mean((X @ w - target) ** 2)
        w.zero_grad()
        loss.backward()
        with te.no_grad():  # a step is no part of the model: it isn't recorded
            w -= lr * w.grad
        path.append(w.item())
    return path


curvature = 2 * float(np.mean(x**2))
print(f"curvature {curvature:.0f}: the learning rate must stay below {2 / curvature:.5f}")
for factor in (0.05, 0.5, 1.0, 1.9, 2.1):
    path = descend(factor / curvature, 100)
    print(f"lr = {factor:4} / c: w after 1, 10, 100 steps: {path[0]:8.3f} {path[9]:8.3f} {path[99]:12.5g}")
lesson.claim(
    "by gradient, distance from the formula", abs(descend(0.5 / curvature, 100)[-1] - slope), at_most=1e-9
)

# %% [markdown]
# At lr = 1 / c a single step arrives: that is Newton's method, which divides the gradient by the curvature.
# It works in any number of dimensions, with the Hessian matrix for the curvature. For a bowl it is exact.

# %%
start = te.Tensor(np.array([-100.0]), requires_grad=True)


def mean_square(w):
    return te.mean((X @ w - target) ** 2)


gradient = te.grad(mean_square(start), start)
newton = start.detach() - te.linalg.solve(te.hessian(mean_square, start), gradient)
print(f"from -100 in one step of Newton's: {newton.item():.12f}; the formula: {slope:.12f}")
lesson.claim("Newton's step, distance from the formula", abs(newton.item() - slope), at_most=1e-10)

# %% [markdown]
# The same with a layer, as you will write it from tutorial 5 on. A line is a network without a hidden
# layer. SGD with all ten points in a batch is the descent above.

# %%
line = nn.Sequential([nn.Input((1,), dtype="float64"), nn.Dense(1, use_bias=False, dtype="float64")])
line.compile(nn.optimizers.SGD(0.5 / curvature), "mse")
line.fit(x[:, np.newaxis], y, batch_size=len(x), epochs=60, verbose=0)
weight = line.get_weights()[0].item()
print(f"the layer's weight: {weight:.6f}")
lesson.claim("a layer's weight, distance from the formula", abs(weight - slope), at_most=1e-6)

# %% [markdown]
# ## Too much freedom
#
# A polynomial of degree 8 is linear in its weights too: its features are 1, x, x², …, x⁸. Nine numbers for
# ten points. We scale x to 0…1 first; otherwise x⁸ is up to 4·10¹³ beside a 1, and the digits that
# distinguish the small features are lost.


# %%
def powers(x, degree=8):
    return (x[:, np.newaxis] / 50) ** np.arange(degree + 1)


def ridge(features, y, penalty):
    """Minimise |X w - y|² + penalty · |w|²: w = (Xᵀ X + penalty · I)⁻¹ Xᵀ y, by the SVD of X."""
    u, s, vt = te.linalg.svd(te.Tensor(features), full_matrices=False)
    return (vt.T @ (s / (s**2 + penalty) * (u.T @ te.Tensor(y)))).numpy()


free = ridge(powers(x), y, 0.0)
print("weights:", *(f"{w:.0f}" for w in free))
seen, unseen = r2(y, powers(x) @ free), r2(y_new, powers(x_new) @ free)
line_unseen = r2(y_new, slope * x_new)
print(f"degree 8: R² {seen:.4f} on the points it saw, {unseen:.4f} on new ones")
print(f"a line:   R² {r2(y, slope * x):.4f} on the points it saw, {line_unseen:.4f} on new ones")
lesson.claim("degree 8 beats the line on the points it saw, by R²", seen - r2(y, slope * x), at_least=0.0)
lesson.claim("and loses to it on new ones, by R²", line_unseen - unseen, at_least=0.05)

# %% [markdown]
# The polynomial follows the noise: its weights are in the ten millions and cancel each other at the ten
# points; between them, and more so beyond them, it goes where it likes. A small loss on the training points
# proves nothing: look at points that the model never saw.
#
# ## Ridge: a price on large weights
#
# Ridge adds `λ · |w|²` to the loss. Weights that don't earn their price shrink; the polynomial may still
# bend, but each bend must pay. λ is chosen on points that weren't learned from: too small and it follows
# the noise, too large and it follows nothing.

# %%
penalties = np.logspace(-9, 4, 53)
weights = [ridge(powers(x), y, penalty) for penalty in penalties]
on_seen = np.array([r2(y, powers(x) @ w) for w in weights])
on_new = np.array([r2(y_new, powers(x_new) @ w) for w in weights])
best = int(on_new.argmax())
print(f"best λ = {penalties[best]:.2g}: R² {on_seen[best]:.4f} seen, {on_new[best]:.4f} new")
print("weights:", *(f"{w:.0f}" for w in weights[best]))
by_sklearn = Ridge(alpha=penalties[best], fit_intercept=False).fit(powers(x), y).coef_
lesson.claim("ridge of degree 8, R² on new points", on_new[best], at_least=0.9)
lesson.claim("ridge, distance from scikit-learn's", np.abs(by_sklearn - weights[best]).max(), at_most=1e-6)

# %% [markdown]
# Is it the bottom of its bowl? The engine tells: the gradient of loss + price must vanish there. The course
# used λ = 10⁵ on the raw powers; scaled ones want a λ of their own, since the price depends on the units of
# x.

# %%
w = te.Tensor(weights[best], requires_grad=True)
loss = ((te.Tensor(powers(x)) @ w - target) ** 2).sum() + penalties[best] * (w**2).sum()
slope_there = te.grad(loss, w)
print("gradient:", slope_there.numpy().round(9))
lesson.claim(
    "the largest gradient at ridge's solution", float(te.abs(slope_there).max().item()), at_most=1e-6
)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
fine = np.linspace(0, 50, 400)
left.plot(x_new, y_new, ".", color="0.75", markersize=4, label="new points")
left.plot(fine, slope * fine, color="0.35", linewidth=1.2, label="line")
left.plot(fine, powers(fine) @ free, "--", color="C1", label="degree 8")
left.plot(fine, powers(fine) @ weights[best], color="C0", label=f"degree 8, ridge λ = {penalties[best]:.2g}")
left.plot(x, y, "ko", label="training points")
left.set(xlabel="x", ylabel="y", ylim=(-80, 620))
left.legend(fontsize=8, loc="lower right", frameon=True)
right.semilogx(penalties, on_seen, "--", color="C1", label="points it saw")
right.semilogx(penalties, on_new, color="C0", label="new points")
right.plot(penalties[best], on_new[best], "k*", markersize=10, label="the best λ")
right.set(xlabel="λ", ylabel="R²", ylim=(0.0, 1.03))
right.legend(fontsize=8)
lesson.picture(figure, "ridge.png")

# %% [markdown]
# Left: free, the polynomial goes through nearly every point and is absurd beyond them; with a price it
# stays near the line. Right: as λ grows, the fit to the points it saw only gets worse, while that to new
# points first gets better (without a price it is at -314, far below the picture). Still the plain line is
# best on new points: no penalty is as good as knowing the right form.
#
# ## Try it
#
# - Change the degree to 3, and to 9. At which degree does R² on the training points become 1, and why
#   there?
# - Leave out the division by 50. What do the weights and the distance from scikit-learn do?
# - Choose λ by another set of 10 points instead of 200. How sure can you be of it?
