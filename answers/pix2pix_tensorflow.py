"""Question 08: pix2pix — TensorFlow.

One picture in, another out: a U-Net draws it, a discriminator looks at both, patch by patch, and L1
keeps it close to the target (Isola et al. 2016, "Image-to-image translation with
conditional adversarial networks", arXiv 1611.07004).
"""

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import Adam, BatchNorm, Conv2d, ConvTranspose2d, leaky_relu
from knock.run import main

import tensorflow as tf


def batch_norm(channels):
    """With the batch's own mean and variance, in training and in evaluation: nothing is kept."""
    return BatchNorm(channels, running=False)


class Generator(tf.Module):
    """A U-Net; a map's number counts its halvings. The first has 64 channels, none above 512."""

    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.depth = min(h, w).bit_length() - 1  # halvings until a side is 1
        maps = [channels] + [min(8, 2**k) * width for k in range(self.depth)]
        by_two = {"kernel": 4, "stride": 2, "padding": 1}
        for k in range(1, self.depth + 1):
            down = Conv2d(maps[k - 1], maps[k], **by_two, bias=k == 1)
            setattr(self, f"down{k}", down)
            if 1 < k < self.depth:
                setattr(self, f"down_bn{k}", batch_norm(maps[k]))
        for k in range(self.depth, 0, -1):
            above = maps[k] if k == self.depth else 2 * maps[k]  # with the map from the way down
            up = ConvTranspose2d(above, maps[k - 1], **by_two, bias=k == 1)
            setattr(self, f"up{k}", up)
            if k > 1:
                setattr(self, f"up_bn{k}", batch_norm(maps[k - 1]))

    def __call__(self, images, *masks):  # H×W×C; masks: of the three innermost ways up
        h, kept = images, [images]
        for k in range(1, self.depth + 1):
            h = getattr(self, f"down{k}")(h if k == 1 else leaky_relu(h, 0.2))
            if 1 < k < self.depth:
                h = getattr(self, f"down_bn{k}")(h)
            kept.append(h)  # H/2ᵏ×W/2ᵏ
        for k in range(self.depth, 0, -1):
            if k < self.depth:
                h = tf.concat([h, kept[k]], axis=3)
            h = getattr(self, f"up{k}")(tf.nn.relu(h))
            if k > 1:
                h = getattr(self, f"up_bn{k}")(h)
            if self.depth - k < len(masks):
                h = h * masks[self.depth - k]  # dropout: 0 or 2
        return tf.tanh(h)  # H×W×C in [-1, 1]


class Discriminator(tf.Module):
    """A PatchGAN: each logit sees 34×34 pixels of the pair, or 70×70 if a side has 128 or more."""

    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        by_two = {"kernel": 4, "stride": 2, "padding": 1}
        self.conv1 = Conv2d(2 * channels, width, **by_two)
        self.conv2 = Conv2d(width, 2 * width, **by_two, bias=False)
        self.bn2 = batch_norm(2 * width)
        self.large = min(h, w) >= 128
        if self.large:
            self.conv3 = Conv2d(2 * width, 4 * width, **by_two, bias=False)
            self.bn3 = batch_norm(4 * width)
        below, last = (4 * width, 8 * width) if self.large else (2 * width, 4 * width)
        self.conv4 = Conv2d(below, last, kernel=4, padding=1, bias=False)
        self.bn4 = batch_norm(last)
        self.real = Conv2d(last, 1, kernel=4, padding=1)

    def __call__(self, pairs):  # H×W×2C
        h = leaky_relu(self.conv1(pairs), 0.2)  # H/2×W/2×64
        h = leaky_relu(self.bn2(self.conv2(h)), 0.2)  # H/4×W/4×128
        if self.large:
            h = leaky_relu(self.bn3(self.conv3(h)), 0.2)  # H/8×W/8×256
        h = leaky_relu(self.bn4(self.conv4(h)), 0.2)  # a row and a column fewer
        return self.real(h)  # H/4−2×W/4−2×1: a logit for each patch


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    ones = tf.ones_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(ones, logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    zeros = tf.zeros_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(zeros, logits))


class Pix2pix:
    def __init__(self, recipe):
        shape, constants = recipe.image_shape, recipe.constants
        self.generator = Generator(shape, constants["g_width"])
        self.discriminator = Discriminator(shape, constants["d_width"])
        self.l1_weight = constants["l1_weight"]
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(self.discriminator.trainable_variables, d.lr, d.betas)
        self.g_optimizer = Adam(self.generator.trainable_variables, g.lr, g.betas)

    @tf.function
    def train_step(self, batch):
        images, targets = batch["images"], batch["targets"]
        with tf.GradientTape() as generator_tape:
            fake = self.generator(images, batch["mask1"], batch["mask2"], batch["mask3"])
            real_pair, fake_pair = (
                tf.concat([images, judged], axis=3) for judged in (targets, fake)
            )

            # The discriminator's step, at half speed, on a tape of its own.
            with generator_tape.stop_recording():
                with tf.GradientTape() as tape:
                    real_logits = self.discriminator(real_pair)
                    fake_logits = self.discriminator(fake_pair)
                    discriminator_loss = (called_real(real_logits) + called_fake(fake_logits)) / 2
                weights = self.discriminator.trainable_variables
                self.d_optimizer.apply(tape.gradient(discriminator_loss, weights))

            # The generator's: to be called real beside its input, and to be close to the target.
            generator_loss = called_real(self.discriminator(fake_pair))
            l1 = tf.reduce_mean(tf.abs(fake - targets))
            whole = generator_loss + self.l1_weight * l1
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(generator_tape.gradient(whole, weights))
        return {"discriminator": discriminator_loss, "generator": generator_loss, "l1": l1}

    @tf.function
    def generate(self, images, *masks):
        return self.generator(images, *masks)  # as in training, dropout included


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    given = run.examples
    made = model.generate(given["images"], given["mask1"], given["mask2"], given["mask3"])
    run.show(input=given["images"], target=given["targets"], sample=made)


if __name__ == "__main__":
    main("pix2pix", framework, Pix2pix, train, sample)
