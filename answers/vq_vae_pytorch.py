"""Question 19: VQ-VAE — PyTorch.

An autoencoder whose code is a small map of numbers from 0 to K − 1: each place takes the nearest of
K vectors. A second network learns which number follows which, and so draws new maps (van den Oord
et al. 2017, "Neural discrete representation learning", arXiv 1711.00937).
"""

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn


class Encoder(nn.Module):
    def __init__(self, channels, width, dims):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 4, stride=2, padding=1)  # halves the sides
        self.conv2 = nn.Conv2d(width, width, 4, stride=2, padding=1)
        self.conv3 = nn.Conv2d(width, dims, 3, padding=1)

    def forward(self, images):  # C×H×W
        h = F.relu(self.conv1(images))  # 32×H/2×W/2
        h = F.relu(self.conv2(h))  # 32×H/4×W/4
        return self.conv3(h)  # 16×H/4×W/4: a vector at each place


class Decoder(nn.Module):
    def __init__(self, channels, width, dims):
        super().__init__()
        self.conv1 = nn.Conv2d(dims, width, 3, padding=1)
        self.tconv1 = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)  # doubles the sides
        self.tconv2 = nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1)

    def forward(self, vectors):  # 16×H/4×W/4
        h = F.relu(self.conv1(vectors))  # 32×H/4×W/4
        h = F.relu(self.tconv1(h))  # 32×H/2×W/2
        return self.tconv2(h)  # C×H×W, no activation: [-1, 1] is to be learned


class Codebook(nn.Module):
    def __init__(self, codes, dims):
        super().__init__()
        self.e = nn.Embedding(codes, dims)  # its weight has a vector e in each row

    def nearest(self, vectors):  # 16×H/4×W/4
        """The number of the e nearest to each z: ‖z − e‖² = ‖z‖² − 2 z·e + ‖e‖², z is the same."""
        rows, e = vectors.movedim(1, -1), self.e.weight  # H/4×W/4×16 and K×16
        return (e.square().sum(1) / 2 - rows @ e.T).argmin(-1)  # H/4×W/4

    def vectors(self, codes):
        return self.e(codes).movedim(-1, 1)  # 16×H/4×W/4

    def forward(self, vectors):
        return self.vectors(self.nearest(vectors))


def seen(kernel, mask):
    """1 where a window lies on what comes before its middle, row by row; in mask B there, too."""
    places = torch.arange(kernel**2).reshape(kernel, kernel)
    return (places < kernel**2 // 2 + (mask == "B")).to(torch.get_default_dtype())


class MaskedConv(nn.Conv2d):
    def __init__(self, inputs, outputs, kernel, mask):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        self.register_buffer("seen", seen(kernel, mask), persistent=False)

    def forward(self, maps):
        return F.conv2d(maps, self.weight * self.seen, self.bias, padding=self.padding)


class Prior(nn.Module):
    def __init__(self, codes, width):
        super().__init__()
        self.conv1 = MaskedConv(codes, width, 5, "A")  # no place may see its own code
        self.conv2 = MaskedConv(width, width, 3, "B")
        self.conv3 = MaskedConv(width, width, 3, "B")
        self.logits = nn.Conv2d(width, codes, 1)

    def forward(self, maps):  # K×H/4×W/4
        h = F.relu(self.conv1(maps))  # 32×H/4×W/4
        h = F.relu(self.conv2(h))
        h = F.relu(self.conv3(h))
        return self.logits(h)  # K×H/4×W/4: log p(code | the codes before), up to a constant


def one_hot(codes, count):
    """Codes (H/4×W/4) as one map for each number: 1 where it stands, else 0."""
    return F.one_hot(codes, count).movedim(-1, 1).to(torch.get_default_dtype())


def squared_distance(a, b):
    """The mean of (a − b)² over everything."""
    return (a - b).square().mean()


def cross_entropy(logits, codes):
    """The mean over all places of −log p(code)."""
    return F.cross_entropy(logits, codes)


def perplexity(maps):
    """exp of the entropy of the codes' shares: K if all are equally frequent, 1 if one is alone."""
    shares = maps.mean((0, 2, 3))
    return torch.exp(-torch.xlogy(shares, shares).sum())


class VQVAE(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        channels, sizes = recipe.image_shape[0], recipe.constants
        self.codes, self.beta = sizes["codes"], sizes["beta"]
        self.encoder = Encoder(channels, sizes["e_width"], sizes["dims"])
        self.codebook = Codebook(self.codes, sizes["dims"])
        self.decoder = Decoder(channels, sizes["e_width"], sizes["dims"])
        self.prior = Prior(self.codes, sizes["p_width"])
        one, p = recipe.optimizers["optimizer"], recipe.optimizers["p_optimizer"]
        networks = self.encoder, self.codebook, self.decoder
        weights = [weight for network in networks for weight in network.parameters()]
        self.optimizer = torch.optim.Adam(weights, one.lr, one.betas)
        self.p_optimizer = torch.optim.Adam(self.prior.parameters(), p.lr, p.betas)

    def train_step(self, batch):
        images = batch["images"]
        z = self.encoder(images)
        codes = self.codebook.nearest(z)
        e = self.codebook.vectors(codes)
        # Straight through: the decoder is given e, and its gradient goes to z.
        reconstruction = squared_distance(self.decoder(z + (e - z).detach()), images)
        codebook = squared_distance(z.detach(), e)  # moves e to z
        commitment = squared_distance(z, e.detach())  # moves z to e
        loss = reconstruction + codebook + self.beta * commitment

        maps = one_hot(codes, self.codes)
        prior = cross_entropy(self.prior(maps), codes)

        for optimizer, one in ((self.optimizer, loss), (self.p_optimizer, prior)):
            optimizer.zero_grad()
            one.backward()
            optimizer.step()
        told = {"reconstruction": reconstruction, "codebook": codebook, "prior": prior}
        return told | {"perplexity": perplexity(maps)}

    @torch.no_grad()
    def encode(self, images):
        return self.codebook.nearest(self.encoder(images))  # H/4×W/4

    @torch.no_grad()
    def reconstruct(self, images):
        return self.decoder(self.codebook(self.encoder(images)))

    @torch.no_grad()
    def generate(self, noise):  # H/4×W/4 in [0, 1)
        """Code after code, each drawn from what the prior says after those before it."""
        codes = torch.zeros(noise.shape, dtype=torch.int64)
        for i in range(noise.shape[1]):
            for j in range(noise.shape[2]):
                logits = self.prior(one_hot(codes, self.codes))[:, :, i, j]
                below = logits.softmax(1).cumsum(1)[:, :-1] <= noise[:, i, j, None]
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
