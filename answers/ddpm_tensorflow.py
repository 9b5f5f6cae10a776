"""Question 17: denoising diffusion — TensorFlow.

Mix noise into pictures, little by little, until nothing else is left, and let a network say which
noise it was. Then begin with noise, and take away what the network sees in it, step by step (Ho et
al. 2020, "Denoising diffusion probabilistic models", arXiv 2006.11239; in fewer steps: Song et al.
2020, "Denoising diffusion implicit models", arXiv 2010.02502).
"""

import math

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import Adam, Conv2d, GroupNorm, Linear, float_type
from knock.run import main

import numpy as np
import tensorflow as tf


def alpha_bars(schedule, times):
    """ᾱ_t for t = 0 … T: how much of a picture is left after t steps of noise; ᾱ_0 = 1."""
    if schedule == "linear":  # Ho et al. 2020, section 4
        beta = np.linspace(1e-4, 0.02, times)
    else:  # cosine: Nichol & Dhariwal 2021, equation 17
        curve = np.cos((np.arange(times + 1) / times + 0.008) / 1.008 * np.pi / 2) ** 2
        beta = np.minimum(1 - curve[1:] / curve[:-1], 0.999)
    return np.append(1.0, np.cumprod(1 - beta))


def sinusoids(t, size):
    """N numbers as N×size: sin(t fₖ), then cos(t fₖ), fₖ = 10000^(−k/K) for k = 0 … K − 1."""
    k = tf.range(size // 2, dtype=float_type())
    angles = tf.cast(t, k.dtype)[:, None] * tf.exp(-math.log(10000) / (size // 2) * k)
    return tf.concat([tf.sin(angles), tf.cos(angles)], 1)


class UNet(tf.Module):
    def __init__(self, channels, maps, groups, time):
        super().__init__()
        self.size = time
        self.time1, self.time2 = Linear(time, time), Linear(time, time)
        self.first = Conv2d(channels, maps, kernel=3, padding=1)
        half = {"kernel": 3, "stride": 2, "padding": 1}  # halves the sides
        self.down1 = Block(maps, maps, groups, time)
        self.half1 = Conv2d(maps, maps, **half)
        self.down2 = Block(maps, 2 * maps, groups, time)
        self.half2 = Conv2d(2 * maps, 2 * maps, **half)
        self.middle1 = Block(2 * maps, 4 * maps, groups, time)
        self.middle2 = Block(4 * maps, 4 * maps, groups, time)
        self.up2 = Block(6 * maps, 2 * maps, groups, time)
        self.up1 = Block(3 * maps, maps, groups, time)
        self.norm = GroupNorm(groups, maps)
        self.last = Conv2d(maps, channels, kernel=3, padding=1)

    def __call__(self, x, t):  # H×W×C, and a number
        time = tf.nn.silu(self.time1(sinusoids(t, self.size)))
        time = tf.nn.silu(self.time2(time))  # 128
        skip1 = self.down1(self.first(x), time)  # H×W×32
        skip2 = self.down2(self.half1(skip1), time)  # H/2×W/2×64
        h = self.middle1(self.half2(skip2), time)  # H/4×W/4×128
        h = self.middle2(h, time)  # H/4×W/4×128
        h = self.up2(tf.concat([doubled(h), skip2], 3), time)  # H/2×W/2×64
        h = self.up1(tf.concat([doubled(h), skip1], 3), time)  # H×W×32
        return self.last(tf.nn.silu(self.norm(h)))  # H×W×C: the noise in x


class Block(tf.Module):
    def __init__(self, inputs, maps, groups, time):
        super().__init__()
        self.short = tf.identity if inputs == maps else Conv2d(inputs, maps, kernel=1)
        self.norm1 = GroupNorm(groups, inputs)
        self.conv1 = Conv2d(inputs, maps, kernel=3, padding=1)
        self.time = Linear(time, maps)
        self.norm2 = GroupNorm(groups, maps)
        self.conv2 = Conv2d(maps, maps, kernel=3, padding=1)

    def __call__(self, x, time):
        h = self.conv1(tf.nn.silu(self.norm1(x)))
        h = h + self.time(time)[:, None, None, :]  # a number for each map, at every place
        return self.conv2(tf.nn.silu(self.norm2(h))) + self.short(x)


def doubled(maps):
    """Each pixel four times: twice the height, twice the width."""
    height, width = maps.shape[1:3]
    return tf.image.resize(maps, [2 * height, 2 * width], "nearest")


def noised(images, epsilon, bar):
    """x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε (equation 4); `bar` is ᾱ_t."""
    return bar**0.5 * images + (1 - bar) ** 0.5 * epsilon


def clean(x, epsilon, bar):
    """The picture of which x_t would be made with this ε, within [-1, 1]: equation 4 turned."""
    return tf.clip_by_value((x - (1 - bar) ** 0.5 * epsilon) / bar**0.5, -1, 1)


def noise_loss(guess, epsilon):
    """The mean of (ε − ε̂)² (equation 14)."""
    return tf.reduce_mean(tf.square(guess - epsilon))


def follow(mean, network, decay, step):
    """θ̄ ← d θ̄ + (1 − d) θ, with a smaller d in the first steps: (1 + step) / (10 + step)."""
    step = tf.cast(step, float_type())
    new = 1 - tf.minimum((1 + step) / (10 + step), decay)
    together = zip(mean.trainable_variables, network.trainable_variables, strict=True)
    for middle, weight in together:
        middle.assign_add(new * (weight - middle))


def ddim(x, picture, bar, earlier):
    """To an earlier step without fresh noise (Song et al. 2020, equation 12 with σ = 0)."""
    epsilon = (x - bar**0.5 * picture) / (1 - bar) ** 0.5
    return earlier**0.5 * picture + (1 - earlier) ** 0.5 * epsilon


def ancestral(x, picture, bar, earlier, z):
    """To an earlier step by x_s ~ q(x_s | x_t, x₀) (Ho et al. 2020, equations 6 and 7)."""
    alpha = bar / earlier  # of one step: α_t
    beta = 1 - alpha
    mean = earlier**0.5 * beta / (1 - bar) * picture
    mean = mean + alpha**0.5 * (1 - earlier) / (1 - bar) * x
    variance = (1 - earlier) / (1 - bar) * beta  # β̃_t
    return mean + variance**0.5 * z


class DDPM:
    def __init__(self, recipe):
        channels, c = recipe.image_shape[0], recipe.constants
        self.unet = UNet(channels, c["maps"], c["groups"], c["time"])
        self.unet_mean = UNet(channels, c["maps"], c["groups"], c["time"])
        self.times, self.sample_steps = c["times"], c["sample_steps"]
        self.bars = tf.constant(alpha_bars(c["schedule"], c["times"]), float_type())
        self.sampler, self.decay = c["sampler"], c["decay"]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = Adam(self.unet.trainable_variables, settings.lr, settings.betas)

    @tf.function
    def train_step(self, batch):
        images, epsilon, t = batch["images"], batch["epsilon"], batch["t"]
        x = noised(images, epsilon, tf.gather(self.bars, t)[:, None, None, None])
        with tf.GradientTape() as tape:
            loss = noise_loss(self.unet(x, t), epsilon)
        self.optimizer.apply(tape.gradient(loss, self.unet.trainable_variables))
        follow(self.unet_mean, self.unet, self.decay, batch["step"])
        return {"loss": loss}

    @tf.function
    def back(self, x, t, s, z):
        """x_t as x_s, an earlier one."""
        bar, earlier = self.bars[t], self.bars[s]
        epsilon = self.unet_mean(x, tf.fill([x.shape[0]], t))
        picture = clean(x, epsilon, bar)
        if self.sampler == "ddim":
            return ddim(x, picture, bar, earlier)
        return ancestral(x, picture, bar, earlier, z)

    def generate(self, noise, z=None):
        x, steps = noise, self.sample_steps
        times = [-(-i * self.times // steps) for i in range(steps + 1)]  # 0 … T, evenly
        for i in range(steps, 0, -1):
            t, s = tf.constant(times[i], tf.int64), tf.constant(times[i - 1], tf.int64)
            x = self.back(x, t, s, None if z is None else z[:, i - 1])
        return x


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    run.show(sample=model.generate(run.examples["noise"], run.examples.get("z")))


if __name__ == "__main__":
    main("ddpm", framework, DDPM, train, sample)
