"""Question 13 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log_softmax(logits):
    """log p of each of the K classes; the largest logit comes out of the sum, so no exp is ∞."""
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def total(logits):
    """s = log Σ exp of a picture's K logits, and its gradient."""
    logs = log_softmax(logits)
    return (logits - logs)[:, 0], np.exp(logs)


def called_real(s, label=1.0):
    """The mean of −a·log D − (1 − a)·log(1 − D), D = σ(s), a = `label`, and its gradient."""
    loss = label * np.logaddexp(0, -s) + (1 - label) * np.logaddexp(0, s)
    return loss.mean(), (sigmoid(s) - label) / s.size


def called_fake(s):
    """The mean of −log(1 − D), and its gradient."""
    return np.logaddexp(0, s).mean(), sigmoid(s) / s.size


def named(logits, labels):
    """Cross-entropy over the K classes: the mean of s − the label's logit, and its gradient."""
    logs, right = log_softmax(logits), np.eye(logits.shape[1])[labels]
    return -(logs * right).sum(1).mean(), (np.exp(logs) - right) / len(logits)


def matched(real, made):
    """The squared distance of the means of two batches of features, and its gradient for `made`."""
    apart = made.mean(0) - real.mean(0)
    return (apart**2).sum(), np.broadcast_to(2 * apart / len(made), made.shape)


def pairs(network, mean):
    """Each weight of a network, its gradient, and its mean so far."""
    for one, other in zip(network.modules, mean.modules, strict=True):
        for name, value in one.values.items():
            yield value, one.gradients[name], other.values[name]


def far_from(network, mean, weight):
    """The squared distance from the mean; `weight` times its gradient is added to the network's."""
    for value, gradient, middle in pairs(network, mean):
        gradient += 2 * weight * (value - middle)
    return sum(((value - middle) ** 2).sum() for value, _, middle in pairs(network, mean))


def follow(network, mean, step):
    """The mean of the first weights and of those after each step so far."""
    for value, _, middle in pairs(network, mean):
        middle += (value - middle) / (step + 1)


class ImprovedGAN:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.constants = recipe.constants
        self.generator, self.discriminator = networks["generator"], networks["discriminator"]
        if self.constants["history"]:
            self.generator_mean = networks["generator_mean"]
            self.discriminator_mean = networks["discriminator_mean"]
        layers = {module.name: module for module in self.discriminator.modules if module.name}
        self.closeness, self.classes = layers["closeness"], layers["classes"]
        self.body = self.discriminator.modules[:-4]  # before keep, closeness, concat, classes
        settings = recipe.optimizers
        self.d_optimizer = framework.Adam(settings["d_optimizer"], self.discriminator)
        self.g_optimizer = framework.Adam(settings["g_optimizer"], self.generator)

    def features(self, images):
        for module in self.body:
            images = module(images)
        return images

    def logits(self, features):
        return self.classes(np.concatenate([self.closeness(features), features], axis=1))

    def to_features(self, d):
        """From ∂loss/∂logits to ∂loss/∂features."""
        d = self.classes.backward(d)
        kernels = self.constants["kernels"]
        return self.closeness.backward(d[:, :kernels]) + d[:, kernels:]

    def to_images(self, d):
        """From ∂loss/∂features to ∂loss/∂images."""
        for module in reversed(self.body):
            d = module.backward(d)
        return d

    def judged(self, images, call):
        """A loss of s, and its slopes for the discriminator's weights, times their weight."""
        s, share = total(self.logits(self.features(images)))
        loss, d = call(s)
        self.to_images(self.to_features(self.constants["unlabelled"] / 2 * d[:, None] * share))
        return loss

    def train_step(self, batch):
        weights, images = self.constants, batch["images"]
        made = self.generator(batch["noise"], batch["reference"])

        # The discriminator's step: three batches, each by itself. The generator does not learn.
        named_loss = 0.0
        if weights["each"]:
            logits = self.logits(self.features(batch["known_images"]))
            named_loss, d = named(logits, batch["known_labels"])
            self.to_images(self.to_features(d))
        real_loss = self.judged(images, lambda s: called_real(s, weights["real_label"]))
        fake_loss = self.judged(made, called_fake)
        discriminator_loss = named_loss + weights["unlabelled"] / 2 * (real_loss + fake_loss)
        if weights["history"]:
            far = far_from(self.discriminator, self.discriminator_mean, weights["history"])
            discriminator_loss += weights["history"] * far
        self.d_optimizer.update()
        if weights["history"]:
            follow(self.discriminator, self.discriminator_mean, batch["step"])

        # The generator's, judged by the discriminator's new weights.
        real_features = self.features(images)
        features = self.features(made)
        s, share = total(self.logits(features))
        loss, d = called_real(s)
        generator_loss = weights["adversarial"] * loss
        d_features = self.to_features(weights["adversarial"] * d[:, None] * share)
        if weights["matching"]:
            loss, d = matched(real_features, features)
            generator_loss += weights["matching"] * loss
            d_features = d_features + weights["matching"] * d
        self.generator.backward(self.to_images(d_features))
        self.discriminator.clear()
        if weights["history"]:
            far = far_from(self.generator, self.generator_mean, weights["history"])
            generator_loss += weights["history"] * far
        self.g_optimizer.update()
        if weights["history"]:
            follow(self.generator, self.generator_mean, batch["step"])
        losses = {"discriminator": discriminator_loss, "generator": generator_loss}
        return {**losses, "named": named_loss}

    def generate(self, noise, reference):
        return self.generator(noise, reference)

    def classify(self, images):
        """The logits of the K classes."""
        return self.logits(self.features(images))
