"""Question 14: the GAN landscape — Chainer.

Three losses, four ways to normalise the discriminator, a penalty and two architectures: one thing
changes at a time (Kurach et al. 2018, "A large-scale study on regularization and normalization in
GANs", arXiv 1807.04720). New here is spectral normalisation (Miyato et al. 2018, "Spectral
normalization for generative adversarial networks", arXiv 1802.05957).
"""

import math

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam, BatchStatistics, LayerNormalization
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L


def power(matrix, u):
    """One round of the power iteration (Miyato et al. 2018, algorithm 1): the next u, and v."""
    v = unit(matrix.T @ u)
    return unit(matrix @ v), v


def unit(vector):
    """A vector of length 1 in the same direction."""
    return vector / max((vector**2).sum() ** 0.5, 1e-12)


def spectral(weight, u):
    """W / σ. As a matrix with a row for each output, W stretches no vector by more than σ."""
    matrix = F.reshape(weight, (len(u), -1))
    u, v = power(matrix.array, u)  # arrays: u and v are constants in the gradient, σ is not
    return weight / F.broadcast_to(F.sum(u * F.matmul(matrix, v)), weight.shape)


class SpectralConv(L.Convolution2D):
    def __init__(self, inputs, outputs, **window):
        super().__init__(inputs, outputs, **window)
        self.add_persistent("u", self.xp.zeros(outputs, chainer.get_dtype()))

    def forward(self, x):
        return F.convolution_2d(x, spectral(self.W, self.u), self.b, self.stride, self.pad)


class SpectralLinear(L.Linear):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.add_persistent("u", self.xp.zeros(outputs, chainer.get_dtype()))

    def forward(self, x):
        return F.linear(x, spectral(self.W, self.u), self.b)


def turn(network):
    """Keep the next u of every spectral layer: once in a step, before its weights change."""
    for layer in network.links():
        if isinstance(layer, (SpectralConv, SpectralLinear)):
            layer.u[...] = power(layer.W.array.reshape(len(layer.u), -1), layer.u)[0]


