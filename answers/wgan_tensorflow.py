"""Question 09: Wasserstein GAN — TensorFlow.

A critic gives scores instead of probabilities, and clipped weights bound its slope (Arjovsky et al.
2017, "Wasserstein GAN", arXiv 1701.07875). The networks are those of question 06.
"""

import math

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import BatchNorm, Conv2d, ConvTranspose2d, Linear, leaky_relu
from knock.frameworks.tensorflow.optimizers import RMSprop
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


class Critic(tf.Module):
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
        self.score = Linear(math.prod(small), 1)

    def __call__(self, images, training=True):  # H×W×C
        h = leaky_relu(self.conv1(images), 0.2)  # H/2×W/2×32
        h = leaky_relu(self.bn2(self.conv2(h), training), 0.2)  # H/4×W/4×64
        h = leaky_relu(self.bn3(self.conv3(h), training), 0.2)  # H/8×W/8×128
        if self.large:
            h = leaky_relu(self.bn4(self.conv4(h), training), 0.2)  # H/16×W/16×256, if large
        return self.score(tf.reshape(h, self.flat))  # 1: a score, without a sigmoid


class WGAN:
    def __init__(self, recipe):
        shape, constants = recipe.image_shape, recipe.constants
        self.generator = Generator(shape, constants["z"], constants["g_width"])
        self.critic = Critic(shape, constants["c_width"])
        self.rounds, self.clip = recipe.train.rounds, constants["clip"]
        c, g = recipe.optimizers["c_optimizer"], recipe.optimizers["g_optimizer"]
        self.c_optimizer = RMSprop(self.critic.trainable_variables, c.lr, c.alpha)
        self.g_optimizer = RMSprop(self.generator.trainable_variables, g.lr, g.alpha)

    @tf.function
    def train_step(self, batch):
        # The critic's steps, each with its own batch: real pictures score up, fake ones down.
        weights = self.critic.trainable_variables
        rounds = (tf.split(batch[name], self.rounds) for name in ("images", "noise"))
        for images, noise in zip(*rounds, strict=True):
            fake = self.generator(noise)  # on no tape: the generator does not learn here
            with tf.GradientTape() as tape:
                real, made = self.critic(images), self.critic(fake)
                wasserstein = tf.reduce_mean(real) - tf.reduce_mean(made)
                loss = -wasserstein
            self.c_optimizer.apply(tape.gradient(loss, weights))
            for weight in weights:  # after the update, which may leave the box
                weight.assign(tf.clip_by_value(weight, -self.clip, self.clip))

        # The generator's step: its pictures should score higher.
        with tf.GradientTape() as tape:
            generator_loss = -tf.reduce_mean(self.critic(self.generator(batch["g_noise"])))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(generator_loss, weights))
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
