"""Question 09 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


class WGAN:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.generator = networks["generator"]
        self.critic = networks["critic"]
        self.rounds, self.clip = recipe.train.rounds, recipe.constants["clip"]
        settings = recipe.optimizers
        self.c_optimizer = framework.RMSprop(settings["c_optimizer"], self.critic)
        self.g_optimizer = framework.RMSprop(settings["g_optimizer"], self.generator)

    def score(self, scores, weight):
        """The mean score, and its gradient by the pictures times `weight`; the critic learns it."""
        d = self.critic.backward(weight * np.ones_like(scores) / len(scores))
        return scores.mean(), d

    def train_step(self, batch):
        # The critic's steps, each with a batch of its own: real pictures up, made ones down.
        rounds = (np.split(batch[name], self.rounds) for name in ("images", "noise"))
        for images, noise in zip(*rounds, strict=True):
            real, _ = self.score(self.critic(images), -1.0)
            made, _ = self.score(self.critic(self.generator(noise)), 1.0)
            self.c_optimizer.update()
            for module in self.critic.modules:  # after the update, which leads out of the box
                for name, value in module.values.items():
                    if not name.startswith("running_"):  # these averages are no weights
                        np.clip(value, -self.clip, self.clip, out=value)

        # The generator's: its pictures are to score higher.
        score, d = self.score(self.critic(self.generator(batch["g_noise"])), -1.0)
        self.generator.backward(d)
        self.critic.clear()
        self.g_optimizer.update()
        return {"wasserstein": real - made, "generator": -score}

    def generate(self, noise):
        return framework.evaluate(self.generator, noise)
