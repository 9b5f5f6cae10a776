"""Question 12 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit), and its gradient."""
    return (np.logaddexp(0, logits) - logits).mean(), (sigmoid(logits) - 1) / logits.size


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit)), and its gradient."""
    return np.logaddexp(0, logits).mean(), sigmoid(logits) / logits.size


def ratio(logits):
    """The mean of −log σ(logit) + log(1 − σ(logit)), which is −logit, and its gradient."""
    return -logits.mean(), -np.ones_like(logits) / logits.size


def l1_loss(made, wanted):
    """‖x̂ − x‖₁, the batch's mean, and its gradient."""
    difference = made - wanted
    return np.abs(difference).sum() / len(difference), np.sign(difference) / len(difference)


def learn(network, given, loss):
    """A loss of what a network says; the network learns from it."""
    value, d = loss(network(given))
    network.backward(d)
    return value


class AlphaGAN:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.encoder = networks["encoder"]
        self.generator = networks["generator"]
        self.discriminator = networks["discriminator"]
        self.code_discriminator = networks["code_discriminator"]
        self.l1_weight = recipe.constants["l1_weight"]
        settings = recipe.optimizers
        self.e_optimizer = framework.Adam(settings["e_optimizer"], self.encoder)
        self.g_optimizer = framework.Adam(settings["g_optimizer"], self.generator)
        self.d_optimizer = framework.Adam(settings["d_optimizer"], self.discriminator)
        self.c_optimizer = framework.Adam(settings["c_optimizer"], self.code_discriminator)

    def hear(self, made):
        """What the discriminator says of pictures; the generator learns from it."""
        loss, d = ratio(self.discriminator(made))
        self.generator.backward(self.discriminator.backward(d))
        return loss

    def train_step(self, batch):
        images, noise = batch["images"], batch["noise"]
        codes = self.encoder(images)  # ẑ

        # A layer goes back through its last call only, so the generator's two calls take turns.
        # What the distance says goes on to the encoder, what the discriminator says stops here.
        copies = self.generator(codes)  # x̂
        l1, slope = l1_loss(copies, images)
        d_codes = self.generator.backward(self.l1_weight * slope)
        generator_loss = self.hear(copies)
        fakes = self.generator(noise)  # x̃
        generator_loss += self.hear(fakes)

        encoder_loss, d = ratio(self.code_discriminator(codes))
        self.encoder.backward(d_codes + self.code_discriminator.backward(d))

        # Neither discriminator has anything to learn from the others' losses.
        self.discriminator.clear()
        self.code_discriminator.clear()
        discriminator_loss = learn(self.discriminator, images, called_real)
        discriminator_loss += learn(self.discriminator, copies, called_fake)
        discriminator_loss += learn(self.discriminator, fakes, called_fake)
        code_loss = learn(self.code_discriminator, noise, called_real)
        code_loss += learn(self.code_discriminator, codes, called_fake)
        for optimizer in (self.e_optimizer, self.g_optimizer, self.d_optimizer, self.c_optimizer):
            optimizer.update()
        return {
            "encoder": encoder_loss,
            "generator": generator_loss,
            "discriminator": discriminator_loss,
            "code_discriminator": code_loss,
            "l1": l1,
        }

    def generate(self, noise):
        return framework.evaluate(self.generator, noise)

    def reconstruct(self, images):
        return self.generate(framework.evaluate(self.encoder, images))
