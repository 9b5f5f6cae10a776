"""Chainer: weights as they are; its own Adam and momentum replaced by the adapter's."""

from knock.frameworks import chainer as framework

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np


def linear(x, w, b):
    return F.linear(_array(x), _array(w), _array(b)).array


def conv(x, w, b, stride, pad):
    return F.convolution_2d(_array(x), _array(w), _array(b), stride, pad).array


def tconv(x, w, b, stride, pad, out_pad):
    x, w, b = _array(x), _array(w), _array(b)
    outsize = [
        (side - 1) * stride - 2 * pad + kernel + out_pad
        for side, kernel in zip(x.shape[2:], w.shape[2:], strict=True)
    ]
    return F.deconvolution_2d(x, w, b, stride, pad, outsize).array


def maxpool(x, k):
    return F.max_pooling_2d(_array(x), k, cover_all=False).array


def avgpool(x, k):
    return F.average_pooling_2d(_array(x), k).array


def upsample(x, k):
    return F.unpooling_2d(_array(x), k, cover_all=False).array


def global_pool(x):
    return F.mean(chainer.Variable(_array(x)), axis=(2, 3)).array


def flatten_linear(x, w, b):
    return F.linear(F.reshape(_array(x), (len(x), -1)), _array(w), _array(b)).array


def linear_reshape(x, w, b, shape):
    return F.reshape(F.linear(_array(x), _array(w), _array(b)), (-1, *shape)).array


def leaky_relu(x, slope):
    return F.leaky_relu(_array(x), slope).array


def resize(x, sides):
    return framework.resize(_array(x), sides).array


def bce_logits(logits, target_value):
    return float(framework.bce_with_logits(chainer.Variable(_array(logits)), target_value).array)


def batch_norm(batches, gamma, beta):
    layer = _batch_norm_layer(gamma, beta)
    outputs = [layer(_array(x)).array for x in batches]
    return outputs, layer.avg_mean, layer.avg_var


def batch_norm_eval(x, gamma, beta, mean, var):
    layer = _batch_norm_layer(gamma, beta)
    layer.avg_mean[...] = mean
    layer.avg_var[...] = var
    with chainer.using_config("train", False):
        return layer(_array(x)).array


def layer_norm(x, gamma, beta):
    return _layer_norm_layer(gamma, beta)(_array(x)).array


def group_norm(x, gamma, beta, groups):
    layer = L.GroupNormalization(groups, len(gamma))
    layer.gamma.array[...], layer.beta.array[...] = gamma, beta
    return layer(_array(x)).array


def instance_norm(x, gamma, beta):
    layer = L.GroupNormalization(len(gamma), len(gamma))
    layer.gamma.array[...], layer.beta.array[...] = gamma, beta
    return layer(_array(x)).array


def layer_norm_second(x, gamma, beta):
    layer = _layer_norm_layer(gamma, beta)
    x = chainer.Variable(_array(x))
    value = F.sum(F.square(layer(x**3)))
    (gradient,) = chainer.grad([value], [x], enable_double_backprop=True)
    (second,) = chainer.grad([F.sqrt(F.sum(F.square(gradient)))], [x])
    return second.array


def adam(w, grads, lr, betas):
    return _follow(w, grads, framework.Adam(lr, *betas))


def rmsprop(w, grads, lr):
    return _follow(w, grads, chainer.optimizers.RMSprop(lr))


def sgd(w, grads, lr, momentum):
    return _follow(w, grads, framework.MomentumSGD(lr, momentum))


def _array(array):
    return np.array(array, chainer.get_dtype())


def _batch_norm_layer(gamma, beta):
    layer = L.BatchNormalization(len(gamma), eps=1e-5)
    layer.gamma.array[...] = gamma
    layer.beta.array[...] = beta
    return layer


def _layer_norm_layer(gamma, beta):
    layer = framework.LayerNormalization(len(gamma))
    layer.gamma.array[...] = gamma
    layer.beta.array[...] = beta
    return layer


def _follow(w, grads, optimizer):
    link = chainer.Link()
    with link.init_scope():
        link.w = chainer.Parameter(_array(w))
    optimizer.setup(link)
    path = []
    for gradient in grads:
        link.w.grad = _array(gradient)
        optimizer.update()
        path.append(link.w.array.copy())
    return np.stack(path)
