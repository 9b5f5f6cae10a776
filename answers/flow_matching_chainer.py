"""Question 18: flow matching — Chainer.

Lead noise to pictures on straight lines: mix both evenly, and let a network say which way it is
from the one to the other (Lipman et al. 2022, "Flow matching for generative modeling", arXiv
2210.02747; Liu et al. 2022, "Flow straight and fast", arXiv 2209.03003). Ask for a class, and go a
bit further than it leads (Ho & Salimans 2022, "Classifier-free diffusion guidance", 2207.12598).
"""

import math

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L


def sinusoids(t, size):
    """N numbers as N×size: sin(t fₖ), then cos(t fₖ), fₖ = 10000^(−k/K) for k = 0 … K − 1."""
    xp, kind = chainer.backend.get_array_module(t), chainer.get_dtype()
    k = xp.arange(size // 2, dtype=kind)
    angles = t[:, None].astype(kind) * xp.exp(-math.log(10000) / (size // 2) * k)
    return xp.concatenate([xp.sin(angles), xp.cos(angles)], 1)


def silu(x):
    """x · σ(x)."""
    return x * F.sigmoid(x)


class UNet(chainer.Chain):
    def __init__(self, channels, classes, maps, groups, time):
        super().__init__()
        self.size = time
        half = {"ksize": 3, "stride": 2, "pad": 1}  # halves the sides
        with self.init_scope():
            self.time1, self.time2 = L.Linear(time, time), L.Linear(time, time)
            self.asked = L.Linear(classes, time, nobias=True)
            self.first = L.Convolution2D(channels, maps, ksize=3, pad=1)
            self.down1 = Block(maps, maps, groups, time)
            self.half1 = L.Convolution2D(maps, maps, **half)
            self.down2 = Block(maps, 2 * maps, groups, time)
            self.half2 = L.Convolution2D(2 * maps, 2 * maps, **half)
            self.middle1 = Block(2 * maps, 4 * maps, groups, time)
            self.middle2 = Block(4 * maps, 4 * maps, groups, time)
            self.up2 = Block(6 * maps, 2 * maps, groups, time)
            self.up1 = Block(3 * maps, maps, groups, time)
            self.norm = L.GroupNormalization(groups, maps)
            self.last = L.Convolution2D(maps, channels, ksize=3, pad=1)

    def forward(self, x, t, row):  # C×H×W, a number, classes
        time = silu(self.time1(sinusoids(t, self.size)))
        time = silu(self.time2(time) + self.asked(row))  # 128
        skip1 = self.down1(self.first(x), time)  # 32×H×W
        skip2 = self.down2(self.half1(skip1), time)  # 64×H/2×W/2
        h = self.middle1(self.half2(skip2), time)  # 128×H/4×W/4
        h = self.middle2(h, time)  # 128×H/4×W/4
        h = self.up2(F.concat([doubled(h), skip2], 1), time)  # 64×H/2×W/2
        h = self.up1(F.concat([doubled(h), skip1], 1), time)  # 32×H×W
        return self.last(silu(self.norm(h)))  # C×H×W: the way from noise to pictures


class Block(chainer.Chain):
    def __init__(self, inputs, maps, groups, time):
        super().__init__()
        with self.init_scope():
            self.short = F.identity if inputs == maps else L.Convolution2D(inputs, maps, ksize=1)
            self.norm1 = L.GroupNormalization(groups, inputs)
            self.conv1 = L.Convolution2D(inputs, maps, ksize=3, pad=1)
            self.time = L.Linear(time, maps)
            self.norm2 = L.GroupNormalization(groups, maps)
            self.conv2 = L.Convolution2D(maps, maps, ksize=3, pad=1)

    def forward(self, x, time):
        h = self.conv1(silu(self.norm1(x)))
        h = h + F.broadcast_to(self.time(time)[:, :, None, None], h.shape)  # at every place
        return self.conv2(silu(self.norm2(h))) + self.short(x)


def doubled(maps):
    """Each pixel four times: twice the height, twice the width."""
    return F.unpooling_2d(maps, 2, cover_all=False)


def between(epsilon, images, t):
    """x_t = (1 − t) ε + t x: noise at t = 0, a picture at t = 1, and a straight line between."""
    return (1 - t) * epsilon + t * images


def wanted(epsilon, images):
    """The direction of that line, which is the same all along: dx_t/dt = x − ε."""
    return images - epsilon


def velocity_loss(guess, direction):
    """The mean of (v − v̂)²."""
    return F.mean((guess - direction) ** 2)


def follow(mean, network, decay, step):
    """θ̄ ← d θ̄ + (1 − d) θ, with a smaller d in the first steps: (1 + step) / (10 + step)."""
    new = 1 - min(decay, (1 + int(step)) / (10 + int(step)))
    for middle, weight in zip(mean.params(), network.params(), strict=True):
        middle.array += new * (weight.array - middle.array)


def guided(told, untold, guidance):
    """(1 + w) v(x, class) − w v(x): further away from what any class would do (equation 6)."""
    return (1 + guidance) * told - guidance * untold


class FlowMatching(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        channels, c = recipe.image_shape[0], recipe.constants
        self.classes = c["classes"]
        with self.init_scope():
            self.unet = UNet(channels, self.classes, c["maps"], c["groups"], c["time"])
            self.unet_mean = UNet(channels, self.classes, c["maps"], c["groups"], c["time"])
        self.drop, self.guidance, self.decay = c["drop"], c["guidance"], c["decay"]
        self.solver, self.sample_steps = c["solver"], c["sample_steps"]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = Adam(settings.lr, *settings.betas)
        self.optimizer.setup(self.unet)

    def one_hot(self, labels):
        """N class numbers as N×classes zeros with a one at the class."""
        return self.unet.xp.eye(self.classes, dtype=chainer.get_dtype())[labels]

    def train_step(self, batch):
        images, epsilon, t = batch["images"], batch["epsilon"], batch["t"]
        told = batch["chance"] >= self.drop
        row = told[:, None] * self.one_hot(batch["labels"])  # zeros: any class
        x, direction = between(epsilon, images, t[:, None, None, None]), wanted(epsilon, images)
        loss = velocity_loss(self.unet(x, 1000 * t, row), direction)
        self.unet.cleargrads()
        loss.backward()
        self.optimizer.update()
        follow(self.unet_mean, self.unet, self.decay, batch["step"])
        return {"loss": loss.array}

    def velocity(self, x, t, row):
        """Which way the mean of the weights goes on from x at time t, guided to the class."""
        times = self.unet_mean.xp.full(len(x), 1000 * t, x.dtype)
        told = self.unet_mean(x, times, row).array
        if self.guidance == 0:
            return told
        untold = self.unet_mean(x, times, self.unet_mean.xp.zeros_like(row)).array
        return guided(told, untold, self.guidance)

    def stride(self, x, t, step, row):
        """x_t as x_{t + step}: along the direction here, or along that of half the way."""
        if self.solver == "euler":
            return x + step * self.velocity(x, t, row)
        middle = x + step / 2 * self.velocity(x, t, row)
        return x + step * self.velocity(middle, t + step / 2, row)

    def generate(self, noise, labels):
        x, row, steps = noise, self.one_hot(labels), self.sample_steps
        with chainer.no_backprop_mode():
            for i in range(steps):
                x = self.stride(x, i / steps, 1 / steps, row)
        return x


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    noise = run.examples["noise"]
    run.show(**{name: model.generate(noise, labels) for name, labels in run.classes()})


if __name__ == "__main__":
    main("flow_matching", framework, FlowMatching, train, sample)
