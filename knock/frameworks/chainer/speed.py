"""Makes Chainer faster on a CPU: the same numbers up to rounding, with less copying.

Chainer transposes its columns for one big matrix product and returns maps whose channels are last
in memory, so every later layer reads them with strides. Here each picture has a product of its own,
nothing is transposed, and maps are N×C×H×W in memory. A step of the convolutional autoencoder takes
about half the time. What goes back through a convolution of stride 1 is a convolution itself, with
its kernels turned round: a step of a diffusion's U-Net then takes a sixth less.

`install` replaces the methods that Chainer calls for NumPy arrays; those for CuPy stay.
"""

import ctypes
import itertools
import platform
from typing import Any

import numpy as np
from chainer.functions.activation.leaky_relu import LeakyReLU, _LeakyReLUGrad
from chainer.functions.connection.convolution_2d import Convolution2DFunction, Convolution2DGradW
from chainer.functions.connection.deconvolution_2d import Deconvolution2DFunction
from chainer.functions.pooling.max_pooling_nd import MaxPoolingND, MaxPoolingNDGrad
from chainer.utils import conv

FEW = 64
"""For maps with fewer positions one big product is faster: it reads the weight only once."""

_convolution_by_one = Convolution2DFunction._forward_cpu_core
_weight_gradient_by_one = Convolution2DGradW._forward_cpu_core
_transposed_by_one = Deconvolution2DFunction._forward_cpu_core
_pool_any = MaxPoolingND.forward_cpu
_pool_any_gradient = MaxPoolingNDGrad.forward_cpu


def _columns(node: Any, x: Any, kh: int, kw: int) -> Any:
    """(N, C·kh·kw, positions): the numbers under the kernel at each of its positions."""
    steps = (node.sy, node.sx, node.ph, node.pw)
    col = conv.im2col_cpu(x, kh, kw, *steps, cover_all=node.cover_all, dy=node.dy, dx=node.dx)
    return col.reshape(len(x), -1, col.shape[4] * col.shape[5])


def _convolution(node: Any, x: Any, W: Any, b: Any) -> tuple[Any]:
    height, width = node._get_out_size(x.shape, W.shape)
    if height * width < FEW:
        return _convolution_by_one(node, x, W, b)
    col = _columns(node, x, *W.shape[2:])
    y = np.matmul(W.reshape(len(W), -1), col).astype(x.dtype, copy=False)
    if b is not None:
        y += b[:, None]
    return (y.reshape(len(x), len(W), height, width),)


def _transposed_convolution(node: Any, x: Any, W: Any, b: Any) -> tuple[Any]:
    if _is_convolution(node, x, W):
        return (_turned_convolution(node, x, W, b),)
    if x.shape[2] * x.shape[3] < FEW:
        return _transposed_by_one(node, x, W, b)
    col = np.matmul(W.reshape(len(W), -1).T, x.reshape(*x.shape[:2], -1))
    col = col.astype(x.dtype, copy=False).reshape(len(x), *W.shape[1:], *x.shape[2:])
    steps = (node.sy, node.sx, node.ph, node.pw)
    y = conv.col2im_cpu(col, *steps, node.outh, node.outw, dy=node.dy, dx=node.dx)
    if b is not None:
        y += b[:, None, None]
    return (y,)


def _is_convolution(node: Any, x: Any, W: Any) -> bool:
    """Whether a transposed convolution is a plain one with its kernels turned round."""
    kh, kw = W.shape[2:]
    return (
        (node.sy, node.sx, node.dy, node.dx) == (1, 1, 1, 1)
        and node.ph < kh
        and node.pw < kw
        and node.outh == x.shape[2] + kh - 1 - 2 * node.ph
        and node.outw == x.shape[3] + kw - 1 - 2 * node.pw
    )


