"""Question 06: deep convolutional GAN — Keras.

The same game with convolutions: strides instead of pooling, batch normalisation in both networks,
and small initial weights, so that it trains (Radford et al. 2015, "Unsupervised representation
learning with deep convolutional generative adversarial networks", arXiv 1511.06434).
"""

import math

from knock.frameworks import keras as framework
from knock.frameworks.keras import Adam, BatchNorm, Conv2D, Conv2DTranspose, leaky_relu
from knock.run import main

import keras
import tensorflow as tf
from keras import layers, ops


class Generator(keras.Model):
    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        small = (h // 16, w // 16, 2 * width) if self.large else (h // 8, w // 8, 4 * width)
        self.fc = layers.Dense(math.prod(small), use_bias=False)
        self.bn0 = BatchNorm()
        self.reshape = layers.Reshape(small)
        up = {"kernel_size": 5, "strides": 2, "pad": 2, "out_pad": 1}  # doubles the sides
        if self.large:
            self.tconv1 = Conv2DTranspose(4 * width, **up, use_bias=False)
            self.bn1 = BatchNorm()
        self.tconv2 = Conv2DTranspose(2 * width, **up, use_bias=False)
        self.bn2 = BatchNorm()
        self.tconv3 = Conv2DTranspose(width, **up, use_bias=False)
        self.bn3 = BatchNorm()
        self.pixels = Conv2DTranspose(channels, **up)

    def call(self, noise, training=True):  # z
        h = ops.relu(self.bn0(self.fc(noise), training=training))  # H/8·W/8·512; or H/16·W/16·256
        h = self.reshape(h)  # H/8×W/8×512; large: H/16×W/16×256
        if self.large:
            h = ops.relu(self.bn1(self.tconv1(h), training=training))  # H/8×W/8×512, if large
        h = ops.relu(self.bn2(self.tconv2(h), training=training))  # H/4×W/4×256
        h = ops.relu(self.bn3(self.tconv3(h), training=training))  # H/2×W/2×128
        return ops.tanh(self.pixels(h))  # H×W×C in [-1, 1]


class Discriminator(keras.Model):
    def __init__(self, image_shape, width):
        super().__init__()
        self.large = min(image_shape[1:]) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel_size": 5, "strides": 2, "pad": 2}  # halves the sides
        self.conv1 = Conv2D(width, **down)
        self.conv2 = Conv2D(2 * width, **down, use_bias=False)
        self.bn2 = BatchNorm()
        self.conv3 = Conv2D(4 * width, **down, use_bias=False)
        self.bn3 = BatchNorm()
        if self.large:
            self.conv4 = Conv2D(8 * width, **down, use_bias=False)
            self.bn4 = BatchNorm()
        self.flatten = layers.Flatten()
        self.real = layers.Dense(1)

    def call(self, images, training=True):  # H×W×C
        h = leaky_relu(self.conv1(images), 0.2)  # H/2×W/2×32
        h = leaky_relu(self.bn2(self.conv2(h), training=training), 0.2)  # H/4×W/4×64
        h = leaky_relu(self.bn3(self.conv3(h), training=training), 0.2)  # H/8×W/8×128
        if self.large:
            h = self.bn4(self.conv4(h), training=training)
            h = leaky_relu(h, 0.2)  # H/16×W/16×256, if large
        return self.real(self.flatten(h))  # 1: a logit, above 0 where it says "real"


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    ones = ops.ones_like(logits)
    return ops.mean(ops.binary_crossentropy(ones, logits, from_logits=True))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    zeros = ops.zeros_like(logits)
    return ops.mean(ops.binary_crossentropy(zeros, logits, from_logits=True))


class DCGAN(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        self.generator = Generator(shape, constants["g_width"])
        self.discriminator = Discriminator(shape, constants["d_width"])
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.g_optimizer = Adam(g.lr, *g.betas)

    @tf.function  # called by our own loop, not by fit, which would know one loss and one optimizer
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
        return self.generator(noise, training=False)  # batch normalisation in evaluation mode

    def interpolate(self, noise):
        """Ten pictures on the straight line from the first noise to the second."""
        share = ops.arange(10, dtype=noise.dtype)[:, None] / 9
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
