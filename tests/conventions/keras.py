"""Keras, with what its adapter offers; see `pytorch` for what the functions mean."""

from knock.frameworks import keras as framework
from knock.frameworks.binding import to_channels_last
from knock.recipe.layers import Parameter
from tests.conventions import tensorflow as raw

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

to_numpy = framework.to_numpy


def linear(x, w, b):
    layer = layers.Dense(w.shape[0])
    return apply(layer, x, "linear", w, b)


def conv(x, w, b, stride, pad):
    even = all(side % stride == 0 for side in x.shape[2:])
    if even and 2 * pad == w.shape[2] - stride:  # where an answer takes the stock layer
        layer = layers.Conv2D(w.shape[0], w.shape[2], stride, padding="same")
    else:
        layer = framework.Conv2D(w.shape[0], w.shape[2], stride, pad)
    return apply(layer, x, "conv", w, b)


def tconv(x, w, b, stride, pad, out_pad):
    if 2 * pad == w.shape[2] - stride:
        layer = layers.Conv2DTranspose(w.shape[1], w.shape[2], stride, padding="same")
    else:
        layer = framework.Conv2DTranspose(w.shape[1], w.shape[2], stride, pad, out_pad)
    return apply(layer, x, "tconv", w, b)


def maxpool(x, k):
    return to_numpy(ops.max_pool(_tensor(x), k))


def avgpool(x, k):
    return to_numpy(ops.average_pool(_tensor(x), k))


def upsample(x, k):
    return to_numpy(layers.UpSampling2D(k)(_tensor(x)))


def global_pool(x):
    return to_numpy(ops.mean(_tensor(x), [1, 2]))


def flatten_linear(x, w, b):
    network = keras.Sequential([layers.Flatten(), layers.Dense(w.shape[0])])
    return apply(network, x, "linear", w, b, in_map=x.shape[1:])


def linear_reshape(x, w, b, shape):
    channels, height, width = shape
    network = keras.Sequential(
        [layers.Dense(w.shape[0]), layers.Reshape([height, width, channels])]
    )
    return apply(network, x, "linear", w, b, out_map=shape)


def leaky_relu(x, slope):
    return to_numpy(framework.leaky_relu(_tensor(x), slope))


def resize(x, sides):
    return to_numpy(framework.resize(_tensor(x), sides))


def bce_logits(logits, target_value):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    logits = _tensor(logits)
    return float(loss(ops.full_like(logits, target_value), logits))


def batch_norm(batches, gamma, beta):
    layer = framework.BatchNorm()
    apply(layer, batches[0], "vector", gamma, beta)
    outputs = [to_numpy(layer(_tensor(x), training=True)) for x in batches]
    return outputs, to_numpy(layer.moving_mean), to_numpy(layer.moving_variance)


def batch_norm_eval(x, gamma, beta, mean, var):
    layer = framework.BatchNorm()
    apply(layer, x, "vector", gamma, beta)
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(var)
    return to_numpy(layer(_tensor(x), training=False))


def layer_norm(x, gamma, beta):
    return apply(framework.LayerNorm(), x, "vector", gamma, beta)


def group_norm(x, gamma, beta, groups):
    layer = layers.GroupNormalization(groups, epsilon=1e-5)
    return apply(layer, x, "vector", gamma, beta)


def instance_norm(x, gamma, beta):
    return apply(framework.InstanceNorm(), x, "vector", gamma, beta)


def layer_norm_second(x, gamma, beta):
    layer = framework.LayerNorm()
    apply(layer, x, "vector", gamma, beta)
    return raw.second(layer, x)


def adam(w, grads, lr, betas):
    return follow(w, grads, framework.Adam(lr, *betas))


def rmsprop(w, grads, lr):
    return follow(w, grads, framework.RMSprop(lr))


def sgd(w, grads, lr, momentum):
    return follow(w, grads, framework.SGD(lr, momentum))


def follow(w, grads, optimizer):
    """The weights after each update of any Keras optimiser with a gradient of `grads`."""
    variable = keras.Variable(w)
    optimizer.build([variable])
    update = tf.function(lambda gradient: optimizer.apply([gradient], [variable]))
    path = []
    for gradient in grads:
        update(tf.constant(gradient))
        path.append(to_numpy(variable))
    return np.stack(path)


def _tensor(array):
    return framework.to_device({"array": np.asarray(array)})["array"]


def apply(layer, x, kind, weight, bias, **maps):
    """The layer's output with these canonical weights; also how the others get them in."""
    layer(_tensor(x))
    of = Parameter("weight", weight.shape, kind, **maps)
    maps.pop("in_map", None)
    vector = Parameter("bias", bias.shape, "vector", **maps)
    layer.weights[0].assign(to_channels_last(weight, of))
    layer.weights[1].assign(to_channels_last(bias, vector))
    return to_numpy(layer(_tensor(x)))
