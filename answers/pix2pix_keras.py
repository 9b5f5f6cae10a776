"""Question 08: pix2pix — Keras.

One picture in, another out: a U-Net draws it, a discriminator looks at both, patch by patch, and L1
keeps it close to the target (Isola et al. 2016, "Image-to-image translation with
conditional adversarial networks", arXiv 1611.07004).
"""

from knock.frameworks import keras as framework
from knock.frameworks.keras import Adam, BatchNorm, Conv2D, Conv2DTranspose, leaky_relu
from knock.run import main

import keras
import tensorflow as tf
from keras import ops


def batch_norm():
    """With the batch's own mean and variance, in training and in evaluation: nothing is kept."""
    return BatchNorm(running=False)


class Generator(keras.Model):
    """A U-Net; a map's number counts its halvings. The first has 64 channels, none above 512."""

    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.depth = min(h, w).bit_length() - 1  # halvings until a side is 1
        maps = [channels] + [min(8, 2**k) * width for k in range(self.depth)]
        by_two = {"kernel_size": 4, "strides": 2, "pad": 1}
        for k in range(1, self.depth + 1):
            down = Conv2D(maps[k], **by_two, use_bias=k == 1)
            setattr(self, f"down{k}", down)
            if 1 < k < self.depth:
                setattr(self, f"down_bn{k}", batch_norm())
        for k in range(self.depth, 0, -1):
            up = Conv2DTranspose(maps[k - 1], **by_two, use_bias=k == 1)
            setattr(self, f"up{k}", up)
            if k > 1:
                setattr(self, f"up_bn{k}", batch_norm())

    def call(self, images, mask1, mask2, mask3):  # H×W×C; masks of the three innermost ways up
        h, kept, masks = images, [images], (mask1, mask2, mask3)
        for k in range(1, self.depth + 1):
            h = getattr(self, f"down{k}")(h if k == 1 else leaky_relu(h, 0.2))
            if 1 < k < self.depth:
                h = getattr(self, f"down_bn{k}")(h)
            kept.append(h)  # H/2ᵏ×W/2ᵏ
        for k in range(self.depth, 0, -1):
            if k < self.depth:
                h = ops.concatenate([h, kept[k]], axis=3)
            h = getattr(self, f"up{k}")(ops.relu(h))
            if k > 1:
                h = getattr(self, f"up_bn{k}")(h)
            if self.depth - k < len(masks):
                h = h * masks[self.depth - k]  # dropout: 0 or 2
        return ops.tanh(h)  # H×W×C in [-1, 1]


class Discriminator(keras.Model):
    """A PatchGAN: each logit sees 34×34 pixels of the pair, or 70×70 if a side has 128 or more."""

    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        by_two = {"kernel_size": 4, "strides": 2, "pad": 1}
        self.conv1 = Conv2D(width, **by_two)
        self.conv2 = Conv2D(2 * width, **by_two, use_bias=False)
        self.bn2 = batch_norm()
        self.large = min(h, w) >= 128
        if self.large:
            self.conv3 = Conv2D(4 * width, **by_two, use_bias=False)
            self.bn3 = batch_norm()
        last = 8 * width if self.large else 4 * width
        self.conv4 = Conv2D(last, 4, pad=1, use_bias=False)
        self.bn4 = batch_norm()
        self.real = Conv2D(1, 4, pad=1)

    def call(self, pairs):  # H×W×2C
        h = leaky_relu(self.conv1(pairs), 0.2)  # H/2×W/2×64
        h = leaky_relu(self.bn2(self.conv2(h)), 0.2)  # H/4×W/4×128
        if self.large:
            h = leaky_relu(self.bn3(self.conv3(h)), 0.2)  # H/8×W/8×256
        h = leaky_relu(self.bn4(self.conv4(h)), 0.2)  # a row and a column fewer
        return self.real(h)  # H/4−2×W/4−2×1: a logit for each patch


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    ones = ops.ones_like(logits)
    return ops.mean(ops.binary_crossentropy(ones, logits, from_logits=True))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    zeros = ops.zeros_like(logits)
    return ops.mean(ops.binary_crossentropy(zeros, logits, from_logits=True))


class Pix2pix(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        self.generator = Generator(shape, constants["g_width"])
        self.discriminator = Discriminator(shape, constants["d_width"])
        self.l1_weight = constants["l1_weight"]
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.g_optimizer = Adam(g.lr, *g.betas)

    @tf.function  # called by our own loop, not by fit, which would know one loss and one optimizer
    def train_step(self, batch):
        images, targets = batch["images"], batch["targets"]
        with tf.GradientTape() as generator_tape:
            fake = self.generator(images, batch["mask1"], batch["mask2"], batch["mask3"])
            real_pair, fake_pair = (
                ops.concatenate([images, judged], axis=3) for judged in (targets, fake)
            )

            # The discriminator's step, at half speed, on a tape of its own.
            with generator_tape.stop_recording():
                with tf.GradientTape() as tape:
                    real_logits = self.discriminator(real_pair)
                    fake_logits = self.discriminator(fake_pair)
                    discriminator_loss = (called_real(real_logits) + called_fake(fake_logits)) / 2
                weights = self.discriminator.trainable_variables
                self.d_optimizer.apply(tape.gradient(discriminator_loss, weights), weights)

            # The generator's: to be called real beside its input, and to be close to the target.
            generator_loss = called_real(self.discriminator(fake_pair))
            l1 = ops.mean(ops.abs(fake - targets))
            whole = generator_loss + self.l1_weight * l1
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(generator_tape.gradient(whole, weights), weights)
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
