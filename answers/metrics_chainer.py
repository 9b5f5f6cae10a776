"""Question 16: measuring made pictures — Chainer.

A small classifier, the examiner, looks at true and at made pictures. Seven measures compare what it
says of them: inception score, Fréchet and kernel distance, precision and recall, density and
coverage, MS-SSIM, Parzen windows (Heusel et al. 2017, "GANs trained by a two time-scale update rule
converge to a local Nash equilibrium", arXiv 1706.08500). Each of them misses something.
"""

import math

from knock.frameworks import chainer as framework
from knock.frameworks.chainer import Adam
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L
from chainer.backend import get_array_module

WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]  # of MS-SSIM's scales, the finest first
SIGMAS = [10 ** (i / 9 - 1) for i in range(10)]  # widths of Parzen's windows: 0.1 … 1


class Examiner(chainer.Chain):
    def __init__(self, image_shape, features, classes, width):
        super().__init__()
        channels, h, w = image_shape
        down = {"ksize": 5, "stride": 2, "pad": 2}  # halves the sides
        with self.init_scope():
            self.conv1 = L.Convolution2D(channels, width, **down)
            self.conv2 = L.Convolution2D(width, 2 * width, **down)
            self.conv3 = L.Convolution2D(2 * width, 4 * width, **down)
            self.fc = L.Linear(4 * width * -(-h // 8) * -(-w // 8), features)
            self.classes = L.Linear(features, classes)

    def features(self, images):  # C×H×W in [-1, 1]
        h = F.relu(self.conv1(images))  # 16×H/2×W/2
        h = F.relu(self.conv2(h))  # 32×H/4×W/4
        h = F.relu(self.conv3(h))  # 64×H/8×W/8
        return F.relu(self.fc(h))  # 64: the features

    def forward(self, images):
        return self.classes(self.features(images))  # 10: a logit for each class


def cross_entropy(logits, labels):
    """The mean of −log p(label)."""
    return F.softmax_cross_entropy(logits, labels)


def log_mean_exp(x, axis):
    """The log of the mean of eˣ, without an eˣ that is 0 or infinite."""
    return F.logsumexp(x, axis).array - math.log(x.shape[axis])


def covariance(rows):
    """Σ = 1/(N − 1) Σ (x − μ)(x − μ)ᵀ, d×d."""
    centred = rows - rows.mean(0)
    return centred.T @ centred / (len(rows) - 1)


def cubic(a, b):
    """k(x, y) = (x·y / d + 1)³ of each row of a with each of b: N×M."""
    return (a @ b.T / a.shape[1] + 1) ** 3


def distances(a, b):
    """‖x − y‖² of each row of a and each of b: N×M. From differences: a copy is at exactly 0."""
    return sum((x[:, None] - y) ** 2 for x, y in zip(a.T, b.T, strict=True))


def smooth(maps):
    """Means of 7×7 pixels with Gaussian weights, σ = 1.5, where the window fits."""
    xp, channels = get_array_module(maps), maps.shape[1]
    line = xp.exp(-(xp.arange(-3, 4, dtype=maps.dtype) ** 2) / 4.5)
    window = xp.outer(line, line) / line.sum() ** 2
    kernel = xp.broadcast_to(window, (channels, 1, 7, 7))
    return F.convolution_2d(maps, kernel, groups=channels).array


def halved(maps):
    """Means of 2×2 pixels."""
    return F.average_pooling_2d(maps, 2).array


def ssim(a, b):
    """How alike pictures in [0, 1] are, and their structure alone: two means for each channel."""
    mean_a, mean_b = smooth(a), smooth(b)
    variances = smooth(a * a) - mean_a**2 + smooth(b * b) - mean_b**2
    structure = (2 * (smooth(a * b) - mean_a * mean_b) + 0.03**2) / (variances + 0.03**2)
    luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    return (luminance * structure).mean((2, 3)), structure.mean((2, 3))  # N×C each


class Metrics(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        constants, settings = recipe.constants, recipe.optimizers["optimizer"]
        sizes = constants["features"], constants["classes"], constants["e_width"]
        with self.init_scope():
            self.examiner = Examiner(recipe.image_shape, *sizes)
        self.neighbours, self.splits = constants["neighbours"], constants["splits"]
        self.optimizer = Adam(settings.lr, *settings.betas)
        self.optimizer.setup(self)

    def train_step(self, batch):
        loss = cross_entropy(self.examiner(batch["images"]), batch["labels"])
        self.cleargrads()
        loss.backward()
        self.optimizer.update()
        return {"loss": loss.array}

    def classify(self, images):
        with chainer.no_backprop_mode():
            return self.examiner(images).array  # N×10 logits

    def features(self, images):
        with chainer.no_backprop_mode():
            return self.examiner.features(images).array  # N×64

    def inception(self, logits):
        """exp( mean of KL(p(class | picture) ‖ p(class)) ): from 1 to the number of classes."""
        xp, scores, count = get_array_module(logits), [], len(logits)
        for i in range(self.splits):
            part = logits[count * i // self.splits : count * (i + 1) // self.splits]
            logs = F.log_softmax(part).array  # log p(class | picture)
            divergence = xp.exp(logs) * (logs - log_mean_exp(logs, 0))
            scores.append(xp.exp(divergence.sum(1).mean()))
        return xp.stack(scores).mean()

    def frechet(self, real, made):
        """‖μ − μ'‖² + tr Σ + tr Σ' − 2 tr (Σ Σ')^½: 0 if mean and covariance are the same."""
        xp = get_array_module(real)
        difference = real.mean(0) - made.mean(0)
        a, b = covariance(real), covariance(made)
        # ΣΣ' is not symmetric, but Σ^½ Σ' Σ^½ is, and it has the same eigenvalues.
        values, vectors = xp.linalg.eigh(a)
        root = vectors * xp.sqrt(xp.maximum(values, 0)) @ vectors.T
        shared = xp.sqrt(xp.maximum(xp.linalg.eigvalsh(root @ b @ root), 0)).sum()
        return difference @ difference + a.trace() + b.trace() - 2 * shared

    def kernel(self, real, made):
        """E k(x, x') + E k(y, y') − 2 E k(x, y): no point with itself, so it may fall below 0."""
        (n, m), x, y = (len(real), len(made)), cubic(real, real), cubic(made, made)
        among_real = (x.sum() - x.trace()) / (n * (n - 1))
        among_made = (y.sum() - y.trace()) / (m * (m - 1))
        return among_real + among_made - 2 * cubic(real, made).mean()

    def neighbourhoods(self, real, made):
        """Precision, recall, density, coverage. A point's ball reaches to its k-th neighbour."""
        xp, k, apart = get_array_module(real), self.neighbours, distances(real, made)  # N×M
        reach_real = xp.sort(distances(real, real), 1)[:, k]  # the point itself is at [0]
        reach_made = xp.sort(distances(made, made), 1)[:, k]
        in_real = (apart <= reach_real[:, None]).astype(real.dtype)  # is y in the ball of x?
        in_made = (apart <= reach_made).astype(real.dtype)  # is x in the ball of y?
        precision = in_real.max(0).mean()  # made points in any real ball
        recall = in_made.max(1).mean()  # real points in any made ball
        density = in_real.sum() / (k * len(made))  # real balls around a made point, over k
        coverage = in_real.max(1).mean()  # real balls with any made point in them
        return xp.stack([precision, recall, density, coverage])

    def similarity(self, images):
        """Mean MS-SSIM of the rows 0, 2, 4 … with 1, 3, 5 …: near 1 if all pictures are alike."""
        pixels = (images + 1) / 2  # to [0, 1]
        a, b = pixels[0::2], pixels[1::2]
        scales = sum(min(a.shape[2:]) >> scale >= 7 for scale in range(5))  # where a window fits
        alike = 1
        for scale, weight in enumerate(WEIGHTS[:scales]):
            whole, structure = ssim(a, b)
            part = whole if scale == scales - 1 else structure  # luminance at the last one only
            alike = alike * part.clip(min=0) ** (weight / sum(WEIGHTS[:scales]))
            a, b = halved(a), halved(b)
        return alike.mean()

    def parzen(self, real, made):
        """log p(x) with a Gaussian around each made row, for each of ten σ: N×10."""
        # Nothing is compared here, so the quick formula may be off by a rounding.
        apart = (real**2).sum(1)[:, None] + (made**2).sum(1) - 2 * real @ made.T
        xp, d = get_array_module(real), real.shape[1]
        logs = [log_mean_exp(-apart / (2 * s**2), 1) for s in SIGMAS]
        norms = [d * math.log(s * math.sqrt(2 * math.pi)) for s in SIGMAS]
        return xp.stack([one - norm for one, norm in zip(logs, norms, strict=True)], axis=1)


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    images = run.examples["images"]
    sure = F.log_softmax(model.classify(images)).array
    surest = (-sure).argsort(0)[:10]  # for each class, of ten pictures
    run.show(**{name: images[surest[:, i]] for i, name in enumerate(run.class_names)})


def measure(run, model):
    run.table(run.ladder(model))


if __name__ == "__main__":
    main("metrics", framework, Metrics, train, sample, measure)
