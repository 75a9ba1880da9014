# %% [markdown]
# # 15. U-Net: which pixels are the lesion?
#
# A classifier says what is in a picture. A segmentation says it for every pixel. We train one on drawn chest
# slices, where it gets good, and then on real ones of five patients, where it doesn't, and we measure both so
# that the difference shows.

# %%
import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as te
from tinygrad_edu import data, nn, viz
from tinygrad_edu.lesson import Lesson

lesson = Lesson("15_unet")

# %% [markdown]
# ## Drawn slices
#
# The course had 119 slices of real lungs, which can't be had freely. So we begin with phantoms: drawn chests
# with lungs, heart, spine, vessels, and up to three lesions. The outlines are known, because they were drawn.
# A vessel is as bright as a lesion but smaller; the body is as bright but lies elsewhere. Brightness alone
# decides nothing.
#
# 50 of the 250 are held out.

# %%
size = lesson.pick(64, fast=32)
phantoms = data.phantoms(lesson.pick(250, fast=130), size, test_size=lesson.pick(50, fast=30), seed=1)
print(phantoms)


def as_input(pixels):
    """Bytes (N, H, W) to numbers in 0…1 with the axis of one channel, (N, H, W, 1)."""
    return (pixels[..., np.newaxis] / 255).astype(np.float32)


def as_target(masks):
    return masks[..., np.newaxis].astype(np.float32)


x_train, y_train = as_input(phantoms.x_train), as_target(phantoms.y_train)
x_test, y_test = as_input(phantoms.x_test), as_target(phantoms.y_test)
lesson.picture(viz.show_images(x_train[:3], masks=y_train[:3]), "phantoms.png")

# %% [markdown]
# ## A good figure for a useless network
#
# One pixel in a hundred is lesion. Say "background" everywhere, and 99 of 100 pixels are right. The overlap
# of the true region T with the predicted one P isn't fooled:
#
#     Dice = 2 |T and P| / (|T| + |P|)
#     IoU  = |T and P| / |T or P|  =  Dice / (2 - Dice)
#
# Both are 1 for a perfect mask and 0 where the two don't meet. Background that was rightly left alone counts
# in neither. We sum over all pixels of all pictures before we divide: a healthy picture has no T, so its own
# Dice would be 0/0, but a lesion found there by mistake still counts in |P|.


# %%
def scores(truth, guess):
    """Return pixel accuracy, Dice and IoU of masks of any shape."""
    t, p = np.asarray(truth) > 0, np.asarray(guess) > 0
    both = (t & p).sum()
    accuracy, sizes = float((t == p).mean()), float(t.sum() + p.sum())
    return accuracy, float(2 * both / sizes), float(both / (sizes - both))


accuracy, dice, iou = scores(y_test, np.zeros_like(y_test))
print(f"background everywhere: accuracy {accuracy:.3f}, Dice {dice:.3f}, IoU {iou:.3f}")
lesson.claim("all background: pixel accuracy", accuracy, at_least=0.98, course="0.984, its U-Net's")
lesson.claim("all background: Dice", dice, about=0)

# %% [markdown]
# The course's notebook reported a pixel accuracy of 0.984 after two epochs. Now you know how little that
# says.
#
# ## The course's network
#
# Keras' segmentation tutorial draws it as a path down, on which the picture gets smaller and its channels
# more, and a path up. Convolutions are separable (each channel by itself, then a mixture), and residual
# connections lead around each pair of them. `nn.models.UNet` builds it; the last two lines of the summary
# count it.

# %%
course_model = nn.models.UNet((128, 128, 1), 2, style="xception")
course_model.summary()
lesson.claim(
    "parameters of the course's U-Net", course_model.count_params(), about=2_058_114, course=2_058_114
)
fixed = sum(parameter.size for parameter in course_model.non_trainable_weights)
lesson.claim("of which can't be trained", fixed, about=3776, course=3776)

# %% [markdown]
# Those fixed ones are the means and variances of batch normalisation. A step on ten slices takes us a quarter
# of a second on two cores, so the 500 epochs of the course take some twenty minutes. We take something
# smaller.
#
# ## Ours: small and classic
#
# Ronneberger's U-Net of 2015 with 8, 16 and 32 channels. On the way down it learns *what* is there, and max
# pooling throws away *where*. So each step up also gets what the step of its size on the way down saw, before
# the pooling: `concatenate([across, x])`. Without that the outlines would be blocks of four by four pixels.
#
# It has no dense layer, so it takes images of any size that can be halved twice: `(None, None, 1)`.

