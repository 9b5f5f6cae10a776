"""Question 04 in plain NumPy. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


class LatentSpace:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.encoder = networks["encoder"]
        self.decoder = networks["decoder"]
        self.z = recipe.constants["z"]

    def show(self, images):
        """The middle μ of each picture's cloud: N×z."""
        return np.split(self.encoder(images), 2, axis=1)[0]

    def change(self):
        """What lies along the line from (−2, −2) to (2, 2), both ends included: 10 pictures."""
        steps = np.linspace(-2, 2, 10)
        return self.decode(steps, steps)

    def change2(self):
        """What lies on a 30×30 grid over [−4, 4]², row by row from the top: 900 pictures."""
        steps = np.linspace(-4, 4, 30)
        across, up = np.meshgrid(steps, steps[::-1])
        return self.decode(across.ravel(), up.ravel())

    def decode(self, first, second):
        codes = np.zeros((len(first), max(self.z, 2)))  # the numbers after the second stay 0
        codes[:, 0], codes[:, 1] = first, second
        return np.tanh(self.decoder(codes[:, : self.z]) / 2)  # = 2 · sigmoid − 1
