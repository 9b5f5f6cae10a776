"""Question 12: alpha-GAN — Chainer.

An autoencoder with two discriminators, one for pictures, one for codes: a logit says what no
formula can (Rosca et al. 2017, "Variational approaches for auto-encoding generative adversarial
networks", arXiv 1706.04987).
"""

import math

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam, BatchStatistics
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L


class Generator(chainer.Chain):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        self.small = (2 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        self.sides = [(h // n, w // n) for n in (8, 4, 2, 1)]
        with self.init_scope():
            self.fc = L.Linear(z, math.prod(self.small), nobias=True)
            self.bn0 = batch_norm(math.prod(self.small))
            if self.large:
                self.tconv1 = up(2 * width, 4 * width, self.sides[0], nobias=True)
                self.bn1 = batch_norm(4 * width)
            self.tconv2 = up(4 * width, 2 * width, self.sides[1], nobias=True)
            self.bn2 = batch_norm(2 * width)
            self.tconv3 = up(2 * width, width, self.sides[2], nobias=True)
            self.bn3 = batch_norm(width)
            self.pixels = up(width, channels, self.sides[3])

    def forward(self, noise):  # z
        h = F.relu(self.bn0(self.fc(noise)))  # 512·H/8·W/8; large: 256·H/16·W/16
        h = F.reshape(h, (-1, *self.small))  # 512×H/8×W/8; large: 256×H/16×W/16
        if self.large:
            h = F.relu(self.bn1(self.tconv1(h)))  # 512×H/8×W/8, if large
        h = F.relu(self.bn2(self.tconv2(h)))  # 256×H/4×W/4
        h = F.relu(self.bn3(self.tconv3(h)))  # 128×H/2×W/2
        return F.tanh(self.pixels(h))  # C×H×W in [-1, 1]


def batch_norm(channels):
    """Chainer's ε is 2e-5 and its decay counts the old share; other frameworks differ in both."""
    return L.BatchNormalization(channels, decay=0.9, eps=1e-5)


def up(channels, out, sides, **bias):
    """A transposed convolution that doubles the sides, given the sides of the result."""
    return L.Deconvolution2D(channels, out, ksize=5, stride=2, pad=2, outsize=sides, **bias)


class Downwards(chainer.Chain):  # the encoder and the discriminator, up to their output
    def __init__(self, image_shape, width, out, norm):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        small = (8 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        down = {"ksize": 5, "stride": 2, "pad": 2}  # halves the sides
        with self.init_scope():
            self.conv1 = L.Convolution2D(channels, width, **down)
            self.conv2 = L.Convolution2D(width, 2 * width, **down, nobias=True)
            self.bn2 = norm(2 * width)
            self.conv3 = L.Convolution2D(2 * width, 4 * width, **down, nobias=True)
            self.bn3 = norm(4 * width)
            if self.large:
                self.conv4 = L.Convolution2D(4 * width, 8 * width, **down, nobias=True)
                self.bn4 = norm(8 * width)
            self.fc = L.Linear(math.prod(small), out)

    def forward(self, images):  # C×H×W
        h = F.leaky_relu(self.conv1(images), 0.2)  # 32×H/2×W/2
        h = F.leaky_relu(self.bn2(self.conv2(h)), 0.2)  # 64×H/4×W/4
        h = F.leaky_relu(self.bn3(self.conv3(h)), 0.2)  # 128×H/8×W/8
        if self.large:
            h = F.leaky_relu(self.bn4(self.conv4(h)), 0.2)  # 256×H/16×W/16, if large
        return self.fc(F.reshape(h, (len(h), -1)))  # z: a code; or 1: a logit, above 0 for "real"


class CodeDiscriminator(chainer.Chain):
    def __init__(self, z, width):
        super().__init__()
        with self.init_scope():
            self.fc1 = L.Linear(z, width)
            self.fc2 = L.Linear(width, width)
            self.fc3 = L.Linear(width, 1)

    def forward(self, codes):  # z
        h = F.leaky_relu(self.fc1(codes), 0.2)  # 750
        h = F.leaky_relu(self.fc2(h), 0.2)  # 750
        return self.fc3(h)  # 1: a logit, above 0 where it says "drawn, not encoded"


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    return F.mean(F.softplus(-logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    return F.mean(F.softplus(logits))


def ratio(logits):
    """The mean of −log σ(logit) + log(1 − σ(logit)), which is −logit: no logarithm is left."""
    return -F.mean(logits)


class AlphaGAN(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        shape, sizes = recipe.image_shape, recipe.constants
        self.l1_weight = sizes["l1_weight"]
        with self.init_scope():
            self.encoder = Downwards(shape, sizes["e_width"], sizes["z"], batch_norm)
            self.generator = Generator(shape, sizes["z"], sizes["g_width"])
            self.discriminator = Downwards(shape, sizes["d_width"], 1, BatchStatistics)
            self.code_discriminator = CodeDiscriminator(sizes["z"], sizes["c_width"])
        e, g, d, c = (recipe.optimizers[f"{letter}_optimizer"] for letter in "egdc")
        self.e_optimizer = Adam(e.lr, *e.betas).setup(self.encoder)
        self.g_optimizer = Adam(g.lr, *g.betas).setup(self.generator)
        self.d_optimizer = Adam(d.lr, *d.betas).setup(self.discriminator)
        self.c_optimizer = Adam(c.lr, *c.betas).setup(self.code_discriminator)

    def train_step(self, batch):
        images, noise = batch["images"], batch["noise"]
        codes = self.encoder(images)  # ẑ
        copies, fakes = self.generator(codes), self.generator(noise)  # x̂, and only then x̃
        real, copied, faked = (self.discriminator(x) for x in (images, copies, fakes))
        drawn, encoded = self.code_discriminator(noise), self.code_discriminator(codes)

        l1 = F.sum(F.absolute(images - copies)) / len(images)  # ‖x − x̂‖₁, the batch's mean
        encoder_loss = ratio(encoded)  # −C(ẑ)
        generator_loss = ratio(copied) + ratio(faked)  # −D(x̂) − D(x̃)
        discriminator_loss = called_real(real) + called_fake(copied) + called_fake(faked)
        code_loss = called_real(drawn) + called_fake(encoded)

        # Each network learns from its own loss only, and no weight changes before all have learnt.
        near = self.l1_weight * l1
        networks = self.encoder, self.generator, self.discriminator, self.code_discriminator
        losses = near + encoder_loss, near + generator_loss, discriminator_loss, code_loss
        for network, loss in zip(networks, losses, strict=True):
            chainer.grad([loss], list(network.params()), set_grad=True)
        for optimizer in (self.e_optimizer, self.g_optimizer, self.d_optimizer, self.c_optimizer):
            optimizer.update()
        told = {"encoder": encoder_loss, "generator": generator_loss, "l1": l1}
        told |= {"discriminator": discriminator_loss, "code_discriminator": code_loss}
        return {name: loss.array for name, loss in told.items()}

    def generate(self, noise):
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            return self.generator(noise)  # batch normalisation in evaluation mode

    def reconstruct(self, images):
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            return self.generate(self.encoder(images))


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
