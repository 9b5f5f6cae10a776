"""Question 11: LAPGAN — PyTorch.

Draw coarsely, enlarge, add what is missing, and again: a GAN for each level of a Laplacian pyramid
(Denton et al. 2015, arXiv 1506.05751).
"""

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn


def smooth(images):
    """(1, 2, 1)/4 along rows and columns: (1, 1)/2, twice. Beyond an edge, its last pixel again."""
    h = F.pad(images, (1, 1, 1, 1), mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(h, 2, stride=1), 2, stride=1)


def shrink(images, sides):
    """d(I): smoothed, then fewer pixels, linearly between the middles of the old ones."""
    return F.interpolate(smooth(images), sides, mode="bilinear")


def enlarge(images, sides):
    """u(I): more pixels, then smoothed."""
    return smooth(F.interpolate(images, sides, mode="bilinear"))


class CoarsestGenerator(nn.Module):
    def __init__(self, image_shape, constants):
        super().__init__()
        self.image_shape, hidden = image_shape, constants["g_hidden"]
        self.fc1 = nn.Linear(constants["z"] + constants["classes"], hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.pixels = nn.Linear(hidden, image_shape[0] * image_shape[1] * image_shape[2])

    def forward(self, asked):  # z + classes
        h = F.relu(self.fc1(asked))  # 1200
        h = F.relu(self.fc2(h))  # 1200
        return torch.tanh(self.pixels(h).unflatten(1, self.image_shape))  # C×H₁×W₁ in [-1, 1]


class CoarsestDiscriminator(nn.Module):
    def __init__(self, image_shape, constants):
        super().__init__()
        (channels, h, w), hidden = image_shape, constants["d_hidden"]
        self.fc1 = nn.Linear((channels + constants["classes"]) * h * w, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.real = nn.Linear(hidden, 1)

    def forward(self, told, mask1, mask2):  # (C + classes)×H₁×W₁; masks of the dropouts: 0 or 2
        h = F.relu(self.fc1(told.flatten(1))) * mask1  # 600
        h = F.relu(self.fc2(h)) * mask2  # 600
        return self.real(h)  # 1: a logit, above 0 where it says "real"


class Generator(nn.Module):
    def __init__(self, image_shape, constants):
        super().__init__()
        channels, width = image_shape[0], constants["g_width"]
        self.conv1 = nn.Conv2d(channels + 1 + constants["classes"], width, 5, padding=2)
        self.conv2 = nn.Conv2d(width, width, 5, padding=2)
        self.residual = nn.Conv2d(width, channels, 5, padding=2)

    def forward(self, asked):  # (C + 1 + classes)×Hₖ×Wₖ
        h = F.relu(self.conv1(asked))  # 64×Hₖ×Wₖ
        h = F.relu(self.conv2(h))  # 64×Hₖ×Wₖ
        return self.residual(h)  # C×Hₖ×Wₖ


class Discriminator(nn.Module):
    def __init__(self, image_shape, constants):
        super().__init__()
        (channels, h, w), width = image_shape, constants["d_width"]
        self.conv1 = nn.Conv2d(channels + constants["classes"], width, 5, stride=2, padding=2)
        self.conv2 = nn.Conv2d(width, width, 5, stride=2, padding=2)
        self.real = nn.Linear(width * -(-h // 4) * -(-w // 4), 1)  # a half is rounded up

    def forward(self, told):  # (C + classes)×Hₖ×Wₖ
        h = F.leaky_relu(self.conv1(told), 0.2)  # 64×Hₖ/2×Wₖ/2
        h = F.leaky_relu(self.conv2(h), 0.2)  # 64×Hₖ/4×Wₖ/4
        return self.real(h.flatten(1))  # 1: a logit


def tell(maps, classes):
    """A plane of ones or zeros for each class, after the maps."""
    planes = classes[:, :, None, None].expand(-1, -1, *maps.shape[2:])
    return torch.cat([maps, planes], dim=1)


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    return F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))


class Level:  # the GAN of one level; it knows no other, as it starts from real pictures
    def __init__(self, k, sides, recipe):
        self.k, self.sides, shape = k, sides, (recipe.image_shape[0], *sides)
        kinds = (CoarsestGenerator, CoarsestDiscriminator) if k == 1 else (Generator, Discriminator)
        self.generator, self.discriminator = (kind(shape, recipe.constants) for kind in kinds)
        d, g = recipe.optimizers[f"d_optimizer{k}"], recipe.optimizers[f"g_optimizer{k}"]
        self.d_optimizer = torch.optim.SGD(self.discriminator.parameters(), d.lr, d.momentum)
        self.g_optimizer = torch.optim.SGD(self.generator.parameters(), g.lr, g.momentum)

    def draw(self, low, noise, classes):
        """A picture from noise; above the coarsest level, low + G(low, noise)."""
        if self.k == 1:
            return self.generator(torch.cat([noise, classes], dim=1))
        return low + self.generator(tell(torch.cat([low, noise], dim=1), classes))

    def train_step(self, images, low, noise, classes, *masks):
        # A real residual is I − low, and low is added to it before anybody looks: that is I.
        real, fake = tell(images, classes), tell(self.draw(low, noise, classes), classes)

        # The discriminator's step; the generator does not learn here.
        real_logits, fake_logits = (self.discriminator(x, *masks) for x in (real, fake.detach()))
        discriminator_loss = called_real(real_logits) + called_fake(fake_logits)
        self.d_optimizer.zero_grad()
        discriminator_loss.backward()
        self.d_optimizer.step()

        # The generator's: to be called real by the discriminator's new weights.
        generator_loss = called_real(self.discriminator(fake, *masks))
        self.g_optimizer.zero_grad()
        generator_loss.backward(inputs=list(self.generator.parameters()))
        self.g_optimizer.step()
        return {f"discriminator{self.k}": discriminator_loss, f"generator{self.k}": generator_loss}


class LAPGAN(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        self.levels = [Level(k, sides, recipe) for k, sides in enumerate(recipe.levels, 1)]
        for level in self.levels:  # the coarsest first
            for part in ("generator", "discriminator", "d_optimizer", "g_optimizer"):
                setattr(self, f"{part}{level.k}", getattr(level, part))
        self.constants, self.first = recipe.constants, recipe.optimizers

    def one_hot(self, labels, like):
        """N class numbers as N×classes zeros with a one at the class; N×0 if no class is given."""
        return (labels[:, None] == torch.arange(self.constants["classes"])).to(like)

    def pyramid(self, images):
        """Of each level, the coarsest first, its picture Iₖ and what it starts from, u(Iₖ₋₁)."""
        pictures = [images]
        for level in self.levels[-2::-1]:
            pictures.insert(0, shrink(pictures[0], level.sides))
        lows = (enlarge(pictures[level.k - 2], level.sides) for level in self.levels[1:])
        return list(zip(pictures, [None, *lows], strict=True))  # nothing is below the coarsest

    def set_rates(self, epoch):
        """A learning rate that falls, and a momentum that rises, with every epoch."""
        for name, first in self.first.items():
            (group,) = getattr(self, name).param_groups
            group["lr"] = first.lr / (1 + self.constants["lr_decay"]) ** epoch
            grown = first.momentum + self.constants["momentum_step"] * epoch
            group["momentum"] = min(grown, self.constants["momentum_most"])

    def train_step(self, batch):
        self.set_rates(int(batch["epoch"]))
        classes, losses = self.one_hot(batch["labels"], like=batch["images"]), {}
        for level, (images, low) in zip(self.levels, self.pyramid(batch["images"]), strict=True):
            masks = (batch["mask1"], batch["mask2"]) if level.k == 1 else ()
            losses |= level.train_step(images, low, batch[f"noise{level.k}"], classes, *masks)
        return losses

    def coarsest(self, images):
        return self.pyramid(images)[0][0]

    def rebuild(self, images):  # from the coarsest picture, corrected by every residual
        (picture, _), *finer = self.pyramid(images)
        for images, low in finer:
            picture = enlarge(picture, images.shape[2:]) + (images - low)
        return picture

    @torch.no_grad()
    def strip(self, labels, *noises):
        """Coarse to fine: what each level starts from, its residual, and the picture they make."""
        rows, picture, classes = {}, None, self.one_hot(labels, like=noises[0])
        for level, noise in zip(self.levels, noises, strict=True):
            low = None if picture is None else enlarge(picture, level.sides)
            picture = level.draw(low, noise, classes)
            own = {"low": low, "residual": picture - low} if level.k > 1 else {}
            rows |= {f"{name} {level.k}": row for name, row in [*own.items(), ("picture", picture)]}
        return rows

    def generate(self, labels, *noises):
        return self.strip(labels, *noises)[f"picture {len(noises)}"]


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    noises = (run.examples[f"noise{level.k}"] for level in model.levels)
    *way, (_, last) = model.strip(run.examples["labels"], *noises).items()
    run.show(**{name: row[:10] for name, row in way}, sample=last)


if __name__ == "__main__":
    main("lapgan", framework, LAPGAN, train, sample)
