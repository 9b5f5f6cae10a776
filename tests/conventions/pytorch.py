"""PyTorch, whose conventions are ours: the column that the others are compared with."""

import numpy as np
import torch
import torch.nn.functional as F


def linear(x, w, b):
    """x (N, I), w (O, I), b (O,): x wᵀ + b, (N, O)."""
    return F.linear(_tensor(x), _tensor(w), _tensor(b)).numpy()


def conv(x, w, b, stride, pad):
    """x (N, C, H, W), w (O, C, h, w), b (O,), zeros of width `pad` on every side."""
    return F.conv2d(_tensor(x), _tensor(w), _tensor(b), stride, pad).numpy()


def tconv(x, w, b, stride, pad, out_pad):
    """x (N, I, H, W), w (I, O, h, w), b (O,); height (H−1)·stride − 2·pad + h + out_pad."""
    x, w, b = _tensor(x), _tensor(w), _tensor(b)
    return F.conv_transpose2d(x, w, b, stride, pad, out_pad).numpy()


def maxpool(x, k):
    """The largest of each k×k tile."""
    return F.max_pool2d(_tensor(x), k).numpy()


def avgpool(x, k):
    """The mean of each k×k tile."""
    return F.avg_pool2d(_tensor(x), k).numpy()


def upsample(x, k):
    """Each pixel as a k×k tile."""
    return F.interpolate(_tensor(x), scale_factor=k).numpy()


def global_pool(x):
    """The mean of each map: (N, C)."""
    return _tensor(x).mean((2, 3)).numpy()


def flatten_linear(x, w, b):
    """x (N, C, H, W) flattened, then a linear layer of canonical weight w (O, C·H·W)."""
    return F.linear(_tensor(x).flatten(1), _tensor(w), _tensor(b)).numpy()


def linear_reshape(x, w, b, shape):
    """A linear layer of canonical w (C·H·W, I), b (C·H·W,), made a map of `shape` (C, H, W)."""
    return F.linear(_tensor(x), _tensor(w), _tensor(b)).unflatten(1, shape).numpy()


def leaky_relu(x, slope):
    """x where positive, slope·x elsewhere."""
    return F.leaky_relu(_tensor(x), slope).numpy()


def resize(x, sides):
    """x (N, C, H, W) with other (height, width), linear between the middles of the pixels."""
    return F.interpolate(_tensor(x), sides, mode="bilinear").numpy()


def bce_logits(logits, target_value):
    """Mean cross-entropy of logits with targets that are all `target_value`: a number."""
    logits = _tensor(logits)
    targets = torch.full_like(logits, target_value)
    return float(F.binary_cross_entropy_with_logits(logits, targets))


def batch_norm(batches, gamma, beta):
    """One layer in training over a list of (N, C, H, W) or (N, C): (outputs, mean, variance)."""
    layer = _batch_norm_layer(batches[0], gamma, beta)
    with torch.no_grad():
        outputs = [layer(_tensor(x)).numpy() for x in batches]
    return outputs, layer.running_mean.numpy(), layer.running_var.numpy()


def batch_norm_eval(x, gamma, beta, mean, var):
    """The layer outside training, with running statistics `mean` and `var` (C,)."""
    layer = _batch_norm_layer(x, gamma, beta).eval()
    layer.running_mean.copy_(_tensor(mean))
    layer.running_var.copy_(_tensor(var))
    with torch.no_grad():
        return layer(_tensor(x)).numpy()


def layer_norm(x, gamma, beta):
    """x (N, C, H, W) normalised over C, H, W, with gamma and beta (C,)."""
    return _layer_norm(_tensor(x), gamma, beta).numpy()


def group_norm(x, gamma, beta, groups):
    """x (N, C, H, W), each of the `groups` of its channels normalised, with gamma and beta (C,)."""
    return F.group_norm(_tensor(x), groups, _tensor(gamma), _tensor(beta)).numpy()


def instance_norm(x, gamma, beta):
    """x (N, C, H, W), each map normalised by itself, with gamma and beta (C,)."""
    return F.instance_norm(_tensor(x), weight=_tensor(gamma), bias=_tensor(beta)).numpy()


def layer_norm_second(x, gamma, beta):
    """d/dx ‖d/dx Σ layer_norm(x³)²‖: what a gradient penalty differentiates; as x.

    The cube before the layer matters: without it the terms that tf.nn.moments forgets cancel.
    """
    x = _tensor(x).requires_grad_()
    value = _layer_norm(x**3, gamma, beta).square().sum()
    (gradient,) = torch.autograd.grad(value, x, create_graph=True)
    return torch.autograd.grad(gradient.square().sum().sqrt(), x)[0].numpy()


def adam(w, grads, lr, betas):
    """The weights after each update with a gradient of `grads`, from w; as `grads`."""
    return _follow(w, grads, lambda p: torch.optim.Adam([p], lr, betas))


def rmsprop(w, grads, lr):
    """As `adam`: RMSprop with α = 0.99, ε = 1e-8."""
    return _follow(w, grads, lambda p: torch.optim.RMSprop([p], lr))


def sgd(w, grads, lr, momentum):
    """As `adam`: m ← momentum·m + g, w ← w − lr·m."""
    return _follow(w, grads, lambda p: torch.optim.SGD([p], lr, momentum))


def _tensor(array):
    return torch.tensor(np.asarray(array))


def _batch_norm_layer(x, gamma, beta):
    kind = torch.nn.BatchNorm2d if x.ndim == 4 else torch.nn.BatchNorm1d
    layer = kind(x.shape[1])
    with torch.no_grad():
        layer.weight.copy_(_tensor(gamma))
        layer.bias.copy_(_tensor(beta))
    return layer


def _layer_norm(x, gamma, beta):
    normal = F.layer_norm(x, x.shape[1:])
    return normal * _tensor(gamma)[:, None, None] + _tensor(beta)[:, None, None]


def _follow(w, grads, make):
    parameter = torch.nn.Parameter(_tensor(w))
    optimizer = make(parameter)
    path = []
    for gradient in grads:
        parameter.grad = _tensor(gradient)
        optimizer.step()
        path.append(parameter.detach().numpy().copy())
    return np.stack(path)
