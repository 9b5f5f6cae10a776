"""Question 12: alpha-GAN — TensorFlow.

An autoencoder with two discriminators, one for pictures, one for codes: a logit says what no
formula can (Rosca et al. 2017, "Variational approaches for auto-encoding generative adversarial
networks", arXiv 1706.04987).
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


class Downwards(tf.Module):  # the encoder and the discriminator, up to their output
    def __init__(self, image_shape, width, out, running):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel": 5, "stride": 2, "padding": 2}  # halves the sides
        self.conv1 = Conv2d(channels, width, **down)
        self.conv2 = Conv2d(width, 2 * width, **down, bias=False)
        self.bn2 = BatchNorm(2 * width, running)
        self.conv3 = Conv2d(2 * width, 4 * width, **down, bias=False)
        self.bn3 = BatchNorm(4 * width, running)
        if self.large:
            self.conv4 = Conv2d(4 * width, 8 * width, **down, bias=False)
            self.bn4 = BatchNorm(8 * width, running)
        small = (h // 16, w // 16, 8 * width) if self.large else (h // 8, w // 8, 4 * width)
        self.flat = [-1, math.prod(small)]
        self.fc = Linear(math.prod(small), out)

    def __call__(self, images, training=True):  # H×W×C
        h = leaky_relu(self.conv1(images), 0.2)  # H/2×W/2×32
        h = leaky_relu(self.bn2(self.conv2(h), training), 0.2)  # H/4×W/4×64
        h = leaky_relu(self.bn3(self.conv3(h), training), 0.2)  # H/8×W/8×128
        if self.large:
            h = leaky_relu(self.bn4(self.conv4(h), training), 0.2)  # H/16×W/16×256, if large
        h = tf.reshape(h, self.flat)  # H/8·W/8·128; large: H/16·W/16·256
        return self.fc(h)  # z: a code; or 1: a logit, above 0 where it says "real"


class CodeDiscriminator(tf.Module):
    def __init__(self, z, width):
        super().__init__()
        self.fc1 = Linear(z, width)
        self.fc2 = Linear(width, width)
        self.fc3 = Linear(width, 1)

    def __call__(self, codes):  # z
        h = leaky_relu(self.fc1(codes), 0.2)  # 750
        h = leaky_relu(self.fc2(h), 0.2)  # 750
        return self.fc3(h)  # 1: a logit, above 0 where it says "drawn, not encoded"


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    ones = tf.ones_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(ones, logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    zeros = tf.zeros_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(zeros, logits))


def ratio(logits):
    """The mean of −log σ(logit) + log(1 − σ(logit)), which is −logit: no logarithm is left."""
    return -tf.reduce_mean(logits)


class AlphaGAN:
    def __init__(self, recipe):
        shape, sizes = recipe.image_shape, recipe.constants
        self.l1_weight = sizes["l1_weight"]
        self.encoder = Downwards(shape, sizes["e_width"], sizes["z"], running=True)
        self.generator = Generator(shape, sizes["z"], sizes["g_width"])
        self.discriminator = Downwards(shape, sizes["d_width"], 1, running=False)
        self.code_discriminator = CodeDiscriminator(sizes["z"], sizes["c_width"])
        e, g, d, c = (recipe.optimizers[f"{letter}_optimizer"] for letter in "egdc")
        self.e_optimizer = Adam(self.encoder.trainable_variables, e.lr, e.betas)
        self.g_optimizer = Adam(self.generator.trainable_variables, g.lr, g.betas)
        self.d_optimizer = Adam(self.discriminator.trainable_variables, d.lr, d.betas)
        weights = self.code_discriminator.trainable_variables
        self.c_optimizer = Adam(weights, c.lr, c.betas)

    @tf.function
    def train_step(self, batch):
        images, noise = batch["images"], batch["noise"]
        with tf.GradientTape(persistent=True) as tape:  # asked four times
            codes = self.encoder(images)  # ẑ
            copies, fakes = self.generator(codes), self.generator(noise)  # x̂, and only then x̃
            real, copied, faked = (self.discriminator(x) for x in (images, copies, fakes))
            drawn, encoded = self.code_discriminator(noise), self.code_discriminator(codes)

            l1 = tf.reduce_sum(tf.abs(images - copies)) / len(images)  # ‖x − x̂‖₁, batch's mean
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
        for optimizer, gradient in zip(optimizers, gradients, strict=True):
            optimizer.apply(gradient)
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
