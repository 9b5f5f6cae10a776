"""Question 15: inside a DCGAN — Keras.

Open a trained DCGAN, from any framework. Walk through its noise, calculate with it, and turn what
it draws. Make it forget a kind of stroke. See what the discriminator looks at, and let what it has
learnt tell digits apart (Radford et al. 2015, sections 5 and 6, arXiv 1511.06434).
"""

import math

from knock.frameworks import keras as framework
from knock.frameworks.keras import BatchNorm, Conv2D, Conv2DTranspose, leaky_relu
from knock.look import main
from knock.look.inside import Inside

import keras
import tensorflow as tf
from keras import layers, ops


class Generator(keras.Model):
    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        small = (h // 16, w // 16, 2 * width) if self.large else (h // 8, w // 8, 4 * width)
        self.fc = layers.Dense(math.prod(small), use_bias=False)
        self.bn0 = BatchNorm()
        self.reshape = layers.Reshape(small)
        up = {"kernel_size": 5, "strides": 2, "pad": 2, "out_pad": 1}  # doubles the sides
        if self.large:
            self.tconv1 = Conv2DTranspose(4 * width, **up, use_bias=False)
            self.bn1 = BatchNorm()
        self.tconv2 = Conv2DTranspose(2 * width, **up, use_bias=False)
        self.bn2 = BatchNorm()
        self.tconv3 = Conv2DTranspose(width, **up, use_bias=False)
        self.bn3 = BatchNorm()
        self.pixels = Conv2DTranspose(channels, **up)

    def hidden(self, noise, training):  # z
        h = ops.relu(self.bn0(self.fc(noise), training=training))  # H/8·W/8·512; or H/16·W/16·256
        h = self.reshape(h)  # H/8×W/8×512; large: H/16×W/16×256
        if self.large:
            h = ops.relu(self.bn1(self.tconv1(h), training=training))  # H/8×W/8×512, if large
        return ops.relu(self.bn2(self.tconv2(h), training=training))  # H/4×W/4×256

    def drawn(self, h, training):  # H/4×W/4×256
        h = ops.relu(self.bn3(self.tconv3(h), training=training))  # H/2×W/2×128
        return ops.tanh(self.pixels(h))  # H×W×C in [-1, 1]

    def call(self, noise, training=True):
        return self.drawn(self.hidden(noise, training), training)


class Discriminator(keras.Model):
    def __init__(self, image_shape, width):
        super().__init__()
        self.large = min(image_shape[1:]) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel_size": 5, "strides": 2, "pad": 2}  # halves the sides
        self.conv1 = Conv2D(width, **down)
        self.conv2 = Conv2D(2 * width, **down, use_bias=False)
        self.bn2 = BatchNorm()
        self.conv3 = Conv2D(4 * width, **down, use_bias=False)
        self.bn3 = BatchNorm()
        if self.large:
            self.conv4 = Conv2D(8 * width, **down, use_bias=False)
            self.bn4 = BatchNorm()
        self.flatten = layers.Flatten()
        self.real = layers.Dense(1)

    def normalised(self):
        """The convolutions that have a batch normalisation, with it."""
        last = [(self.conv4, self.bn4)] if self.large else []
        return [(self.conv2, self.bn2), (self.conv3, self.bn3), *last]

    def maps(self, images, training):
        """What each convolution says, before its leaky ReLU: H/2×W/2×32, H/4×W/4×64 …"""
        found = [self.conv1(images)]
        for conv, norm in self.normalised():
            found.append(norm(conv(leaky_relu(found[-1], 0.2)), training=training))
        return found

    def call(self, images, training=True):  # H×W×C
        h = leaky_relu(self.maps(images, training)[-1], 0.2)  # H/8×W/8×128; large: H/16×W/16×256
        return self.real(self.flatten(h))  # 1: a logit, above 0 where it says "real"


def down(back, conv):
    """The transpose of a convolution: from what it said to what it looked at."""
    whole = ops.conv_transpose(back, conv.kernel, 2, "valid")
    return whole[:, 2:-1, 2:-1]  # without what looked at the padding


class DCGANInside(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        self.generator = Generator(shape, constants["g_width"])
        self.discriminator = Discriminator(shape, constants["d_width"])

    @tf.function
    def generate(self, noise):
        return self.generator(noise, training=False)  # with the running statistics

    def walk(self, corners):
        """From each of nine corners to the next in ten steps, without its end: 80 pictures."""
        share = ops.arange(10, dtype=corners.dtype)[:, None] / 10
        codes = (1 - share) * corners[:-1, None] + share * corners[1:, None]
        return self.generate(ops.reshape(codes, [-1, codes.shape[-1]]))

    def arithmetic(self, first, second, third, jitter):
        """first − second + third, each the mean of its codes, and eight neighbours: 9 pictures."""
        code = ops.mean(first, 0) - ops.mean(second, 0) + ops.mean(third, 0)
        return self.generate(ops.concatenate([code[None], code + jitter]))

    def turn(self, left, right, noise):
        """Each noise z as z + t·(right − left), t from -1 to 1: nine pictures of each."""
        direction = ops.mean(right, 0) - ops.mean(left, 0)
        share = ops.arange(-4, 5, dtype=noise.dtype)[:, None] / 4
        codes = noise[:, None] + share * direction
        return self.generate(ops.reshape(codes, [-1, codes.shape[-1]]))

    @tf.function
    def hidden(self, noise):
        return self.generator.hidden(noise, training=False)  # N×H/4×W/4×256

    def important(self, hidden, inside):
        """A weight for each map: above 0 if it is large where the object is, `inside` above 0.

        A logistic regression over all places, with ½‖w‖² added to its loss. Those outside of the
        object together count as much as those inside. Newton's method finds its weights.
        """
        x = ops.reshape(hidden, [-1, hidden.shape[-1]])  # a row for each place
        x = ops.pad(x, [[0, 0], [0, 1]], constant_values=1)  # the last weight is the bias
        y = ops.cast(ops.ravel(inside) > 0, x.dtype)
        counts = ops.where(y > 0, ops.ones_like(y), ops.sum(y) / ops.sum(1 - y))
        penalty = ops.append(ops.ones_like(x[0, :-1]), ops.zeros_like(x[0, :1]))
        w = ops.zeros_like(x[0])
        for _ in range(10):
            p = ops.sigmoid(ops.matmul(x, w))
            slope = ops.matmul(ops.transpose(x), counts * (p - y)) + penalty * w
            spread = ops.transpose(x) * (counts * p * (1 - p))
            curvature = ops.matmul(spread, x) + ops.diag(penalty)
            w = w - ops.solve(curvature, slope)
        return w[:-1]

    @tf.function
    def forget(self, noise, weights):
        """Pictures that are drawn without the maps whose weight is above 0."""
        hidden = self.generator.hidden(noise, training=False)
        kept = hidden * ops.cast(weights <= 0, hidden.dtype)
        return self.generator.drawn(kept, training=False)

    def guided(self, images):
        """Six pictures, then what six filters of the last convolution see in them: 12×H×W×C.

        Filter k gets the picture, and there the place, at which it says most. From this place a 1
        goes back to the pixels. Two things stop it at a leaky ReLU, as if that were a ReLU: the map
        was not above 0 there, or what comes back is not (Springenberg et al. 2014, section 3.4).
        """
        *maps, last = self.discriminator.maps(images, training=False)
        _, height, width, count = last.shape
        each = ops.reshape(ops.transpose(last[..., :6], [3, 0, 1, 2]), [6, -1])
        most = ops.argmax(each, axis=1)  # of all places of all pictures
        n, place = most // (height * width), most % (height * width)
        place = ops.one_hot(place, height * width, dtype=last.dtype)
        back = place[:, :, None] * ops.eye(6, count, dtype=last.dtype)[:, None]
        back = ops.reshape(back, [6, height, width, count])
        for conv, norm in reversed(self.discriminator.normalised()):
            scale = norm.gamma / ops.sqrt(norm.moving_variance + norm.epsilon)
            back = down(back * scale, conv)
            passes = ops.take(maps.pop(), n, axis=0) > 0
            back = ops.cast(passes, back.dtype) * ops.relu(back)
        back = down(back, self.discriminator.conv1)
        return ops.concatenate([ops.take(images, n, axis=0), back])

    def features(self, images):
        """All that the convolutions say, the largest of each quarter of a side: N×3584."""
        found = []
        for maps in self.discriminator.maps(images, training=False):
            h = leaky_relu(maps, 0.2)
            window = [max(1, side // 4) for side in h.shape[1:3]]
            h = ops.transpose(ops.max_pool(h, window, padding="valid"), [0, 3, 1, 2])
            found.append(ops.reshape(h, [len(h), -1]))  # map by map, as in all four frameworks
        return ops.concatenate(found, axis=1)


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
