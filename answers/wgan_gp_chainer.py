"""Question 10: WGAN with gradient penalty — Chainer.

A penalty pulls the critic's slope to 1, where question 09 clips weights (Gulrajani et al. 2017,
"Improved training of Wasserstein GANs", arXiv 1704.00028): a gradient of a gradient.
"""

import math

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam, LayerNormalization
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


class Critic(chainer.Chain):
    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        small = (8 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        down = {"ksize": 5, "stride": 2, "pad": 2}  # halves the sides
        with self.init_scope():
            self.conv1 = L.Convolution2D(channels, width, **down)
            self.conv2 = L.Convolution2D(width, 2 * width, **down)
            self.ln2 = LayerNormalization(2 * width)
            self.conv3 = L.Convolution2D(2 * width, 4 * width, **down)
            self.ln3 = LayerNormalization(4 * width)
            if self.large:
                self.conv4 = L.Convolution2D(4 * width, 8 * width, **down)
                self.ln4 = LayerNormalization(8 * width)
            self.score = L.Linear(math.prod(small), 1)

    def forward(self, images):  # C×H×W
        h = F.leaky_relu(self.conv1(images), 0.2)  # 32×H/2×W/2
        h = F.leaky_relu(self.ln2(self.conv2(h)), 0.2)  # 64×H/4×W/4
        h = F.leaky_relu(self.ln3(self.conv3(h)), 0.2)  # 128×H/8×W/8
        if self.large:
            h = F.leaky_relu(self.ln4(self.conv4(h)), 0.2)  # 256×H/16×W/16, if large
        return self.score(F.reshape(h, (len(h), -1)))  # 1: a score, without a sigmoid


class WGANGP(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        with self.init_scope():
            self.generator = Generator(shape, constants["z"], constants["g_width"])
            self.critic = Critic(shape, constants["c_width"])
        self.rounds, self.weight = recipe.train.rounds, constants["penalty_weight"]
        c, g = recipe.optimizers["c_optimizer"], recipe.optimizers["g_optimizer"]
        self.c_optimizer = Adam(c.lr, *c.betas)
        self.c_optimizer.setup(self.critic)
        self.g_optimizer = Adam(g.lr, *g.betas)
        self.g_optimizer.setup(self.generator)

    def slope(self, images):
        """How steep the critic is at each picture: ‖∂C/∂x‖ over all its numbers, N."""
        images = chainer.Variable(images)
        scores = self.critic(images)  # a picture's score depends on that picture alone
        (slopes,) = chainer.grad([F.sum(scores)], [images], enable_double_backprop=True)
        return F.sqrt(F.sum(slopes**2, axis=(1, 2, 3)) + 1e-12)

    def train_step(self, batch):
        # The critic's steps, each with its own batch: real pictures score up, fake ones down.
        rounds = (
            self.xp.split(batch[name], self.rounds) for name in ("images", "noise", "epsilon")
        )
        for images, noise, epsilon in zip(*rounds, strict=True):
            with chainer.no_backprop_mode():  # the generator does not learn here
                fake = self.generator(noise)
            wasserstein = F.mean(self.critic(images)) - F.mean(self.critic(fake))
            length = self.slope(epsilon * images + (1 - epsilon) * fake.array)
            penalty = F.mean((length - 1) ** 2)
            self.critic.cleargrads()
            (self.weight * penalty - wasserstein).backward()
            self.c_optimizer.update()

        # The generator's step: its pictures should score higher.
        generator_loss = -F.mean(self.critic(self.generator(batch["g_noise"])))
        chainer.grad([generator_loss], list(self.generator.params()), set_grad=True)
        self.g_optimizer.update()
        return {
            "wasserstein": wasserstein.array,
            "penalty": penalty.array,
            "gradient_norm": F.mean(length).array,
            "generator": generator_loss.array,
        }

    def generate(self, noise):
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            return self.generator(noise)  # batch normalisation in evaluation mode


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    run.show(sample=model.generate(run.examples["noise"]))


if __name__ == "__main__":
    main("wgan_gp", framework, WGANGP, train, sample)
