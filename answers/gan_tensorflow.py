"""Question 05: generative adversarial network — TensorFlow.

Two networks play: one makes pictures from noise, the other separates them from real ones. Each is
the other's loss, and no pixel is ever compared (Goodfellow et al. 2014, "Generative adversarial
nets", arXiv 1406.2661).
"""

import math

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import Adam, Linear, leaky_relu
from knock.run import main

import tensorflow as tf


class Generator(tf.Module):
    def __init__(self, image_shape, z):
        super().__init__()
        channels, height, width = image_shape
        self.picture = [-1, height, width, channels]
        self.fc1 = Linear(z, 128)
        self.fc2 = Linear(128, 256)
        self.fc3 = Linear(256, 512)
        self.pixels = Linear(512, math.prod(image_shape))

    def __call__(self, noise):  # z
        h = leaky_relu(self.fc1(noise), 0.2)  # 128
        h = leaky_relu(self.fc2(h), 0.2)  # 256
        h = leaky_relu(self.fc3(h), 0.2)  # 512
        flat = tf.sigmoid(self.pixels(h))  # H·W·C in [0, 1]
        return tf.reshape(flat, self.picture)  # H×W×C


class Discriminator(tf.Module):
    def __init__(self, image_shape):
        super().__init__()
        self.flat = [-1, math.prod(image_shape)]
        self.fc1 = Linear(math.prod(image_shape), 512)
        self.fc2 = Linear(512, 256)
        self.real = Linear(256, 1)

    def __call__(self, images):  # H×W×C in [-1, 1]
        h = leaky_relu(self.fc1(tf.reshape(images, self.flat)), 0.2)  # 512
        h = leaky_relu(self.fc2(h), 0.2)  # 256
        return self.real(h)  # 1: a logit, above 0 where it says "real"


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    ones = tf.ones_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(ones, logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    zeros = tf.zeros_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(zeros, logits))


class GAN:
    def __init__(self, recipe):
        self.generator = Generator(recipe.image_shape, recipe.constants["z"])
        self.discriminator = Discriminator(recipe.image_shape)
        d, g = (
            recipe.optimizers["d_optimizer"],
            recipe.optimizers["g_optimizer"],
        )
        self.d_optimizer = Adam(self.discriminator.trainable_variables, d.lr, d.betas)
        self.g_optimizer = Adam(self.generator.trainable_variables, g.lr, g.betas)

    @tf.function
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
                self.d_optimizer.apply(tape.gradient(discriminator_loss, weights))

            # The generator's: the same pictures, to be called real by the new weights.
            generator_loss = called_real(self.discriminator(fake))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(generator_tape.gradient(generator_loss, weights))
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
