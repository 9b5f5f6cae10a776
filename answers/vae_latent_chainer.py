"""Question 04: looking into the latent space — Chainer.

Open a trained VAE, from any framework, and walk through the plane of its codes: where does it put
each digit, and what does it draw in between (Kingma & Welling 2013, figure 4)?
"""

import math

from knock.frameworks import chainer as framework
from knock.look import main

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


class LatentSpace(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        hidden, self.z = recipe.constants["hidden"], recipe.constants["z"]
        with self.init_scope():
            self.encoder = Encoder(recipe.image_shape, hidden, self.z)
            self.decoder = Decoder(recipe.image_shape, hidden, self.z)

    def show(self, images):
        """The centre μ of each picture's cloud: N×z."""
        with chainer.no_backprop_mode():
            return F.split_axis(self.encoder(images), 2, axis=1)[0]

    def change(self):
        """What lies along the line from (−2, −2) to (2, 2), both ends included: 10 pictures."""
        steps = self.xp.linspace(-2, 2, 10)
        return self.decode(steps, steps)

    def change2(self):
        """What lies on a 30×30 grid over [−4, 4]², row by row from the top: 900 pictures."""
        steps = self.xp.linspace(-4, 4, 30)
        across, up = self.xp.meshgrid(steps, steps[::-1])
        return self.decode(across.ravel(), up.ravel())

    def decode(self, first, second):
        codes = self.xp.zeros((len(first), max(self.z, 2)), chainer.get_dtype())
        codes[:, 0], codes[:, 1] = first, second  # the numbers after the second stay 0
        with chainer.no_backprop_mode():
            return 2 * F.sigmoid(self.decoder(codes[:, : self.z])) - 1  # [0, 1] → [-1, 1]


def look(run, model):
    run.scatter("show", model.show(run.images))
    run.grid("change", model.change(), columns=10)
    run.grid("change2", model.change2(), columns=30)


if __name__ == "__main__":
    main("vae_latent", framework, LatentSpace, look)
