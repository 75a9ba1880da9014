# %% [markdown]
# # 7. MNIST with a CNN
#
# A fully connected layer treats an image as 784 numbers in no order. A convolution knows that pixels have
# neighbours: the same small filter looks everywhere. We follow one by hand, train a network of two, and look
# at what its filters have become.

# %%
import matplotlib.pyplot as plt
import numpy as np

from tinygrad_edu import data, nn, viz
from tinygrad_edu.lesson import Lesson

lesson = Lesson("07_mnist_cnn")

# %% [markdown]
# ## The data
#
# The 5,000 digits of tutorial 6: 3,000 to learn from, 1,000 to validate, 1,000 to test. Images are
# (N, height, width, channels). There is one channel here, the grey value; a photo has three, and inside a
# network there are as many as the layer before has filters.

# %%
digits = data.mnist_5000().scaled()
images, labels = digits.x_train[..., np.newaxis], digits.y_train
keep = lesson.pick(3000, fast=1000)
x_train, y_train = images[:keep], labels[:keep]
x_valid, y_valid = images[3000:], labels[3000:]
x_test, y_test = digits.x_test[..., np.newaxis], digits.y_test
print("to learn from", x_train.shape, "to validate", x_valid.shape, "to test", x_test.shape)

# %% [markdown]
# ## A convolution by hand
#
# A filter is a small image of weights, here 3 x 3. Laid over a part of the image, it is multiplied with it
# pixel by pixel and summed up: one number. Moved on by one pixel, it gives the next one.
#
#     y[i, j] = sum over a and b of  x[i + a, j + b] · w[a, b]
#
# This filter has -1 on the left and +1 on the right. It answers where the image gets brighter from left to
# right, and is silent where the image is even.


# %%
def convolve(image, w):
    """One image (H, W) and one filter (h, w), with the axes that the engine wants: batch and channels."""
    return nn.functional.conv2d(image[np.newaxis, ..., np.newaxis], w[..., np.newaxis, np.newaxis])[0, ..., 0]


rightward = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]], dtype=np.float32)
digit = x_train[0, ..., 0]
answer = convolve(digit, rightward)
i, j = np.unravel_index(answer.argmax(), answer.shape)
patch = digit[i : i + 3, j : j + 3]
print(
    f"image {digit.shape}, answer {answer.shape}; the strongest is at row {i}, column {j}. The patch there:"
)
print(patch.round(2))
print(f"patch · filter, summed up: {(patch * rightward).sum():.4f}; the engine: {answer[i, j]:.4f}")

# %% [markdown]
# 28 becomes 26, since there are 26 places for a window of 3 (`padding="same"` would put zeros around the
# image and keep 28).
#
# Two things follow from the same 9 weights being used everywhere. They are few, so few images suffice to
# learn them. And a digit that is moved gives the same answer, moved.
#
# ## Pooling by hand
#
# Max pooling keeps the largest of each 2 x 2 numbers: "was there such an edge about here?" What comes out
# has a quarter of the pixels, and no longer tells the exact place.

# %%
pooled = nn.functional.max_pool2d(answer[np.newaxis, ..., np.newaxis], 2)[0, ..., 0]
by_hand = answer.reshape(13, 2, 13, 2).max(axis=(1, 3))  # rows and columns in pairs
lesson.claim("pooling: largest difference from NumPy", abs(pooled - by_hand).max(), at_most=0)

downward = convolve(digit, rightward.T)
shown = {
    "the image": digit,
    "brighter rightward": answer,
    "brighter downward": downward,
    "the first, pooled": pooled,
}
figure, panels = plt.subplots(1, 4, figsize=(9, 2.5))
for panel, (title, picture) in zip(panels, shown.items(), strict=True):
    signed = {} if picture is digit else {"cmap": "RdBu_r", "vmin": -3, "vmax": 3}
    panel.imshow(picture, **({"cmap": "gray"} | signed))
    panel.set_title(f"{title}, {picture.shape[0]} x {picture.shape[1]}", fontsize=8)
    panel.set_axis_off()
lesson.picture(figure, "by_hand.png")

