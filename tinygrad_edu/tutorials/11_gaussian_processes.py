# %% [markdown]
# # 11. Kernel ridge and Gaussian processes
#
# A straight line in many dimensions is a curve in one. Kernels make that affordable; Gaussian processes also
# say how far to trust the curve. And what other libraries search for, the kernel's own settings, we
# learn as we learn weights: by the gradient of how well they explain the data.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import train_test_split

import tinygrad_edu as te
from tinygrad_edu import data, linalg, nn
from tinygrad_edu.lesson import Lesson

lesson = Lesson("11_gaussian_processes")

# %% [markdown]
# ## A wave, and what a line makes of it
#
# 200 points on sin(4 pi x), with noise. Their noise has a standard deviation of 0.1, so no model
# can explain more than 98 % of the variance.
#
# `R² = 1 - (sum of squared errors) / (sum of squares around the mean)`: 1 is perfect, 0 is as good as always
# saying the mean.

# %%
wave = data.sinusoid(200, frequency=2, noise=0.1, test_size=0, seed=0)
x, y = wave.x_train, wave.y_train  # (200, 1) and (200,), float64


def r2(truth, prediction):
    return float(1 - ((truth - prediction) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def polynomial_ridge(x, y, degree, penalty):
    """Fit w in (1, x, …, x^degree) w, with the penalty on all weights but the constant's."""
    powers = x ** np.arange(degree + 1)
    weight = np.full(degree + 1, penalty)
    weight[0] = 0
    return powers @ np.linalg.solve(powers.T @ powers + np.diag(weight), powers.T @ y)


line = polynomial_ridge(x, y, 1, 0)
fifth = polynomial_ridge(x, y, 5, 0)
fifth_ridge = polynomial_ridge(x, y, 5, 7e-5)
for name, prediction in {"a line": line, "degree 5": fifth, "degree 5, ridge": fifth_ridge}.items():
    print(f"R² of {name:16} {r2(y, prediction):.2f}")

# %% [markdown]
# Two whole waves have four turns, and a polynomial of degree 5 has just four. It gets near, and the ridge,
# which pulls the weights to zero, takes that away again: the powers of x are nearly parallel to each other,
# so the curve needs large weights of opposite signs.

# %% [markdown]
# ## Kernel ridge regression
#
# Ridge regression only ever needs inner products of samples. Replace them by a kernel, a similarity k(x, x'),
# and it is ridge regression on features that nobody has to write down. The RBF kernel stands for infinitely
# many:
#
#     k(x, x') = exp(-|x - x'|² / (2 length²))
#
# Points nearer than the length resemble each other, so their predictions do. The fit is one linear system,
# and a prediction a weighted sum of similarities to the training points:
#
#     a = (K + penalty I)⁻¹ y,    f(x) = sum over i of a[i] k(x, x[i])
#
# All of it is written with tensors here, so that later we can differentiate through it.


# %%
def squared_distances(a, b):
    """|a[i] - b[j]|² of all pairs, (len(a), len(b))."""
    return ((a[:, None, :] - b[None, :, :]) ** 2).sum(2)


def rbf(distances, length):
    return te.exp(-distances / (2 * length**2))


def kernel_ridge(x, y, x_new, length, penalty):
    """Return the predictions at x_new, and the a of the formula above."""
    k = rbf(squared_distances(x, x), te.Tensor(length, dtype="float64"))
    a = linalg.solve(k + penalty * np.eye(len(x)), te.Tensor(y))
    return (rbf(squared_distances(x_new, x), te.Tensor(length, dtype="float64")) @ a).numpy()


curve = kernel_ridge(x, y, x, length=0.1, penalty=0.1)
theirs = KernelRidge(kernel=RBF(0.1), alpha=0.1).fit(x, y).predict(x)
print(f"R² of kernel ridge: {r2(y, curve):.3f}")
lesson.claim("R² of a polynomial of degree 5, wave", r2(y, fifth), about=0.89, within=0.03, course=0.89)
lesson.claim("R² of the same with a ridge, wave", r2(y, fifth_ridge), at_most=0.7, course=0.55)
lesson.claim("R² of kernel ridge, wave", r2(y, curve), at_least=0.97, course=0.98)
lesson.claim("kernel ridge against scikit-learn's", float(abs(curve - theirs).max()), at_most=1e-8)

# %%
figure, panel = plt.subplots(figsize=(6.4, 3.8))
panel.plot(x[:, 0], y, ".", color="0.7", label="data")
panel.plot(x[:, 0], fifth, "--", label="degree 5")
panel.plot(x[:, 0], fifth_ridge, ":", label="degree 5, ridge")
panel.plot(x[:, 0], curve, color="#009E73", label="kernel ridge")
panel.set(xlabel="x", ylabel="y", title="One linear system each")
panel.set_ylim(-1.3, 1.6)
panel.legend(ncols=4, loc="upper center")
lesson.picture(figure, "kernel_ridge.png")

# %% [markdown]
# ## Gaussian processes: the same curve, and how sure it is
#
# Read the kernel as a covariance: before any data, every smooth function with that covariance is possible.
# Data rule most of them out, and what is left has a mean, which is the curve of kernel ridge with
# penalty = noise², and a variance, which is small near the data and returns to the prior's far from it:
#
#     mean     = k(x*, X) (K + noise² I)⁻¹ y
#     variance = k(x*, x*) - k(x*, X) (K + noise² I)⁻¹ k(X, x*)
#
# (Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, algorithm 2.1.) The Cholesky factor
# L of K + noise² I, lower triangular with L L' = K + noise² I, gives all three: the mean, the variance, and
# the determinant that we need next.


# %%
def covariance(distances, scale, length):
    """scale² exp(-d / (2 length²)): functions of about that height which bend within that length."""
    return scale**2 * rbf(distances, length)


def factor(x, scale, length, noise):
    return linalg.cholesky(covariance(squared_distances(x, x), scale, length) + noise**2 * np.eye(len(x)))


def predict(x, y, x_new, scale, length, noise):
    """Return mean and standard deviation of the function (without the noise) at x_new."""
    lower = factor(x, scale, length, noise)
    across = covariance(squared_distances(x, x_new), scale, length)  # (N, new)
    whitened_y = linalg.solve_triangular(lower, te.Tensor(y)[:, None], lower=True)
    whitened = linalg.solve_triangular(lower, across, lower=True)
    mean = (linalg.matrix_transpose(whitened) @ whitened_y)[:, 0]
    variance = scale**2 - (whitened**2).sum(0)
    return mean.numpy(), np.sqrt(np.maximum(variance.numpy(), 0))


four_x = np.array([[0.1], [0.3], [0.5], [0.9]])
four_y = np.sin(4 * np.pi * four_x[:, 0])
fine = np.linspace(-0.3, 1.3, 200)[:, None]
scale, length, noise = (te.Tensor(value, dtype="float64") for value in (1.0, 0.1, 0.1**0.5))
mean, deviation = predict(four_x, four_y, fine, scale, length, noise)
theirs = GaussianProcessRegressor(ConstantKernel(1) * RBF(0.1), alpha=0.1, optimizer=None).fit(four_x, four_y)
their_mean, their_deviation = theirs.predict(fine, return_std=True)
apart = max(abs(mean - their_mean).max(), abs(deviation - their_deviation).max())
lesson.claim("mean and deviation against scikit-learn's, four points", float(apart), at_most=1e-8)

figure, panel = plt.subplots(figsize=(6.4, 3.6))
panel.fill_between(fine[:, 0], mean - deviation, mean + deviation, alpha=0.25, label="mean ± deviation")
panel.plot(fine[:, 0], mean, label="mean")
panel.plot(four_x[:, 0], four_y, "ko", label="the four points")
panel.set(xlabel="x", ylabel="f(x)", title="Sure near the data, at a loss elsewhere")
panel.set_ylim(-1.5, 1.9)
panel.legend(loc="upper right", ncols=3)
lesson.picture(figure, "four_points.png")

# %% [markdown]
# Look at x = 0.7, between two points: the band is nearly as wide as at x = -0.3, where there is nothing at
# all. With a length of 0.1, a point tells little about what is 0.2 away from it.

# %% [markdown]
# ## Learn the kernel
#
# Who says that the length is 0.1? The data can. How probable are these y, if scale, length and noise are so
# and so? That is the marginal likelihood: all functions that the kernel allows, weighed by how well they fit.
#
#     log p(y) = -1/2 y' (K + noise² I)⁻¹ y  -  1/2 log det(K + noise² I)  -  N/2 log(2 pi)
#
# The first term rewards fit, the second one simplicity: a kernel that allows everything makes any data
# improbable. So no validation part is needed, and no grid: every operation here, the Cholesky factorization
# too, has a gradient. We learn the logarithms, since all three must stay positive.


# %%
def log_likelihood(x, y, logs):
    scale, length, noise = te.exp(logs[0]), te.exp(logs[1]), te.exp(logs[2])
    lower = factor(x, scale, length, noise)
    whitened = linalg.solve_triangular(lower, te.Tensor(y)[:, None], lower=True)
    log_det = 2 * te.log(linalg.diagonal(lower)).sum()
    return -0.5 * (whitened**2).sum() - 0.5 * log_det - 0.5 * len(x) * np.log(2 * np.pi)


def learn(x, y, scale, length, noise, steps, rate=0.1):
    """Climb the log marginal likelihood with Adam; return the logs after each step, and the likelihoods."""
    logs = te.Tensor(np.log([scale, length, noise]), requires_grad=True, name="logs")
    optimizer = nn.optimizers.Adam(rate, params=[logs])
    path, likelihoods = [], []
    for step in range(steps):
        loss = -log_likelihood(x, y, logs)
        optimizer.zero_grad()
        loss.backward()
        path.append(logs.numpy().copy())
        likelihoods.append(-loss.item())
        if step in (0, steps // 4, steps - 1):
            a, b, c = np.exp(path[-1])
            print(
                f"step {step:3}: log p {likelihoods[-1]:8.1f}  scale {a:.3f}  length {b:.3f}  noise {c:.3f}"
            )
        optimizer.step()
    return np.array(path), np.array(likelihoods)


path, likelihoods = learn(x, y, 1.0, 0.5, 1.0, steps=lesson.pick(100, fast=60))
scale, length, noise = np.exp(path[-1])

# %% [markdown]
# It started as a stiff, noisy curve and found waves, and beneath them the noise that we had put in, 0.1,
# which nobody had told it.

# %%
lesson.claim("noise found in the wave (0.1 was put in)", noise, about=0.1, within=0.015, fast=0.05)
mean, deviation = predict(x, y, fine, *(te.Tensor(v, dtype="float64") for v in (scale, length, noise)))
inside = (fine[:, 0] >= 0) & (fine[:, 0] <= 1)
error = float(np.sqrt(np.mean((mean - np.sin(4 * np.pi * fine[:, 0]))[inside] ** 2)))
print(f"root mean square distance from the true sine, between 0 and 1: {error:.3f}")
lesson.claim("distance from the true sine", error, at_most=0.05)

fineness = lesson.pick(24, fast=6)
lengths, noises = np.exp(np.linspace(-3.3, 0, fineness)), np.exp(np.linspace(-3, 0.3, fineness))
surface = np.array(
    [[log_likelihood(x, y, te.Tensor(np.log([scale, b, c]))).item() for b in lengths] for c in noises]
)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8))
drawn = left.contourf(lengths, noises, np.maximum(surface, -400), levels=20, cmap="cividis")
left.plot(np.exp(path[:, 1]), np.exp(path[:, 2]), "w.-", markersize=3)
left.plot(length, noise, "*", color="#E07000", markersize=14)
left.set(xscale="log", yscale="log", xlabel="length", ylabel="noise", title="log p(y), and the way up")
left.grid(visible=False)
figure.colorbar(drawn, ax=left)
low, high = mean - 2 * deviation, mean + 2 * deviation
right.fill_between(fine[:, 0], low, high, alpha=0.25, label="mean ± 2 deviations")
right.plot(fine[:, 0], mean, label="mean")
right.plot(x[:, 0], y, ".", color="0.6", markersize=3, label="data")
right.set(xlabel="x", ylabel="f(x)", title="What it has learned")
right.set_ylim(-2.8, 5)
right.legend(loc="upper left")
lesson.picture(figure, "learned.png")

# %% [markdown]
# ## The gradient by hand
#
# Before tapes, this gradient was derived on paper (Rasmussen & Williams, equation 5.9):
#
#     d log p / d t = 1/2 trace((a a' - (K + noise² I)⁻¹) dK/dt),    a = (K + noise² I)⁻¹ y
#
# For the logarithm of the length, dK/dt = K * D / length², element by element, with D the squared distances.
# Both must agree.

# %%
start = te.Tensor(np.log([1.0, 0.2, 0.3]), requires_grad=True)
likelihood = log_likelihood(x, y, start)
by_tape = te.grad(likelihood, start).numpy()[1]

distances = squared_distances(x, x)
signal = np.exp(-distances / (2 * 0.2**2))
inverse = np.linalg.inv(signal + 0.3**2 * np.eye(len(x)))
a = inverse @ y
by_hand = 0.5 * np.trace((np.outer(a, a) - inverse) @ (signal * distances / 0.2**2))
print(f"by tape {by_tape:.10f}, by hand {by_hand:.10f}")
lesson.claim("gradient, tape against formula (relative)", abs(by_tape / by_hand - 1), at_most=1e-8)

# %% [markdown]
# ## Wine
#
# Eleven measurements of a wine, standardised by the training part, and the quality that tasters gave. First
# with the course's settings, then with a kernel that learned them.

# %%
wine = data.wine_quality(test_size=0)  # all of it; the course's split is scikit-learn's
quality = wine.y.astype(float)
x_train, x_test, y_train, y_test = train_test_split(wine.x, quality, test_size=0.3, random_state=123)
x_train, x_test, _ = data.standardize(x_train, x_test)
if lesson.fast:
    x_train, y_train = x_train[:300], y_train[:300]
middle = y_train.mean()  # a Gaussian process returns to 0 where it knows nothing: let 0 be the mean


def mse(prediction):
    return float(np.mean((prediction - y_test) ** 2))


ridge_error = mse(kernel_ridge(x_train, y_train, x_test, length=5.0, penalty=0.1))
their_error = mse(KernelRidge(kernel=RBF(5.0), alpha=0.1).fit(x_train, y_train).predict(x_test))
print(
    f"test MSE: kernel ridge {ridge_error:.4f}, scikit-learn's {their_error:.4f}, the mean {mse(middle):.3f}"
)

# %%
path, likelihoods = learn(x_train, y_train - middle, 1.0, 2.0, 0.5, steps=lesson.pick(40, fast=10), rate=0.15)
settings = [te.Tensor(value, dtype="float64") for value in np.exp(path[-1])]
mean, deviation = predict(x_train, y_train - middle, x_test, *settings)
process_error = mse(mean + middle)
spread = np.sqrt(deviation**2 + settings[2].item() ** 2)  # of a judgement: the function's and the noise
covered = [float(np.mean(abs(mean + middle - y_test) <= k * spread)) for k in (1, 2)]
print(f"test MSE: Gaussian process {process_error:.4f}")
print(f"within one deviation lie {covered[0]:.0%} of the wines, within two {covered[1]:.0%}")
lesson.claim("wine: kernel ridge, test MSE", ridge_error, at_most=0.39, fast=0.6, course=0.38)
lesson.claim("wine: Gaussian process, test MSE", process_error, at_most=0.39, fast=0.6, course=0.38)
lesson.claim("wine: share within two deviations", covered[1], about=0.95, within=0.03, fast=0.06)

# %%
order = np.argsort(mean)
figure, panel = plt.subplots(figsize=(6.4, 3.8))
across = np.arange(len(order))
low, high = (middle + mean - 2 * spread)[order], (middle + mean + 2 * spread)[order]
panel.fill_between(across, low, high, alpha=0.25, label="mean ± 2 deviations")
panel.plot(across, y_test[order], ".", color="0.4", markersize=3, label="the tasters")
panel.plot(across, (middle + mean)[order], label="mean")
panel.set(xlabel="test wines, by predicted quality", ylabel="quality", ylim=(2.5, 9.5))
panel.set_title("A prediction, and how far to trust it")
panel.legend(loc="upper left", ncols=3)
lesson.picture(figure, "wine.png")

# %% [markdown]
# If the bands are right, 68 and 95 of 100 lie within one and two deviations, and so they do. The learned
# noise is large: tasters disagree with each other by more than half a point, and no model can know what the
# eleven numbers don't say. That is why all methods of this course end near the same error.
#
# ## Try it
#
# - Give every measurement a length of its own (eleven logarithms more). Which become long, so that they
#   hardly matter?
# - Start the wave's search at length 0.02 and noise 0.02. Where does it end? There can be several hills.
# - Replace the kernel by `te.exp(-2 * te.sin(np.pi * te.sqrt(d) / period)**2 / length**2)` and let it learn
#   the period of the wave. What does it predict at x = 1.3?
