"""Question 12: alpha-GAN — Keras.

An autoencoder with two discriminators, one for pictures, one for codes: a logit says what no
formula can (Rosca et al. 2017, "Variational approaches for auto-encoding generative adversarial
networks", arXiv 1706.04987).
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


class Downwards(keras.Model):  # the encoder and the discriminator, up to their output
    def __init__(self, image_shape, width, out, running):
        super().__init__()
        self.large = min(image_shape[1:]) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel_size": 5, "strides": 2, "pad": 2}  # halves the sides
        self.conv1 = Conv2D(width, **down)
        self.conv2 = Conv2D(2 * width, **down, use_bias=False)
        self.bn2 = BatchNorm(running=running)
        self.conv3 = Conv2D(4 * width, **down, use_bias=False)
        self.bn3 = BatchNorm(running=running)
        if self.large:
            self.conv4 = Conv2D(8 * width, **down, use_bias=False)
            self.bn4 = BatchNorm(running=running)
        self.flatten = layers.Flatten()
        self.fc = layers.Dense(out)

    def call(self, images, training=True):  # H×W×C
        h = leaky_relu(self.conv1(images), 0.2)  # H/2×W/2×32
        h = leaky_relu(self.bn2(self.conv2(h), training=training), 0.2)  # H/4×W/4×64
        h = leaky_relu(self.bn3(self.conv3(h), training=training), 0.2)  # H/8×W/8×128
        if self.large:
            h = self.bn4(self.conv4(h), training=training)
            h = leaky_relu(h, 0.2)  # H/16×W/16×256, if large
        h = self.flatten(h)  # H/8·W/8·128; large: H/16·W/16·256
        return self.fc(h)  # z: a code; or 1: a logit, above 0 where it says "real"


class CodeDiscriminator(keras.Model):
    def __init__(self, width):
        super().__init__()
        self.fc1 = layers.Dense(width)
        self.fc2 = layers.Dense(width)
        self.fc3 = layers.Dense(1)

    def call(self, codes):  # z
        h = leaky_relu(self.fc1(codes), 0.2)  # 750
        h = leaky_relu(self.fc2(h), 0.2)  # 750
        return self.fc3(h)  # 1: a logit, above 0 where it says "drawn, not encoded"


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    ones = ops.ones_like(logits)
    return ops.mean(ops.binary_crossentropy(ones, logits, from_logits=True))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    zeros = ops.zeros_like(logits)
    return ops.mean(ops.binary_crossentropy(zeros, logits, from_logits=True))


def ratio(logits):
    """The mean of −log σ(logit) + log(1 − σ(logit)), which is −logit: no logarithm is left."""
    return -ops.mean(logits)


class AlphaGAN(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        shape, sizes = recipe.image_shape, recipe.constants
        self.l1_weight = sizes["l1_weight"]
        self.encoder = Downwards(shape, sizes["e_width"], sizes["z"], running=True)
        self.generator = Generator(shape, sizes["g_width"])
        self.discriminator = Downwards(shape, sizes["d_width"], 1, running=False)
        self.code_discriminator = CodeDiscriminator(sizes["c_width"])
        e, g, d, c = (recipe.optimizers[f"{letter}_optimizer"] for letter in "egdc")
        self.e_optimizer = Adam(e.lr, *e.betas)
        self.g_optimizer = Adam(g.lr, *g.betas)
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.c_optimizer = Adam(c.lr, *c.betas)

    @tf.function  # called by our own loop, not by fit, which would know one loss and one optimizer
    def train_step(self, batch):
        images, noise = batch["images"], batch["noise"]
        with tf.GradientTape(persistent=True) as tape:  # asked four times
            codes = self.encoder(images)  # ẑ
            copies, fakes = self.generator(codes), self.generator(noise)  # x̂, and only then x̃
            real, copied, faked = (self.discriminator(x) for x in (images, copies, fakes))
            drawn, encoded = self.code_discriminator(noise), self.code_discriminator(codes)

            l1 = ops.sum(ops.abs(images - copies)) / len(images)  # ‖x − x̂‖₁, batch's mean
            encoder_loss = ratio(encoded)  # −C(ẑ)
            generator_loss = ratio(copied) + ratio(faked)  # −D(x̂) − D(x̃)
            discriminator_loss = called_real(real) + called_fake(copied) + called_fake(faked)
            code_loss = called_real(drawn) + called_fake(encoded)
            near = self.l1_weight * l1
            losses = near + encoder_loss, near + generator_loss, discriminator_loss, code_loss

        # Each network learns from its own loss only, and no weight changes before all have learnt.
        networks = self.encoder, self.generator, self.discriminator, self.code_discriminator
        weights = [network.trainable_variables for network in networks]
        gradients = [tape.gradient(*pair) for pair in zip(losses, weights, strict=True)]
        optimizers = self.e_optimizer, self.g_optimizer, self.d_optimizer, self.c_optimizer
        for optimizer, *both in zip(optimizers, gradients, weights, strict=True):
            optimizer.apply(*both)
        told = {"encoder": encoder_loss, "generator": generator_loss, "l1": l1}
        return told | {"discriminator": discriminator_loss, "code_discriminator": code_loss}

    @tf.function
    def generate(self, noise):
        return self.generator(noise, training=False)  # batch normalisation in evaluation mode

    @tf.function
    def reconstruct(self, images):
        return self.generate(self.encoder(images, training=False))


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    images, noise = run.examples["images"], run.examples["noise"]
    run.show(input=images, reconstruction=model.reconstruct(images), sample=model.generate(noise))


if __name__ == "__main__":
    main("alpha_gan", framework, AlphaGAN, train, sample)