def _turned_convolution(node: Any, x: Any, W: Any, b: Any) -> Any:
    """Such a one: numbers are gathered, which is faster than adding each to its place."""
    kh, kw = W.shape[2:]
    turned = W[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    col = conv.im2col_cpu(x, kh, kw, 1, 1, kh - 1 - node.ph, kw - 1 - node.pw)
    if node.outh * node.outw < FEW:
        y = np.tensordot(turned, col, ((1, 2, 3), (1, 2, 3))).swapaxes(0, 1)
        y = np.ascontiguousarray(y)
    else:
        col = col.reshape(len(x), -1, node.outh * node.outw)
        y = np.matmul(turned.reshape(len(turned), -1), col)
        y = y.reshape(len(x), -1, node.outh, node.outw)
    y = y.astype(x.dtype, copy=False)
    if b is not None:
        y += b[:, None, None]
    return y


def _weight_gradient(node: Any, x: Any, gy: Any) -> tuple[Any]:
    if gy.shape[2] * gy.shape[3] < FEW:
        return _weight_gradient_by_one(node, x, gy)
    col = _columns(node, x, node.kh, node.kw)
    gW = np.zeros((gy.shape[1], col.shape[1]), node.W_dtype)
    for out, columns in zip(gy.reshape(*gy.shape[:2], -1), col, strict=True):
        gW += out @ columns.T
    return (gW.reshape(node.W_shape),)


def _has_tiles(node: Any, shape: Any) -> bool:
    """Whether a pooling cuts maps of this shape into tiles: no overlap, and all inside the map."""
    return (
        node.ndim == 2
        and node.stride == node.ksize
        and not any(node.pad)
        and not any(side % k for side, k in zip(shape[2:], node.ksize, strict=True))
        and node.ksize[0] * node.ksize[1] <= 256  # so that an index into a tile fits into a byte
    )


def _tiles(node: Any, array: Any) -> list[Any]:
    """Views of an N×C×H×W array: the first number of every tile, the second, and so on."""
    kh, kw = node.ksize
    return [array[:, :, i::kh, j::kw] for i, j in itertools.product(range(kh), range(kw))]


def _max_pooling(node: Any, inputs: Any) -> tuple[Any]:
    (x,) = inputs
    if not _has_tiles(node, x.shape):
        return _pool_any(node, inputs)
    node._in_shape, node._in_dtype = x.shape, x.dtype
    first, *others = _tiles(node, x)
    y = first.copy()
    node.indexes = np.zeros(y.shape, np.uint8)
    for index, tile in enumerate(others, 1):
        larger = (tile > y).view(np.uint8)  # of equal numbers the first wins, as in Chainer
        np.maximum(node.indexes, larger * np.uint8(index), out=node.indexes)
        np.maximum(y, tile, out=y)
    return (y,)


def _max_pooling_gradient(node: Any, inputs: Any) -> tuple[Any]:
    (gy,) = inputs
    if not _has_tiles(node.func, node.func._in_shape):
        return _pool_any_gradient(node, inputs)
    gx = np.empty(node.func._in_shape, node.func._in_dtype)
    for index, tile in enumerate(_tiles(node.func, gx)):
        np.multiply(gy, node.func.indexes == index, out=tile)
    return (gx,)


def _leaky_relu(node: Any, inputs: Any) -> tuple[Any]:
    """Without selecting the negative numbers one by one."""
    (x,) = inputs
    node.retain_outputs((0,)) if node.slope >= 0 else node.retain_inputs((0,))
    return (np.where(x <= 0, x * float(node.slope), x),)


def _leaky_relu_gradient(node: Any, inputs: Any) -> tuple[Any]:
    (gy,) = inputs
    return (np.where(node.cond <= 0, gy * float(node.slope), gy),)


def _keep_memory() -> None:
    """Make glibc keep freed memory for the next step, instead of returning it to the system.

    By default it returns blocks of megabytes at once, and getting their pages again takes a fifth
    of a step's time. The numbers are M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of malloc.h.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 2**30)
        libc.mallopt(-1, 2**31 - 1)


def install() -> None:
    """Replace Chainer's methods; calling it again changes nothing."""
    Convolution2DFunction._forward_cpu_core = _convolution
    Convolution2DGradW._forward_cpu_core = _weight_gradient
    Deconvolution2DFunction._forward_cpu_core = _transposed_convolution
    MaxPoolingND.forward_cpu = _max_pooling
    MaxPoolingNDGrad.forward_cpu = _max_pooling_gradient
    LeakyReLU.forward_cpu = _leaky_relu
    _LeakyReLUGrad.forward_cpu = _leaky_relu_gradient
    _keep_memory()
