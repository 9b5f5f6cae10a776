"""Question 16: measuring made pictures — TensorFlow.

A small classifier, the examiner, looks at true and at made pictures. Seven measures compare what it
says of them: inception score, Fréchet and kernel distance, precision and recall, density and
coverage, MS-SSIM, Parzen windows (Heusel et al. 2017, "GANs trained by a two time-scale update rule
converge to a local Nash equilibrium", arXiv 1706.08500). Each of them misses something.
"""

import math

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import Adam, Conv2d, Linear
from knock.run import main

import tensorflow as tf

WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]  # of MS-SSIM's scales, the finest first
SIGMAS = [10 ** (i / 9 - 1) for i in range(10)]  # widths of Parzen's windows: 0.1 … 1


class Examiner(tf.Module):
    def __init__(self, image_shape, features, classes, width):
        super().__init__()
        channels, h, w = image_shape
        down = {"kernel": 5, "stride": 2, "padding": 2}  # halves the sides
        self.conv1 = Conv2d(channels, width, **down)
        self.conv2 = Conv2d(width, 2 * width, **down)
        self.conv3 = Conv2d(2 * width, 4 * width, **down)
        self.fc = Linear(4 * width * -(-h // 8) * -(-w // 8), features)
        self.classes = Linear(features, classes)

    def features(self, images):  # H×W×C in [-1, 1]
        h = tf.nn.relu(self.conv1(images))  # H/2×W/2×16
        h = tf.nn.relu(self.conv2(h))  # H/4×W/4×32
        h = tf.nn.relu(self.conv3(h))  # H/8×W/8×64
        return tf.nn.relu(self.fc(tf.reshape(h, [len(h), -1])))  # 64: the features

    def __call__(self, images):
        return self.classes(self.features(images))  # 10: a logit for each class


def cross_entropy(logits, labels):
    """The mean of −log p(label)."""
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_mean(each)


def log_mean_exp(x, axis):
    """The log of the mean of eˣ, without an eˣ that is 0 or infinite."""
    return tf.reduce_logsumexp(x, axis) - math.log(x.shape[axis])


def covariance(rows):
    """Σ = 1/(N − 1) Σ (x − μ)(x − μ)ᵀ, d×d."""
    centred = rows - tf.reduce_mean(rows, 0)
    return tf.transpose(centred) @ centred / (len(rows) - 1)


def cubic(a, b):
    """k(x, y) = (x·y / d + 1)³ of each row of a with each of b: N×M."""
    return (a @ tf.transpose(b) / a.shape[1] + 1) ** 3


def distances(a, b):
    """‖x − y‖² of each row of a and each of b: N×M. From differences: a copy is at exactly 0."""
    both = zip(tf.transpose(a), tf.transpose(b), strict=True)
    return sum(tf.square(x[:, None] - y) for x, y in both)


def smooth(maps):
    """Means of 7×7 pixels with Gaussian weights, σ = 1.5, where the window fits."""
    line = tf.exp(-(tf.range(-3, 4, dtype=maps.dtype) ** 2) / 4.5)
    window = tf.tensordot(line, line, 0) / tf.reduce_sum(line) ** 2
    kernel = tf.tile(window[:, :, None, None], [1, 1, maps.shape[3], 1])
    return tf.nn.depthwise_conv2d(maps, kernel, [1, 1, 1, 1], "VALID")


def halved(maps):
    """Means of 2×2 pixels."""
    return tf.nn.avg_pool2d(maps, 2, 2, "VALID")


def ssim(a, b):
    """How alike pictures in [0, 1] are, and their structure alone: two means for each channel."""
    mean_a, mean_b = smooth(a), smooth(b)
    variances = smooth(a * a) - mean_a**2 + smooth(b * b) - mean_b**2
    structure = (2 * (smooth(a * b) - mean_a * mean_b) + 0.03**2) / (variances + 0.03**2)
    luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    return tf.reduce_mean(luminance * structure, [1, 2]), tf.reduce_mean(structure, [1, 2])  # N×C


class Metrics:
    def __init__(self, recipe):
        constants, settings = recipe.constants, recipe.optimizers["optimizer"]
        sizes = constants["features"], constants["classes"], constants["e_width"]
        self.examiner = Examiner(recipe.image_shape, *sizes)
        self.neighbours, self.splits = constants["neighbours"], constants["splits"]
        self.variables = self.examiner.trainable_variables
        self.optimizer = Adam(self.variables, settings.lr, settings.betas)

    @tf.function
    def train_step(self, batch):
        with tf.GradientTape() as tape:
            loss = cross_entropy(self.examiner(batch["images"]), batch["labels"])
        self.optimizer.apply(tape.gradient(loss, self.variables))
        return {"loss": loss}

    def classify(self, images):
        return self.examiner(images)  # N×10 logits

    def features(self, images):
        return self.examiner.features(images)  # N×64

    def inception(self, logits):
        """exp( mean of KL(p(class | picture) ‖ p(class)) ): from 1 to the number of classes."""
        scores, count = [], len(logits)
        for i in range(self.splits):
            part = logits[count * i // self.splits : count * (i + 1) // self.splits]
            logs = tf.nn.log_softmax(part)  # log p(class | picture)
            divergence = tf.exp(logs) * (logs - log_mean_exp(logs, 0))
            scores.append(tf.exp(tf.reduce_mean(tf.reduce_sum(divergence, 1))))
        return tf.reduce_mean(scores)

    def frechet(self, real, made):
        """‖μ − μ'‖² + tr Σ + tr Σ' − 2 tr (Σ Σ')^½: 0 if mean and covariance are the same."""
        difference = tf.reduce_mean(real, 0) - tf.reduce_mean(made, 0)
        a, b = covariance(real), covariance(made)
        # ΣΣ' is not symmetric, but Σ^½ Σ' Σ^½ is, and it has the same eigenvalues.
        values, vectors = tf.linalg.eigh(a)
        root = vectors * tf.sqrt(tf.maximum(values, 0)) @ tf.transpose(vectors)
        shared = tf.reduce_sum(tf.sqrt(tf.maximum(tf.linalg.eigvalsh(root @ b @ root), 0)))
        apart = tf.reduce_sum(tf.square(difference))
        return apart + tf.linalg.trace(a) + tf.linalg.trace(b) - 2 * shared

    def kernel(self, real, made):
        """E k(x, x') + E k(y, y') − 2 E k(x, y): no point with itself, so it may fall below 0."""
        (n, m), x, y = (len(real), len(made)), cubic(real, real), cubic(made, made)
        among_real = (tf.reduce_sum(x) - tf.linalg.trace(x)) / (n * (n - 1))
        among_made = (tf.reduce_sum(y) - tf.linalg.trace(y)) / (m * (m - 1))
        return among_real + among_made - 2 * tf.reduce_mean(cubic(real, made))

    def neighbourhoods(self, real, made):
        """Precision, recall, density, coverage. A point's ball reaches to its k-th neighbour."""
        k, apart = self.neighbours, distances(real, made)  # N×M
        reach_real = tf.sort(distances(real, real), 1)[:, k]  # the point itself is at [0]
        reach_made = tf.sort(distances(made, made), 1)[:, k]
        in_real = tf.cast(apart <= reach_real[:, None], real.dtype)  # is y in the ball of x?
        in_made = tf.cast(apart <= reach_made, real.dtype)  # is x in the ball of y?
        precision = tf.reduce_mean(tf.reduce_max(in_real, 0))  # made points in any real ball
        recall = tf.reduce_mean(tf.reduce_max(in_made, 1))  # real points in any made ball
        density = tf.reduce_sum(in_real) / (k * len(made))  # real balls around a made point, over k
        coverage = tf.reduce_mean(tf.reduce_max(in_real, 1))  # real balls with any made point
        return tf.stack([precision, recall, density, coverage])

    def similarity(self, images):
        """Mean MS-SSIM of the rows 0, 2, 4 … with 1, 3, 5 …: near 1 if all pictures are alike."""
        pixels = (images + 1) / 2  # to [0, 1]
        a, b = pixels[0::2], pixels[1::2]
        scales = sum(min(a.shape[1:3]) >> scale >= 7 for scale in range(5))  # where a window fits
        alike = 1
        for scale, weight in enumerate(WEIGHTS[:scales]):
            whole, structure = ssim(a, b)
            part = whole if scale == scales - 1 else structure  # luminance at the last one only
            alike = alike * tf.maximum(part, 0) ** (weight / sum(WEIGHTS[:scales]))
            a, b = halved(a), halved(b)
        return tf.reduce_mean(alike)

    def parzen(self, real, made):
        """log p(x) with a Gaussian around each made row, for each of ten σ: N×10."""
        # Nothing is compared here, so the quick formula may be off by a rounding.
        x, y = tf.reduce_sum(real**2, 1), tf.reduce_sum(made**2, 1)
        apart = x[:, None] + y - 2 * real @ tf.transpose(made)
        d = real.shape[1]
        logs = [log_mean_exp(-apart / (2 * s**2), 1) for s in SIGMAS]
        norms = [d * math.log(s * math.sqrt(2 * math.pi)) for s in SIGMAS]
        return tf.stack([one - norm for one, norm in zip(logs, norms, strict=True)], axis=1)


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    images = run.examples["images"]
    sure = tf.nn.log_softmax(model.classify(images))
    surest = tf.argsort(sure, 0, "DESCENDING")[:10]  # for each class, of ten pictures
    names = enumerate(run.class_names)
    run.show(**{name: tf.gather(images, surest[:, i]) for i, name in names})


def measure(run, model):
    run.table(run.ladder(model))


if __name__ == "__main__":
    main("metrics", framework, Metrics, train, sample, measure)
