"""Question 19 in plain NumPy: slow, with gradients by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def one_hot(codes, count):
    """Codes as one map for each number: 1 where it stands, else 0."""
    return np.moveaxis(np.eye(count)[codes], -1, 1)


def squared_distance(a, b):
    """The mean of (a − b)², and its gradient for a."""
    difference = a - b
    return (difference**2).mean(), 2 * difference / difference.size


def log_softmax(logits):
    """The logarithm of the probabilities that logits over axis 1 stand for."""
    moved = logits - logits.max(1, keepdims=True)
    return moved - np.log(np.exp(moved).sum(1, keepdims=True))


def cross_entropy(logits, maps):
    """The mean over places of −log p(code), and its gradient; `maps` are the codes, one-hot."""
    logs = log_softmax(logits)
    places = maps.sum()
    return -(maps * logs).sum() / places, (np.exp(logs) - maps) / places


def perplexity(maps):
    """exp of the entropy of the codes' shares: K if all are equally frequent, 1 if one is alone."""
    shares = maps.mean((0, 2, 3))
    used = shares[shares > 0]
    return np.exp(-(used * np.log(used)).sum())


class VQVAE:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.encoder, self.codebook = networks["encoder"], networks["codebook"]
        self.decoder, self.prior = networks["decoder"], networks["prior"]
        (self.book,) = self.codebook.modules
        self.codes, self.beta = recipe.constants["codes"], recipe.constants["beta"]
        settings = recipe.optimizers
        networks = self.encoder, self.codebook, self.decoder
        self.optimizer = framework.Adam(settings["optimizer"], *networks)
        self.p_optimizer = framework.Adam(settings["p_optimizer"], self.prior)

    def train_step(self, batch):
        images = batch["images"]
        z = self.encoder(images)
        codes = self.book.nearest(z)
        e = self.book.vectors(codes)

        # Straight through: the decoder is given e, and its gradient goes to z.
        reconstruction, d = squared_distance(self.decoder(e), images)
        d_z = self.decoder.backward(d)
        codebook, d = squared_distance(e, z)  # moves e to z
        self.book.backward(d)
        commitment, d = squared_distance(z, e)  # moves z to e
        d_z = d_z + self.beta * d
        self.encoder.backward(d_z)

        maps = one_hot(codes, self.codes)
        prior, d = cross_entropy(self.prior(maps), maps)
        self.prior.backward(d)

        self.optimizer.update()
        self.p_optimizer.update()
        told = {"reconstruction": reconstruction, "codebook": codebook, "prior": prior}
        return told | {"perplexity": perplexity(maps)}

    def encode(self, images):
        return self.book.nearest(self.encoder(images))

    def reconstruct(self, images):
        return self.decoder(self.codebook(self.encoder(images)))

    def generate(self, noise):
        codes = np.zeros(noise.shape, np.int64)
        for i, j in np.ndindex(noise.shape[1:]):
            logits = self.prior(one_hot(codes, self.codes))[:, :, i, j]
            below = np.exp(log_softmax(logits)).cumsum(1)[:, :-1] <= noise[:, i, j, None]
            codes[:, i, j] = below.sum(1)
        return self.decoder(self.book.vectors(codes))
