"""Question 05: generative adversarial network — Keras.

Two networks play: one makes pictures from noise, the other separates them from real ones. Each is
the other's loss, and no pixel is ever compared (Goodfellow et al. 2014, "Generative adversarial
nets", arXiv 1406.2661).
"""

import math

from knock.frameworks import keras as framework
from knock.frameworks.keras import Adam, leaky_relu
from knock.run import main

import keras
import tensorflow as tf
from keras import layers, ops


class Generator(keras.Model):
    def __init__(self, image_shape):
        super().__init__()
        channels, height, width = image_shape
        self.fc1 = layers.Dense(128)
        self.fc2 = layers.Dense(256)
        self.fc3 = layers.Dense(512)
        self.pixels = layers.Dense(math.prod(image_shape))
        self.reshape = layers.Reshape([height, width, channels])

    def call(self, noise):  # z
        h = leaky_relu(self.fc1(noise), 0.2)  # 128
        h = leaky_relu(self.fc2(h), 0.2)  # 256
        h = leaky_relu(self.fc3(h), 0.2)  # 512
        flat = ops.sigmoid(self.pixels(h))  # H·W·C in [0, 1]
        return self.reshape(flat)  # H×W×C


class Discriminator(keras.Model):
    def __init__(self):
        super().__init__()
        self.flatten = layers.Flatten()
        self.fc1 = layers.Dense(512)
        self.fc2 = layers.Dense(256)
        self.real = layers.Dense(1)

    def call(self, images):  # H×W×C in [-1, 1]
        h = leaky_relu(self.fc1(self.flatten(images)), 0.2)  # 512
        h = leaky_relu(self.fc2(h), 0.2)  # 256
        return self.real(h)  # 1: a logit, above 0 where it says "real"


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    ones = ops.ones_like(logits)
    return ops.mean(ops.binary_crossentropy(ones, logits, from_logits=True))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    zeros = ops.zeros_like(logits)
    return ops.mean(ops.binary_crossentropy(zeros, logits, from_logits=True))


class GAN(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        self.generator = Generator(recipe.image_shape)
        self.discriminator = Discriminator()
        d, g = (
            recipe.optimizers["d_optimizer"],
            recipe.optimizers["g_optimizer"],
        )
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.g_optimizer = Adam(g.lr, *g.betas)

    @tf.function  # called by our own loop, not by fit, which would know one loss and one optimizer
    def train_step(self, batch):
        real = batch["images"]
        with tf.GradientTape() as generator_tape:
            fake = 2 * self.generator(batch["noise"]) - 1  # [0, 1] → [-1, 1]

            # The discriminator's step: real is real, fake is fake, on a tape of its own.
            with generator_tape.stop_recording():
                with tf.GradientTape() as tape:
                    real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
                    discriminator_loss = called_real(real_logits) + called_fake(fake_logits)
                weights = self.discriminator.trainable_variables
                gradients = tape.gradient(discriminator_loss, weights)
                self.d_optimizer.apply(gradients, weights)

            # The generator's: the same pictures, to be called real by the new weights.
            generator_loss = called_real(self.discriminator(fake))
        weights = self.generator.trainable_variables
        gradients = generator_tape.gradient(generator_loss, weights)
        self.g_optimizer.apply(gradients, weights)
        return {"discriminator": discriminator_loss, "generator": generator_loss}

    @tf.function
    def generate(self, noise):
        return 2 * self.generator(noise) - 1  # [0, 1] → [-1, 1]


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    run.show(sample=model.generate(run.examples["noise"]))


if __name__ == "__main__":
    main("gan", framework, GAN, train, sample)
