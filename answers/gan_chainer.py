"""Question 05: generative adversarial network — Chainer.

Two networks play: one makes pictures from noise, the other separates them from real ones. Each is
the other's loss, and no pixel is ever compared (Goodfellow et al. 2014, "Generative adversarial
nets", arXiv 1406.2661).
"""

import math

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L


class Generator(chainer.Chain):
    def __init__(self, image_shape, z):
        super().__init__()
        self.image_shape = image_shape
        with self.init_scope():
            self.fc1 = L.Linear(z, 128)
            self.fc2 = L.Linear(128, 256)
            self.fc3 = L.Linear(256, 512)
            self.pixels = L.Linear(512, math.prod(image_shape))

    def forward(self, noise):  # z
        h = F.leaky_relu(self.fc1(noise), 0.2)  # 128
        h = F.leaky_relu(self.fc2(h), 0.2)  # 256
        h = F.leaky_relu(self.fc3(h), 0.2)  # 512
        flat = F.sigmoid(self.pixels(h))  # C·H·W in [0, 1]
        return F.reshape(flat, (-1, *self.image_shape))  # C×H×W


class Discriminator(chainer.Chain):
    def __init__(self, image_shape):
        super().__init__()
        with self.init_scope():
            self.fc1 = L.Linear(math.prod(image_shape), 512)
            self.fc2 = L.Linear(512, 256)
            self.real = L.Linear(256, 1)

    def forward(self, images):  # C×H×W in [-1, 1]
        h = F.leaky_relu(self.fc1(F.reshape(images, (len(images), -1))), 0.2)  # 512
        h = F.leaky_relu(self.fc2(h), 0.2)  # 256
        return self.real(h)  # 1: a logit, above 0 where it says "real"


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    return F.mean(F.softplus(-logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    return F.mean(F.softplus(logits))


class GAN(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        with self.init_scope():
            self.generator = Generator(recipe.image_shape, recipe.constants["z"])
            self.discriminator = Discriminator(recipe.image_shape)
        d, g = (
            recipe.optimizers["d_optimizer"],
            recipe.optimizers["g_optimizer"],
        )
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.d_optimizer.setup(self.discriminator)
        self.g_optimizer = Adam(g.lr, *g.betas)
        self.g_optimizer.setup(self.generator)

    def train_step(self, batch):
        real = batch["images"]
        fake = 2 * self.generator(batch["noise"]) - 1  # [0, 1] → [-1, 1]

        # The discriminator's step: real is real, fake is fake; .array leaves the generator out.
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake.array)
        discriminator_loss = called_real(real_logits) + called_fake(fake_logits)
        self.discriminator.cleargrads()
        discriminator_loss.backward()
        self.d_optimizer.update()

        # The generator's: the same pictures, to be called real by the discriminator's new weights.
        generator_loss = called_real(self.discriminator(fake))
        chainer.grad([generator_loss], list(self.generator.params()), set_grad=True)
        self.g_optimizer.update()
        return {"discriminator": discriminator_loss.array, "generator": generator_loss.array}

    def generate(self, noise):
        with chainer.no_backprop_mode():
            return 2 * self.generator(noise) - 1  # [0, 1] → [-1, 1]


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    run.show(sample=model.generate(run.examples["noise"]))


if __name__ == "__main__":
    main("gan", framework, GAN, train, sample)
