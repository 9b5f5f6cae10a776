"""Question 02: convolutional autoencoder — TensorFlow.

The same squeeze with layers that look at neighbourhoods: the code is a small map with 16 channels
instead of a row of numbers, and a few weights serve any picture size (Masci et al. 2011, "Stacked
convolutional auto-encoders for hierarchical feature extraction").
"""

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import Adam, Conv2d, ConvTranspose2d
from knock.run import main

import tensorflow as tf


class Encoder(tf.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = Conv2d(channels, 32, kernel=3, padding=1)
        self.conv2 = Conv2d(32, 16, kernel=3, padding=1)

    def __call__(self, images):  # H×W×C
        h = tf.nn.relu(self.conv1(images))  # H×W×32
        h = tf.nn.max_pool2d(h, 2, 2, "VALID")  # H/2×W/2×32
        h = tf.nn.relu(self.conv2(h))  # H/2×W/2×16
        return tf.nn.max_pool2d(h, 2, 2, "VALID")  # H/4×W/4×16


class Decoder(tf.Module):
    def __init__(self, channels):
        super().__init__()
        self.tconv1 = ConvTranspose2d(16, 32, kernel=2, stride=2)
        self.tconv2 = ConvTranspose2d(32, channels, kernel=2, stride=2)

    def __call__(self, code):  # H/4×W/4×16
        h = tf.nn.relu(self.tconv1(code))  # H/2×W/2×32
        return self.tconv2(h)  # H×W×C, no activation: [-1, 1] is to be learned


def reconstruction_loss(reconstruction, images):
    """Mean squared error: (1 / N·H·W·C) Σ (x̂ − x)²."""
    return tf.reduce_mean(tf.square(reconstruction - images))


class ConvAutoencoder:
    def __init__(self, recipe):
        channels = recipe.image_shape[0]
        self.encoder = Encoder(channels)
        self.decoder = Decoder(channels)
        self.variables = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = Adam(self.variables, settings.lr, settings.betas)

    @tf.function
    def train_step(self, batch):
        images = batch["images"]
        with tf.GradientTape() as tape:
            reconstruction = self.decoder(self.encoder(images))
            loss = reconstruction_loss(reconstruction, images)
        self.optimizer.apply(tape.gradient(loss, self.variables))
        return {"loss": loss}

    @tf.function
    def reconstruct(self, images):
        return self.decoder(self.encoder(images))


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    images = run.examples["images"]
    run.show(input=images, reconstruction=model.reconstruct(images))


if __name__ == "__main__":
    main("convae", framework, ConvAutoencoder, train, sample)