# %%
bce, soft_dice = nn.losses.BinaryCrossentropy(from_logits=True), nn.losses.Dice()


def overlap_loss(y_true, logits):
    """Cross-entropy of each pixel, and 1 - Dice of all of them with probabilities for P."""
    return bce(y_true, logits) + soft_dice(y_true, te.sigmoid(logits))


def new_model(learning_rate):
    model = nn.models.UNet((None, None, 1), 1, filters=(8, 16, 32), activation=None)
    watched = [
        nn.metrics.BinaryAccuracy(threshold=0.0, name="accuracy"),
        nn.metrics.BinaryIoU(target_class_ids=[1], threshold=0.0, name="iou"),
    ]
    model.compile(nn.optimizers.Adam(learning_rate), overlap_loss, watched)
    return model


model = new_model(3e-3)
print(f"{model.count_params():,} parameters")

# %% [markdown]
# **The loss** has two parts. Cross-entropy is a mean over pixels, so its cheapest first step is to say
# "background" a hundred times more often than "lesion". Dice counts pixels, and so does its loss, with the
# probability p as a share of a pixel; whether a million background pixels are right is nothing to it:
#
#     1 - 2 sum(t p) / (sum(t) + sum(p))
#
# Cross-entropy gives each pixel a clear direction early, Dice weighs them as we judge them later.
#
# **The output is a logit**, any number; above 0 means lesion. A sigmoid as the last layer would do the same
# in exact numbers. But where float32 rounds it to 0, its slope is 0, and a pixel that is surely wrong stops
# teaching. `from_logits=True` keeps the slope.
#
# ## Training

# %%
epochs = lesson.pick(25, fast=9)
history = model.fit(
    x_train, y_train, batch_size=10, epochs=epochs, validation_data=(x_test, y_test), verbose=0
)  # fmt: skip
held_out = {name: np.array(history.history[f"val_{name}"]) for name in ("accuracy", "iou")}
held_out["dice"] = 2 * held_out["iou"] / (1 + held_out["iou"])
for epoch in (0, 1, 3, 7, epochs - 1):
    print(f"epoch {epoch + 1:2}", *(f"{name} {values[epoch]:.3f}" for name, values in held_out.items()))

figure, panel = plt.subplots(figsize=(6, 3.6))
for name, label in (("accuracy", "pixel accuracy"), ("dice", "Dice"), ("iou", "IoU")):
    panel.plot(np.arange(epochs) + 1, held_out[name], label=label)
panel.set(xlabel="epoch", ylabel="held-out phantoms", ylim=(0, 1.02))
panel.legend(loc="lower right")
lesson.picture(figure, "curves.png")

# %% [markdown]
# Look at the two curves: accuracy is at 0.99 before anything was learned, and hardly moves. Dice starts at
# zero and tells when the network begins to see.

# %%
logits = model.predict(x_test, verbose=0)
accuracy, dice, iou = scores(y_test, logits)
print(f"held-out phantoms: accuracy {accuracy:.3f}, Dice {dice:.3f}, IoU {iou:.3f}")
lesson.claim("phantoms, held out: Dice", dice, at_least=0.85, fast=0.3, course="not given (accuracy 0.984)")
figure = viz.segmentation(x_test, y_test, logits, threshold=0.0, count=4)
lesson.picture(figure, "phantom_masks.png")

# %% [markdown]
# What is wrong lies on the outlines, where a pixel is half lesion and nobody could say. A lesion of a few
# pixels is nearly all outline, which is why small lesions have small Dice.
#
# ## Try it
#
# - Leave one of the two losses out, then the other. Which one leaves "background everywhere" sooner?
# - `activation="sigmoid"` in the model and plain "binary_crossentropy" as the loss, with a learning rate of
#   0.03: what does Dice do, and what do the logits of a lesion's pixels say?
# - `max_lesions=1` in the phantoms: rarer lesions, the same accuracy. And Dice?
