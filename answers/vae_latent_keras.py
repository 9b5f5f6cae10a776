"""Question 04: looking into the latent space — Keras.

Open a trained VAE, from any framework, and walk through the plane of its codes: where does it put
each digit, and what does it draw in between (Kingma & Welling 2013, figure 4)?
"""

import math

from knock.frameworks import keras as framework
from knock.look import main

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


class LatentSpace(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        hidden, self.z = recipe.constants["hidden"], recipe.constants["z"]
        self.encoder = Encoder(hidden, self.z)
        self.decoder = Decoder(recipe.image_shape, hidden)

    @tf.function
    def show(self, images):
        """The centre μ of each picture's cloud: N×z."""
        return ops.split(self.encoder(images), 2, axis=1)[0]

    def change(self):
        """What lies along the line from (−2, −2) to (2, 2), both ends included: 10 pictures."""
        steps = ops.linspace(-2.0, 2.0, 10, dtype=keras.config.floatx())
        return self.decode(steps, steps)

    def change2(self):
        """What lies on a 30×30 grid over [−4, 4]², row by row from the top: 900 pictures."""
        steps = ops.linspace(-4.0, 4.0, 30, dtype=keras.config.floatx())
        across, up = ops.meshgrid(steps, ops.flip(steps), indexing="xy")
        return self.decode(ops.ravel(across), ops.ravel(up))

    @tf.function
    def decode(self, first, second):
        codes = ops.stack([first, second][: self.z], axis=1)
        codes = ops.pad(codes, [[0, 0], [0, max(self.z - 2, 0)]])  # the numbers after stay 0
        return 2 * ops.sigmoid(self.decoder(codes)) - 1  # [0, 1] → [-1, 1]


def look(run, model):
    run.scatter("show", model.show(run.images))
    run.grid("change", model.change(), columns=10)
    run.grid("change2", model.change2(), columns=30)


if __name__ == "__main__":
    main("vae_latent", framework, LatentSpace, look)
