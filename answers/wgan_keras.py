"""Question 09: Wasserstein GAN — Keras.

A critic gives scores instead of probabilities, and clipped weights bound its slope (Arjovsky et al.
2017, "Wasserstein GAN", arXiv 1701.07875). The networks are those of question 06.
"""

import math

from knock.frameworks import keras as framework
from knock.frameworks.keras import BatchNorm, Conv2D, Conv2DTranspose, RMSprop, leaky_relu
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


class Critic(keras.Model):
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
        self.score = layers.Dense(1)

    def call(self, images, training=True):  # H×W×C
        h = leaky_relu(self.conv1(images), 0.2)  # H/2×W/2×32
        h = leaky_relu(self.bn2(self.conv2(h), training=training), 0.2)  # H/4×W/4×64
        h = leaky_relu(self.bn3(self.conv3(h), training=training), 0.2)  # H/8×W/8×128
        if self.large:
            h = self.bn4(self.conv4(h), training=training)
            h = leaky_relu(h, 0.2)  # H/16×W/16×256, if large
        return self.score(self.flatten(h))  # 1: a score, without a sigmoid


class WGAN(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        self.generator = Generator(shape, constants["g_width"])
        self.critic = Critic(shape, constants["c_width"])
        self.rounds, self.clip = recipe.train.rounds, constants["clip"]
        c, g = recipe.optimizers["c_optimizer"], recipe.optimizers["g_optimizer"]
        self.c_optimizer = RMSprop(c.lr, c.alpha)
        self.g_optimizer = RMSprop(g.lr, g.alpha)

    @tf.function  # called by our own loop, not by fit, which would know one loss and one optimizer
    def train_step(self, batch):
        # The critic's steps, each with its own batch: real pictures score up, fake ones down.
        weights = self.critic.trainable_variables
        rounds = (ops.split(batch[name], self.rounds) for name in ("images", "noise"))
        for images, noise in zip(*rounds, strict=True):
            fake = self.generator(noise)  # on no tape: the generator does not learn here
            with tf.GradientTape() as tape:
                real, made = self.critic(images), self.critic(fake)
                wasserstein = ops.mean(real) - ops.mean(made)
                loss = -wasserstein
            self.c_optimizer.apply(tape.gradient(loss, weights), weights)
            for weight in weights:  # after the update, which may leave the box
                weight.assign(ops.clip(weight, -self.clip, self.clip))

        # The generator's step: its pictures should score higher.
        with tf.GradientTape() as tape:
            generator_loss = -ops.mean(self.critic(self.generator(batch["g_noise"])))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(generator_loss, weights), weights)
        return {"wasserstein": wasserstein, "generator": generator_loss}

    @tf.function
    def generate(self, noise):
        return self.generator(noise, training=False)  # batch normalisation in evaluation mode


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    run.show(sample=model.generate(run.examples["noise"]))


if __name__ == "__main__":
    main("wgan", framework, WGAN, train, sample)
