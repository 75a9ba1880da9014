"""Model cells as notebooks have them: written for Keras, and only the import lines changed."""

import numpy as np
import pytest

import tinygrad_edu as te

# What notebooks import from keras, or tensorflow.keras.
from tinygrad_edu import nn as keras
from tinygrad_edu.nn import layers, ops
from tinygrad_edu.nn.callbacks import EarlyStopping
from tinygrad_edu.nn.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Softmax
from tinygrad_edu.nn.models import Model, Sequential
from tinygrad_edu.nn.optimizers import SGD, Adam


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    keras.utils.set_random_seed(42)


def blobs(n=100):
    rng = np.random.default_rng(42)
    centre = rng.integers(0, 4, n)
    return rng.normal(size=(n, 2)) + 6 * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])[centre], (
        centre + 1
    ) % 2


def test_four_blobs_two_classes(capsys):
    X, y = blobs()
    X_train, y_train = X[:70], y[:70]

    model = Sequential([
        Flatten(input_shape=(2,)),
        Dense(3, activation='relu'),
        Dense(2),
        Softmax(),
    ])  # fmt: skip
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(X_train, y_train, epochs=1, validation_split=0.2, verbose=0)
    model.summary()

    assert model.count_params() == 17
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} == set(history.history)
    assert "Total parameters: 17" in capsys.readouterr().out
    assert model.predict(X[70:]).shape == (30, 2)
    W1, b1 = model.layers[1].get_weights()
    W2, b2 = model.layers[2].get_weights()
    hidden = np.maximum(0, np.dot([0, 0], W1) + b1)
    scores = np.dot(hidden, W2) + b2
    by_hand = np.exp(scores) / np.sum(np.exp(scores))
    np.testing.assert_allclose(model.predict(np.array([[0, 0]]))[0], by_hand, rtol=1e-6)


def test_gene_expression_with_a_metric_of_ones_own():
    rng = np.random.default_rng(42)
    X_train, X_val = rng.normal(size=(57, 7129)), rng.normal(size=(15, 7129))
    y_train, y_val = (np.arange(57) % 3 == 0).astype(int), (np.arange(15) % 3 == 0).astype(int)

    class F1Score(keras.metrics.Metric):
        def __init__(self, name="f1_score", **kwargs):
            super().__init__(name=name, **kwargs)
            self.true_positives = self.add_weight(name="tp", initializer="zeros")
            self.false_positives = self.add_weight(name="fp", initializer="zeros")
            self.false_negatives = self.add_weight(name="fn", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            y_pred = ops.round(y_pred)
            y_true = ops.reshape(ops.cast(y_true, "float32"), (-1, 1))
            self.true_positives.assign_add(ops.sum(y_true * y_pred))
            self.false_positives.assign_add(ops.sum((1 - y_true) * y_pred))
            self.false_negatives.assign_add(ops.sum(y_true * (1 - y_pred)))

        def result(self):
            precision = self.true_positives / (self.true_positives + self.false_positives + 1e-7)
            recall = self.true_positives / (self.true_positives + self.false_negatives + 1e-7)
            return 2 * precision * recall / (precision + recall + 1e-7)

        def reset_state(self):
            self.true_positives.assign(0)
            self.false_positives.assign(0)
            self.false_negatives.assign(0)

    def create_model():
        model = Sequential()
        model.add(Dense(64, activation="relu", input_shape=(X_train.shape[1],)))
        model.add(Dropout(0.5))
        model.add(Dense(32, activation="relu"))
        model.add(Dropout(0.5))
        model.add(Dense(1, activation="sigmoid"))
        model.compile(optimizer=Adam(learning_rate=0.001), loss="binary_crossentropy", metrics=[F1Score()])
        return model

    model = create_model()
    class_weights = {0: 1.54, 1: 2.85}
    history = model.fit(
        X_train,
        y_train,
        epochs=1,
        batch_size=64,
        validation_data=(X_val, y_val),
        class_weight=class_weights,
        verbose=0,
    )
    model.summary(print_fn=lambda text: None)

    assert model.count_params() == 7129 * 64 + 64 + 64 * 32 + 32 + 33
    assert set(history.history) == {"loss", "f1_score", "val_loss", "val_f1_score"}
    predicted = np.round(model.predict(X_val)).ravel()
    hits = (predicted * y_val).sum()
    f1 = 2 * hits / max(1, predicted.sum() + y_val.sum())
    assert history.history["val_f1_score"][-1] == pytest.approx(f1, abs=1e-5)


def digits(n=160):
    rng = np.random.default_rng(0)
    return rng.uniform(size=(n, 28, 28)).astype("float32"), rng.integers(0, 10, n)


def test_mnist_with_an_mlp():
    x_train, y_train = digits()
    model = keras.Sequential()
    model.add(layers.Flatten(input_shape=(28, 28)))
    model.add(layers.Dense(1024, activation="relu"))
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(
        loss="sparse_categorical_crossentropy", optimizer=SGD(learning_rate=0.01), metrics=["accuracy"]
    )
    history = model.fit(
        x_train[:120],
        y_train[:120],
        batch_size=16,
        epochs=1,
        verbose=0,
        validation_data=(x_train[120:], y_train[120:]),
    )
    model.summary(print_fn=lambda text: None)
    assert model.count_params() == 1_333_770
    assert len(history.history["val_accuracy"]) == 1


def test_mnist_with_a_cnn():
    x_train, y_train = digits()
    x_train = np.expand_dims(x_train, -1)
    y_train = keras.utils.to_categorical(y_train, 10)
    model = keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            Conv2D(6, kernel_size=(3, 3), activation="relu"),
            MaxPooling2D(pool_size=(2, 2)),
            Conv2D(16, kernel_size=(3, 3), activation="relu"),
            MaxPooling2D(pool_size=(2, 2)),
            Flatten(),
            Dense(1024, activation="relu"),
            Dense(512, activation="relu"),
            Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=16, epochs=1, validation_split=0.1, verbose=0)
    score = model.evaluate(x_train, y_train, verbose=0)
    model.summary(print_fn=lambda text: None)
    assert model.count_params() == 941_494
    assert len(score) == 2


