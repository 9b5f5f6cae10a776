"""Question 14 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def softplus(x):
    """log(1 + eˣ), and its slope σ(x)."""
    return np.logaddexp(0, x), 1 / (1 + np.exp(-x))


def real_loss(loss, scores):
    """What the discriminator pays for real pictures' scores, and the gradient by them."""
    if loss == "non_saturating":
        paid, slope = softplus(-scores)
        return paid.mean(), -slope / scores.size
    if loss == "least_squares":
        return ((scores - 1) ** 2).mean() / 2, (scores - 1) / scores.size
    return -scores.mean(), -np.ones_like(scores) / scores.size


def fake_loss(loss, scores):
    """What it pays for made pictures' scores."""
    if loss == "non_saturating":
        paid, slope = softplus(scores)
        return paid.mean(), slope / scores.size
    if loss == "least_squares":
        return (scores**2).mean() / 2, scores / scores.size
    return scores.mean(), np.ones_like(scores) / scores.size


def generator_loss(loss, scores):
    """What the generator pays for them: it wants them to be taken for real ones."""
    return real_loss(loss, scores)


class GANLandscape:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.generator = networks["generator"]
        self.discriminator = networks["discriminator"]
        constants, settings = recipe.constants, recipe.optimizers
        self.loss, self.weight = constants["loss"], constants["penalty_weight"]
        self.rounds = recipe.train.rounds
        self.d_optimizer = framework.Adam(settings["d_optimizer"], self.discriminator)
        self.g_optimizer = framework.Adam(settings["g_optimizer"], self.generator)

    def learn(self, images, paid):
        """What is paid for the scores of pictures; the gradients, also those by the pictures."""
        loss, d = paid(self.loss, self.discriminator(images))
        return loss, self.discriminator.backward(d)

    def penalty(self, between):
        """λ (slope − 1)², a mean over pictures; its gradients are added to the discriminator's."""
        modules = self.discriminator.modules
        kept = [{name: g.copy() for name, g in m.gradients.items()} for m in modules]
        slopes = self.discriminator.backward(np.ones_like(self.discriminator(between)))
        for module, before in zip(modules, kept, strict=True):
            module.gradients = before  # only the slopes at the pictures were wanted
        length = np.sqrt((slopes**2).sum((1, 2, 3), keepdims=True) + 1e-12)
        # Its gradient by the weights: how they change the slopes, along the penalty's own slope.
        along = self.weight * 2 * (length - 1) / length.size * slopes / length
        framework.add_mixed_slopes(self.discriminator, between, along)
        return self.weight * ((length - 1) ** 2).mean()

    def train_step(self, batch):
        # The discriminator's steps, each with a batch of its own.
        rounds = (np.split(batch[name], self.rounds) for name in ("images", "noise", "epsilon"))
        for images, noise, epsilon in zip(*rounds, strict=True):
            fake = self.generator(noise)
            real, _ = self.learn(images, real_loss)
            made, _ = self.learn(fake, fake_loss)
            d_loss = real + made
            if self.weight > 0:
                d_loss += self.penalty(epsilon * images + (1 - epsilon) * fake)
            framework.turn(self.discriminator)
            self.d_optimizer.update()

        # The generator's, against the discriminator's new weights.
        g_loss, d = self.learn(self.generator(batch["g_noise"]), generator_loss)
        self.generator.backward(d)
        self.discriminator.clear()
        self.g_optimizer.update()
        return {"discriminator": d_loss, "generator": g_loss}

    def generate(self, noise):
        return framework.evaluate(self.generator, noise)
