"""Question 03: variational autoencoder — Chainer.

Squeeze a picture not into a point but into a small cloud, and keep all clouds near the origin: then
any point drawn there decodes to a picture that was never seen (Kingma & Welling 2013,
"Auto-encoding variational Bayes", arXiv 1312.6114).
"""

import math

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L


class Encoder(chainer.Chain):
    def __init__(self, image_shape, hidden, z):
        super().__init__()
        with self.init_scope():
            self.fc = L.Linear(math.prod(image_shape), hidden)
            self.code = L.Linear(hidden, 2 * z)

    def forward(self, images):  # C×H×W
        flat = F.reshape(images, (len(images), -1))  # C·H·W
        h = F.relu(self.fc(flat))  # 256
        return self.code(h)  # 2·z: μ, then log σ²


class Decoder(chainer.Chain):
    def __init__(self, image_shape, hidden, z):
        super().__init__()
        self.image_shape = image_shape
        with self.init_scope():
            self.fc = L.Linear(z, hidden)
            self.pixels = L.Linear(hidden, math.prod(image_shape))

    def forward(self, z):  # z
        h = F.relu(self.fc(z))  # 256
        return F.reshape(self.pixels(h), (-1, *self.image_shape))  # C×H×W: logits


def reparameterize(mean, log_variance, noise):
    """A draw from N(μ, σ²) that gradients pass through: z = μ + σ·ε, σ = exp(½ log σ²)."""
    return mean + F.exp(log_variance / 2) * noise


def reconstruction_loss(logits, images):
    """Bernoulli cross-entropy −Σ x log p + (1 − x) log(1 − p), summed over pixels, in nats.

    With p = σ(logits) a pixel's is softplus(logits) − x·logits. F.sigmoid_cross_entropy would want
    whole numbers for x.
    """
    target = (images + 1) / 2  # [-1, 1] → [0, 1]
    return F.sum(F.softplus(logits) - target * logits) / len(images)


def kl_loss(mean, log_variance):
    """KL(N(μ, σ²) ‖ N(0, 1)) = −½ Σ (1 + log σ² − μ² − σ²), summed over z."""
    return -0.5 * F.sum(1 + log_variance - F.square(mean) - F.exp(log_variance)) / len(mean)


class VariationalAutoencoder(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        hidden, z = recipe.constants["hidden"], recipe.constants["z"]
        self.beta = recipe.constants["beta"]
        with self.init_scope():
            self.encoder = Encoder(recipe.image_shape, hidden, z)
            self.decoder = Decoder(recipe.image_shape, hidden, z)
        settings = recipe.optimizers["optimizer"]
        self.optimizer = Adam(settings.lr, *settings.betas)
        self.optimizer.setup(self)

    def loss_terms(self, batch):
        mean, log_variance = F.split_axis(self.encoder(batch["images"]), 2, axis=1)
        logits = self.decoder(reparameterize(mean, log_variance, batch["noise"]))
        reconstruction = reconstruction_loss(logits, batch["images"])
        kl = kl_loss(mean, log_variance)
        return {
            "loss": reconstruction + self.beta * kl,  # β = 1: the negative ELBO
            "reconstruction": reconstruction,
            "kl": kl,
        }

    def train_step(self, batch):
        losses = self.loss_terms(batch)
        self.cleargrads()
        losses["loss"].backward()
        self.optimizer.update()
        return {name: loss.array for name, loss in losses.items()}

    def encode(self, images):
        with chainer.no_backprop_mode():
            return F.split_axis(self.encoder(images), 2, axis=1)[0]  # μ, the centre of the cloud

    def generate(self, noise):
        with chainer.no_backprop_mode():
            return 2 * F.sigmoid(self.decoder(noise)) - 1  # [0, 1] → [-1, 1]

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
