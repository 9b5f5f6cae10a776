"""Question 07: conditional GAN — Chainer.

Give both networks the class, beside the noise and beside the picture: then one generator draws
every digit on demand (Mirza & Osindero 2014, "Conditional generative adversarial nets", arXiv
1411.1784). The networks are those of question 06.
"""

import math

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L


class Generator(chainer.Chain):
    def __init__(self, image_shape, z, classes, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        self.small = (2 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        self.sides = [(h // n, w // n) for n in (8, 4, 2, 1)]
        with self.init_scope():
            self.fc = L.Linear(z + classes, math.prod(self.small), nobias=True)
            self.bn0 = batch_norm(math.prod(self.small))
            if self.large:
                self.tconv1 = up(2 * width, 4 * width, self.sides[0], nobias=True)
                self.bn1 = batch_norm(4 * width)
            self.tconv2 = up(4 * width, 2 * width, self.sides[1], nobias=True)
            self.bn2 = batch_norm(2 * width)
            self.tconv3 = up(2 * width, width, self.sides[2], nobias=True)
            self.bn3 = batch_norm(width)
            self.pixels = up(width, channels, self.sides[3])

    def forward(self, asked):  # z + classes
        h = F.relu(self.bn0(self.fc(asked)))  # 512·H/8·W/8; large: 256·H/16·W/16
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


class Discriminator(chainer.Chain):
    def __init__(self, image_shape, classes, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        small = (8 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        down = {"ksize": 5, "stride": 2, "pad": 2}  # halves the sides
        with self.init_scope():
            self.conv1 = L.Convolution2D(channels + classes, width, **down)
            self.conv2 = L.Convolution2D(width, 2 * width, **down, nobias=True)
            self.bn2 = batch_norm(2 * width)
            self.conv3 = L.Convolution2D(2 * width, 4 * width, **down, nobias=True)
            self.bn3 = batch_norm(4 * width)
            if self.large:
                self.conv4 = L.Convolution2D(4 * width, 8 * width, **down, nobias=True)
                self.bn4 = batch_norm(8 * width)
            self.real = L.Linear(math.prod(small), 1)

    def forward(self, told):  # (C + classes)×H×W
        h = F.leaky_relu(self.conv1(told), 0.2)  # 32×H/2×W/2
        h = F.leaky_relu(self.bn2(self.conv2(h)), 0.2)  # 64×H/4×W/4
        h = F.leaky_relu(self.bn3(self.conv3(h)), 0.2)  # 128×H/8×W/8
        if self.large:
            h = F.leaky_relu(self.bn4(self.conv4(h)), 0.2)  # 256×H/16×W/16, if large
        return self.real(F.reshape(h, (len(h), -1)))  # 1: a logit, above 0 where it says "real"


def ask(noise, classes):
    """The generator's input: z, then the one-hot class, N×(z + classes)."""
    return F.concat([noise, classes], axis=1)


def tell(images, classes):
    """The discriminator's: the picture, then a plane of ones or zeros for each class."""
    shape = (*classes.shape, *images.shape[2:])  # classes×H×W
    planes = F.broadcast_to(classes[:, :, None, None], shape)
    return F.concat([images, planes], axis=1)


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    return F.mean(F.softplus(-logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    return F.mean(F.softplus(logits))


class ConditionalGAN(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        self.classes = constants["classes"]
        with self.init_scope():
            self.generator = Generator(shape, constants["z"], self.classes, constants["g_width"])
            self.discriminator = Discriminator(shape, self.classes, constants["d_width"])
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.d_optimizer.setup(self.discriminator)
        self.g_optimizer = Adam(g.lr, *g.betas)
        self.g_optimizer.setup(self.generator)

    def one_hot(self, labels):
        """N class numbers as N×classes zeros with a one at the class."""
        return self.xp.eye(self.classes, dtype=chainer.get_dtype())[labels]

    def train_step(self, batch):
        classes = self.one_hot(batch["labels"])
        real = tell(batch["images"], classes)
        fake = tell(self.generator(ask(batch["noise"], classes)), classes)

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

    def generate(self, noise, labels):
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            return self.generator(ask(noise, self.one_hot(labels)))  # in evaluation mode


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
