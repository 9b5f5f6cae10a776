"""Question 13: improved techniques for GANs — TensorFlow.

Six tricks against collapse, each with a switch: the discriminator compares the pictures of a batch,
names classes of which only a few labels are known, and is never too sure; the generator matches
features, and normalises by a fixed batch; both stay near the mean of their earlier weights
(Salimans et al. 2016, "Improved techniques for training GANs", arXiv 1606.03498).
"""

import math

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import (
    Adam,
    Conv2d,
    ConvTranspose2d,
    Linear,
    float_type,
    leaky_relu,
)
from knock.run import main

import tensorflow as tf


def joined(rows, count):
    """Of N×C means, the first `count` of the reference: what each row is normalised by."""
    reference = tf.reduce_mean(rows[:count], 0, keepdims=True)
    others = (rows[count:] + count * reference) / (count + 1)  # as if it were one row more of it
    return tf.concat([tf.repeat(reference, count, 0), others], 0)


class VirtualNorm(tf.Module):
    """Batch normalisation by the first `count` rows: no other picture sees its neighbours."""

    def __init__(self, channels):
        super().__init__()
        self.weight = tf.Variable(tf.ones([channels], float_type()))
        self.bias = tf.Variable(tf.zeros([channels], float_type()))

    def __call__(self, h, count):
        rows = tf.reshape(h, [h.shape[0], -1, h.shape[-1]])  # N×places×C
        mean = joined(tf.reduce_mean(rows, 1), count)
        square = joined(tf.reduce_mean(tf.square(rows), 1), count)
        scale = self.weight * tf.math.rsqrt(square - mean**2 + 1e-5)
        normal = (rows - mean[:, None]) * scale[:, None] + self.bias
        return tf.reshape(normal, h.shape)


class Generator(tf.Module):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        self.small = (h // 16, w // 16, 2 * width) if self.large else (h // 8, w // 8, 4 * width)
        self.fc = Linear(z, math.prod(self.small), bias=False)
        self.vn0 = VirtualNorm(math.prod(self.small))
        up = {"kernel": 5, "stride": 2, "padding": 2, "output_padding": 1}  # doubles the sides
        if self.large:
            self.tconv1 = ConvTranspose2d(2 * width, 4 * width, **up, bias=False)
            self.vn1 = VirtualNorm(4 * width)
        self.tconv2 = ConvTranspose2d(4 * width, 2 * width, **up, bias=False)
        self.vn2 = VirtualNorm(2 * width)
        self.tconv3 = ConvTranspose2d(2 * width, width, **up, bias=False)
        self.vn3 = VirtualNorm(width)
        self.pixels = ConvTranspose2d(width, channels, **up)

    def __call__(self, noise, reference):  # z each
        count = reference.shape[0]
        h = self.fc(tf.concat([reference, noise], 0))
        h = tf.nn.relu(self.vn0(h, count))  # H/8·W/8·256; large: H/16·W/16·128
        h = tf.reshape(h, [-1, *self.small])  # H/8×W/8×256; large: H/16×W/16×128
        if self.large:
            h = tf.nn.relu(self.vn1(self.tconv1(h), count))  # H/8×W/8×256, if large
        h = tf.nn.relu(self.vn2(self.tconv2(h), count))  # H/4×W/4×128
        h = tf.nn.relu(self.vn3(self.tconv3(h), count))  # H/2×W/2×64
        return tf.tanh(self.pixels(h[count:]))  # H×W×C in [-1, 1], of the noise alone


class Closeness(tf.Module):
    """Minibatch discrimination: how close each picture is to all others, in `kernels` ways.

    M = f T as N×kernels×dims; o_b(i) = Σ over j ≠ i of exp(−‖M_ib − M_jb‖₁), times `scale`.
    """

    def __init__(self, inputs, kernels, dims, scale):
        super().__init__()
        self.shape, self.scale = [-1, kernels, dims], scale
        self.weight = tf.Variable(tf.zeros([inputs, kernels * dims], float_type()))

    def __call__(self, features):
        m = tf.reshape(tf.matmul(features, self.weight), self.shape)
        apart = tf.reduce_sum(tf.abs(m[:, None] - m), 3)  # N×N×kernels
        return self.scale * (tf.reduce_sum(tf.exp(-apart), 1) - 1)  # without itself: exp(0) = 1


class Discriminator(tf.Module):
    def __init__(self, image_shape, width, classes, compared):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel": 5, "stride": 2, "padding": 2}  # halves the sides
        self.conv1 = Conv2d(channels, width, **down)
        self.conv2 = Conv2d(width, 2 * width, **down)
        self.conv3 = Conv2d(2 * width, 4 * width, **down)
        if self.large:
            self.conv4 = Conv2d(4 * width, 8 * width, **down)
        small = (h // 16, w // 16, 8 * width) if self.large else (h // 8, w // 8, 4 * width)
        self.flat = [-1, math.prod(small)]
        kernels, dims, scale = compared
        self.closeness = Closeness(math.prod(small), kernels, dims, scale)
        self.classes = Linear(kernels + math.prod(small), classes)

    def features(self, images):  # H×W×C
        h = leaky_relu(self.conv1(images), 0.2)  # H/2×W/2×64
        h = leaky_relu(self.conv2(h), 0.2)  # H/4×W/4×128
        h = leaky_relu(self.conv3(h), 0.2)  # H/8×W/8×256
        if self.large:
            h = leaky_relu(self.conv4(h), 0.2)  # H/16×W/16×512, if large
        return tf.reshape(h, self.flat)

    def logits(self, features):
        return self.classes(tf.concat([self.closeness(features), features], 1))

    def __call__(self, images):
        return self.logits(self.features(images))  # classes: the logit of "made" is always 0


def total(logits):
    """s = log Σ exp of the K logits: with "made" at 0, D(x) = σ(s)."""
    return tf.reduce_logsumexp(logits, 1)


def called_real(s, label=1.0):
    """The mean of −a·log D − (1 − a)·log(1 − D), a = `label`: below 1, "real" is said less sure."""
    labels = tf.fill(s.shape, tf.constant(label, s.dtype))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, s))