def test_wine_quality_as_a_number():
    rng = np.random.default_rng(123)
    X, y = rng.uniform(size=(200, 11)), rng.integers(3, 9, 200)
    model = Sequential()
    for units in [1024, 512, 256, 128, 64]:
        model.add(Dense(units, activation="relu"))
    model.add(Dense(1))
    model.compile(loss="mean_squared_error", optimizer=SGD(learning_rate=0.005), metrics=["mae"])
    stop = EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True)
    history = model.fit(X, y, batch_size=64, epochs=2, validation_split=0.2, callbacks=[stop], verbose=0)
    model.summary(print_fn=lambda text: None)
    assert history.history["loss"][1] < history.history["loss"][0]
    assert model.predict(X).shape == (200, 1)


def test_a_vae_as_a_subclass_with_its_own_loop():
    x_train = digits(64)[0][..., None] ** 3  # darker than 0.5 on average, so that there is something to learn

    class VAE(Model):
        def __init__(self, latent_dim):
            super().__init__()
            self.latent_dim = latent_dim
            self.encoder = keras.Sequential(
                [
                    layers.Input(shape=(28, 28, 1)),
                    layers.Conv2D(32, kernel_size=3, strides=(2, 2), activation="relu"),
                    layers.Conv2D(64, kernel_size=3, strides=(2, 2), activation="relu"),
                    layers.Flatten(),
                    layers.Dense(latent_dim + latent_dim),
                ]
            )
            self.decoder = keras.Sequential(
                [
                    layers.Input(shape=(latent_dim,)),
                    layers.Dense(units=7 * 7 * 32, activation="relu"),
                    layers.Reshape(target_shape=(7, 7, 32)),
                    layers.Conv2DTranspose(32, kernel_size=3, strides=2, padding="same", activation="relu"),
                    layers.Conv2DTranspose(64, kernel_size=3, strides=2, padding="same", activation="relu"),
                    layers.Conv2DTranspose(1, kernel_size=3, strides=1, padding="same"),
                ]
            )

        def encode(self, x):
            mean, logvar = ops.split(self.encoder(x), 2, axis=1)
            return mean, logvar

        def reparameterize(self, mean, logvar):
            eps = keras.random.normal(shape=mean.shape)
            return eps * ops.exp(logvar * 0.5) + mean

        def call(self, x):
            return self.decoder(self.reparameterize(*self.encode(x)))

    def log_normal_pdf(sample, mean, logvar):
        log2pi = np.log(2.0 * np.pi)
        return ops.sum(-0.5 * ((sample - mean) ** 2.0 * ops.exp(-logvar) + logvar + log2pi), axis=1)

    def compute_loss(model, x):
        mean, logvar = model.encode(x)
        z = model.reparameterize(mean, logvar)
        x_logit = model.decoder(z)
        cross_ent = ops.sigmoid_cross_entropy(x_logit, x)
        logpx_z = -ops.sum(cross_ent, axis=[1, 2, 3])
        logpz = log_normal_pdf(z, 0.0, 0.0 * logvar)
        logqz_x = log_normal_pdf(z, mean, logvar)
        return -ops.mean(logpx_z + logpz - logqz_x)

    model = VAE(2)
    optimizer = keras.optimizers.Adam(1e-3, params=model.parameters())
    losses = []
    for _ in range(6):
        for start in range(0, len(x_train), 32):
            loss = compute_loss(model, x_train[start : start + 32])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    model.build((None, 28, 28, 1))
    model.summary(print_fn=lambda text: None)
    assert losses[-1] < losses[0] - 10
    assert model(x_train[:3]).shape == (3, 28, 28, 1)


