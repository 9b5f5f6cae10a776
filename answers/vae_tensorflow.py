"""Question 03: variational autoencoder — TensorFlow.

Squeeze a picture not into a point but into a small cloud, and keep all clouds near the origin: then
any point drawn there decodes to a picture that was never seen (Kingma & Welling 2013,
"Auto-encoding variational Bayes", arXiv 1312.6114).
"""

import math

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import Adam, Linear
from knock.run import main

import tensorflow as tf


class Encoder(tf.Module):
    def __init__(self, image_shape, hidden, z):
        super().__init__()
        self.fc = Linear(math.prod(image_shape), hidden)
        self.code = Linear(hidden, 2 * z)

    def __call__(self, images):  # H×W×C
        flat = tf.reshape(images, [len(images), -1])  # H·W·C
        h = tf.nn.relu(self.fc(flat))  # 256
        return self.code(h)  # 2·z: μ, then log σ²


class Decoder(tf.Module):
    def __init__(self, image_shape, hidden, z):
        super().__init__()
        self.image_shape = image_shape
        self.fc = Linear(z, hidden)
        self.pixels = Linear(hidden, math.prod(image_shape))

    def __call__(self, z):  # z
        channels, height, width = self.image_shape
        h = tf.nn.relu(self.fc(z))  # 256
        return tf.reshape(self.pixels(h), [-1, height, width, channels])  # H×W×C: logits


def reparameterize(mean, log_variance, noise):
    """A draw from N(μ, σ²) that gradients pass through: z = μ + σ·ε, σ = exp(½ log σ²)."""
    return mean + tf.exp(log_variance / 2) * noise


def reconstruction_loss(logits, images):
    """Bernoulli cross-entropy −Σ x log p + (1 − x) log(1 − p), summed over pixels, in nats."""
    target = (images + 1) / 2  # [-1, 1] → [0, 1]
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(target, logits)  # H×W×C
    return tf.reduce_sum(entropy) / len(images)


def kl_loss(mean, log_variance):
    """KL(N(μ, σ²) ‖ N(0, 1)) = −½ Σ (1 + log σ² − μ² − σ²), summed over z."""
    terms = 1 + log_variance - tf.square(mean) - tf.exp(log_variance)  # z
    return -0.5 * tf.reduce_sum(terms) / len(mean)


class VariationalAutoencoder:
    def __init__(self, recipe):
        hidden, z = recipe.constants["hidden"], recipe.constants["z"]
        self.beta = recipe.constants["beta"]
        self.encoder = Encoder(recipe.image_shape, hidden, z)
        self.decoder = Decoder(recipe.image_shape, hidden, z)
        self.variables = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = Adam(self.variables, settings.lr, settings.betas)

    def loss_terms(self, batch):
        mean, log_variance = tf.split(self.encoder(batch["images"]), 2, axis=1)
        logits = self.decoder(reparameterize(mean, log_variance, batch["noise"]))
        reconstruction = reconstruction_loss(logits, batch["images"])
        kl = kl_loss(mean, log_variance)
        return {
            "loss": reconstruction + self.beta * kl,  # β = 1: the negative ELBO
            "reconstruction": reconstruction,
            "kl": kl,
        }

    @tf.function
    def train_step(self, batch):
        with tf.GradientTape() as tape:
            losses = self.loss_terms(batch)
        self.optimizer.apply(tape.gradient(losses["loss"], self.variables))
        return losses

    @tf.function
    def encode(self, images):
        return tf.split(self.encoder(images), 2, axis=1)[0]  # μ, the centre of the cloud

    @tf.function
    def generate(self, noise):
        return 2 * tf.sigmoid(self.decoder(noise)) - 1  # [0, 1] → [-1, 1]

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
