"""Question 06: deep convolutional GAN — TensorFlow.

The same game with convolutions: strides instead of pooling, batch normalisation in both networks,
and small initial weights, so that it trains (Radford et al. 2015, "Unsupervised representation
learning with deep convolutional generative adversarial networks", arXiv 1511.06434).
"""

import math

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import Adam, BatchNorm, Conv2d, ConvTranspose2d, Linear, leaky_relu
from knock.run import main

import tensorflow as tf


class Generator(tf.Module):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        self.small = (h // 16, w // 16, 2 * width) if self.large else (h // 8, w // 8, 4 * width)
        self.fc = Linear(z, math.prod(self.small), bias=False)
        self.bn0 = BatchNorm(math.prod(self.small))
        up = {"kernel": 5, "stride": 2, "padding": 2, "output_padding": 1}  # doubles the sides
        if self.large:
            self.tconv1 = ConvTranspose2d(2 * width, 4 * width, **up, bias=False)
            self.bn1 = BatchNorm(4 * width)
        self.tconv2 = ConvTranspose2d(4 * width, 2 * width, **up, bias=False)
        self.bn2 = BatchNorm(2 * width)
        self.tconv3 = ConvTranspose2d(2 * width, width, **up, bias=False)
        self.bn3 = BatchNorm(width)
        self.pixels = ConvTranspose2d(width, channels, **up)

    def __call__(self, noise, training=True):  # z
        h = tf.nn.relu(self.bn0(self.fc(noise), training))  # H/8·W/8·512; large: H/16·W/16·256
        h = tf.reshape(h, [-1, *self.small])  # H/8×W/8×512; large: H/16×W/16×256
        if self.large:
            h = tf.nn.relu(self.bn1(self.tconv1(h), training))  # H/8×W/8×512, if large
        h = tf.nn.relu(self.bn2(self.tconv2(h), training))  # H/4×W/4×256
        h = tf.nn.relu(self.bn3(self.tconv3(h), training))  # H/2×W/2×128
        return tf.tanh(self.pixels(h))  # H×W×C in [-1, 1]


class Discriminator(tf.Module):
    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel": 5, "stride": 2, "padding": 2}  # halves the sides
        self.conv1 = Conv2d(channels, width, **down)
        self.conv2 = Conv2d(width, 2 * width, **down, bias=False)
        self.bn2 = BatchNorm(2 * width)
        self.conv3 = Conv2d(2 * width, 4 * width, **down, bias=False)
        self.bn3 = BatchNorm(4 * width)
        if self.large:
            self.conv4 = Conv2d(4 * width, 8 * width, **down, bias=False)
            self.bn4 = BatchNorm(8 * width)
        small = (h // 16, w // 16, 8 * width) if self.large else (h // 8, w // 8, 4 * width)
        self.flat = [-1, math.prod(small)]
        self.real = Linear(math.prod(small), 1)

    def __call__(self, images, training=True):  # H×W×C
        h = leaky_relu(self.conv1(images), 0.2)  # H/2×W/2×32
        h = leaky_relu(self.bn2(self.conv2(h), training), 0.2)  # H/4×W/4×64
        h = leaky_relu(self.bn3(self.conv3(h), training), 0.2)  # H/8×W/8×128
        if self.large:
            h = leaky_relu(self.bn4(self.conv4(h), training), 0.2)  # H/16×W/16×256, if large
        return self.real(tf.reshape(h, self.flat))  # 1: a logit, above 0 where it says "real"


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    ones = tf.ones_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(ones, logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    zeros = tf.zeros_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(zeros, logits))


class DCGAN:
    def __init__(self, recipe):
        shape, constants = recipe.image_shape, recipe.constants
        self.generator = Generator(shape, constants["z"], constants["g_width"])
        self.discriminator = Discriminator(shape, constants["d_width"])
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(self.discriminator.trainable_variables, d.lr, d.betas)
        self.g_optimizer = Adam(self.generator.trainable_variables, g.lr, g.betas)

    @tf.function
    def train_step(self, batch):
        real = batch["images"]
        with tf.GradientTape() as generator_tape:
            fake = self.generator(batch["noise"])

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
        return self.generator(noise, training=False)  # batch normalisation in evaluation mode

    def interpolate(self, noise):
        """Ten pictures on the straight line from the first noise to the second."""
        share = tf.range(10, dtype=noise.dtype)[:, None] / 9
        return self.generate((1 - share) * noise[0] + share * noise[1])


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    noise = run.examples["noise"]
    run.show(sample=model.generate(noise), interpolation=model.interpolate(noise))


if __name__ == "__main__":
    main("dcgan", framework, DCGAN, train, sample)
