"""Question 02: convolutional autoencoder — Chainer.

The same squeeze with layers that look at neighbourhoods: the code is a small map with 16 channels
instead of a row of numbers, and a few weights serve any picture size (Masci et al. 2011, "Stacked
convolutional auto-encoders for hierarchical feature extraction").
"""

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L


class Encoder(chainer.Chain):
    def __init__(self, channels):
        super().__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(channels, 32, ksize=3, pad=1)
            self.conv2 = L.Convolution2D(32, 16, ksize=3, pad=1)

    def forward(self, images):  # C×H×W
        h = F.relu(self.conv1(images))  # 32×H×W
        # cover_all=False: Chainer alone would add a tile that hangs over an odd side's edge
        h = F.max_pooling_2d(h, 2, cover_all=False)  # 32×H/2×W/2
        h = F.relu(self.conv2(h))  # 16×H/2×W/2
        return F.max_pooling_2d(h, 2, cover_all=False)  # 16×H/4×W/4


class Decoder(chainer.Chain):
    def __init__(self, channels):
        super().__init__()
        with self.init_scope():
            self.tconv1 = L.Deconvolution2D(16, 32, ksize=2, stride=2)
            self.tconv2 = L.Deconvolution2D(32, channels, ksize=2, stride=2)

    def forward(self, code):  # 16×H/4×W/4
        h = F.relu(self.tconv1(code))  # 32×H/2×W/2
        return self.tconv2(h)  # C×H×W, no activation: [-1, 1] is to be learned


def reconstruction_loss(reconstruction, images):
    """Mean squared error: (1 / N·C·H·W) Σ (x̂ − x)²."""
    return F.mean(F.square(reconstruction - images))


class ConvAutoencoder(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        channels = recipe.image_shape[0]
        with self.init_scope():
            self.encoder = Encoder(channels)
            self.decoder = Decoder(channels)
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
    main("convae", framework, ConvAutoencoder, train, sample)
