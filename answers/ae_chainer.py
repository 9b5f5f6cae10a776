"""Question 01: autoencoder — Chainer.

Squeeze a picture through 64 numbers, and rebuild it from them. The narrow layer keeps what the
pictures have in common (Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with
neural networks").
"""

import math

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L


class Encoder(chainer.Chain):
    def __init__(self, image_shape, code):
        super().__init__()
        with self.init_scope():
            self.fc = L.Linear(math.prod(image_shape), code)

    def forward(self, images):  # C×H×W
        flat = F.reshape(images, (len(images), -1))  # C·H·W
        return self.fc(flat)  # 64


class Decoder(chainer.Chain):
    def __init__(self, image_shape, code):
        super().__init__()
        self.image_shape = image_shape
        with self.init_scope():
            self.fc = L.Linear(code, math.prod(image_shape))

    def forward(self, code):  # 64
        flat = self.fc(code)  # C·H·W
        # no activation: [-1, 1] is to be learned
        return F.reshape(flat, (-1, *self.image_shape))  # C×H×W


def reconstruction_loss(reconstruction, images):
    """Mean squared error: (1 / N·C·H·W) Σ (x̂ − x)²."""
    return F.mean(F.square(reconstruction - images))


class Autoencoder(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        code = recipe.constants["code"]
        with self.init_scope():
            self.encoder = Encoder(recipe.image_shape, code)
            self.decoder = Decoder(recipe.image_shape, code)
        settings = recipe.optimizers["optimizer"]
        self.optimizer = Adam(settings.lr, *settings.betas)
        self.optimizer.setup(self)

    def train_step(self, batch):
        images = batch["images"]
        reconstruction = self.decoder(self.encoder(images))
        loss = reconstruction_loss(reconstruction, images)
        self.cleargrads()
        loss.backward()
        self.optimizer.update()
        return {"loss": loss.array}

    def reconstruct(self, images):
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
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
    main("ae", framework, Autoencoder, train, sample)
