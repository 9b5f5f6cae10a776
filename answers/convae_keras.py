"""Question 02: convolutional autoencoder — Keras.

The same squeeze with layers that look at neighbourhoods: the code is a small map with 16 channels
instead of a row of numbers, and a few weights serve any picture size (Masci et al. 2011, "Stacked
convolutional auto-encoders for hierarchical feature extraction").
"""

from knock.frameworks import keras as framework
from knock.frameworks.keras import Adam
from knock.run import main

import keras
import tensorflow as tf
from keras import layers, ops


class Encoder(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv1 = layers.Conv2D(32, 3, padding="same")
        self.conv2 = layers.Conv2D(16, 3, padding="same")

    def call(self, images):  # H×W×C
        h = ops.relu(self.conv1(images))  # H×W×32
        h = ops.max_pool(h, 2)  # H/2×W/2×32
        h = ops.relu(self.conv2(h))  # H/2×W/2×16
        return ops.max_pool(h, 2)  # H/4×W/4×16


class Decoder(keras.Model):
    def __init__(self, channels):
        super().__init__()
        self.tconv1 = layers.Conv2DTranspose(32, 2, strides=2)
        self.tconv2 = layers.Conv2DTranspose(channels, 2, strides=2)

    def call(self, code):  # H/4×W/4×16
        h = ops.relu(self.tconv1(code))  # H/2×W/2×32
        return self.tconv2(h)  # H×W×C, no activation: [-1, 1] is to be learned


def reconstruction_loss(reconstruction, images):
    """Mean squared error: (1 / N·H·W·C) Σ (x̂ − x)²."""
    return ops.mean(ops.square(reconstruction - images))


class ConvAutoencoder(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        channels = recipe.image_shape[0]
        self.encoder = Encoder()
        self.decoder = Decoder(channels)
        settings = recipe.optimizers["optimizer"]
        self.optimizer = Adam(settings.lr, *settings.betas)

    @tf.function  # called by our own loop, not by fit, which would draw batches of its own
    def train_step(self, batch):
        images = batch["images"]
        with tf.GradientTape() as tape:
            reconstruction = self.decoder(self.encoder(images))
            loss = reconstruction_loss(reconstruction, images)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss}

    @tf.function
    def reconstruct(self, images):
        return self.decoder(self.encoder(images))


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    images = run.examples["images"]
    run.show(input=images, reconstruction=model.reconstruct(images))


if __name__ == "__main__":
    main("convae", framework, ConvAutoencoder, train, sample)
