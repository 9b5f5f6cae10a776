"""Question 07: conditional GAN — Keras.

Give both networks the class, beside the noise and beside the picture: then one generator draws
every digit on demand (Mirza & Osindero 2014, "Conditional generative adversarial nets", arXiv
1411.1784). The networks are those of question 06.
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

    def call(self, asked, training=True):  # z + classes
        h = ops.relu(self.bn0(self.fc(asked), training=training))  # H/8·W/8·512; or H/16·W/16·256
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

    def call(self, told, training=True):  # H×W×(C + classes)
        h = leaky_relu(self.conv1(told), 0.2)  # H/2×W/2×32
        h = leaky_relu(self.bn2(self.conv2(h), training=training), 0.2)  # H/4×W/4×64
        h = leaky_relu(self.bn3(self.conv3(h), training=training), 0.2)  # H/8×W/8×128
        if self.large:
            h = self.bn4(self.conv4(h), training=training)
            h = leaky_relu(h, 0.2)  # H/16×W/16×256, if large
        return self.real(self.flatten(h))  # 1: a logit, above 0 where it says "real"


def ask(noise, classes):
    """The generator's input: z, then the one-hot class, N×(z + classes)."""
    return ops.concatenate([noise, classes], axis=1)


def tell(images, classes):
    """The discriminator's: the picture, then a plane of ones or zeros for each class."""
    planes = classes[:, None, None, :]  # 1×1×classes
    planes = planes * ops.ones_like(images[..., :1])  # H×W×classes
    return ops.concatenate([images, planes], axis=3)


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    ones = ops.ones_like(logits)
    return ops.mean(ops.binary_crossentropy(ones, logits, from_logits=True))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    zeros = ops.zeros_like(logits)
    return ops.mean(ops.binary_crossentropy(zeros, logits, from_logits=True))


class ConditionalGAN(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        self.classes = constants["classes"]
        self.generator = Generator(shape, constants["g_width"])
        self.discriminator = Discriminator(shape, constants["d_width"])
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.g_optimizer = Adam(g.lr, *g.betas)

    def one_hot(self, labels):
        """N class numbers as N×classes zeros with a one at the class."""
        return ops.one_hot(labels, self.classes, dtype=keras.config.floatx())

    @tf.function  # called by our own loop, not by fit, which would know one loss and one optimizer
    def train_step(self, batch):
        classes = self.one_hot(batch["labels"])
        real = tell(batch["images"], classes)
        with tf.GradientTape() as generator_tape:
            fake = tell(self.generator(ask(batch["noise"], classes)), classes)

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
    def generate(self, noise, labels):
        asked = ask(noise, self.one_hot(labels))
        return self.generator(asked, training=False)  # batch normalisation in evaluation mode


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    noise = run.examples["noise"]
    run.show(**{name: model.generate(noise, labels) for name, labels in run.classes()})


if __name__ == "__main__":
    main("cgan", framework, ConditionalGAN, train, sample)
