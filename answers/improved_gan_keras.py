"""Question 13: improved techniques for GANs — Keras.

Six tricks against collapse, each with a switch: the discriminator compares the pictures of a batch,
names classes of which only a few labels are known, and is never too sure; the generator matches
features, and normalises by a fixed batch; both stay near the mean of their earlier weights
(Salimans et al. 2016, "Improved techniques for training GANs", arXiv 1606.03498).
"""

import math

from knock.frameworks import keras as framework
from knock.frameworks.keras import Adam, Conv2D, Conv2DTranspose, leaky_relu
from knock.run import main

import keras
import tensorflow as tf
from keras import layers, ops


def joined(rows, count):
    """Of N×C means, the first `count` of the reference: what each row is normalised by."""
    reference = ops.mean(rows[:count], 0, keepdims=True)
    others = (rows[count:] + count * reference) / (count + 1)  # as if it were one row more of it
    return ops.concatenate([ops.repeat(reference, count, 0), others], 0)


class VirtualNorm(layers.Layer):
    """Batch normalisation by the first `count` rows: no other picture sees its neighbours."""

    def build(self, shape):
        self.gamma = self.add_weight(shape=shape[-1:], initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape[-1:], initializer="zeros", name="beta")

    def call(self, h, count):
        rows = ops.reshape(h, [h.shape[0], -1, h.shape[-1]])  # N×places×C
        mean = joined(ops.mean(rows, 1), count)
        square = joined(ops.mean(ops.square(rows), 1), count)
        scale = self.gamma * ops.rsqrt(square - mean**2 + 1e-5)
        normal = (rows - mean[:, None]) * scale[:, None] + self.beta
        return ops.reshape(normal, h.shape)


