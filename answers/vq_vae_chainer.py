"""Question 19: VQ-VAE — Chainer.

An autoencoder whose code is a small map of numbers from 0 to K − 1: each place takes the nearest of
K vectors. A second network learns which number follows which, and so draws new maps (van den Oord
et al. 2017, "Neural discrete representation learning", arXiv 1711.00937).
"""

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np


class Encoder(chainer.Chain):
    def __init__(self, channels, width, dims):
        super().__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(channels, width, 4, stride=2, pad=1)  # halves the sides
            self.conv2 = L.Convolution2D(width, width, 4, stride=2, pad=1)
            self.conv3 = L.Convolution2D(width, dims, 3, pad=1)

    def forward(self, images):  # C×H×W
        h = F.relu(self.conv1(images))  # 32×H/2×W/2
        h = F.relu(self.conv2(h))  # 32×H/4×W/4
        return self.conv3(h)  # 16×H/4×W/4: a vector at each place


class Decoder(chainer.Chain):
    def __init__(self, channels, width, dims):
        super().__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(dims, width, 3, pad=1)
            self.tconv1 = L.Deconvolution2D(width, width, 4, stride=2, pad=1)  # doubles the sides
            self.tconv2 = L.Deconvolution2D(width, channels, 4, stride=2, pad=1)

    def forward(self, vectors):  # 16×H/4×W/4
        h = F.relu(self.conv1(vectors))  # 32×H/4×W/4
        h = F.relu(self.tconv1(h))  # 32×H/2×W/2
        return self.tconv2(h)  # C×H×W, no activation: [-1, 1] is to be learned


class Codebook(chainer.Chain):
    def __init__(self, codes, dims):
        super().__init__()
        with self.init_scope():
            self.e = L.EmbedID(codes, dims)  # its weight has a vector e in each row

    def nearest(self, vectors):  # 16×H/4×W/4
        """The number of the e nearest to each z: ‖z − e‖² = ‖z‖² − 2 z·e + ‖e‖², z is the same."""
        rows, e = chainer.as_array(vectors).transpose(0, 2, 3, 1), self.e.W.array
        return ((e**2).sum(1) / 2 - rows @ e.T).argmin(-1)  # H/4×W/4

    def vectors(self, codes):
        return F.transpose(self.e(codes), (0, 3, 1, 2))  # 16×H/4×W/4

    def forward(self, vectors):
        return self.vectors(self.nearest(vectors))


def seen(kernel, mask):
    """1 where a window lies on what comes before its middle, row by row; in mask B there, too."""
    places = np.arange(kernel**2).reshape(kernel, kernel)
    return (places < kernel**2 // 2 + (mask == "B")).astype(chainer.get_dtype())


class MaskedConv(L.Convolution2D):
    def __init__(self, inputs, outputs, kernel, mask):
        super().__init__(inputs, outputs, kernel, pad=kernel // 2)
        self.seen = seen(kernel, mask)

    def forward(self, maps):
        weight = self.W * self.xp.asarray(self.seen)
        return F.convolution_2d(maps, weight, self.b, pad=self.pad)


class Prior(chainer.Chain):
    def __init__(self, codes, width):
        super().__init__()
        with self.init_scope():
            self.conv1 = MaskedConv(codes, width, 5, "A")  # no place may see its own code
            self.conv2 = MaskedConv(width, width, 3, "B")
            self.conv3 = MaskedConv(width, width, 3, "B")
            self.logits = L.Convolution2D(width, codes, 1)

    def forward(self, maps):  # K×H/4×W/4
        h = F.relu(self.conv1(maps))  # 32×H/4×W/4
        h = F.relu(self.conv2(h))
        h = F.relu(self.conv3(h))
        return self.logits(h)  # K×H/4×W/4: log p(code | the codes before), up to a constant


def one_hot(codes, count):
    """Codes (H/4×W/4) as one map for each number: 1 where it stands, else 0."""
    xp = chainer.backend.get_array_module(codes)
    return xp.eye(count, dtype=chainer.get_dtype())[codes].transpose(0, 3, 1, 2)


def squared_distance(a, b):
    """The mean of (a − b)² over everything."""
    return F.mean(F.square(a - b))


def cross_entropy(logits, codes):
    """The mean over all places of −log p(code)."""
    return F.softmax_cross_entropy(logits, codes)


def perplexity(maps):
    """exp of the entropy of the codes' shares: K if all are equally frequent, 1 if one is alone."""
    shares = maps.mean((0, 2, 3))
    used = shares[shares > 0]
    return np.exp(-(used * np.log(used)).sum())


class VQVAE(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        channels, sizes = recipe.image_shape[0], recipe.constants
        self.codes, self.beta = sizes["codes"], sizes["beta"]
        with self.init_scope():
            self.encoder = Encoder(channels, sizes["e_width"], sizes["dims"])
            self.codebook = Codebook(self.codes, sizes["dims"])
            self.decoder = Decoder(channels, sizes["e_width"], sizes["dims"])
        self.prior = Prior(self.codes, sizes["p_width"])  # outside: it has its own optimiser
        one, p = recipe.optimizers["optimizer"], recipe.optimizers["p_optimizer"]
        self.optimizer = Adam(one.lr, *one.betas).setup(self)
        self.p_optimizer = Adam(p.lr, *p.betas).setup(self.prior)

    def train_step(self, batch):
        images = batch["images"]
        z = self.encoder(images)
        codes = self.codebook.nearest(z)
        e = self.codebook.vectors(codes)
        # Straight through: the decoder is given e, and its gradient goes to z.
        reconstruction = squared_distance(self.decoder(z + (e.array - z.array)), images)
        codebook = squared_distance(z.array, e)  # moves e to z
        commitment = squared_distance(z, e.array)  # moves z to e
        loss = reconstruction + codebook + self.beta * commitment

        maps = one_hot(codes, self.codes)
        prior = cross_entropy(self.prior(maps), codes)

        steps = (self, self.optimizer, loss), (self.prior, self.p_optimizer, prior)
        for network, optimizer, one in steps:
            network.cleargrads()
            one.backward()
            optimizer.update()
        told = {"reconstruction": reconstruction, "codebook": codebook, "prior": prior}
        told = {name: loss.array for name, loss in told.items()}
        return told | {"perplexity": perplexity(maps)}

    def encode(self, images):
        with chainer.no_backprop_mode():
            return self.codebook.nearest(self.encoder(images))  # H/4×W/4

    def reconstruct(self, images):
        with chainer.no_backprop_mode():
            return self.decoder(self.codebook(self.encoder(images)))

    def generate(self, noise):  # H/4×W/4 in [0, 1)
        """Code after code, each drawn from what the prior says after those before it."""
        codes = self.prior.xp.zeros(noise.shape, int)
        with chainer.no_backprop_mode():
            for i in range(noise.shape[1]):
                for j in range(noise.shape[2]):
                    logits = self.prior(one_hot(codes, self.codes))[:, :, i, j]
                    below = F.softmax(logits).array.cumsum(1)[:, :-1] <= noise[:, i, j, None]
                    codes[:, i, j] = below.sum(1)  # the first code up to which p comes to more
            return self.decoder(self.codebook.vectors(codes))


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