# %% [markdown]
# Red: it gets brighter in the filter's direction. Blue: darker. Two filters and their opposites describe the
# outline of the 5 well. And here is the point of it all: nobody has to design filters. They are
# weights, the loss has a gradient for them, and gradient descent finds those that help.
#
# ## The network
#
# Twice: convolution, then pooling. The second convolution looks at all 6 maps of the first, so its filters
# are 3 x 3 x 6, and one of its pixels sees 8 x 8 of the image. Then three Dense layers decide.
#
# The course gave its convolutions no activation; ours have ReLU, as is usual.


# %%
def network(optimizer):
    model = nn.Sequential(
        [
            nn.Input((28, 28, 1)),
            nn.Conv2D(6, 3, activation="relu", name="conv_1"),
            nn.MaxPooling2D(2, name="pool_1"),
            nn.Conv2D(16, 3, activation="relu", name="conv_2"),
            nn.MaxPooling2D(2, name="pool_2"),
            nn.Flatten(),
            nn.Dense(1024, activation="relu"),
            nn.Dense(512, activation="relu"),
            nn.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", ["accuracy"])
    return model


model = network(nn.optimizers.SGD(0.01))
model.summary()
lesson.claim("parameters", model.count_params(), about=941494, course=941494)

# %% [markdown]
# The two convolutions have 60 and 880 parameters: 6 · (3·3·1 + 1) and 16 · (3·3·6 + 1). All others, 940,554
# of them, belong to the Dense layers.
#
# ## Training
#
# First as in the course: SGD with the rate 0.01, batches of 16, 10 epochs, and the weights that the last
# epoch leaves. To see how it goes, the test accuracy is noted after each epoch: to look at, not to choose by.


# %%
class TestAccuracy(nn.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.values = []

    def on_epoch_end(self, epoch, logs=None):
        self.values.append(self.model.evaluate(x_test, y_test, verbose=0)[1])


def learn(model, *callbacks):
    by_epoch = TestAccuracy()
    history = model.fit(
        x_train, y_train, batch_size=16, epochs=lesson.pick(10, fast=2), verbose=0,
        validation_data=(x_valid, y_valid), callbacks=[by_epoch, *callbacks],
    )  # fmt: skip
    print("validation", np.round(history.history["val_accuracy"], 3))
    print("test      ", np.round(by_epoch.values, 3))
    return history


learn(model)
plain = model.evaluate(x_test, y_test, verbose=0)[1]
lesson.claim("CNN, the course's recipe, last epoch: test accuracy", plain, at_least=0.8, fast=0.3)

# %% [markdown]
# The course has 0.936 so, and with the seeds 0 and 1 we have 0.936 too; but with seed 2 it is 0.878. From
# epoch to epoch the accuracy jumps by 0.02, now and then by 0.1, and the last epoch may be a bad one.
#
# Two remedies. **Momentum** 0.9 adds up the last gradients, v = 0.9 v - 0.01 g, so that steps grow tenfold
# where the gradients agree. **BestWeights** brings back the epoch with the lowest validation loss. That is
# fair, since the test images have no say in it.

# %%
model = network(nn.optimizers.SGD(0.01, momentum=0.9))
first_filters = model.get_layer("conv_1").kernel.numpy().copy()
best = nn.callbacks.BestWeights("val_loss")
history = learn(model, best)
accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
print(f"weights of epoch {best.best_epoch + 1}: test accuracy {accuracy:.3f}")
lesson.claim("MNIST 5k, CNN, 10 epochs: test accuracy", accuracy, at_least=0.94, fast=0.7, course=0.936)
lesson.picture(viz.plot_history(history, title="A CNN on 3,000 digits, with momentum"), "curves.png")

# %% [markdown]
# ## What the filters have become
#
# They began as noise. How far have they moved, against how long they were at first?

# %%
change = model.get_layer("conv_1").kernel.numpy() - first_filters
before, moved = np.linalg.norm(first_filters), np.linalg.norm(change)
print(f"length of the filters at first {before:.2f}, of their change {moved:.2f}")
lesson.picture(viz.filters(model, layer="conv_1", title="conv_1 after training"), "filters.png")
lesson.picture(
    viz.filters(model, layer="conv_2", count=8, title="conv_2: a row a filter, a column a map"),
    "filters_2.png",
)

# %% [markdown]
# Orange pixels of the image excite, blue ones silence. Some of conv_1 are orange all over: they blur the
# stroke. Those with an orange side and a blue one find edges, as ours did. A filter of conv_2 is a row: one
# 3 x 3 image for each map of conv_1.
#
# And this is what they find in the 5, layer by layer:

# %%
lesson.picture(viz.feature_maps(model, x_train[0], count=8), "maps.png")

# %% [markdown]
# The maps of conv_1 are still a 5, seen through different glasses: some show whole strokes, others their
# edges on one side. After conv_2 and pool_2 a map has 5 x 5 numbers, each saying "something of this kind was
# about here". These 400 numbers are all that the Dense layers get.
#
# ## One pixel by hand
#
# The same sum as above, with all 6 channels, the bias and ReLU. We take the strongest pixel of conv_2.

# %%
maps = {}
x = x_train[:1]
for layer in model.layers[:4]:
    x = layer(x)
    maps[layer.name] = x.numpy()[0]
w, b = (parameter.numpy() for parameter in model.get_layer("conv_2").parameters())
row, column, k = np.unravel_index(maps["conv_2"].argmax(), maps["conv_2"].shape)
patch = maps["pool_1"][row : row + 3, column : column + 3, :]
by_hand, by_model = max(0.0, np.sum(patch * w[..., k]) + b[k]), maps["conv_2"][row, column, k]
print(f"filter {k} at row {row}, column {column}: patch {patch.shape}, weights {w[..., k].shape}")
print(f"by hand {by_hand:.6f}, the engine {by_model:.6f}")
lesson.claim("one pixel of conv_2: by hand minus engine", by_hand - by_model, about=0, within=1e-5)

# %% [markdown]
# ## Predictions
#
# Ten that it gets right, and the ten that surprised it most.

# %%
probabilities = model.predict(x_test, verbose=0)
said = probabilities.argmax(axis=1)
right_one = probabilities[np.arange(len(y_test)), y_test]
chosen = np.concatenate([np.flatnonzero(said == y_test)[:10], np.argsort(right_one)[:10]])
titles = [f"{said[k]}" if said[k] == y_test[k] else f"{said[k]}, not {y_test[k]}" for k in chosen]
lesson.picture(viz.show_images(x_test[chosen], titles=titles, columns=10), "predictions.png")
lesson.picture(viz.confusion_matrix(y_test, said), "confusion.png")

# %% [markdown]
# ## What a convolution forgives
#
# Move all test digits to the right, by up to four pixels. The same filters find the same edges at another
# place, and pooling forgives a pixel. For an MLP every pixel is a new input.

# %%
layers = [nn.Flatten(), nn.Dense(512, activation="relu"), nn.Dense(10, activation="softmax")]
mlp = nn.Sequential([nn.Input((28, 28, 1)), *layers])
mlp.compile(nn.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy", ["accuracy"])
mlp.fit(x_train, y_train, batch_size=16, epochs=lesson.pick(10, fast=2), verbose=0)
moved = {}
for pixels in range(5):
    x = np.roll(x_test, pixels, axis=2)  # the border of a digit is empty: nothing comes back on the left
    moved[pixels] = [each.evaluate(x, y_test, verbose=0)[1] for each in (model, mlp)]
    print(f"moved by {pixels}: CNN {moved[pixels][0]:.3f}, MLP {moved[pixels][1]:.3f}")
lesson.claim("digits moved by 2 pixels: CNN minus MLP", moved[2][0] - moved[2][1], at_least=0.0, fast=-1)

# %% [markdown]
# The CNN keeps more, but it fails in the end too: the Dense layers behind it do know where things are. Moved
# digits among the training images (`data.augment`) help both.
#
# ## Try it
#
# - `nn.Conv2D(6, 3)` without ReLU, as in the course. Run it with three seeds: what does it cost?
# - 30 epochs at the course's setting, without momentum: where does it arrive?
# - `nn.GlobalAveragePooling2D()` instead of `Flatten`: what happens to the number of parameters, and to the
#   moved digits?