def test_segmentation_with_an_xception_style_unet():
    def get_model(img_size, num_classes):
        inputs = keras.Input(shape=(*img_size, 1))

        ### [First half of the network: downsampling inputs] ###
        x = layers.Conv2D(32, 3, strides=2, padding="same")(inputs)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
        previous_block_activation = x  # Set aside residual
        for filters in [64, 128, 256]:
            x = layers.Activation("relu")(x)
            x = layers.SeparableConv2D(filters, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
            x = layers.Activation("relu")(x)
            x = layers.SeparableConv2D(filters, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
            x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
            residual = layers.Conv2D(filters, 1, strides=2, padding="same")(previous_block_activation)
            x = layers.add([x, residual])
            previous_block_activation = x

        ### [Second half of the network: upsampling inputs] ###
        for filters in [256, 128, 64, 32]:
            x = layers.Activation("relu")(x)
            x = layers.Conv2DTranspose(filters, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
            x = layers.Activation("relu")(x)
            x = layers.Conv2DTranspose(filters, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
            x = layers.UpSampling2D(2)(x)
            residual = layers.UpSampling2D(2)(previous_block_activation)
            residual = layers.Conv2D(filters, 1, padding="same")(residual)
            x = layers.add([x, residual])
            previous_block_activation = x

        outputs = layers.Conv2D(num_classes, 3, activation="softmax", padding="same")(x)
        return keras.Model(inputs, outputs)

    model = get_model((128, 128), 2)
    assert model.count_params() == 2_058_114
    assert sum(w.size for w in model.trainable_weights) == 2_054_338

    model = get_model((32, 32), 2)
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(6, 32, 32, 1))
    y = (x > 0.5).astype("uint8")
    model.compile(
        optimizer=keras.optimizers.SGD(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    history = model.fit(x, y, epochs=1, batch_size=2, validation_data=(x, y), verbose=0)
    model.summary(print_fn=lambda text: None)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_a_step_of_ones_own_in_fit():
    x = np.random.default_rng(0).uniform(size=(64, 10)).astype("float32")

    class Sampling(layers.Layer):
        """Uses (z_mean, z_log_var) to sample z."""

        def call(self, inputs):
            z_mean, z_log_var = inputs
            epsilon = keras.random.normal(shape=ops.shape(z_mean))
            return z_mean + ops.exp(0.5 * z_log_var) * epsilon

    encoder_inputs = keras.Input(shape=(10,))
    h = layers.Dense(16, activation="relu")(encoder_inputs)
    z_mean = layers.Dense(2, name="z_mean")(h)
    z_log_var = layers.Dense(2, name="z_log_var")(h)
    z = Sampling()([z_mean, z_log_var])
    encoder = keras.Model(encoder_inputs, [z_mean, z_log_var, z], name="encoder")
    decoder = keras.Sequential([layers.Input((2,)), layers.Dense(10, activation="sigmoid")], name="decoder")

    class VAE(keras.Model):
        def __init__(self, encoder, decoder, **kwargs):
            super().__init__(**kwargs)
            self.encoder = encoder
            self.decoder = decoder
            self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
            self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

        @property
        def metrics(self):
            return [self.total_loss_tracker, self.kl_loss_tracker]

        def train_step(self, data):
            z_mean, z_log_var, z = self.encoder(data)
            reconstruction = self.decoder(z)
            reconstruction_loss = ops.mean(keras.losses.binary_crossentropy(data, reconstruction)) * 10
            kl_loss = -0.5 * (1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))
            kl_loss = ops.mean(ops.sum(kl_loss, axis=1))
            total_loss = reconstruction_loss + kl_loss
            self.zero_grad()
            total_loss.backward()
            self.optimizer.apply([w.grad for w in self.trainable_weights], self.trainable_weights)
            self.total_loss_tracker.update_state(total_loss)
            self.kl_loss_tracker.update_state(kl_loss)
            return {"loss": self.total_loss_tracker.result(), "kl_loss": self.kl_loss_tracker.result()}

    vae = VAE(encoder, decoder)
    vae.compile(optimizer=keras.optimizers.Adam(0.01))
    history = vae.fit(x, epochs=3, batch_size=16, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert isinstance(vae.encoder(x)[2], te.Tensor)
