"""Question 19: VQ-VAE — TensorFlow.

An autoencoder whose code is a small map of numbers from 0 to K − 1: each place takes the nearest of
K vectors. A second network learns which number follows which, and so draws new maps (van den Oord
et al. 2017, "Neural discrete representation learning", arXiv 1711.00937).
"""

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import Adam, Conv2d, ConvTranspose2d, Embedding, float_type
from knock.run import main

import tensorflow as tf


class Encoder(tf.Module):
    def __init__(self, channels, width, dims):
        super().__init__()
        self.conv1 = Conv2d(channels, width, 4, stride=2, padding=1)  # halves the sides
        self.conv2 = Conv2d(width, width, 4, stride=2, padding=1)
        self.conv3 = Conv2d(width, dims, 3, padding=1)

    def __call__(self, images):  # H×W×C
        h = tf.nn.relu(self.conv1(images))  # H/2×W/2×32
        h = tf.nn.relu(self.conv2(h))  # H/4×W/4×32
        return self.conv3(h)  # H/4×W/4×16: a vector at each place


class Decoder(tf.Module):
    def __init__(self, channels, width, dims):
        super().__init__()
        self.conv1 = Conv2d(dims, width, 3, padding=1)
        self.tconv1 = ConvTranspose2d(width, width, 4, stride=2, padding=1)  # doubles the sides
        self.tconv2 = ConvTranspose2d(width, channels, 4, stride=2, padding=1)

    def __call__(self, vectors):  # H/4×W/4×16
        h = tf.nn.relu(self.conv1(vectors))  # H/4×W/4×32
        h = tf.nn.relu(self.tconv1(h))  # H/2×W/2×32
        return self.tconv2(h)  # H×W×C, no activation: [-1, 1] is to be learned


class Codebook(tf.Module):
    def __init__(self, codes, dims):
        super().__init__()
        self.e = Embedding(codes, dims)  # its weight has a vector e in each row

    def nearest(self, vectors):  # H/4×W/4×16
        """The number of the e nearest to each z: ‖z − e‖² = ‖z‖² − 2 z·e + ‖e‖², z is the same."""
        e = self.e.weight  # K×16
        products = tf.tensordot(vectors, e, [[3], [1]])  # H/4×W/4×K
        return tf.argmin(tf.reduce_sum(tf.square(e), 1) / 2 - products, -1)  # H/4×W/4

    def vectors(self, codes):
        return self.e(codes)  # H/4×W/4×16

    def __call__(self, vectors):
        return self.vectors(self.nearest(vectors))


def seen(kernel, mask):
    """1 where a window lies on what comes before its middle, row by row; in mask B there, too."""
    places = tf.reshape(tf.range(kernel**2), [kernel, kernel, 1, 1])
    return tf.cast(places < kernel**2 // 2 + (mask == "B"), float_type())


class MaskedConv(Conv2d):
    def __init__(self, inputs, outputs, kernel, mask):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        self.seen = seen(kernel, mask)

    def __call__(self, maps):
        return tf.nn.conv2d(maps, self.weight * self.seen, 1, "SAME") + self.bias


class Prior(tf.Module):
    def __init__(self, codes, width):
        super().__init__()
        self.conv1 = MaskedConv(codes, width, 5, "A")  # no place may see its own code
        self.conv2 = MaskedConv(width, width, 3, "B")
        self.conv3 = MaskedConv(width, width, 3, "B")
        self.logits = Conv2d(width, codes, 1)

    def __call__(self, maps):  # H/4×W/4×K
        h = tf.nn.relu(self.conv1(maps))  # H/4×W/4×32
        h = tf.nn.relu(self.conv2(h))
        h = tf.nn.relu(self.conv3(h))
        return self.logits(h)  # H/4×W/4×K: log p(code | the codes before), up to a constant


def one_hot(codes, count):
    """Codes (H/4×W/4) as one map for each number: 1 where it stands, else 0."""
    return tf.one_hot(codes, count, dtype=float_type())


def squared_distance(a, b):
    """The mean of (a − b)² over everything."""
    return tf.reduce_mean(tf.square(a - b))


def cross_entropy(logits, codes):
    """The mean over all places of −log p(code)."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(codes, logits))


def perplexity(maps):
    """exp of the entropy of the codes' shares: K if all are equally frequent, 1 if one is alone."""
    shares = tf.reduce_mean(maps, [0, 1, 2])
    return tf.exp(-tf.reduce_sum(tf.math.xlogy(shares, shares)))


class VQVAE:
    def __init__(self, recipe):
        channels, sizes = recipe.image_shape[0], recipe.constants
        self.codes, self.beta = sizes["codes"], sizes["beta"]
        self.encoder = Encoder(channels, sizes["e_width"], sizes["dims"])
        self.codebook = Codebook(self.codes, sizes["dims"])
        self.decoder = Decoder(channels, sizes["e_width"], sizes["dims"])
        self.prior = Prior(self.codes, sizes["p_width"])
        one, p = recipe.optimizers["optimizer"], recipe.optimizers["p_optimizer"]
        networks = self.encoder, self.codebook, self.decoder
        self.weights = [weight for network in networks for weight in network.trainable_variables]
        self.optimizer = Adam(self.weights, one.lr, one.betas)
        self.p_optimizer = Adam(self.prior.trainable_variables, p.lr, p.betas)

    @tf.function
    def train_step(self, batch):
        images = batch["images"]
        with tf.GradientTape(persistent=True) as tape:
            z = self.encoder(images)
            codes = self.codebook.nearest(z)
            e = self.codebook.vectors(codes)
            # Straight through: the decoder is given e, and its gradient goes to z.
            reconstruction = squared_distance(self.decoder(z + tf.stop_gradient(e - z)), images)
            codebook = squared_distance(tf.stop_gradient(z), e)  # moves e to z
            commitment = squared_distance(z, tf.stop_gradient(e))  # moves z to e
            loss = reconstruction + codebook + self.beta * commitment

            maps = one_hot(codes, self.codes)
            prior = cross_entropy(self.prior(maps), codes)

        self.optimizer.apply(tape.gradient(loss, self.weights))
        self.p_optimizer.apply(tape.gradient(prior, self.prior.trainable_variables))
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
        codes, noise = tf.zeros([count, height * width], tf.int64), tf.reshape(noise, [count, -1])
        for place in tf.range(height * width):  # row after row
            maps = one_hot(tf.reshape(codes, [count, height, width]), self.codes)
            logits = tf.reshape(self.prior(maps), [count, -1, self.codes])[:, place]
            below = tf.cumsum(tf.nn.softmax(logits), 1)[:, :-1] <= noise[:, place, None]
            code = tf.math.count_nonzero(below, 1)  # the first code up to which p comes to more
            codes += code[:, None] * tf.one_hot(place, height * width, dtype=tf.int64)
        return self.decoder(self.codebook.vectors(tf.reshape(codes, [count, height, width])))


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
