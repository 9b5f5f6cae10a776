"""Question 16: measuring made pictures — PyTorch.

A small classifier, the examiner, looks at true and at made pictures. Seven measures compare what it
says of them: inception score, Fréchet and kernel distance, precision and recall, density and
coverage, MS-SSIM, Parzen windows (Heusel et al. 2017, "GANs trained by a two time-scale update rule
converge to a local Nash equilibrium", arXiv 1706.08500). Each of them misses something.
"""

import math

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn

WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]  # of MS-SSIM's scales, the finest first
SIGMAS = [10 ** (i / 9 - 1) for i in range(10)]  # widths of Parzen's windows: 0.1 … 1


class Examiner(nn.Module):
    def __init__(self, image_shape, features, classes, width):
        super().__init__()
        channels, h, w = image_shape
        down = {"kernel_size": 5, "stride": 2, "padding": 2}  # halves the sides
        self.conv1 = nn.Conv2d(channels, width, **down)
        self.conv2 = nn.Conv2d(width, 2 * width, **down)
        self.conv3 = nn.Conv2d(2 * width, 4 * width, **down)
        self.fc = nn.Linear(4 * width * -(-h // 8) * -(-w // 8), features)
        self.classes = nn.Linear(features, classes)

    def features(self, images):  # C×H×W in [-1, 1]
        h = F.relu(self.conv1(images))  # 16×H/2×W/2
        h = F.relu(self.conv2(h))  # 32×H/4×W/4
        h = F.relu(self.conv3(h))  # 64×H/8×W/8
        return F.relu(self.fc(h.flatten(1)))  # 64: the features

    def forward(self, images):
        return self.classes(self.features(images))  # 10: a logit for each class


def cross_entropy(logits, labels):
    """The mean of −log p(label)."""
    return F.cross_entropy(logits, labels)


def log_mean_exp(x, axis):
    """The log of the mean of eˣ, without an eˣ that is 0 or infinite."""
    return torch.logsumexp(x, axis) - math.log(x.shape[axis])


def covariance(rows):
    """Σ = 1/(N − 1) Σ (x − μ)(x − μ)ᵀ, d×d."""
    centred = rows - rows.mean(0)
    return centred.T @ centred / (len(rows) - 1)


def cubic(a, b):
    """k(x, y) = (x·y / d + 1)³ of each row of a with each of b: N×M."""
    return (a @ b.T / a.shape[1] + 1) ** 3


def distances(a, b):
    """‖x − y‖² of each row of a and each of b: N×M. From differences: a copy is at exactly 0."""
    return sum((x[:, None] - y).square() for x, y in zip(a.T, b.T, strict=True))


def smooth(maps):
    """Means of 7×7 pixels with Gaussian weights, σ = 1.5, where the window fits."""
    line = torch.exp(-(torch.arange(-3, 4, dtype=maps.dtype, device=maps.device) ** 2) / 4.5)
    window = torch.outer(line, line) / line.sum() ** 2
    channels = maps.shape[1]
    return F.conv2d(maps, window.expand(channels, 1, 7, 7), groups=channels)


def halved(maps):
    """Means of 2×2 pixels."""
    return F.avg_pool2d(maps, 2)


def ssim(a, b):
    """How alike pictures in [0, 1] are, and their structure alone: two means for each channel."""
    mean_a, mean_b = smooth(a), smooth(b)
    variances = smooth(a * a) - mean_a**2 + smooth(b * b) - mean_b**2
    structure = (2 * (smooth(a * b) - mean_a * mean_b) + 0.03**2) / (variances + 0.03**2)
    luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    return (luminance * structure).mean((2, 3)), structure.mean((2, 3))  # N×C each


class Metrics(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        constants, settings = recipe.constants, recipe.optimizers["optimizer"]
        sizes = constants["features"], constants["classes"], constants["e_width"]
        self.examiner = Examiner(recipe.image_shape, *sizes)
        self.neighbours, self.splits = constants["neighbours"], constants["splits"]
        self.optimizer = torch.optim.Adam(self.examiner.parameters(), settings.lr, settings.betas)

    def train_step(self, batch):
        loss = cross_entropy(self.examiner(batch["images"]), batch["labels"])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss}

    @torch.no_grad()
    def classify(self, images):
        return self.examiner(images)  # N×10 logits

    @torch.no_grad()
    def features(self, images):
        return self.examiner.features(images)  # N×64

    def inception(self, logits):
        """exp( mean of KL(p(class | picture) ‖ p(class)) ): from 1 to the number of classes."""
        scores, count = [], len(logits)
        for i in range(self.splits):
            part = logits[count * i // self.splits : count * (i + 1) // self.splits]
            logs = F.log_softmax(part, dim=1)  # log p(class | picture)
            divergence = logs.exp() * (logs - log_mean_exp(logs, 0))
            scores.append(divergence.sum(1).mean().exp())
        return torch.stack(scores).mean()

    def frechet(self, real, made):
        """‖μ − μ'‖² + tr Σ + tr Σ' − 2 tr (Σ Σ')^½: 0 if mean and covariance are the same."""
        difference = real.mean(0) - made.mean(0)
        a, b = covariance(real), covariance(made)
        # ΣΣ' is not symmetric, but Σ^½ Σ' Σ^½ is, and it has the same eigenvalues.
        values, vectors = torch.linalg.eigh(a)
        root = vectors * values.clamp(min=0).sqrt() @ vectors.T
        shared = torch.linalg.eigvalsh(root @ b @ root).clamp(min=0).sqrt().sum()
        return difference @ difference + a.trace() + b.trace() - 2 * shared

    def kernel(self, real, made):
        """E k(x, x') + E k(y, y') − 2 E k(x, y): no point with itself, so it may fall below 0."""
        (n, m), x, y = (len(real), len(made)), cubic(real, real), cubic(made, made)
        among_real = (x.sum() - x.trace()) / (n * (n - 1))
        among_made = (y.sum() - y.trace()) / (m * (m - 1))
        return among_real + among_made - 2 * cubic(real, made).mean()

    def neighbourhoods(self, real, made):
        """Precision, recall, density, coverage. A point's ball reaches to its k-th neighbour."""
        k, apart = self.neighbours, distances(real, made)  # N×M
        reach_real = distances(real, real).sort(1).values[:, k]  # the point itself is at [0]
        reach_made = distances(made, made).sort(1).values[:, k]
        in_real = (apart <= reach_real[:, None]).to(real.dtype)  # is y in the ball of x?
        in_made = (apart <= reach_made).to(real.dtype)  # is x in the ball of y?
        precision = in_real.amax(0).mean()  # made points in any real ball
        recall = in_made.amax(1).mean()  # real points in any made ball
        density = in_real.sum() / (k * len(made))  # real balls around a made point, over k
        coverage = in_real.amax(1).mean()  # real balls with any made point in them
        return torch.stack([precision, recall, density, coverage])

    def similarity(self, images):
        """Mean MS-SSIM of the rows 0, 2, 4 … with 1, 3, 5 …: near 1 if all pictures are alike."""
        pixels = (images + 1) / 2  # to [0, 1]
        a, b = pixels[0::2], pixels[1::2]
        scales = sum(min(a.shape[2:]) >> scale >= 7 for scale in range(5))  # where a window fits
        alike = 1
        for scale, weight in enumerate(WEIGHTS[:scales]):
            whole, structure = ssim(a, b)
            part = whole if scale == scales - 1 else structure  # luminance at the last one only
            alike = alike * part.clamp(min=0) ** (weight / sum(WEIGHTS[:scales]))
            a, b = halved(a), halved(b)
        return alike.mean()

    def parzen(self, real, made):
        """log p(x) with a Gaussian around each made row, for each of ten σ: N×10."""
        # Nothing is compared here, so the quick formula may be off by a rounding.
        apart = (real**2).sum(1)[:, None] + (made**2).sum(1) - 2 * real @ made.T
        d = real.shape[1]
        logs = [log_mean_exp(-apart / (2 * s**2), 1) for s in SIGMAS]
        norms = [d * math.log(s * math.sqrt(2 * math.pi)) for s in SIGMAS]
        return torch.stack([one - norm for one, norm in zip(logs, norms, strict=True)], dim=1)


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    images = run.examples["images"]
    sure = model.classify(images).log_softmax(1)
    surest = sure.argsort(0, descending=True)[:10]  # for each class, of ten pictures
    run.show(**{name: images[surest[:, i]] for i, name in enumerate(run.class_names)})


def measure(run, model):
    run.table(run.ladder(model))


if __name__ == "__main__":
    main("metrics", framework, Metrics, train, sample, measure)
