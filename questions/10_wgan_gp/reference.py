"""Question 10 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


class WGANGP:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.generator = networks["generator"]
        self.critic = networks["critic"]
        self.rounds, self.weight = recipe.train.rounds, recipe.constants["penalty_weight"]
        settings = recipe.optimizers
        self.c_optimizer = framework.Adam(settings["c_optimizer"], self.critic)
        self.g_optimizer = framework.Adam(settings["g_optimizer"], self.generator)

    def score(self, images, weight):
        """The mean score, and its gradient by the pictures times `weight`; the critic learns it."""
        scores = self.critic(images)
        d = self.critic.backward(weight * np.ones_like(scores) / len(scores))
        return scores.mean(), d

    def slope(self, images):
        """How steep the critic is at each picture: ∂C/∂x, and its length over all its numbers."""
        kept = [{name: g.copy() for name, g in m.gradients.items()} for m in self.critic.modules]
        slopes = self.critic.backward(np.ones_like(self.critic(images)))
        for module, before in zip(self.critic.modules, kept, strict=True):
            module.gradients = before  # only the slopes at the images were wanted
        return slopes, np.sqrt((slopes**2).sum((1, 2, 3), keepdims=True) + 1e-12)

    def train_step(self, batch):
        # The critic's steps, each with a batch of its own: real pictures up, made ones down.
        rounds = (np.split(batch[name], self.rounds) for name in ("images", "noise", "epsilon"))
        for images, noise, epsilon in zip(*rounds, strict=True):
            fake = self.generator(noise)
            real, _ = self.score(images, -1.0)
            made, _ = self.score(fake, 1.0)
            between = epsilon * images + (1 - epsilon) * fake
            slopes, length = self.slope(between)
            penalty, d = (length - 1) ** 2, 2 * (length - 1)
            # The penalty by the critic's weights: how they change the slopes, along its own slope.
            along = self.weight * d / length.size * slopes / length
            framework.add_mixed_slopes(self.critic, between, along)
            self.c_optimizer.update()

        # The generator's: its pictures are to score higher.
        score, d = self.score(self.generator(batch["g_noise"]), -1.0)
        self.generator.backward(d)
        self.critic.clear()
        self.g_optimizer.update()
        return {
            "wasserstein": real - made,
            "penalty": penalty.mean(),
            "gradient_norm": length.mean(),
            "generator": -score,
        }

    def generate(self, noise):
        return framework.evaluate(self.generator, noise)
