"""Question 19: VQ-VAE — Keras.

An autoencoder whose code is a small map of numbers from 0 to K − 1: each place takes the nearest of
K vectors. A second network learns which number follows which, and so draws new maps (van den Oord
et al. 2017, "Neural discrete representation learning", arXiv 1711.00937).
"""

from knock.frameworks import keras as framework
from knock.frameworks.keras import Adam
from knock.run import main

import keras
import tensorflow as tf
from keras import layers, ops


class Encoder(keras.Model):
    def __init__(self, width, dims):
        super().__init__()
        self.conv1 = layers.Conv2D(width, 4, strides=2, padding="same")  # halves the sides
        self.conv2 = layers.Conv2D(width, 4, strides=2, padding="same")
        self.conv3 = layers.Conv2D(dims, 3, padding="same")

    def call(self, images):  # H×W×C
        h = ops.relu(self.conv1(images))  # H/2×W/2×32
        h = ops.relu(self.conv2(h))  # H/4×W/4×32
        return self.conv3(h)  # H/4×W/4×16: a vector at each place


class Decoder(keras.Model):
    def __init__(self, channels, width):
        super().__init__()
        self.conv1 = layers.Conv2D(width, 3, padding="same")
        self.tconv1 = layers.Conv2DTranspose(width, 4, strides=2, padding="same")  # doubles them
        self.tconv2 = layers.Conv2DTranspose(channels, 4, strides=2, padding="same")

    def call(self, vectors):  # H/4×W/4×16
        h = ops.relu(self.conv1(vectors))  # H/4×W/4×32
        h = ops.relu(self.tconv1(h))  # H/2×W/2×32
        return self.tconv2(h)  # H×W×C, no activation: [-1, 1] is to be learned


class Codebook(keras.Model):
    def __init__(self, codes, dims):
        super().__init__()
        self.e = layers.Embedding(codes, dims)  # its weight has a vector e in each row
        self.e.build()

    def nearest(self, vectors):  # H/4×W/4×16
        """The number of the e nearest to each z: ‖z − e‖² = ‖z‖² − 2 z·e + ‖e‖², z is the same."""
        e = self.e.embeddings  # K×16
        products = ops.tensordot(vectors, e, [[3], [1]])  # H/4×W/4×K
        return ops.argmin(ops.sum(ops.square(e), 1) / 2 - products, -1)  # H/4×W/4

    def vectors(self, codes):
        return self.e(codes)  # H/4×W/4×16

    def call(self, vectors):
        return self.vectors(self.nearest(vectors))


def seen(kernel, mask):
    """1 where a window lies on what comes before its middle, row by row; in mask B there, too."""
    places = ops.reshape(ops.arange(kernel**2), (kernel, kernel, 1, 1))
    return ops.cast(places < kernel**2 // 2 + (mask == "B"), keras.config.floatx())


class MaskedConv(layers.Conv2D):
    def __init__(self, outputs, kernel, mask):
        super().__init__(outputs, kernel, padding="same")
        self.seen = seen(kernel, mask)

    def call(self, maps):
        return ops.conv(maps, self.kernel * self.seen, padding="same") + self.bias


class Prior(keras.Model):
    def __init__(self, codes, width):
        super().__init__()
        self.conv1 = MaskedConv(width, 5, "A")  # no place may see its own code
        self.conv2 = MaskedConv(width, 3, "B")
        self.conv3 = MaskedConv(width, 3, "B")
        self.logits = layers.Conv2D(codes, 1)

    def call(self, maps):  # H/4×W/4×K
        h = ops.relu(self.conv1(maps))  # H/4×W/4×32
        h = ops.relu(self.conv2(h))
        h = ops.relu(self.conv3(h))
        return self.logits(h)  # H/4×W/4×K: log p(code | the codes before), up to a constant


def one_hot(codes, count):
    """Codes (H/4×W/4) as one map for each number: 1 where it stands, else 0."""
    return ops.one_hot(codes, count, dtype=keras.config.floatx())


def squared_distance(a, b):
    """The mean of (a − b)² over everything."""
    return ops.mean(ops.square(a - b))


def cross_entropy(logits, codes):
    """The mean over all places of −log p(code)."""
    return ops.mean(ops.sparse_categorical_crossentropy(codes, logits, from_logits=True))


def perplexity(maps):
    """exp of the entropy of the codes' shares: K if all are equally frequent, 1 if one is alone."""
    shares = ops.mean(maps, (0, 1, 2))
    return ops.exp(-ops.sum(tf.math.xlogy(shares, shares)))


class VQVAE(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        channels, sizes = recipe.image_shape[0], recipe.constants
        self.codes, self.beta = sizes["codes"], sizes["beta"]
        self.encoder = Encoder(sizes["e_width"], sizes["dims"])
        self.codebook = Codebook(self.codes, sizes["dims"])
        self.decoder = Decoder(channels, sizes["e_width"])
        self.prior = Prior(self.codes, sizes["p_width"])
        one, p = recipe.optimizers["optimizer"], recipe.optimizers["p_optimizer"]
        self.optimizer = Adam(one.lr, *one.betas)
        self.p_optimizer = Adam(p.lr, *p.betas)

    @tf.function  # called by our own loop, not by fit, which would draw batches of its own
    def train_step(self, batch):
        images = batch["images"]
        with tf.GradientTape(persistent=True) as tape:
            z = self.encoder(images)
            codes = self.codebook.nearest(z)
            e = self.codebook.vectors(codes)
            # Straight through: the decoder is given e, and its gradient goes to z.
            reconstruction = squared_distance(self.decoder(z + ops.stop_gradient(e - z)), images)
            codebook = squared_distance(ops.stop_gradient(z), e)  # moves e to z
            commitment = squared_distance(z, ops.stop_gradient(e))  # moves z to e
            loss = reconstruction + codebook + self.beta * commitment

            maps = one_hot(codes, self.codes)
            prior = cross_entropy(self.prior(maps), codes)

        networks = self.encoder, self.codebook, self.decoder
        weights = [weight for network in networks for weight in network.trainable_variables]
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        weights = self.prior.trainable_variables
        self.p_optimizer.apply(tape.gradient(prior, weights), weights)
        told = {"reconstruction": reconstruction, "codebook": codebook, "prior": prior}
        return told | {"perplexity": perplexity(maps)}

    @tf.function
    def encode(self, images):
        return self.codebook.nearest(self.encoder(images))  # H/4×W/4

    @tf.function
    def reconstruct(self, images):
        return self.decoder(self.codebook(self.encoder(images)))

    @tf.function
    def generate(self, noise):  # H/4×W/4 in [0, 1)
        """Code after code, each drawn from what the prior says after those before it."""
        count, height, width = noise.shape
        codes, noise = ops.zeros((count, height * width), "int64"), ops.reshape(noise, (count, -1))
        for place in tf.range(height * width):  # row after row
            maps = one_hot(ops.reshape(codes, (count, height, width)), self.codes)
            logits = ops.reshape(self.prior(maps), (count, -1, self.codes))[:, place]
            below = ops.cumsum(ops.softmax(logits), 1)[:, :-1] <= noise[:, place, None]
            code = ops.sum(ops.cast(below, "int64"), 1)  # the first up to which p comes to more
            codes += code[:, None] * ops.one_hot(place, height * width, dtype="int64")
        return self.decoder(self.codebook.vectors(ops.reshape(codes, (count, height, width))))


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    images, noise = run.examples["images"], run.examples["noise"]
    run.show(input=images, reconstruction=model.reconstruct(images), sample=model.generate(noise))


if __name__ == "__main__":
    main("vq_vae", framework, VQVAE, train, sample)
