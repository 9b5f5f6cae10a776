"""Question 04: looking into the latent space — TensorFlow.

Open a trained VAE, from any framework, and walk through the plane of its codes: where does it put
each digit, and what does it draw in between (Kingma & Welling 2013, figure 4)?
"""

import math

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import Linear, float_type
from knock.look import main

import tensorflow as tf


class Encoder(tf.Module):
    def __init__(self, image_shape, hidden, z):
        super().__init__()
        self.fc = Linear(math.prod(image_shape), hidden)
        self.code = Linear(hidden, 2 * z)

    def __call__(self, images):  # H×W×C
        h = tf.nn.relu(self.fc(tf.reshape(images, [len(images), -1])))  # 256
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


class LatentSpace:
    def __init__(self, recipe):
        hidden, self.z = recipe.constants["hidden"], recipe.constants["z"]
        self.encoder = Encoder(recipe.image_shape, hidden, self.z)
        self.decoder = Decoder(recipe.image_shape, hidden, self.z)

    @tf.function
    def show(self, images):
        """The centre μ of each picture's cloud: N×z."""
        return tf.split(self.encoder(images), 2, axis=1)[0]

    def change(self):
        """What lies along the line from (−2, −2) to (2, 2), both ends included: 10 pictures."""
        steps = tf.linspace(tf.constant(-2, float_type()), 2, 10)
        return self.decode(steps, steps)

    def change2(self):
        """What lies on a 30×30 grid over [−4, 4]², row by row from the top: 900 pictures."""
        steps = tf.linspace(tf.constant(-4, float_type()), 4, 30)
        across, up = tf.meshgrid(steps, steps[::-1], indexing="xy")
        return self.decode(tf.reshape(across, [-1]), tf.reshape(up, [-1]))

    @tf.function
    def decode(self, first, second):
        codes = tf.stack([first, second][: self.z], axis=1)
        codes = tf.pad(codes, [[0, 0], [0, max(self.z - 2, 0)]])  # the numbers after stay 0
        return 2 * tf.sigmoid(self.decoder(codes)) - 1  # [0, 1] → [-1, 1]


def look(run, model):
    run.scatter("show", model.show(run.images))
    run.grid("change", model.change(), columns=10)
    run.grid("change2", model.change2(), columns=30)


if __name__ == "__main__":
    main("vae_latent", framework, LatentSpace, look)
