"""Question 09: Wasserstein GAN — Keras.

A critic gives scores instead of chances, held to a bounded slope by clipping its weights; five of
its steps before each of the generator's (Arjovsky et al. 2017, "Wasserstein GAN", arXiv
1701.07875). The networks are those of question 06.
"""

from knock.frameworks import keras as framework
from knock.run import main

import keras
import tensorflow as tf
from keras import layers, ops


class Generator(keras.Model):
    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.fc = layers.Dense(2 * width * (h // 16) * (w // 16), use_bias=False)
        self.bn0 = framework.BatchNorm()
        self.reshape = layers.Reshape([h // 16, w // 16, 2 * width])
        up = {"kernel_size": 5, "strides": 2, "pad": 2, "out_pad": 1}  # doubles the sides
        self.tconv1 = framework.Conv2DTranspose(4 * width, **up, use_bias=False)
        self.bn1 = framework.BatchNorm()
        self.tconv2 = framework.Conv2DTranspose(2 * width, **up, use_bias=False)
        self.bn2 = framework.BatchNorm()
        self.tconv3 = framework.Conv2DTranspose(width, **up, use_bias=False)
        self.bn3 = framework.BatchNorm()
        self.pixels = framework.Conv2DTranspose(channels, **up)

    def call(self, noise, training=True):  # z
        h = ops.relu(self.bn0(self.fc(noise), training=training))  # H/16·W/16·256
        h = self.reshape(h)  # H/16×W/16×256
        h = ops.relu(self.bn1(self.tconv1(h), training=training))  # H/8×W/8×512
        h = ops.relu(self.bn2(self.tconv2(h), training=training))  # H/4×W/4×256
        h = ops.relu(self.bn3(self.tconv3(h), training=training))  # H/2×W/2×128
        return ops.tanh(self.pixels(h))  # H×W×C in [-1, 1]


class Critic(keras.Model):
    def __init__(self, width):
        super().__init__()
        down = {"kernel_size": 5, "strides": 2, "pad": 2}  # halves the sides
        self.conv1 = framework.Conv2D(width, **down)
        self.conv2 = framework.Conv2D(2 * width, **down, use_bias=False)
        self.bn2 = framework.BatchNorm()
        self.conv3 = framework.Conv2D(4 * width, **down, use_bias=False)
        self.bn3 = framework.BatchNorm()
        self.conv4 = framework.Conv2D(8 * width, **down, use_bias=False)
        self.bn4 = framework.BatchNorm()
        self.flatten = layers.Flatten()
        self.score = layers.Dense(1)

    def call(self, images, training=True):  # H×W×C
        h = framework.leaky_relu(self.conv1(images), 0.2)  # H/2×W/2×32
        h = framework.leaky_relu(self.bn2(self.conv2(h), training=training), 0.2)  # H/4×W/4×64
        h = framework.leaky_relu(self.bn3(self.conv3(h), training=training), 0.2)  # H/8×W/8×128
        h = framework.leaky_relu(self.bn4(self.conv4(h), training=training), 0.2)  # H/16×W/16×256
        return self.score(self.flatten(h))  # 1: a score, and no sigmoid


class WGAN(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        self.generator = Generator(shape, constants["g_width"])
        self.critic = Critic(constants["c_width"])
        self.rounds, self.clip = recipe.train.rounds, constants["clip"]
        c, g = recipe.optimizers["c_optimizer"], recipe.optimizers["g_optimizer"]
        self.c_optimizer = framework.RMSprop(c.lr, c.alpha)
        self.g_optimizer = framework.RMSprop(g.lr, g.alpha)

    @tf.function
    def train_step(self, batch):
        # The critic's steps, each with a batch of its own: real pictures up, made ones down.
        weights = self.critic.trainable_variables
        rounds = (ops.split(batch[name], self.rounds) for name in ("images", "noise"))
        for images, noise in zip(*rounds, strict=True):
            fake = self.generator(noise)  # on no tape: the generator is not its business
            with tf.GradientTape() as tape:
                real, made = self.critic(images), self.critic(fake)
                wasserstein = ops.mean(real) - ops.mean(made)
                loss = -wasserstein
            self.c_optimizer.apply(tape.gradient(loss, weights), weights)
            for weight in weights:  # after the update, which leads out of the box
                weight.assign(ops.clip(weight, -self.clip, self.clip))

        # The generator's: its pictures are to score higher.
        with tf.GradientTape() as tape:
            generator_loss = -ops.mean(self.critic(self.generator(batch["g_noise"])))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(generator_loss, weights), weights)
        return {"wasserstein": wasserstein, "generator": generator_loss}

    @tf.function
    def generate(self, noise):
        return self.generator(noise, training=False)  # normalised by running statistics


def train(run, model):
    for batch in run.batches():
        losses = model.train_step(batch)
        run.log(losses)
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    run.show(sample=model.generate(run.examples["noise"]))


if __name__ == "__main__":
    main("wgan", framework, WGAN, train, sample)
