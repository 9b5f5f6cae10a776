"""Question 01: autoencoder — TensorFlow.

Squeeze a picture through 64 numbers, and rebuild it from them. The narrow layer keeps what the
pictures have in common (Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with
neural networks").
"""

import math

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import Adam, Linear
from knock.run import main

import tensorflow as tf


class Encoder(tf.Module):
    def __init__(self, image_shape, code):
        super().__init__()
        self.fc = Linear(math.prod(image_shape), code)

    def __call__(self, images):  # H×W×C
        flat = tf.reshape(images, [len(images), -1])  # H·W·C
        return self.fc(flat)  # 64


class Decoder(tf.Module):
    def __init__(self, image_shape, code):
        super().__init__()
        self.image_shape = image_shape
        self.fc = Linear(code, math.prod(image_shape))

    def __call__(self, code):  # 64
        channels, height, width = self.image_shape
        flat = self.fc(code)  # H·W·C
        # H×W×C, no activation: [-1, 1] is to be learned
        return tf.reshape(flat, [-1, height, width, channels])


def reconstruction_loss(reconstruction, images):
    """Mean squared error: (1 / N·H·W·C) Σ (x̂ − x)²."""
    return tf.reduce_mean(tf.square(reconstruction - images))


class Autoencoder:
    def __init__(self, recipe):
        code = recipe.constants["code"]
        self.encoder = Encoder(recipe.image_shape, code)
        self.decoder = Decoder(recipe.image_shape, code)
        self.variables = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = Adam(self.variables, settings.lr, settings.betas)

    @tf.function
    def train_step(self, batch):
        images = batch["images"]
        with tf.GradientTape() as tape:
            reconstruction = self.decoder(self.encoder(images))
            loss = reconstruction_loss(reconstruction, images)
        self.optimizer.apply(tape.gradient(loss, self.variables))
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
