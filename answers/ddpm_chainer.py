"""Question 17: denoising diffusion — Chainer.

Mix noise into pictures, little by little, until nothing else is left, and let a network say which
noise it was. Then begin with noise, and take away what the network sees in it, step by step (Ho et
al. 2020, "Denoising diffusion probabilistic models", arXiv 2006.11239; in fewer steps: Song et al.
2020, "Denoising diffusion implicit models", arXiv 2010.02502).
"""

import math

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np


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
    xp, kind = chainer.backend.get_array_module(t), chainer.get_dtype()
    k = xp.arange(size // 2, dtype=kind)
    angles = t[:, None].astype(kind) * xp.exp(-math.log(10000) / (size // 2) * k)
    return xp.concatenate([xp.sin(angles), xp.cos(angles)], 1)


def silu(x):
    """x · σ(x)."""
    return x * F.sigmoid(x)


class UNet(chainer.Chain):
    def __init__(self, channels, maps, groups, time):
        super().__init__()
        self.size = time
        half = {"ksize": 3, "stride": 2, "pad": 1}  # halves the sides
        with self.init_scope():
            self.time1, self.time2 = L.Linear(time, time), L.Linear(time, time)
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

    def forward(self, x, t):  # C×H×W, and a number
        time = silu(self.time1(sinusoids(t, self.size)))
        time = silu(self.time2(time))  # 128
        skip1 = self.down1(self.first(x), time)  # 32×H×W
        skip2 = self.down2(self.half1(skip1), time)  # 64×H/2×W/2
        h = self.middle1(self.half2(skip2), time)  # 128×H/4×W/4
        h = self.middle2(h, time)  # 128×H/4×W/4
        h = self.up2(F.concat([doubled(h), skip2], 1), time)  # 64×H/2×W/2
        h = self.up1(F.concat([doubled(h), skip1], 1), time)  # 32×H×W
        return self.last(silu(self.norm(h)))  # C×H×W: the noise in x


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


def noised(images, epsilon, bar):
    """x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε (equation 4); `bar` is ᾱ_t."""
    return bar**0.5 * images + (1 - bar) ** 0.5 * epsilon


def clean(x, epsilon, bar):
    """The picture of which x_t would be made with this ε, within [-1, 1]: equation 4 turned."""
    return ((x - (1 - bar) ** 0.5 * epsilon) / bar**0.5).clip(-1, 1)


def noise_loss(guess, epsilon):
    """The mean of (ε − ε̂)² (equation 14)."""
    return F.mean((guess - epsilon) ** 2)


def follow(mean, network, decay, step):
    """θ̄ ← d θ̄ + (1 − d) θ, with a smaller d in the first steps: (1 + step) / (10 + step)."""
    new = 1 - min(decay, (1 + int(step)) / (10 + int(step)))
    for middle, weight in zip(mean.params(), network.params(), strict=True):
        middle.array += new * (weight.array - middle.array)


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


class DDPM(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        channels, c = recipe.image_shape[0], recipe.constants
        with self.init_scope():
            self.unet = UNet(channels, c["maps"], c["groups"], c["time"])
            self.unet_mean = UNet(channels, c["maps"], c["groups"], c["time"])
        self.times, self.sample_steps = c["times"], c["sample_steps"]
        self.bars = alpha_bars(c["schedule"], c["times"]).astype(chainer.get_dtype())
        self.sampler, self.decay = c["sampler"], c["decay"]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = Adam(settings.lr, *settings.betas)
        self.optimizer.setup(self.unet)

    def train_step(self, batch):
        images, epsilon, t = batch["images"], batch["epsilon"], batch["t"]
        bars = self.unet.xp.asarray(self.bars)
        x = noised(images, epsilon, bars[t][:, None, None, None])
        loss = noise_loss(self.unet(x, t), epsilon)
        self.unet.cleargrads()
        loss.backward()
        self.optimizer.update()
        follow(self.unet_mean, self.unet, self.decay, batch["step"])
        return {"loss": loss.array}

    def back(self, x, t, s, z):
        """x_t as x_s, an earlier one."""
        bar, earlier = self.bars[t], self.bars[s]
        epsilon = self.unet_mean(x, self.unet_mean.xp.full(len(x), t)).array
        picture = clean(x, epsilon, bar)
        if self.sampler == "ddim":
            return ddim(x, picture, bar, earlier)
        return ancestral(x, picture, bar, earlier, z)

    def generate(self, noise, z=None):
        x, steps = noise, self.sample_steps
        times = [-(-i * self.times // steps) for i in range(steps + 1)]  # 0 … T, evenly
        for i in range(steps, 0, -1):
            with chainer.no_backprop_mode():
                x = self.back(x, times[i], times[i - 1], None if z is None else z[:, i - 1])
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
