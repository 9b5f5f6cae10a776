"""Question 18 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def between(epsilon, images, t):
    """x_t = (1 − t) ε + t x: noise at t = 0, a picture at t = 1, and a straight line between."""
    return (1 - t) * epsilon + t * images


def wanted(epsilon, images):
    """The direction of that line, which is the same all along: dx_t/dt = x − ε."""
    return images - epsilon


def velocity_loss(guess, direction):
    """The mean of (v − v̂)², and its gradient."""
    return ((guess - direction) ** 2).mean(), 2 * (guess - direction) / guess.size


def follow(mean, network, decay, step):
    """θ̄ ← d θ̄ + (1 − d) θ, with a smaller d in the first steps: (1 + step) / (10 + step)."""
    new = 1 - min(decay, (1 + step) / (10 + step))
    for middle, module in zip(mean.modules, network.modules, strict=True):
        for name, weight in module.values.items():
            middle.values[name] += new * (weight - middle.values[name])


def guided(told, untold, guidance):
    """(1 + w) v(x, class) − w v(x): further away from what any class would do (equation 6)."""
    return (1 + guidance) * told - guidance * untold


class FlowMatching:
    def __init__(self, recipe):
        networks, constants = framework.networks(recipe), recipe.constants
        self.unet, self.unet_mean = networks["unet"], networks["unet_mean"]
        self.classes, self.drop = constants["classes"], constants["drop"]
        self.guidance, self.decay = constants["guidance"], constants["decay"]
        self.solver, self.sample_steps = constants["solver"], constants["sample_steps"]
        self.optimizer = framework.Adam(recipe.optimizers["optimizer"], self.unet)

    def one_hot(self, labels):
        """N class numbers as N×classes zeros with a one at the class."""
        return np.eye(self.classes)[labels]

    def train_step(self, batch):
        images, epsilon, t = batch["images"], batch["epsilon"], batch["t"]
        told = batch["chance"] >= self.drop
        row = told[:, None] * self.one_hot(batch["labels"])  # zeros: any class
        x, direction = between(epsilon, images, t[:, None, None, None]), wanted(epsilon, images)
        loss, d = velocity_loss(self.unet(x, 1000 * t, row), direction)
        self.unet.backward(d)
        self.optimizer.update()
        follow(self.unet_mean, self.unet, self.decay, batch["step"])
        return {"loss": loss}

    def velocity(self, x, t, row):
        """Which way the mean of the weights goes on from x at time t, guided to the class."""
        times = np.full(len(x), 1000 * t)
        told = framework.evaluate(self.unet_mean, x, times, row)
        if self.guidance == 0:
            return told
        untold = framework.evaluate(self.unet_mean, x, times, np.zeros_like(row))
        return guided(told, untold, self.guidance)

    def stride(self, x, t, step, row):
        """x_t as x_{t + step}: along the direction here, or along that of half the way."""
        if self.solver == "euler":
            return x + step * self.velocity(x, t, row)
        middle = x + step / 2 * self.velocity(x, t, row)
        return x + step * self.velocity(middle, t + step / 2, row)

    def generate(self, noise, labels):
        x, row, steps = noise, self.one_hot(labels), self.sample_steps
        for i in range(steps):
            x = self.stride(x, i / steps, 1 / steps, row)
        return x
