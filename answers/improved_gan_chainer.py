"""Question 13: improved techniques for GANs — Chainer.

Six tricks against collapse, each with a switch: the discriminator compares the pictures of a batch,
names classes of which only a few labels are known, and is never too sure; the generator matches
features, and normalises by a fixed batch; both stay near the mean of their earlier weights
(Salimans et al. 2016, "Improved techniques for training GANs", arXiv 1606.03498).
"""

import copy
import math

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam, bce_with_logits
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L


def joined(rows, count):
    """Of N×C means, the first `count` of the reference: what each row is normalised by."""
    reference = F.mean(rows[:count], 0, keepdims=True)
    rest = rows[count:]
    others = (rest + count * F.broadcast_to(reference, rest.shape)) / (count + 1)  # one row more
    return F.concat([F.repeat(reference, count, 0), others], 0)


class VirtualNorm(chainer.Link):
    """Batch normalisation by the first `count` rows: no other picture sees its neighbours."""

    def __init__(self, channels):
        super().__init__()
        with self.init_scope():
            self.gamma = chainer.Parameter(1, (channels,))
            self.beta = chainer.Parameter(0, (channels,))

    def forward(self, h, count):
        rows = F.reshape(h, (*h.shape[:2], -1))  # N×C×places
        mean, square = joined(F.mean(rows, 2), count), joined(F.mean(rows**2, 2), count)
        root = F.sqrt(square - mean**2 + 1e-5)
        scale, shift = F.broadcast_to(self.gamma, root.shape) / root, self.beta[None, :, None]
        mean, scale, shift = (
            F.broadcast_to(x, rows.shape) for x in (wide(mean), wide(scale), shift)
        )
        return F.reshape((rows - mean) * scale + shift, h.shape)


def wide(rows):
    """N×C as N×C×1."""
    return F.expand_dims(rows, 2)