class Generator(chainer.Chain):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.small = (8 * width, h // 8, w // 8)
        up = {"ksize": 4, "stride": 2, "pad": 1, "nobias": True}  # doubles the sides
        with self.init_scope():
            self.fc = L.Linear(z, math.prod(self.small), nobias=True)
            self.bn0 = batch_norm(math.prod(self.small))
            self.tconv1 = L.Deconvolution2D(8 * width, 4 * width, **up)
            self.bn1 = batch_norm(4 * width)
            self.tconv2 = L.Deconvolution2D(4 * width, 2 * width, **up)
            self.bn2 = batch_norm(2 * width)
            self.tconv3 = L.Deconvolution2D(2 * width, width, **up)
            self.bn3 = batch_norm(width)
            self.pixels = L.Deconvolution2D(width, channels, ksize=3, pad=1)

    def forward(self, noise):  # z
        h = F.relu(self.bn0(self.fc(noise)))  # 512·H/8·W/8
        h = F.reshape(h, (-1, *self.small))  # 512×H/8×W/8
        h = F.relu(self.bn1(self.tconv1(h)))  # 256×H/4×W/4
        h = F.relu(self.bn2(self.tconv2(h)))  # 128×H/2×W/2
        h = F.relu(self.bn3(self.tconv3(h)))  # 64×H×W
        return F.tanh(self.pixels(h))  # C×H×W in [-1, 1]


def batch_norm(channels):
    """Chainer's ε is 2e-5 and its decay counts the old share; other frameworks differ in both."""
    return L.BatchNormalization(channels, decay=0.9, eps=1e-5)


class Discriminator(chainer.Chain):
    def __init__(self, image_shape, width, norm):
        super().__init__()
        channels, h, w = image_shape
        conv, linear = layers_of(norm)
        same = {"ksize": 3, "pad": 1}
        down = {"ksize": 4, "stride": 2, "pad": 1}  # halves the sides
        with self.init_scope():
            self.conv1 = conv(channels, width, **same)
            self.conv2 = conv(width, 2 * width, **down)
            self.norm2 = norm_of(norm, 2 * width)
            self.conv3 = conv(2 * width, 2 * width, **same)
            self.norm3 = norm_of(norm, 2 * width)
            self.conv4 = conv(2 * width, 4 * width, **down)
            self.norm4 = norm_of(norm, 4 * width)
            self.conv5 = conv(4 * width, 4 * width, **same)
            self.norm5 = norm_of(norm, 4 * width)
            self.conv6 = conv(4 * width, 8 * width, **down)
            self.norm6 = norm_of(norm, 8 * width)
            self.conv7 = conv(8 * width, 8 * width, **same)
            self.norm7 = norm_of(norm, 8 * width)
            self.score = linear(8 * width * (h // 8) * (w // 8), 1)

    def forward(self, images):  # C×H×W
        h = F.leaky_relu(self.conv1(images), 0.1)  # 64×H×W
        h = F.leaky_relu(self.norm2(self.conv2(h)), 0.1)  # 128×H/2×W/2
        h = F.leaky_relu(self.norm3(self.conv3(h)), 0.1)  # 128×H/2×W/2
        h = F.leaky_relu(self.norm4(self.conv4(h)), 0.1)  # 256×H/4×W/4
        h = F.leaky_relu(self.norm5(self.conv5(h)), 0.1)  # 256×H/4×W/4
        h = F.leaky_relu(self.norm6(self.conv6(h)), 0.1)  # 512×H/8×W/8
        h = F.leaky_relu(self.norm7(self.conv7(h)), 0.1)  # 512×H/8×W/8
        return self.score(F.reshape(h, (len(h), -1)))  # 1: a score, without a sigmoid


def layers_of(norm):
    """The discriminator's kinds of convolution and linear layer."""
    return (SpectralConv, SpectralLinear) if norm == "spectral" else (L.Convolution2D, L.Linear)


def norm_of(norm, channels):
    """What the discriminator has before its activations."""
    if norm == "batch":
        return BatchStatistics(channels)
    if norm == "layer":
        return LayerNormalization(channels)  # each picture by itself, over C, H and W
    return F.identity


class ResNetGenerator(chainer.Chain):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.small = (width, h // 8, w // 8)
        with self.init_scope():
            self.fc = L.Linear(z, math.prod(self.small))
            self.block1, self.block2, self.block3 = UpBlock(width), UpBlock(width), UpBlock(width)
            self.bn = batch_norm(width)
            self.pixels = L.Convolution2D(width, channels, ksize=3, pad=1)

    def forward(self, noise):  # z
        h = F.reshape(self.fc(noise), (-1, *self.small))  # 64×H/8×W/8
        h = self.block3(self.block2(self.block1(h)))  # 64×H×W
        return F.tanh(self.pixels(F.relu(self.bn(h))))  # C×H×W in [-1, 1]


class UpBlock(chainer.Chain):
    def __init__(self, width):
        super().__init__()
        with self.init_scope():
            self.short = L.Convolution2D(width, width, ksize=1)
            self.bn1 = batch_norm(width)
            self.conv1 = L.Convolution2D(width, width, ksize=3, pad=1)
            self.bn2 = batch_norm(width)
            self.conv2 = L.Convolution2D(width, width, ksize=3, pad=1)

    def forward(self, x):  # 64×h×w
        h = self.conv1(doubled(F.relu(self.bn1(x))))  # 64×2h×2w
        h = self.conv2(F.relu(self.bn2(h)))  # 64×2h×2w
        return h + self.short(doubled(x))


def doubled(maps):
    """Each pixel four times: twice the height, twice the width."""
    return F.unpooling_2d(maps, 2, cover_all=False)


class ResNetDiscriminator(chainer.Chain):
    def __init__(self, image_shape, width, norm):
        super().__init__()
        _, linear = layers_of(norm)
        with self.init_scope():
            self.block1 = Block(image_shape[0], width, norm, first=True, down=True)
            self.block2 = Block(width, width, norm, down=True)
            self.block3 = Block(width, width, norm)
            self.block4 = Block(width, width, norm)
            self.score = linear(width, 1)

    def forward(self, images):  # C×H×W
        h = self.block2(self.block1(images))  # 64×H/4×W/4
        h = F.relu(self.block4(self.block3(h)))  # 64×H/4×W/4
        return self.score(F.mean(h, axis=(2, 3)))  # 1: a score, without a sigmoid


class Block(chainer.Chain):
    def __init__(self, inputs, width, norm, first=False, down=False):
        super().__init__()
        self.first, self.down = first, down
        conv, _ = layers_of(norm)
        with self.init_scope():
            if down:
                self.short = conv(inputs, width, ksize=1)
            self.norm1 = norm_of("none" if first else norm, inputs)
            self.conv1 = conv(inputs, width, ksize=3, pad=1)
            self.norm2 = norm_of("none" if first else norm, width)
            self.conv2 = conv(width, width, ksize=3, pad=1)

    def forward(self, x):  # the first block's: pixels
        h = x if self.first else F.relu(self.norm1(x))
        h = self.conv2(F.relu(self.norm2(self.conv1(h))))
        if not self.down:
            return h + x
        return halved(h) + self.short(halved(x))


def halved(maps):
    """The mean of each 2×2 pixels: half the height, half the width."""
    return F.average_pooling_2d(maps, 2)


def networks_of(recipe):
    """The generator and the discriminator of the recipe's architecture."""
    shape, constants = recipe.image_shape, recipe.constants
    z, g_width = constants["z"], constants["g_width"]
    d_width, norm = constants["d_width"], constants["norm"]
    if constants["architecture"] == "resnet":
        return ResNetGenerator(shape, z, g_width), ResNetDiscriminator(shape, d_width, norm)
    return Generator(shape, z, g_width), Discriminator(shape, d_width, norm)


def discriminator_loss(loss, real, fake):
    """What the discriminator pays for its scores of real and of fake pictures, N×1 each."""
    if loss == "non_saturating":  # cross-entropy: the mean of −log σ(real), of −log(1 − σ(fake))
        return F.mean(F.softplus(-real)) + F.mean(F.softplus(fake))
    if loss == "least_squares":  # Mao et al. 2016, equation 9
        return (F.mean((real - 1) ** 2) + F.mean(fake**2)) / 2
    return F.mean(fake) - F.mean(real)  # wasserstein: Arjovsky et al. 2017


def generator_loss(loss, fake):
    """What the generator pays for the scores of its pictures."""
    if loss == "non_saturating":
        return F.mean(F.softplus(-fake))
    if loss == "least_squares":
        return F.mean((fake - 1) ** 2) / 2
    return -F.mean(fake)


class GANLandscape(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        with self.init_scope():
            self.generator, self.discriminator = networks_of(recipe)
        self.loss = recipe.constants["loss"]
        self.penalty_weight = recipe.constants["penalty_weight"]
        self.rounds = recipe.train.rounds
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.d_optimizer.setup(self.discriminator)
        self.g_optimizer = Adam(g.lr, *g.betas)
        self.g_optimizer.setup(self.generator)

    def slope(self, images):
        """How steep the discriminator is at each picture: ‖∂D/∂x‖ over all its numbers, N."""
        images = chainer.Variable(images)
        scores = self.discriminator(images)
        (slopes,) = chainer.grad([F.sum(scores)], [images], enable_double_backprop=True)
        return F.sqrt(F.sum(slopes**2, axis=(1, 2, 3)) + 1e-12)

    def train_step(self, batch):
        # The discriminator's steps, each with its own batch.
        rounds = (
            self.xp.split(batch[name], self.rounds) for name in ("images", "noise", "epsilon")
        )
        for images, noise, epsilon in zip(*rounds, strict=True):
            with chainer.no_backprop_mode():  # the generator does not learn here
                fake = self.generator(noise).array
            real, made = self.discriminator(images), self.discriminator(fake)
            d_loss = discriminator_loss(self.loss, real, made)
            if self.penalty_weight > 0:
                length = self.slope(epsilon * images + (1 - epsilon) * fake)
                d_loss += self.penalty_weight * F.mean((length - 1) ** 2)
            self.discriminator.cleargrads()
            d_loss.backward()
            turn(self.discriminator)
            self.d_optimizer.update()

        # The generator's step, against the discriminator's new weights.
        g_loss = generator_loss(self.loss, self.discriminator(self.generator(batch["g_noise"])))
        chainer.grad([g_loss], list(self.generator.params()), set_grad=True)
        self.g_optimizer.update()
        return {"discriminator": d_loss.array, "generator": g_loss.array}

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
    main("gan_landscape", framework, GANLandscape, train, sample)
