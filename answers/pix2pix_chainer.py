"""Question 08: pix2pix — Chainer.

One picture in, another out: a U-Net draws it, a discriminator looks at both, patch by patch, and L1
keeps it close to the target (Isola et al. 2016, "Image-to-image translation with
conditional adversarial networks", arXiv 1611.07004).
"""

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam, BatchStatistics
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L


def batch_norm(channels):
    """With the batch's own mean and variance, in training and in evaluation: nothing is kept."""
    return BatchStatistics(channels)


class Generator(chainer.Chain):
    """A U-Net; a map's number counts its halvings. The first has 64 channels, none above 512."""

    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.depth = min(h, w).bit_length() - 1  # halvings until a side is 1
        maps = [channels] + [min(8, 2**k) * width for k in range(self.depth)]
        by_two = {"ksize": 4, "stride": 2, "pad": 1}
        with self.init_scope():
            for k in range(1, self.depth + 1):
                down = L.Convolution2D(maps[k - 1], maps[k], **by_two, nobias=k > 1)
                setattr(self, f"down{k}", down)
                if 1 < k < self.depth:
                    setattr(self, f"down_bn{k}", batch_norm(maps[k]))
            for k in range(self.depth, 0, -1):
                above = maps[k] if k == self.depth else 2 * maps[k]  # with the way down's map
                up = L.Deconvolution2D(above, maps[k - 1], **by_two, nobias=k > 1)
                setattr(self, f"up{k}", up)
                if k > 1:
                    setattr(self, f"up_bn{k}", batch_norm(maps[k - 1]))

    def forward(self, images, *masks):  # C×H×W; masks: of the three innermost ways up
        h, kept = images, [images]
        for k in range(1, self.depth + 1):
            h = self[f"down{k}"](h if k == 1 else F.leaky_relu(h, 0.2))
            if 1 < k < self.depth:
                h = self[f"down_bn{k}"](h)
            kept.append(h)  # H/2ᵏ×W/2ᵏ
        for k in range(self.depth, 0, -1):
            if k < self.depth:
                h = F.concat([h, kept[k]], axis=1)
            h = self[f"up{k}"](F.relu(h))
            if k > 1:
                h = self[f"up_bn{k}"](h)
            if self.depth - k < len(masks):
                h = h * masks[self.depth - k]  # dropout: 0 or 2
        return F.tanh(h)  # C×H×W in [-1, 1]


class Discriminator(chainer.Chain):
    """A PatchGAN: each logit sees 34×34 pixels of the pair, or 70×70 if a side has 128 or more."""

    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 128
        below, last = (4 * width, 8 * width) if self.large else (2 * width, 4 * width)
        by_two = {"ksize": 4, "stride": 2, "pad": 1}
        with self.init_scope():
            self.conv1 = L.Convolution2D(2 * channels, width, **by_two)
            self.conv2 = L.Convolution2D(width, 2 * width, **by_two, nobias=True)
            self.bn2 = batch_norm(2 * width)
            if self.large:
                self.conv3 = L.Convolution2D(2 * width, 4 * width, **by_two, nobias=True)
                self.bn3 = batch_norm(4 * width)
            self.conv4 = L.Convolution2D(below, last, ksize=4, pad=1, nobias=True)
            self.bn4 = batch_norm(last)
            self.real = L.Convolution2D(last, 1, ksize=4, pad=1)

    def forward(self, pairs):  # 2C×H×W
        h = F.leaky_relu(self.conv1(pairs), 0.2)  # 64×H/2×W/2
        h = F.leaky_relu(self.bn2(self.conv2(h)), 0.2)  # 128×H/4×W/4
        if self.large:
            h = F.leaky_relu(self.bn3(self.conv3(h)), 0.2)  # 256×H/8×W/8
        h = F.leaky_relu(self.bn4(self.conv4(h)), 0.2)  # a row and a column fewer
        return self.real(h)  # 1×H/4−2×W/4−2: a logit for each patch


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    return F.mean(F.softplus(-logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    return F.mean(F.softplus(logits))


class Pix2pix(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        with self.init_scope():
            self.generator = Generator(shape, constants["g_width"])
            self.discriminator = Discriminator(shape, constants["d_width"])
        self.l1_weight = constants["l1_weight"]
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.d_optimizer.setup(self.discriminator)
        self.g_optimizer = Adam(g.lr, *g.betas)
        self.g_optimizer.setup(self.generator)

    def train_step(self, batch):
        images, targets = batch["images"], batch["targets"]
        fake = self.generator(images, batch["mask1"], batch["mask2"], batch["mask3"])
        real_pair = F.concat([images, targets], axis=1)
        fake_pair = F.concat([images, fake], axis=1)

        # The discriminator's step, at half speed; .array leaves the generator out.
        real_logits = self.discriminator(real_pair)
        fake_logits = self.discriminator(fake_pair.array)
        discriminator_loss = (called_real(real_logits) + called_fake(fake_logits)) / 2
        self.discriminator.cleargrads()
        discriminator_loss.backward()
        self.d_optimizer.update()

        # The generator's: to be called real beside its input, and to be close to the target.
        generator_loss = called_real(self.discriminator(fake_pair))
        l1 = F.mean(F.absolute(fake - targets))
        whole = generator_loss + self.l1_weight * l1
        chainer.grad([whole], list(self.generator.params()), set_grad=True)
        self.g_optimizer.update()
        losses = {"discriminator": discriminator_loss, "generator": generator_loss, "l1": l1}
        return {name: loss.array for name, loss in losses.items()}

    def generate(self, images, *masks):
        with chainer.no_backprop_mode():
            return self.generator(images, *masks)  # as in training, dropout included


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    given = run.examples
    made = model.generate(given["images"], given["mask1"], given["mask2"], given["mask3"])
    run.show(input=given["images"], target=given["targets"], sample=made)


if __name__ == "__main__":
    main("pix2pix", framework, Pix2pix, train, sample)
