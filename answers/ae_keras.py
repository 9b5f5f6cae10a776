"""Question 01: autoencoder — Keras.

Squeeze a picture through 64 numbers, and rebuild it from them. The narrow layer keeps what the
pictures have in common (Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with
neural networks").
"""

import math

from knock.frameworks import keras as framework
from knock.frameworks.keras import Adam
from knock.run import main

import keras
import tensorflow as tf
from keras import layers, ops


class Encoder(keras.Model):
    def __init__(self, code):
        super().__init__()
        self.flatten = layers.Flatten()
        self.fc = layers.Dense(code)

    def call(self, images):  # H×W×C
        flat = self.flatten(images)  # H·W·C
        return self.fc(flat)  # 64


class Decoder(keras.Model):
    def __init__(self, image_shape):
        super().__init__()
        channels, height, width = image_shape
        self.fc = layers.Dense(math.prod(image_shape))
        self.reshape = layers.Reshape([height, width, channels])

    def call(self, code):  # 64
        flat = self.fc(code)  # H·W·C
        return self.reshape(flat)  # H×W×C, no activation: [-1, 1] is to be learned


def reconstruction_loss(reconstruction, images):
    """Mean squared error: (1 / N·H·W·C) Σ (x̂ − x)²."""
    return ops.mean(ops.square(reconstruction - images))


class Autoencoder(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        code = recipe.constants["code"]
        self.encoder = Encoder(code)
        self.decoder = Decoder(recipe.image_shape)
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
    main("ae", framework, Autoencoder, train, sample)
