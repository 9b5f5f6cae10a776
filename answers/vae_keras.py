"""Question 03: variational autoencoder — Keras.

Squeeze a picture not into a point but into a small cloud, and keep all clouds near the origin: then
any point drawn there decodes to a picture that was never seen (Kingma & Welling 2013,
"Auto-encoding variational Bayes", arXiv 1312.6114).
"""

import math

from knock.frameworks import keras as framework
from knock.frameworks.keras import Adam
from knock.run import main

import keras
import tensorflow as tf
from keras import layers, ops


class Encoder(keras.Model):
    def __init__(self, hidden, z):
        super().__init__()
        self.flatten = layers.Flatten()
        self.fc = layers.Dense(hidden)
        self.code = layers.Dense(2 * z)

    def call(self, images):  # H×W×C
        h = ops.relu(self.fc(self.flatten(images)))  # 256
        return self.code(h)  # 2·z: μ, then log σ²


class Decoder(keras.Model):
    def __init__(self, image_shape, hidden):
        super().__init__()
        channels, height, width = image_shape
        self.fc = layers.Dense(hidden)
        self.pixels = layers.Dense(math.prod(image_shape))
        self.reshape = layers.Reshape([height, width, channels])

    def call(self, z):  # z
        h = ops.relu(self.fc(z))  # 256
        return self.reshape(self.pixels(h))  # H×W×C: logits


def reparameterize(mean, log_variance, noise):
    """A draw from N(μ, σ²) that gradients pass through: z = μ + σ·ε, σ = exp(½ log σ²)."""
    return mean + ops.exp(log_variance / 2) * noise


def reconstruction_loss(logits, images):
    """Bernoulli cross-entropy −Σ x log p + (1 − x) log(1 − p), summed over pixels, in nats."""
    target = (images + 1) / 2  # [-1, 1] → [0, 1]
    entropy = ops.binary_crossentropy(target, logits, from_logits=True)  # H×W×C
    return ops.sum(entropy) / len(images)


def kl_loss(mean, log_variance):
    """KL(N(μ, σ²) ‖ N(0, 1)) = −½ Σ (1 + log σ² − μ² − σ²), summed over z."""
    terms = 1 + log_variance - ops.square(mean) - ops.exp(log_variance)  # z
    return -0.5 * ops.sum(terms) / len(mean)


class VariationalAutoencoder(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        hidden, z = recipe.constants["hidden"], recipe.constants["z"]
        self.beta = recipe.constants["beta"]
        self.encoder = Encoder(hidden, z)
        self.decoder = Decoder(recipe.image_shape, hidden)
        settings = recipe.optimizers["optimizer"]
        self.optimizer = Adam(settings.lr, *settings.betas)

    def loss_terms(self, batch):
        mean, log_variance = ops.split(self.encoder(batch["images"]), 2, axis=1)
        logits = self.decoder(reparameterize(mean, log_variance, batch["noise"]))
        reconstruction = reconstruction_loss(logits, batch["images"])
        kl = kl_loss(mean, log_variance)
        return {
            "loss": reconstruction + self.beta * kl,  # β = 1: the negative ELBO
            "reconstruction": reconstruction,
            "kl": kl,
        }

    @tf.function  # called by our own loop, not by fit, which would draw batches of its own
    def train_step(self, batch):
        with tf.GradientTape() as tape:
            losses = self.loss_terms(batch)
        gradients = tape.gradient(losses["loss"], self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return losses

    @tf.function
    def encode(self, images):
        return ops.split(self.encoder(images), 2, axis=1)[0]  # μ, the centre of the cloud

    @tf.function
    def generate(self, noise):
        return 2 * ops.sigmoid(self.decoder(noise)) - 1  # [0, 1] → [-1, 1]

    def reconstruct(self, images):
        return self.generate(self.encode(images))


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    images, noise = run.examples["images"], run.examples["noise"]
    run.show(
        input=images,
        reconstruction=model.reconstruct(images),
        sample=model.generate(noise),
    )


if __name__ == "__main__":
    main("vae", framework, VariationalAutoencoder, train, sample)