def called_fake(s):
    """The mean of −log(1 − D)."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.zeros_like(s), s))


def named(logits, labels):
    """Cross-entropy over the K classes, "made" left out: the mean of s − the label's logit."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def matched(real, made):
    """Feature matching: ‖mean f(x) − mean f(G(z))‖², each mean over its batch."""
    return tf.reduce_sum(tf.square(tf.reduce_mean(real, 0) - tf.reduce_mean(made, 0)))


def far_from(mean, network):
    """Historical averaging: ‖θ − θ̄‖² over all weights; θ̄ itself is not moved by its slope."""
    together = zip(network.trainable_variables, mean.trainable_variables, strict=True)
    return sum(tf.reduce_sum(tf.square(weight - middle)) for weight, middle in together)


def follow(mean, network, step):
    """θ̄, the mean of the first weights and of those after each step: θ̄ += (θ − θ̄) / (t + 1)."""
    together = zip(mean.trainable_variables, network.trainable_variables, strict=True)
    for middle, weight in together:
        middle.assign_add((weight - middle) / tf.cast(step + 1, weight.dtype))


class ImprovedGAN:
    def __init__(self, recipe):
        shape, c = recipe.image_shape, recipe.constants
        compared = c["kernels"], c["dims"], c["closeness"]
        self.generator = Generator(shape, c["z"], c["g_width"])
        self.discriminator = Discriminator(shape, c["d_width"], c["classes"], compared)
        self.each, self.unlabelled, self.real_label = c["each"], c["unlabelled"], c["real_label"]
        self.adversarial, self.matching = c["adversarial"], c["matching"]
        self.history = c["history"]
        if self.history:
            self.generator_mean = Generator(shape, c["z"], c["g_width"])
            self.discriminator_mean = Discriminator(shape, c["d_width"], c["classes"], compared)
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(self.discriminator.trainable_variables, d.lr, d.betas)
        self.g_optimizer = Adam(self.generator.trainable_variables, g.lr, g.betas)

    @tf.function
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
                    named_loss = tf.zeros_like(real_loss)
                    if self.each:
                        logits = self.discriminator(batch["known_images"])
                        named_loss = named(logits, batch["known_labels"])
                        discriminator_loss = discriminator_loss + named_loss
                    if self.history:
                        far = far_from(self.discriminator_mean, self.discriminator)
                        discriminator_loss = discriminator_loss + self.history * far
                weights = self.discriminator.trainable_variables
                self.d_optimizer.apply(tape.gradient(discriminator_loss, weights))
                if self.history:
                    follow(self.discriminator_mean, self.discriminator, batch["step"])

            # The generator's: its pictures, as the discriminator's new weights see them.
            features = self.discriminator.features(fake)
            s = total(self.discriminator.logits(features))
            generator_loss = self.adversarial * called_real(s)
            if self.matching:
                wanted = tf.stop_gradient(self.discriminator.features(real))
                generator_loss = generator_loss + self.matching * matched(wanted, features)
            if self.history:
                far = far_from(self.generator_mean, self.generator)
                generator_loss = generator_loss + self.history * far
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(generator_tape.gradient(generator_loss, weights))
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
