"""Question 16 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np

AT_ONCE = 256  # rows of a set that are worked on together: its size changes no memory
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of MS-SSIM's scales, the finest first
SIGMAS = np.logspace(-1, 0, 10)  # the widths of Parzen's windows
WINDOW = np.exp(-(np.arange(-3, 4) ** 2) / (2 * 1.5**2))  # Gaussian, 7 pixels, σ = 1.5


def log_softmax(logits):
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def cross_entropy(logits, labels):
    """The mean of −log p(label), and its gradient."""
    logs, right = log_softmax(logits), np.eye(logits.shape[1])[labels]
    return -(logs * right).sum(1).mean(), (np.exp(logs) - right) / len(logits)


def log_mean_exp(x, axis):
    """The log of the mean of eˣ; the largest x comes out of the sum, so that no eˣ is 0 or ∞."""
    largest = x.max(axis, keepdims=True)
    return np.log(np.exp(x - largest).mean(axis)) + largest.squeeze(axis)


def covariance(rows):
    """Σ with N − 1."""
    centred = rows - rows.mean(0)
    return centred.T @ centred / (len(rows) - 1)


def chunks(rows):
    return np.array_split(rows, -(-len(rows) // AT_ONCE))


def kernels(a, b):
    """The sum of k(aᵢ, bⱼ) = (aᵢ·bⱼ / d + 1)³ over all pairs."""
    return sum(((some @ b.T / a.shape[1] + 1) ** 3).sum() for some in chunks(a))


def others(rows):
    """The mean of k over all pairs of two different rows."""
    with_itself = (((rows**2).sum(1) / rows.shape[1] + 1) ** 3).sum()
    return (kernels(rows, rows) - with_itself) / (len(rows) * (len(rows) - 1))


def distances(x, rows):
    """From one point to each of the rows, squared: from differences, so that a copy is at 0."""
    return ((rows - x) ** 2).sum(1)


def reach(rows, k):
    """The squared distance from each row to the k-th nearest of the others."""
    return np.array([np.sort(distances(x, rows))[k] for x in rows])  # at 0 is the row itself


def smooth(maps):
    """Gaussian means of 7×7 pixels, where a window fits."""
    window = list(enumerate(WINDOW / WINDOW.sum()))
    height, width = (side - len(WINDOW) + 1 for side in maps.shape[2:])
    maps = sum(weight * maps[:, :, i : height + i] for i, weight in window)
    return sum(weight * maps[:, :, :, i : width + i] for i, weight in window)


def halved(maps):
    """Means of 2×2 pixels."""
    maps = maps[:, :, : maps.shape[2] // 2 * 2, : maps.shape[3] // 2 * 2]
    top, bottom = maps[:, :, 0::2], maps[:, :, 1::2]
    return (top[..., 0::2] + top[..., 1::2] + bottom[..., 0::2] + bottom[..., 1::2]) / 4


def ssim(a, b):
    """Structural similarity of pictures in [0, 1], and its part without luminance: N×C each."""
    mean_a, mean_b = smooth(a), smooth(b)
    variances = smooth(a * a) - mean_a**2 + smooth(b * b) - mean_b**2
    structure = (2 * (smooth(a * b) - mean_a * mean_b) + 0.03**2) / (variances + 0.03**2)
    luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    return (luminance * structure).mean((2, 3)), structure.mean((2, 3))


class Metrics:
    def __init__(self, recipe):
        self.examiner = framework.networks(recipe)["examiner"]
        self.neighbours, self.splits = recipe.constants["neighbours"], recipe.constants["splits"]
        self.optimizer = framework.Adam(recipe.optimizers["optimizer"], self.examiner)

    def train_step(self, batch):
        loss, d = cross_entropy(self.examiner(batch["images"]), batch["labels"])
        self.examiner.backward(d)
        self.optimizer.update()
        return {"loss": loss}

    def classify(self, images):
        """The logits, N×classes: of the softmax over the classes."""
        return np.concatenate([self.examiner(some) for some in chunks(images)])

    def features(self, images):
        """What the examiner's last layer decides from: N×features."""
        *body, _ = self.examiner.modules
        found = []
        for x in chunks(images):
            for module in body:
                x = module(x)
            found.append(x)
        return np.concatenate(found)

    def inception(self, logits):
        """exp of the mean over pictures of KL(p(class | picture) ‖ p(class)), part by part."""
        scores, count = [], len(logits)
        for i in range(self.splits):
            part = logits[count * i // self.splits : count * (i + 1) // self.splits]
            logs = log_softmax(part)
            divergence = np.exp(logs) * (logs - log_mean_exp(logs, 0))
            scores.append(np.exp(divergence.sum(1).mean()))
        return np.mean(scores)

    def frechet(self, real, made):
        """‖μ − μ'‖² + tr Σ + tr Σ' − 2 tr (Σ Σ')^½, the last by roots of symmetric matrices."""
        difference = real.mean(0) - made.mean(0)
        a, b = covariance(real), covariance(made)
        values, vectors = np.linalg.eigh(a)
        root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
        shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()
        return difference @ difference + np.trace(a) + np.trace(b) - 2 * shared

    def kernel(self, real, made):
        """E k(x, x') + E k(y, y') − 2 E k(x, y), no point with itself: 0 on average if alike."""
        return others(real) + others(made) - 2 * kernels(real, made) / (len(real) * len(made))

    def neighbourhoods(self, real, made):
        """Precision, recall, density, coverage: a point's ball reaches to its k-th neighbour."""
        k = self.neighbours
        reach_real, reach_made = reach(real, k), reach(made, k)
        balls = np.zeros(len(made))  # of the real points, around each made one
        recalled = covered = 0
        for x, radius in zip(real, reach_real, strict=True):
            far = distances(x, made)
            balls += far <= radius
            recalled += (far <= reach_made).any()
            covered += (far <= radius).any()
        n, m = len(real), len(made)
        return np.array([(balls > 0).mean(), recalled / n, balls.sum() / (k * m), covered / n])

    def similarity(self, images):
        """MS-SSIM of the rows 0, 2, 4 … with the rows 1, 3, 5 …, its mean."""
        a, b = (images[0::2] + 1) / 2, (images[1::2] + 1) / 2  # in [0, 1]
        scales = sum(min(images.shape[2:]) >> scale >= len(WINDOW) for scale in range(len(WEIGHTS)))
        weights, found = np.array(WEIGHTS[:scales]), 1
        for weight in weights[:-1] / weights.sum():
            found = found * np.maximum(ssim(a, b)[1], 0) ** weight
            a, b = halved(a), halved(b)
        return (found * np.maximum(ssim(a, b)[0], 0) ** (weights[-1] / weights.sum())).mean()

    def parzen(self, real, made):
        """log p(x) of each real row if every made one is a Gaussian's middle: N×10, for each σ."""
        found = []
        for x in chunks(real):
            # Nothing is compared with these, so the quick formula may be off by 1e-13.
            far = (x**2).sum(1)[:, None] + (made**2).sum(1) - 2 * x @ made.T
            logs = np.stack([log_mean_exp(-far / (2 * s**2), 1) for s in SIGMAS], axis=1)
            found.append(logs - real.shape[1] * np.log(SIGMAS * np.sqrt(2 * np.pi)))
        return np.concatenate(found)
