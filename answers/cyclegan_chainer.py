"""Question 20: CycleGAN — Chainer.

Two kinds of pictures, and not one pair: a translator each way, a discriminator for each kind, and
the demand that a picture comes back from the trip there and back (Zhu et al. 2017, "Unpaired
image-to-image translation using cycle-consistent adversarial networks", arXiv 1703.10593).
"""

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L

BY_TWO = {"ksize": 4, "stride": 2, "pad": 1}


def instance_norm(channels):
    """Normalises each map of each picture by itself: as many groups as there are channels."""
    return L.GroupNormalization(channels, channels)


class Generator(chainer.Chain):
    """Question 08's U-Net with three halvings; each map of each picture is normalised by itself."""

    def __init__(self, image_shape, width):
        super().__init__()
        channels = image_shape[0]
        with self.init_scope():
            self.down1 = L.Convolution2D(channels, width, **BY_TWO)
            self.down2 = L.Convolution2D(width, 2 * width, **BY_TWO, nobias=True)
            self.down_norm2 = instance_norm(2 * width)
            self.down3 = L.Convolution2D(2 * width, 4 * width, **BY_TWO, nobias=True)
            self.down_norm3 = instance_norm(4 * width)
            self.up3 = L.Deconvolution2D(4 * width, 2 * width, **BY_TWO, nobias=True)
            self.up_norm3 = instance_norm(2 * width)
            self.up2 = L.Deconvolution2D(4 * width, width, **BY_TWO, nobias=True)
            self.up_norm2 = instance_norm(width)
            self.up1 = L.Deconvolution2D(2 * width, channels, **BY_TWO)

    def forward(self, images):  # C×H×W
        skip1 = self.down1(images)  # 64×H/2×W/2
        skip2 = self.down_norm2(self.down2(F.leaky_relu(skip1, 0.2)))  # 128×H/4×W/4
        h = self.down_norm3(self.down3(F.leaky_relu(skip2, 0.2)))  # 256×H/8×W/8
        h = self.up_norm3(self.up3(F.relu(h)))  # 128×H/4×W/4
        h = self.up_norm2(self.up2(F.relu(F.concat([h, skip2], axis=1))))  # 64×H/2×W/2
        return F.tanh(self.up1(F.relu(F.concat([h, skip1], axis=1))))  # C×H×W in [-1, 1]


class Discriminator(chainer.Chain):
    """A PatchGAN: each number says how real 34×34 pixels are, 1 for real."""

    def __init__(self, image_shape, width):
        super().__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(image_shape[0], width, **BY_TWO)
            self.conv2 = L.Convolution2D(width, 2 * width, **BY_TWO, nobias=True)
            self.norm2 = instance_norm(2 * width)
            self.conv3 = L.Convolution2D(2 * width, 4 * width, ksize=4, pad=1, nobias=True)
            self.norm3 = instance_norm(4 * width)
            self.real = L.Convolution2D(4 * width, 1, ksize=4, pad=1)

    def forward(self, images):  # C×H×W
        h = F.leaky_relu(self.conv1(images), 0.2)  # 64×H/2×W/2
        h = F.leaky_relu(self.norm2(self.conv2(h)), 0.2)  # 128×H/4×W/4
        h = F.leaky_relu(self.norm3(self.conv3(h)), 0.2)  # a row and a column fewer
        return self.real(h)  # 1×H/4−2×W/4−2: a number for each patch


class Pool(chainer.Link):
    """Former pictures of a generator: a discriminator must not forget what it has seen."""

    def __init__(self, image_shape, size, share):
        super().__init__()
        self.share = share
        zeros = self.xp.zeros((size, *image_shape), chainer.get_dtype())
        self.add_persistent("pictures", zeros)

    def exchange(self, fresh, chances, places, step):
        """The pictures to judge: new ones, or former ones in their place. The new stay here."""
        judged = []
        held = (step - 1) * len(fresh)  # so many came before
        for n, new in enumerate(fresh.array):
            if held + n < len(self.pictures):
                self.pictures[held + n] = new  # there is room: none goes
            elif chances[n] < self.share:
                former = self.pictures[places[n]].copy()
                self.pictures[places[n]] = new
                new = former
            judged.append(new)
        return self.xp.stack(judged)


def called_real(values):
    """Least squares against label 1: the mean of (D − 1)²."""
    return F.mean(F.square(values - 1))


def called_fake(values):
    """Least squares against label 0: the mean of D²."""
    return F.mean(F.square(values))


def distance(made, wanted):
    """L1: the mean of |made − wanted|."""
    return F.mean(F.absolute(made - wanted))


class CycleGAN(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        with self.init_scope():
            self.generator_y = Generator(shape, constants["g_width"])  # x → y
            self.generator_x = Generator(shape, constants["g_width"])  # y → x
            self.discriminator_x = Discriminator(shape, constants["d_width"])
            self.discriminator_y = Discriminator(shape, constants["d_width"])
            self.pool_x = Pool(shape, constants["pool_size"], constants["from_pool"])
            self.pool_y = Pool(shape, constants["pool_size"], constants["from_pool"])
        self.cycle_weight = constants["cycle_weight"]
        self.identity_weight = constants["identity_weight"]
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.judges = chainer.ChainList(self.discriminator_x, self.discriminator_y)
        self.generators = chainer.ChainList(self.generator_y, self.generator_x)
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.d_optimizer.setup(self.judges)
        self.g_optimizer = Adam(g.lr, *g.betas)
        self.g_optimizer.setup(self.generators)

    def train_step(self, batch):
        x, y = batch["images"], batch["others"]
        fake_y, fake_x = self.generator_y(x), self.generator_x(y)

        # The discriminators' step, at half speed, on new fakes and former ones.
        old_x = self.pool_x.exchange(fake_x, batch["chance_x"], batch["place_x"], batch["step"])
        old_y = self.pool_y.exchange(fake_y, batch["chance_y"], batch["place_y"], batch["step"])
        d_x_loss = called_real(self.discriminator_x(x)) + called_fake(self.discriminator_x(old_x))
        d_y_loss = called_real(self.discriminator_y(y)) + called_fake(self.discriminator_y(old_y))
        self.judges.cleargrads()
        ((d_x_loss + d_y_loss) / 2).backward()
        self.d_optimizer.update()

        # The generators': to be called real, to come back, and to leave alone what is right.
        g_x_loss = called_real(self.discriminator_x(fake_x))
        g_y_loss = called_real(self.discriminator_y(fake_y))
        cycle = distance(self.generator_x(fake_y), x) + distance(self.generator_y(fake_x), y)
        identity = distance(self.generator_y(y), y) + distance(self.generator_x(x), x)
        whole = g_x_loss + g_y_loss + self.cycle_weight * cycle + self.identity_weight * identity
        chainer.grad([whole], list(self.generators.params()), set_grad=True)
        self.g_optimizer.update()
        losses = {
            "discriminator_x": d_x_loss / 2,
            "discriminator_y": d_y_loss / 2,
            "generator_x": g_x_loss,
            "generator_y": g_y_loss,
            "cycle": cycle,
            "identity": identity,
        }
        return {name: loss.array for name, loss in losses.items()}

    def generate(self, images):
        with chainer.no_backprop_mode():
            return self.generator_y(images)

    def generate_back(self, others):
        with chainer.no_backprop_mode():
            return self.generator_x(others)


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    x, y = run.examples["images"], run.examples["others"]
    there, back = model.generate(x), model.generate_back(y)
    run.show(**{"x": x, "x to y": there, "y": y, "y to x": back})


if __name__ == "__main__":
    main("cyclegan", framework, CycleGAN, train, sample)
