"""Question 18: flow matching — Keras.

Lead noise to pictures on straight lines: mix both evenly, and let a network say which way it is
from the one to the other (Lipman et al. 2022, "Flow matching for generative modeling", arXiv
2210.02747; Liu et al. 2022, "Flow straight and fast", arXiv 2209.03003). Ask for a class, and go a
bit further than it leads (Ho & Salimans 2022, "Classifier-free diffusion guidance", 2207.12598).
"""

import math

from knock.frameworks import keras as framework
from knock.frameworks.keras import Adam, Conv2D
from knock.run import main

import keras
import tensorflow as tf
from keras import layers, ops


def sinusoids(t, size):
    """N numbers as N×size: sin(t fₖ), then cos(t fₖ), fₖ = 10000^(−k/K) for k = 0 … K − 1."""
    k = ops.arange(size // 2, dtype=keras.config.floatx())
    angles = ops.cast(t, k.dtype)[:, None] * ops.exp(-math.log(10000) / (size // 2) * k)
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], 1)


class UNet(keras.Model):
    def __init__(self, channels, maps, groups, time):
        super().__init__()
        self.size = time
        self.time1, self.time2 = layers.Dense(time), layers.Dense(time)
        self.asked = layers.Dense(time, use_bias=False)
        self.first = Conv2D(maps, kernel_size=3, pad=1)
        half = {"kernel_size": 3, "strides": 2, "pad": 1}  # halves the sides
        self.down1 = Block(maps, maps, groups)
        self.half1 = Conv2D(maps, **half)
        self.down2 = Block(maps, 2 * maps, groups)
        self.half2 = Conv2D(2 * maps, **half)
        self.middle1 = Block(2 * maps, 4 * maps, groups)
        self.middle2 = Block(4 * maps, 4 * maps, groups)
        self.up2 = Block(6 * maps, 2 * maps, groups)
        self.up1 = Block(3 * maps, maps, groups)
        self.norm = layers.GroupNormalization(groups, epsilon=1e-5)
        self.last = Conv2D(channels, kernel_size=3, pad=1)

    def call(self, x, t, row):  # H×W×C, a number, classes
        time = ops.silu(self.time1(sinusoids(t, self.size)))
        time = ops.silu(self.time2(time) + self.asked(row))  # 128
        skip1 = self.down1(self.first(x), time)  # H×W×32
        skip2 = self.down2(self.half1(skip1), time)  # H/2×W/2×64
        h = self.middle1(self.half2(skip2), time)  # H/4×W/4×128
        h = self.middle2(h, time)  # H/4×W/4×128
        h = self.up2(ops.concatenate([doubled(h), skip2], 3), time)  # H/2×W/2×64
        h = self.up1(ops.concatenate([doubled(h), skip1], 3), time)  # H×W×32
        return self.last(ops.silu(self.norm(h)))  # H×W×C: the way from noise to pictures


class Block(keras.Model):
    def __init__(self, inputs, maps, groups):
        super().__init__()
        self.short = ops.copy if inputs == maps else Conv2D(maps, kernel_size=1)
        self.norm1 = layers.GroupNormalization(groups, epsilon=1e-5)
        self.conv1 = Conv2D(maps, kernel_size=3, pad=1)
        self.time = layers.Dense(maps)
        self.norm2 = layers.GroupNormalization(groups, epsilon=1e-5)
        self.conv2 = Conv2D(maps, kernel_size=3, pad=1)

    def call(self, x, time):
        h = self.conv1(ops.silu(self.norm1(x)))
        h = h + self.time(time)[:, None, None, :]  # a number for each map, at every place
        return self.conv2(ops.silu(self.norm2(h))) + self.short(x)


def doubled(maps):
    """Each pixel four times: twice the height, twice the width."""
    height, width = maps.shape[1:3]
    return ops.image.resize(maps, (2 * height, 2 * width), interpolation="nearest")


def between(epsilon, images, t):
    """x_t = (1 − t) ε + t x: noise at t = 0, a picture at t = 1, and a straight line between."""
    return (1 - t) * epsilon + t * images


def wanted(epsilon, images):
    """The direction of that line, which is the same all along: dx_t/dt = x − ε."""
    return images - epsilon


def velocity_loss(guess, direction):
    """The mean of (v − v̂)²."""
    return ops.mean(ops.square(guess - direction))


def follow(mean, network, decay, step):
    """θ̄ ← d θ̄ + (1 − d) θ, with a smaller d in the first steps: (1 + step) / (10 + step)."""
    step = ops.cast(step, keras.config.floatx())
    new = 1 - ops.minimum((1 + step) / (10 + step), decay)
    together = zip(mean.trainable_variables, network.trainable_variables, strict=True)
    for middle, weight in together:
        middle.assign_add(new * (weight - middle))


def guided(told, untold, guidance):
    """(1 + w) v(x, class) − w v(x): further away from what any class would do (equation 6)."""
    return (1 + guidance) * told - guidance * untold


class FlowMatching(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        channels, c = recipe.image_shape[0], recipe.constants
        self.classes = c["classes"]
        self.unet = UNet(channels, c["maps"], c["groups"], c["time"])
        self.unet_mean = UNet(channels, c["maps"], c["groups"], c["time"])
        self.drop, self.guidance, self.decay = c["drop"], c["guidance"], c["decay"]
        self.solver, self.sample_steps = c["solver"], c["sample_steps"]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = Adam(settings.lr, *settings.betas)

    def one_hot(self, labels):
        """N class numbers as N×classes zeros with a one at the class."""
        return ops.one_hot(labels, self.classes, dtype=keras.config.floatx())

    @tf.function  # called by our own loop, not by fit
    def train_step(self, batch):
        images, epsilon, t = batch["images"], batch["epsilon"], batch["t"]
        told = ops.cast(batch["chance"] >= self.drop, t.dtype)
        row = told[:, None] * self.one_hot(batch["labels"])  # zeros: any class
        x, direction = between(epsilon, images, t[:, None, None, None]), wanted(epsilon, images)
        with tf.GradientTape() as tape:
            loss = velocity_loss(self.unet(x, 1000 * t, row), direction)
        weights = self.unet.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        follow(self.unet_mean, self.unet, self.decay, batch["step"])
        return {"loss": loss}

    def velocity(self, x, t, row):
        """Which way the mean of the weights goes on from x at time t, guided to the class."""
        times = ops.full([x.shape[0]], 1000 * t, dtype=x.dtype)
        told = self.unet_mean(x, times, row)
        if self.guidance == 0:
            return told
        untold = self.unet_mean(x, times, ops.zeros_like(row))
        return guided(told, untold, self.guidance)

    @tf.function
    def stride(self, x, t, step, row):
        """x_t as x_{t + step}: along the direction here, or along that of half the way."""
        if self.solver == "euler":
            return x + step * self.velocity(x, t, row)
        middle = x + step / 2 * self.velocity(x, t, row)
        return x + step * self.velocity(middle, t + step / 2, row)

    def generate(self, noise, labels):
        x, row, steps = noise, self.one_hot(labels), self.sample_steps
        for i in range(steps):  # t as a tensor: a number would be a new graph
            x = self.stride(x, tf.constant(i / steps, x.dtype), 1 / steps, row)
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