class Generator(chainer.Chain):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        self.small = (2 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        self.sides = [(h // n, w // n) for n in (8, 4, 2, 1)]
        with self.init_scope():
            self.fc = L.Linear(z, math.prod(self.small), nobias=True)
            self.vn0 = VirtualNorm(math.prod(self.small))
            if self.large:
                self.tconv1 = up(2 * width, 4 * width, self.sides[0], nobias=True)
                self.vn1 = VirtualNorm(4 * width)
            self.tconv2 = up(4 * width, 2 * width, self.sides[1], nobias=True)
            self.vn2 = VirtualNorm(2 * width)
            self.tconv3 = up(2 * width, width, self.sides[2], nobias=True)
            self.vn3 = VirtualNorm(width)
            self.pixels = up(width, channels, self.sides[3])

    def forward(self, noise, reference):  # z each
        count = len(reference)
        h = self.fc(self.xp.concatenate([reference, noise]))
        h = F.relu(self.vn0(h, count))  # 256·H/8·W/8; large: 128·H/16·W/16
        h = F.reshape(h, (-1, *self.small))  # 256×H/8×W/8; large: 128×H/16×W/16
        if self.large:
            h = F.relu(self.vn1(self.tconv1(h), count))  # 256×H/8×W/8, if large
        h = F.relu(self.vn2(self.tconv2(h), count))  # 128×H/4×W/4
        h = F.relu(self.vn3(self.tconv3(h), count))  # 64×H/2×W/2
        return F.tanh(self.pixels(h[count:]))  # C×H×W in [-1, 1], of the noise alone


def up(channels, out, sides, **bias):
    """A transposed convolution that doubles the sides, given the sides of the result."""
    return L.Deconvolution2D(channels, out, ksize=5, stride=2, pad=2, outsize=sides, **bias)


class Closeness(chainer.Link):
    """Minibatch discrimination: how close each picture is to all others, in `kernels` ways.

    M = f Tᵀ as N×kernels×dims; o_b(i) = Σ over j ≠ i of exp(−‖M_ib − M_jb‖₁), times `scale`.
    """

    def __init__(self, inputs, kernels, dims, scale):
        super().__init__()
        self.shape, self.scale = (-1, kernels, dims), scale
        with self.init_scope():
            self.W = chainer.Parameter(0, (kernels * dims, inputs))

    def forward(self, features):
        m = F.reshape(F.linear(features, self.W), self.shape)
        n, kernels, dims = m.shape
        one = F.broadcast_to(m[:, None], (n, n, kernels, dims))
        apart = F.sum(F.absolute(one - F.broadcast_to(m[None], one.shape)), 3)  # N×N×kernels
        return self.scale * (F.sum(F.exp(-apart), 1) - 1)  # without itself: exp(0) = 1


class Discriminator(chainer.Chain):
    def __init__(self, image_shape, width, classes, compared):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        small = (8 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        kernels, dims, scale = compared
        down = {"ksize": 5, "stride": 2, "pad": 2}  # halves the sides
        with self.init_scope():
            self.conv1 = L.Convolution2D(channels, width, **down)
            self.conv2 = L.Convolution2D(width, 2 * width, **down)
            self.conv3 = L.Convolution2D(2 * width, 4 * width, **down)
            if self.large:
                self.conv4 = L.Convolution2D(4 * width, 8 * width, **down)
            self.closeness = Closeness(math.prod(small), kernels, dims, scale)
            self.classes = L.Linear(kernels + math.prod(small), classes)

    def features(self, images):  # C×H×W
        h = F.leaky_relu(self.conv1(images), 0.2)  # 64×H/2×W/2
        h = F.leaky_relu(self.conv2(h), 0.2)  # 128×H/4×W/4
        h = F.leaky_relu(self.conv3(h), 0.2)  # 256×H/8×W/8
        if self.large:
            h = F.leaky_relu(self.conv4(h), 0.2)  # 512×H/16×W/16, if large
        return F.reshape(h, (len(h), -1))

    def logits(self, features):
        return self.classes(F.concat([self.closeness(features), features], 1))

    def forward(self, images):
        return self.logits(self.features(images))  # classes: the logit of "made" is always 0


def total(logits):
    """s = log Σ exp of the K logits: with "made" at 0, D(x) = σ(s)."""
    return F.logsumexp(logits, 1)


def called_real(s, label=1.0):
    """The mean of −a·log D − (1 − a)·log(1 − D), a = `label`: below 1, "real" is said less sure."""
    return bce_with_logits(s, label)


def called_fake(s):
    """The mean of −log(1 − D)."""
    return bce_with_logits(s, 0.0)


def named(logits, labels):
    """Cross-entropy over the K classes, "made" left out: the mean of s − the label's logit."""
    return F.softmax_cross_entropy(logits, labels)


def matched(real, made):
    """Feature matching: ‖mean f(x) − mean f(G(z))‖², each mean over its batch."""
    return F.sum((F.mean(real, 0) - F.mean(made, 0)) ** 2)


def far_from(mean, network):
    """Historical averaging: ‖θ − θ̄‖² over all weights; θ̄ itself is not moved by its slope."""
    together = zip(network.params(), mean.params(), strict=True)
    return sum(F.sum((weight - middle.array) ** 2) for weight, middle in together)


def follow(mean, network, step):
    """θ̄, the mean of the first weights and of those after each step: θ̄ += (θ − θ̄) / (t + 1)."""
    for middle, weight in zip(mean.params(), network.params(), strict=True):
        middle.array += (weight.array - middle.array) / (int(step) + 1)


class ImprovedGAN(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        shape, c = recipe.image_shape, recipe.constants
        compared = c["kernels"], c["dims"], c["closeness"]
        self.each, self.unlabelled, self.real_label = c["each"], c["unlabelled"], c["real_label"]
        self.adversarial, self.matching = c["adversarial"], c["matching"]
        self.history = c["history"]
        with self.init_scope():
            self.generator = Generator(shape, c["z"], c["g_width"])
            self.discriminator = Discriminator(shape, c["d_width"], c["classes"], compared)
            if self.history:
                self.generator_mean = copy.deepcopy(self.generator)
                self.discriminator_mean = copy.deepcopy(self.discriminator)
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.d_optimizer.setup(self.discriminator)
        self.g_optimizer = Adam(g.lr, *g.betas)
        self.g_optimizer.setup(self.generator)

    def train_step(self, batch):
        real = batch["images"]
        fake = self.generator(batch["noise"], batch["reference"])

        # The discriminator's step: each of its batches is all known, all real, or all fake.
        real_loss = called_real(total(self.discriminator(real)), self.real_label)
        fake_loss = called_fake(total(self.discriminator(fake.array)))
        discriminator_loss = self.unlabelled / 2 * (real_loss + fake_loss)
        named_loss = 0 * real_loss
        if self.each:
            named_loss = named(self.discriminator(batch["known_images"]), batch["known_labels"])
            discriminator_loss = discriminator_loss + named_loss
        if self.history:
            far = far_from(self.discriminator_mean, self.discriminator)
            discriminator_loss = discriminator_loss + self.history * far
        self.discriminator.cleargrads()
        discriminator_loss.backward()
        self.d_optimizer.update()
        if self.history:
            follow(self.discriminator_mean, self.discriminator, batch["step"])

        # The generator's: its pictures, as the discriminator's new weights see them.
        features = self.discriminator.features(fake)
        generator_loss = self.adversarial * called_real(total(self.discriminator.logits(features)))
        if self.matching:
            wanted = self.discriminator.features(real).array
            generator_loss = generator_loss + self.matching * matched(wanted, features)
        if self.history:
            far = far_from(self.generator_mean, self.generator)
            generator_loss = generator_loss + self.history * far
        chainer.grad([generator_loss], list(self.generator.params()), set_grad=True)
        self.g_optimizer.update()
        if self.history:
            follow(self.generator_mean, self.generator, batch["step"])
        losses = {"discriminator": discriminator_loss, "generator": generator_loss}
        return {name: loss.array for name, loss in (*losses.items(), ("named", named_loss))}

    def generate(self, noise, reference):
        with chainer.no_backprop_mode():
            return self.generator(noise, reference)  # the same function as in training

    def classify(self, images):
        with chainer.no_backprop_mode():
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