class Generator(keras.Model):
    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        small = (h // 16, w // 16, 2 * width) if self.large else (h // 8, w // 8, 4 * width)
        self.fc = layers.Dense(math.prod(small), use_bias=False)
        self.vn0 = VirtualNorm()
        self.reshape = layers.Reshape(small)
        up = {"kernel_size": 5, "strides": 2, "pad": 2, "out_pad": 1}  # doubles the sides
        if self.large:
            self.tconv1 = Conv2DTranspose(4 * width, **up, use_bias=False)
            self.vn1 = VirtualNorm()
        self.tconv2 = Conv2DTranspose(2 * width, **up, use_bias=False)
        self.vn2 = VirtualNorm()
        self.tconv3 = Conv2DTranspose(width, **up, use_bias=False)
        self.vn3 = VirtualNorm()
        self.pixels = Conv2DTranspose(channels, **up)

    def call(self, noise, reference):  # z each
        count = reference.shape[0]
        h = self.fc(ops.concatenate([reference, noise], 0))
        h = ops.relu(self.vn0(h, count=count))  # H/8·W/8·256; large: H/16·W/16·128
        h = self.reshape(h)  # H/8×W/8×256; large: H/16×W/16×128
        if self.large:
            h = ops.relu(self.vn1(self.tconv1(h), count=count))  # H/8×W/8×256, if large
        h = ops.relu(self.vn2(self.tconv2(h), count=count))  # H/4×W/4×128
        h = ops.relu(self.vn3(self.tconv3(h), count=count))  # H/2×W/2×64
        return ops.tanh(self.pixels(h[count:]))  # H×W×C in [-1, 1], of the noise alone


class Closeness(layers.Layer):
    """Minibatch discrimination: how close each picture is to all others, in `kernels` ways.

    M = f T as N×kernels×dims; o_b(i) = Σ over j ≠ i of exp(−‖M_ib − M_jb‖₁), times `scale`.
    """

    def __init__(self, kernels, dims, scale):
        super().__init__()
        self.kernels, self.dims, self.scale = kernels, dims, scale

    def build(self, shape):
        self.kernel = self.add_weight(shape=[shape[-1], self.kernels * self.dims], name="kernel")

    def call(self, features):
        m = ops.reshape(ops.matmul(features, self.kernel), [-1, self.kernels, self.dims])
        apart = ops.sum(ops.abs(m[:, None] - m), 3)  # N×N×kernels
        return self.scale * (ops.sum(ops.exp(-apart), 1) - 1)  # without itself: exp(0) = 1


class Discriminator(keras.Model):
    def __init__(self, image_shape, width, classes, compared):
        super().__init__()
        self.large = min(image_shape[1:]) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel_size": 5, "strides": 2, "pad": 2}  # halves the sides
        self.conv1 = Conv2D(width, **down)
        self.conv2 = Conv2D(2 * width, **down)
        self.conv3 = Conv2D(4 * width, **down)
        if self.large:
            self.conv4 = Conv2D(8 * width, **down)
        self.flatten = layers.Flatten()
        self.closeness = Closeness(*compared)
        self.classes = layers.Dense(classes)

    def features(self, images):  # H×W×C
        h = leaky_relu(self.conv1(images), 0.2)  # H/2×W/2×64
        h = leaky_relu(self.conv2(h), 0.2)  # H/4×W/4×128
        h = leaky_relu(self.conv3(h), 0.2)  # H/8×W/8×256
        if self.large:
            h = leaky_relu(self.conv4(h), 0.2)  # H/16×W/16×512, if large
        return self.flatten(h)

    def logits(self, features):
        return self.classes(ops.concatenate([self.closeness(features), features], 1))

    def call(self, images):
        return self.logits(self.features(images))  # classes: the logit of "made" is always 0


def total(logits):
    """s = log Σ exp of the K logits: with "made" at 0, D(x) = σ(s)."""
    return ops.logsumexp(logits, 1)


def called_real(s, label=1.0):
    """The mean of −a·log D − (1 − a)·log(1 − D), a = `label`: below 1, "real" is said less sure."""
    labels = ops.full_like(s, label)
    return ops.mean(ops.binary_crossentropy(labels, s, from_logits=True))


def called_fake(s):
    """The mean of −log(1 − D)."""
    return ops.mean(ops.binary_crossentropy(ops.zeros_like(s), s, from_logits=True))


def named(logits, labels):
    """Cross-entropy over the K classes, "made" left out: the mean of s − the label's logit."""
    return ops.mean(ops.sparse_categorical_crossentropy(labels, logits, from_logits=True))


def matched(real, made):
    """Feature matching: ‖mean f(x) − mean f(G(z))‖², each mean over its batch."""
    return ops.sum(ops.square(ops.mean(real, 0) - ops.mean(made, 0)))


def far_from(mean, network):
    """Historical averaging: ‖θ − θ̄‖² over all weights; θ̄ itself is not moved by its slope."""
    together = zip(network.trainable_variables, mean.trainable_variables, strict=True)
    return sum(ops.sum(ops.square(weight - middle)) for weight, middle in together)


def follow(mean, network, step):
    """θ̄, the mean of the first weights and of those after each step: θ̄ += (θ − θ̄) / (t + 1)."""
    together = zip(mean.trainable_variables, network.trainable_variables, strict=True)
    for middle, weight in together:
        middle.assign_add((weight - middle) / ops.cast(step + 1, weight.dtype))


class ImprovedGAN(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        shape, c = recipe.image_shape, recipe.constants
        compared = c["kernels"], c["dims"], c["closeness"]
        self.generator = Generator(shape, c["g_width"])
        self.discriminator = Discriminator(shape, c["d_width"], c["classes"], compared)
        self.each, self.unlabelled, self.real_label = c["each"], c["unlabelled"], c["real_label"]
        self.adversarial, self.matching = c["adversarial"], c["matching"]
        self.history = c["history"]
        if self.history:
            self.generator_mean = Generator(shape, c["g_width"])
            self.discriminator_mean = Discriminator(shape, c["d_width"], c["classes"], compared)
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.g_optimizer = Adam(g.lr, *g.betas)

    @tf.function  # called by our own loop, not by fit, which would know one loss and one optimizer
    def train_step(self, batch):
        real = batch["images"]
        with tf.GradientTape() as generator_tape:
            fake = self.generator(batch["noise"], batch["reference"])

            # The discriminator's step: each of its batches is all known, all real, or all fake.
            with generator_tape.stop_recording():
                with tf.GradientTape() as tape:
                    real_loss = called_real(total(self.discriminator(real)), self.real_label)
                    fake_loss = called_fake(total(self.discriminator(fake)))
                    discriminator_loss = self.unlabelled / 2 * (real_loss + fake_loss)
                    named_loss = ops.zeros_like(real_loss)
                    if self.each:
                        logits = self.discriminator(batch["known_images"])
                        named_loss = named(logits, batch["known_labels"])
                        discriminator_loss = discriminator_loss + named_loss
                    if self.history:
                        far = far_from(self.discriminator_mean, self.discriminator)
                        discriminator_loss = discriminator_loss + self.history * far
                weights = self.discriminator.trainable_variables
                gradients = tape.gradient(discriminator_loss, weights)
                self.d_optimizer.apply(gradients, weights)
                if self.history:
                    follow(self.discriminator_mean, self.discriminator, batch["step"])

            # The generator's: its pictures, as the discriminator's new weights see them.
            features = self.discriminator.features(fake)
            s = total(self.discriminator.logits(features))
            generator_loss = self.adversarial * called_real(s)
            if self.matching:
                wanted = ops.stop_gradient(self.discriminator.features(real))
                generator_loss = generator_loss + self.matching * matched(wanted, features)
            if self.history:
                far = far_from(self.generator_mean, self.generator)
                generator_loss = generator_loss + self.history * far
        weights = self.generator.trainable_variables
        gradients = generator_tape.gradient(generator_loss, weights)
        self.g_optimizer.apply(gradients, weights)
        if self.history:
            follow(self.generator_mean, self.generator, batch["step"])
        losses = {"discriminator": discriminator_loss, "generator": generator_loss}
        return {**losses, "named": named_loss}

    @tf.function
    def generate(self, noise, reference):
        return self.generator(noise, reference)  # the same function as in training

    @tf.function
    def classify(self, images):
        return self.discriminator(images)  # N×classes logits


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    run.show(sample=model.generate(run.examples["noise"], run.examples["reference"]))


if __name__ == "__main__":
    main("improved_gan", framework, ImprovedGAN, train, sample)
