"""Question 15: inside a DCGAN — TensorFlow.

Open a trained DCGAN, from any framework. Walk through its noise, calculate with it, and turn what
it draws. Make it forget a kind of stroke. See what the discriminator looks at, and let what it has
learnt tell digits apart (Radford et al. 2015, sections 5 and 6, arXiv 1511.06434).
"""

import math

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import BatchNorm, Conv2d, ConvTranspose2d, Linear, leaky_relu
from knock.look import main
from knock.look.inside import Inside

import tensorflow as tf


class Generator(tf.Module):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        self.small = (h // 16, w // 16, 2 * width) if self.large else (h // 8, w // 8, 4 * width)
        self.fc = Linear(z, math.prod(self.small), bias=False)
        self.bn0 = BatchNorm(math.prod(self.small))
        up = {"kernel": 5, "stride": 2, "padding": 2, "output_padding": 1}  # doubles the sides
        if self.large:
            self.tconv1 = ConvTranspose2d(2 * width, 4 * width, **up, bias=False)
            self.bn1 = BatchNorm(4 * width)
        self.tconv2 = ConvTranspose2d(4 * width, 2 * width, **up, bias=False)
        self.bn2 = BatchNorm(2 * width)
        self.tconv3 = ConvTranspose2d(2 * width, width, **up, bias=False)
        self.bn3 = BatchNorm(width)
        self.pixels = ConvTranspose2d(width, channels, **up)

    def hidden(self, noise, training):  # z
        h = tf.nn.relu(self.bn0(self.fc(noise), training))  # H/8·W/8·512; large: H/16·W/16·256
        h = tf.reshape(h, [-1, *self.small])  # H/8×W/8×512; large: H/16×W/16×256
        if self.large:
            h = tf.nn.relu(self.bn1(self.tconv1(h), training))  # H/8×W/8×512, if large
        return tf.nn.relu(self.bn2(self.tconv2(h), training))  # H/4×W/4×256

    def drawn(self, h, training):  # H/4×W/4×256
        h = tf.nn.relu(self.bn3(self.tconv3(h), training))  # H/2×W/2×128
        return tf.tanh(self.pixels(h))  # H×W×C in [-1, 1]

    def __call__(self, noise, training=True):
        return self.drawn(self.hidden(noise, training), training)


class Discriminator(tf.Module):
    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel": 5, "stride": 2, "padding": 2}  # halves the sides
        self.conv1 = Conv2d(channels, width, **down)
        self.conv2 = Conv2d(width, 2 * width, **down, bias=False)
        self.bn2 = BatchNorm(2 * width)
        self.conv3 = Conv2d(2 * width, 4 * width, **down, bias=False)
        self.bn3 = BatchNorm(4 * width)
        if self.large:
            self.conv4 = Conv2d(4 * width, 8 * width, **down, bias=False)
            self.bn4 = BatchNorm(8 * width)
        small = (h // 16, w // 16, 8 * width) if self.large else (h // 8, w // 8, 4 * width)
        self.flat = [-1, math.prod(small)]
        self.real = Linear(math.prod(small), 1)

    def normalised(self):
        """The convolutions that have a batch normalisation, with it."""
        last = [(self.conv4, self.bn4)] if self.large else []
        return [(self.conv2, self.bn2), (self.conv3, self.bn3), *last]

    def maps(self, images, training):
        """What each convolution says, before its leaky ReLU: H/2×W/2×32, H/4×W/4×64 …"""
        found = [self.conv1(images)]
        for conv, norm in self.normalised():
            found.append(norm(conv(leaky_relu(found[-1], 0.2)), training))
        return found

    def __call__(self, images, training=True):  # H×W×C
        h = leaky_relu(self.maps(images, training)[-1], 0.2)  # H/8×W/8×128; large: H/16×W/16×256
        return self.real(tf.reshape(h, self.flat))  # 1: a logit, above 0 where it says "real"


def down(back, conv):
    """The transpose of a convolution: from what it said to what it looked at."""
    count, height, width, _ = back.shape
    shape = [count, 2 * height, 2 * width, conv.weight.shape[2]]
    padding = [[0, 0], [2, 2], [2, 2], [0, 0]]  # on every side, as it was padded
    return tf.nn.conv2d_transpose(back, conv.weight, shape, 2, padding)


class DCGANInside:
    def __init__(self, recipe):
        shape, constants = recipe.image_shape, recipe.constants
        self.generator = Generator(shape, constants["z"], constants["g_width"])
        self.discriminator = Discriminator(shape, constants["d_width"])

    @tf.function
    def generate(self, noise):
        return self.generator(noise, training=False)  # with the running statistics

    def walk(self, corners):
        """From each of nine corners to the next in ten steps, without its end: 80 pictures."""
        share = tf.range(10, dtype=corners.dtype)[:, None] / 10
        codes = (1 - share) * corners[:-1, None] + share * corners[1:, None]
        return self.generate(tf.reshape(codes, [-1, codes.shape[-1]]))

    def arithmetic(self, first, second, third, jitter):
        """first − second + third, each the mean of its codes, and eight neighbours: 9 pictures."""
        first, second, third = (tf.reduce_mean(codes, 0) for codes in (first, second, third))
        code = first - second + third
        return self.generate(tf.concat([code[None], code + jitter], axis=0))

    def turn(self, left, right, noise):
        """Each noise z as z + t·(right − left), t from -1 to 1: nine pictures of each."""
        direction = tf.reduce_mean(right, 0) - tf.reduce_mean(left, 0)
        share = tf.range(-4, 5, dtype=noise.dtype)[:, None] / 4
        codes = noise[:, None] + share * direction
        return self.generate(tf.reshape(codes, [-1, codes.shape[-1]]))

    @tf.function
    def hidden(self, noise):
        return self.generator.hidden(noise, training=False)  # N×H/4×W/4×256

    def important(self, hidden, inside):
        """A weight for each map: above 0 if it is large where the object is, `inside` above 0.

        A logistic regression over all places, with ½‖w‖² added to its loss. Those outside of the
        object together count as much as those inside. Newton's method finds its weights.
        """
        x = tf.reshape(hidden, [-1, hidden.shape[-1]])  # a row for each place
        x = tf.pad(x, [[0, 0], [0, 1]], constant_values=1)  # the last weight is the bias
        y = tf.cast(tf.reshape(inside, [-1]) > 0, x.dtype)
        counts = tf.where(y > 0, 1, tf.reduce_sum(y) / tf.reduce_sum(1 - y))
        penalty = tf.concat([tf.ones_like(x[0, :-1]), [0]], axis=0)
        w = tf.zeros_like(x[0])
        for _ in range(10):
            p = tf.sigmoid(tf.linalg.matvec(x, w))
            slope = tf.linalg.matvec(x, counts * (p - y), transpose_a=True) + penalty * w
            spread = tf.transpose(x) * (counts * p * (1 - p))
            curvature = spread @ x + tf.linalg.diag(penalty)
            w = w - tf.linalg.solve(curvature, slope[:, None])[:, 0]
        return w[:-1]

    @tf.function
    def forget(self, noise, weights):
        """Pictures that are drawn without the maps whose weight is above 0."""
        hidden = self.generator.hidden(noise, training=False)
        kept = hidden * tf.cast(weights <= 0, hidden.dtype)
        return self.generator.drawn(kept, training=False)

    def guided(self, images):
        """Six pictures, then what six filters of the last convolution see in them: 12×H×W×C.

        Filter k gets the picture, and there the place, at which it says most. From this place a 1
        goes back to the pixels. Two things stop it at a leaky ReLU, as if that were a ReLU: the map
        was not above 0 there, or what comes back is not (Springenberg et al. 2014, section 3.4).
        """
        *maps, last = self.discriminator.maps(images, training=False)
        _, height, width, count = last.shape
        each = tf.reshape(tf.transpose(last[..., :6], [3, 0, 1, 2]), [6, -1])
        most = tf.argmax(each, axis=1)  # of all places of all pictures
        n, place = most // (height * width), most % (height * width)
        place = tf.one_hot(place, height * width, dtype=last.dtype)
        back = place[:, :, None] * tf.eye(6, count, dtype=last.dtype)[:, None]
        back = tf.reshape(back, [6, height, width, count])
        for conv, norm in reversed(self.discriminator.normalised()):
            scale = norm.weight / tf.sqrt(norm.running_var + 1e-5)
            back = down(back * scale, conv)
            passes = tf.gather(maps.pop(), n) > 0
            back = tf.cast(passes, back.dtype) * tf.nn.relu(back)
        back = down(back, self.discriminator.conv1)
        return tf.concat([tf.gather(images, n), back], axis=0)

    def features(self, images):
        """All that the convolutions say, the largest of each quarter of a side: N×3584."""
        found = []
        for maps in self.discriminator.maps(images, training=False):
            h = leaky_relu(maps, 0.2)
            window = [max(1, side // 4) for side in h.shape[1:3]]
            h = tf.transpose(tf.nn.max_pool2d(h, window, window, "VALID"), [0, 3, 1, 2])
            found.append(tf.reshape(h, [len(h), -1]))  # map by map, as in all four frameworks
        return tf.concat(found, axis=1)


def look(run, model):
    run.walk(model)
    run.arithmetic(model)
    run.turn(model)
    run.forget(model)
    run.guided(model)
    run.features(model)
    run.directions()


if __name__ == "__main__":
    main("dcgan_inside", framework, DCGANInside, look, Inside)
