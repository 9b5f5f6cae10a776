"""Question 17 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def alpha_bars(schedule, times):
    """ᾱ_t for t = 0 … T: how much of a picture is left after t steps of noise; ᾱ_0 = 1."""
    if schedule == "linear":  # Ho et al. 2020, section 4
        beta = np.linspace(1e-4, 0.02, times)
    else:  # cosine: Nichol & Dhariwal 2021, equation 17
        curve = np.cos((np.arange(times + 1) / times + 0.008) / 1.008 * np.pi / 2) ** 2
        beta = np.minimum(1 - curve[1:] / curve[:-1], 0.999)
    return np.append(1.0, np.cumprod(1 - beta))


def noised(images, epsilon, bar):
    """x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε (equation 4); `bar` is ᾱ_t, N×1×1×1."""
    return np.sqrt(bar) * images + np.sqrt(1 - bar) * epsilon


def clean(x, epsilon, bar):
    """The picture of which x_t would be made with this ε, within [-1, 1]: equation 4 turned."""
    return np.clip((x - np.sqrt(1 - bar) * epsilon) / np.sqrt(bar), -1, 1)


def noise_loss(guess, epsilon):
    """The mean of (ε − ε̂)² (equation 14), and its gradient."""
    return ((guess - epsilon) ** 2).mean(), 2 * (guess - epsilon) / guess.size


def follow(mean, network, decay, step):
    """θ̄ ← d θ̄ + (1 − d) θ, with a smaller d in the first steps: (1 + step) / (10 + step)."""
    new = 1 - min(decay, (1 + step) / (10 + step))
    for middle, module in zip(mean.modules, network.modules, strict=True):
        for name, weight in module.values.items():
            middle.values[name] += new * (weight - middle.values[name])


def ddim(x, picture, bar, earlier):
    """To an earlier step without fresh noise (Song et al. 2020, equation 12 with σ = 0)."""
    epsilon = (x - np.sqrt(bar) * picture) / np.sqrt(1 - bar)
    return np.sqrt(earlier) * picture + np.sqrt(1 - earlier) * epsilon


def ancestral(x, picture, bar, earlier, z):
    """To an earlier step by x_s ~ q(x_s | x_t, x₀) (Ho et al. 2020, equations 6 and 7)."""
    alpha = bar / earlier  # of one step: α_t
    beta = 1 - alpha
    mean = np.sqrt(earlier) * beta / (1 - bar) * picture
    mean = mean + np.sqrt(alpha) * (1 - earlier) / (1 - bar) * x
    variance = (1 - earlier) / (1 - bar) * beta  # β̃_t
    return mean + np.sqrt(variance) * z


class DDPM:
    def __init__(self, recipe):
        networks, constants = framework.networks(recipe), recipe.constants
        self.unet, self.unet_mean = networks["unet"], networks["unet_mean"]
        self.times, self.sample_steps = constants["times"], constants["sample_steps"]
        self.bars = alpha_bars(constants["schedule"], self.times)
        self.sampler, self.decay = constants["sampler"], constants["decay"]
        self.optimizer = framework.Adam(recipe.optimizers["optimizer"], self.unet)

    def train_step(self, batch):
        images, epsilon, t = batch["images"], batch["epsilon"], batch["t"]
        x = noised(images, epsilon, self.bars[t][:, None, None, None])
        loss, d = noise_loss(self.unet(x, t), epsilon)
        self.unet.backward(d)
        self.optimizer.update()
        follow(self.unet_mean, self.unet, self.decay, batch["step"])
        return {"loss": loss}

    def back(self, x, t, s, z):
        """x_t as x_s, an earlier one."""
        bar, earlier = self.bars[t], self.bars[s]
        epsilon = framework.evaluate(self.unet_mean, x, np.full(len(x), t))
        picture = clean(x, epsilon, bar)
        if self.sampler == "ddim":
            return ddim(x, picture, bar, earlier)
        return ancestral(x, picture, bar, earlier, z)

    def generate(self, noise, z=None):
        x, steps = noise, self.sample_steps
        times = [-(-i * self.times // steps) for i in range(steps + 1)]  # 0 … T, evenly
        for i in range(steps, 0, -1):
            x = self.back(x, times[i], times[i - 1], None if z is None else z[:, i - 1])
        return x
