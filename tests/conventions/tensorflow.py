"""TensorFlow, with what its adapter offers; see `pytorch` for what the functions mean."""

from knock.frameworks import tensorflow as framework
from knock.frameworks.binding import to_channels_last
from knock.recipe.layers import Parameter

import numpy as np
import tensorflow as tf

to_numpy = framework.to_numpy


def linear(x, w, b):
    layer = framework.Linear(w.shape[1], w.shape[0])
    _fill(layer, "linear", w, b)
    return to_numpy(layer(_tensor(x)))


def conv(x, w, b, stride, pad):
    layer = framework.Conv2d(w.shape[1], w.shape[0], w.shape[2], stride, pad)
    _fill(layer, "conv", w, b)
    return to_numpy(layer(_tensor(x)))


def tconv(x, w, b, stride, pad, out_pad):
    layer = framework.ConvTranspose2d(w.shape[0], w.shape[1], w.shape[2], stride, pad, out_pad)
    _fill(layer, "tconv", w, b)
    return to_numpy(layer(_tensor(x)))


def maxpool(x, k):
    return to_numpy(tf.nn.max_pool2d(_tensor(x), k, k, "VALID"))


def avgpool(x, k):
    return to_numpy(tf.nn.avg_pool2d(_tensor(x), k, k, "VALID"))


def upsample(x, k):
    return to_numpy(tf.repeat(tf.repeat(_tensor(x), k, axis=1), k, axis=2))


def global_pool(x):
    return to_numpy(tf.reduce_mean(_tensor(x), [1, 2]))


def flatten_linear(x, w, b):
    layer = framework.Linear(w.shape[1], w.shape[0])
    _fill(layer, "linear", w, b, in_map=x.shape[1:])
    return to_numpy(layer(tf.reshape(_tensor(x), [len(x), -1])))


def linear_reshape(x, w, b, shape):
    channels, height, width = shape
    layer = framework.Linear(w.shape[1], w.shape[0])
    _fill(layer, "linear", w, b, out_map=shape)
    return to_numpy(tf.reshape(layer(_tensor(x)), [len(x), height, width, channels]))


def leaky_relu(x, slope):
    return to_numpy(framework.leaky_relu(_tensor(x), slope))


def resize(x, sides):
    return to_numpy(framework.resize(_tensor(x), sides))


def bce_logits(logits, target_value):
    logits = _tensor(logits)
    targets = tf.fill(logits.shape, tf.constant(target_value, logits.dtype))
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    return float(tf.reduce_mean(losses))


def batch_norm(batches, gamma, beta):
    layer = framework.BatchNorm(len(gamma))
    _fill(layer, "vector", gamma, beta)
    outputs = [to_numpy(layer(_tensor(x), training=True)) for x in batches]
    return outputs, layer.running_mean.numpy(), layer.running_var.numpy()


def batch_norm_eval(x, gamma, beta, mean, var):
    layer = framework.BatchNorm(len(gamma))
    _fill(layer, "vector", gamma, beta)
    layer.running_mean.assign(mean)
    layer.running_var.assign(var)
    return to_numpy(layer(_tensor(x), training=False))


def layer_norm(x, gamma, beta):
    layer = framework.LayerNorm(len(gamma))
    _fill(layer, "vector", gamma, beta)
    return to_numpy(layer(_tensor(x)))


def group_norm(x, gamma, beta, groups):
    layer = framework.GroupNorm(groups, len(gamma))
    _fill(layer, "vector", gamma, beta)
    return to_numpy(layer(_tensor(x)))


def instance_norm(x, gamma, beta):
    layer = framework.InstanceNorm(len(gamma))
    _fill(layer, "vector", gamma, beta)
    return to_numpy(layer(_tensor(x)))


def layer_norm_second(x, gamma, beta):
    layer = framework.LayerNorm(len(gamma))
    _fill(layer, "vector", gamma, beta)
    return second(layer, x)


def adam(w, grads, lr, betas):
    return _follow(w, grads, lambda v: framework.Adam([v], lr, betas))


def rmsprop(w, grads, lr):
    return _follow(w, grads, lambda v: framework.RMSprop([v], lr))


def sgd(w, grads, lr, momentum):
    return _follow(w, grads, lambda v: framework.SGD([v], lr, momentum))


def second(layer, x):
    """d/dx ‖d/dx Σ layer(x³)²‖, for any layer; also for Keras'."""
    x = _tensor(x)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = tf.reduce_sum(tf.square(layer(x**3)))
        gradient = inner.gradient(value, x)
        norm = tf.sqrt(tf.reduce_sum(tf.square(gradient)))
    return to_numpy(outer.gradient(norm, x))


def _tensor(array):
    return framework.to_device({"array": np.asarray(array)})["array"]


def _fill(layer, kind, weight, bias, **maps):
    of = Parameter("weight", weight.shape, kind, **maps)
    layer.weight.assign(to_channels_last(weight, of))
    maps.pop("in_map", None)
    of = Parameter("bias", bias.shape, "vector", **maps)
    layer.bias.assign(to_channels_last(bias, of))


def _follow(w, grads, make):
    variable = tf.Variable(w)
    optimizer = make(variable)
    update = tf.function(optimizer.apply)
    path = []
    for gradient in grads:
        update([tf.constant(gradient)])
        path.append(variable.numpy())
    return np.stack(path)
