"""The recipe's layers in plain NumPy, with gradients written by hand: slow and short.

They judge the answers of the four frameworks, so they take no short cuts: a convolution is a sum
over the windows that its kernel lies on, a gradient is the chain rule, and `tests/test_numpy.py`
compares every gradient with finite differences. `questions/*/reference.py` are answers written with
them.
"""

from typing import Any

from knock.recipe import Layer, Recipe, kinds, layers
from knock.recipe.layers import Placed, PlacedLayer

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[Any]

_dtype = "float64"


def set_float_type(dtype: str) -> None:
    """Choose the type of the weights of all later networks: float32 or float64."""
    global _dtype
    _dtype = dtype


class Module:
    """A layer. Calling it is the forward pass; `backward` turns ∂loss/∂output into ∂loss/∂input.

    `backward` adds the gradients of `values` to `gradients`; `clear` sets those to zero.
    """

    layer: Layer

    def __init__(self, placed: PlacedLayer) -> None:
        self.layer = placed.layer
        self.name = placed.name
        self.output_shape = placed.output
        self.values = {p.name.split(".")[-1]: np.zeros(p.shape, _dtype) for p in placed.parameters}
        self.training = True
        self.clear()

    def clear(self) -> None:
        self.gradients = {name: np.zeros_like(value) for name, value in self.values.items()}

    def __call__(self, x: Array) -> Array:
        raise NotImplementedError

    def backward(self, d: Array) -> Array:
        raise NotImplementedError


class Spectral(Module):
    """A layer that may use W / σ instead of its weight W, σ being W's largest stretch.

    Miyato et al. 2018, algorithm 1: W is a matrix M with a row for each output. One round of the
    power iteration turns the kept u into v = Mᵀu / ‖Mᵀu‖ and u⁺ = M v / ‖M v‖, and σ is u⁺ᵀ M v.
    Calling the layer does not change u; `turn` does.
    """

    layer: kinds.Linear | kinds.Conv
    rounds = 1  # a mistake: more of them
    shuffled = False  # a mistake: rows that are no output's
    by_all_entries = False  # a mistake: the root of all entries' squares for the largest stretch
    with_bias = False  # a mistake: the bias of a spectral layer is divided, too

    def matrix(self) -> Array:
        """The weight with a row for each output."""
        weight = self.values["weight"]
        if self.shuffled:
            weight = np.moveaxis(weight, 0, -1)
        return weight.reshape(len(self.values["weight"]), -1)

    def round(self) -> tuple[Array, Array]:
        """u⁺ and v, of the weight as it is now."""
        matrix, u = self.matrix(), self.values["u"]
        for _ in range(self.rounds):
            v = _unit(matrix.T @ u)
            u = _unit(matrix @ v)
        return u, v

    def turn(self) -> None:
        """The kept u becomes u⁺."""
        if self.layer.spectral:
            self.values["u"][...] = self.round()[0]

    def used(self) -> Array:
        """The weight that the layer works with: W / σ, or W where it is not spectral."""
        self.weight = self.values["weight"]
        if self.layer.spectral:
            self.u, self.v = self.round()
            self.sigma = self.u @ self.matrix() @ self.v
            if self.by_all_entries:
                self.sigma = np.sqrt((self.weight**2).sum())
            self.weight = self.weight / self.sigma
        return self.weight

    def bias(self) -> Array:
        """The bias that the layer works with."""
        bias = self.values["bias"]
        return bias / self.sigma if self.with_bias else bias

    def add_bias_slope(self, d: Array) -> None:
        """Add the bias' gradient, given that of the used one."""
        self.gradients["bias"] += d / self.sigma if self.with_bias else d

    def add_slope(self, d: Array) -> None:
        """Add the weight's gradient, given that of the used one.

        u⁺ and v count as constants, σ does not: ∂L/∂W = (D − ⟨D, W/σ⟩ u⁺vᵀ) / σ.
        """
        if self.layer.spectral:
            along = (d * self.weight).sum()
            d = (d - along * np.outer(self.u, self.v).reshape(d.shape)) / self.sigma
        self.gradients["weight"] += d


def _unit(vector: Array) -> Array:
    made: Array = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return made


class Linear(Spectral):
    """y = x Wᵀ + b."""

    layer: kinds.Linear

    def __call__(self, x: Array) -> Array:
        self.x = x
        y = x @ self.used().T
        return y + self.bias() if self.layer.bias else y

    def backward(self, d: Array) -> Array:
        self.add_slope(d.T @ self.x)
        if self.layer.bias:
            self.add_bias_slope(d.sum(0))
        return d @ self.weight


class Conv(Spectral):
    """y[n,o,i,j] = Σ over c,u,v of x[n, c, s·i+u−p, s·j+v−p] · w[o,c,u,v], plus b[o]."""

    layer: kinds.Conv

    def __call__(self, x: Array) -> Array:
        self.x = _padded(x, self.layer.pad)
        y = _over_places(self._windows(self.x), self.used())
        return y + self.bias()[:, None, None] if self.layer.bias else y

    def backward(self, d: Array) -> Array:
        windows = self._windows(self.x)
        self.add_slope(np.tensordot(d, windows, ((0, 2, 3), (0, 2, 3))))
        if self.layer.bias:
            self.add_bias_slope(d.sum((0, 2, 3)))
        dx = np.zeros_like(self.x)
        _add_to_places(self._windows(dx), d, self.weight)
        pad = self.layer.pad
        return dx[:, :, pad : dx.shape[2] - pad, pad : dx.shape[3] - pad]

    def _windows(self, padded: Array) -> Array:
        return _windows(padded, self.layer.kernel, self.layer.stride)


class MaskedConv(Conv):
    """`Conv` with a window that counts only where it lies before its middle, row after row.

    With mask B on the middle, too (van den Oord et al. 2016, "Pixel recurrent neural networks",
    section 3.4).
    """

    layer: kinds.MaskedConv  # type: ignore[assignment]  # it has what Conv asks of a layer
    columns = False  # a mistake: column after column
    backwards = False  # a mistake: where the window lies after its middle
    open = False  # a mistake: everywhere

    def mask(self) -> Array:
        """1 where the window counts, else 0: kernel×kernel."""
        kernel = self.layer.kernel
        places = np.arange(kernel**2).reshape(kernel, kernel)
        places = places.T if self.columns else places
        places = places[::-1, ::-1] if self.backwards else places
        seen: Array = (places < kernel**2 // 2 + (self.layer.mask == "B")) | self.open
        return seen.astype(float)

    def used(self) -> Array:
        """The weight where the window counts, else 0."""
        self.weight = self.values["weight"] * self.mask()
        return self.weight

    def add_slope(self, d: Array) -> None:
        """Add the weight's gradient: none where the window does not count."""
        self.gradients["weight"] += d * self.mask()


class TransposedConv(Module):
    """The transpose of `Conv`: y[n, o, s·i+u−p, s·j+v−p] += x[n,c,i,j] · w[c,o,u,v], plus b[o]."""

    layer: kinds.TransposedConv

    def __call__(self, x: Array) -> Array:
        self.x = x
        canvas = self._canvas(len(x))
        _add_to_places(self._windows(canvas), x, self.values["weight"])
        y = self._cropped(canvas)
        return y + self.values["bias"][:, None, None] if self.layer.bias else y

    def backward(self, d: Array) -> Array:
        canvas = self._canvas(len(d))
        self._cropped(canvas)[...] = d
        windows = self._windows(canvas)
        self.gradients["weight"] += np.tensordot(self.x, windows, ((0, 2, 3), (0, 2, 3)))
        if self.layer.bias:
            self.gradients["bias"] += d.sum((0, 2, 3))
        return _over_places(windows, self.values["weight"])

    def _canvas(self, count: int) -> Array:
        """Zeros with the shape of the output before its padding is cut off."""
        channels, height, width = self.output_shape
        pad = 2 * self.layer.pad
        return np.zeros((count, channels, height + pad, width + pad), _dtype)

    def _cropped(self, canvas: Array) -> Array:
        pad, (_, height, width) = self.layer.pad, self.output_shape
        return canvas[:, :, pad : pad + height, pad : pad + width]

    def _windows(self, canvas: Array) -> Array:
        height, width = self.x.shape[2:]
        return _windows(canvas, self.layer.kernel, self.layer.stride)[:, :, :height, :width]


def _padded(maps: Array, pad: int) -> Array:
    """Maps with so many zeros on each side. `np.pad` takes longer than a small convolution."""
    count, channels, height, width = maps.shape
    padded = np.zeros((count, channels, height + 2 * pad, width + 2 * pad), maps.dtype)
    padded[:, :, pad : pad + height, pad : pad + width] = maps
    return padded


def _windows(maps: Array, kernel: int, stride: int) -> Array:
    """What a kernel lies on at each of its places, a view: N×C×H'×W'×kernel×kernel."""
    every = sliding_window_view(maps, (kernel, kernel), (2, 3), writeable=True)
    return every[:, :, ::stride, ::stride]


def _over_places(windows: Array, weight: Array) -> Array:
    """y[n,o,i,j] = Σ over c,u,v of windows[n,c,i,j,u,v] · w[o,c,u,v]."""
    return np.moveaxis(np.tensordot(windows, weight, ((1, 4, 5), (1, 2, 3))), 3, 1)


def _add_to_places(windows: Array, x: Array, weight: Array) -> None:
    """windows[n,c,i,j,u,v] += Σ over o of x[n,o,i,j] · w[o,c,u,v], one (u, v) after another.

    Windows overlap, so all at once would lose some of the sums.
    """
    products = np.tensordot(x, weight, ((1,), (0,)))  # N×H'×W'×C×kernel×kernel
    products = np.moveaxis(products, 3, 1)
    for u, v in np.ndindex(products.shape[4:]):
        windows[..., u, v] += products[..., u, v]


class Codebook(Module):
    """In place of each place's vector z, the e of the codebook with the smallest ‖z − e‖².

    van den Oord et al. 2017, equations 1 and 2. Of equally near ones, the first. The gradient of
    what comes out is that of the chosen e; as small steps change no choice, z has none.
    """

    layer: kinds.Codebook
    farthest = False  # a mistake: the largest distance
    alike = False  # a mistake: the largest z·e, which long vectors win
    mixed = False  # a mistake: a vector is made of neighbouring places, as maps lie in memory

    def nearest(self, x: Array) -> Array:
        """The number of the nearest e at each place: N×H×W from N×C×H×W."""
        weight = self.values["weight"]
        rows = x.reshape(len(x), *x.shape[2:], -1) if self.mixed else np.moveaxis(x, 1, -1)
        far = (weight**2).sum(1) * (not self.alike) / 2 - rows @ weight.T  # (‖z − e‖² − ‖z‖²) / 2
        codes: Array = (-far if self.farthest else far).argmin(-1)
        return codes

    def vectors(self, codes: Array) -> Array:
        """The e with these numbers: N×C×H×W from N×H×W."""
        self.codes = codes
        chosen = self.values["weight"][codes]
        if self.mixed:
            return chosen.reshape(len(codes), -1, *codes.shape[1:])
        return np.moveaxis(chosen, -1, 1)

    def __call__(self, x: Array) -> Array:
        return self.vectors(self.nearest(x))

    def backward(self, d: Array) -> Array:
        np.add.at(self.gradients["weight"], self.codes, np.moveaxis(d, 1, -1))
        return np.zeros_like(d)


class MaxPool(Module):
    """The largest of each k×k window; the gradient goes to the first place with that value."""

    layer: kinds.MaxPool

    def __call__(self, x: Array) -> Array:
        self.shape, k = x.shape, self.layer.kernel
        n, c, height, width = x.shape
        windows = x.reshape(n, c, height // k, k, width // k, k).transpose(0, 1, 2, 4, 3, 5)
        self.windows = windows.reshape(n, c, height // k, width // k, k * k)
        largest: Array = self.windows.max(-1)
        return largest

    def backward(self, d: Array) -> Array:
        n, c, height, width = self.shape
        k = self.layer.kernel
        dx = np.zeros_like(self.windows)
        np.put_along_axis(dx, self.windows.argmax(-1)[..., None], d[..., None], -1)
        dx = dx.reshape(n, c, height // k, width // k, k, k).transpose(0, 1, 2, 4, 3, 5)
        return dx.reshape(self.shape)


class AveragePool(Module):
    """The mean of each k×k window."""

    layer: kinds.AveragePool

    def __call__(self, x: Array) -> Array:
        k = self.layer.kernel
        n, c, height, width = x.shape
        y: Array = x.reshape(n, c, height // k, k, width // k, k).mean((3, 5))
        return y

    def backward(self, d: Array) -> Array:
        return _repeated(d, self.layer.kernel) / self.layer.kernel**2


class Upsample(Module):
    """Each pixel as a square of the same ones."""

    layer: kinds.Upsample

    def __call__(self, x: Array) -> Array:
        return _repeated(x, self.layer.scale)

    def backward(self, d: Array) -> Array:
        k = self.layer.scale
        n, c, height, width = d.shape
        dx: Array = d.reshape(n, c, height // k, k, width // k, k).sum((3, 5))
        return dx


def _repeated(maps: Array, times: int) -> Array:
    return maps.repeat(times, 2).repeat(times, 3)


class GlobalPool(Module):
    """The mean of each map."""

    def __call__(self, x: Array) -> Array:
        self.sides = x.shape[2:]
        y: Array = x.mean((2, 3))
        return y

    def backward(self, d: Array) -> Array:
        height, width = self.sides
        share: Array = d[:, :, None, None] / (height * width)
        return share.repeat(height, 2).repeat(width, 3)


class ReLU(Module):
    """max(x, 0); its slope at 0 is 0."""

    def __call__(self, x: Array) -> Array:
        self.above = ~(x.real <= 0)  # so that NaN stays NaN
        return np.where(self.above, x, 0)

    def backward(self, d: Array) -> Array:
        return d * self.above


class LeakyReLU(Module):
    """x if positive, else slope·x."""

    layer: kinds.LeakyReLU

    def __call__(self, x: Array) -> Array:
        self.slope = np.where(x.real > 0, 1.0, self.layer.slope)
        return x * self.slope

    def backward(self, d: Array) -> Array:
        return d * self.slope


class SiLU(Module):
    """x · σ(x) (Ramachandran et al. 2017: swish with β = 1)."""

    def __call__(self, x: Array) -> Array:
        self.x, self.gate = x, 1 / (1 + np.exp(-x))
        return x * self.gate

    def backward(self, d: Array) -> Array:
        dx: Array = d * self.gate * (1 + self.x * (1 - self.gate))
        return dx


class Tanh(Module):
    """tanh x."""

    def __call__(self, x: Array) -> Array:
        self.y: Array = np.tanh(x)
        return self.y

    def backward(self, d: Array) -> Array:
        dx: Array = d * (1 - self.y**2)
        return dx


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ)."""

    def __call__(self, x: Array) -> Array:
        self.y: Array = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, d: Array) -> Array:
        dx: Array = d * self.y * (1 - self.y)
        return dx


class BatchNorm(Module):
    """γ (x − μ) / √(σ² + 1e-5) + β, channel by channel (Ioffe & Szegedy 2015, algorithm 1).

    In training, or without running statistics, μ and σ² are the batch's. In training a tenth of the
    running statistics is replaced by the batch's, with the variance times n / (n − 1). Outside
    training μ and σ² are the running ones.
    """

    eps = 1e-5
    always = False  # a mistake: always use the batch's statistics

    def __call__(self, x: Array) -> Array:
        self.axes = (0, *range(2, x.ndim))
        running = self.values.get("running_mean")
        self.fixed = running is not None and not self.training and not self.always
        if running is not None and self.fixed:
            mean, variance = running, self.values["running_var"]
        else:
            mean = x.mean(self.axes)
            variance = ((x - self._wide(mean)) ** 2).mean(self.axes)  # of complex numbers, too
        if running is not None and self.training:
            n = x.size // x.shape[1]
            running += 0.1 * (mean - running)
            kept = self.values["running_var"]
            kept += 0.1 * (variance * n / (n - 1) - kept)
        self.scale = 1 / np.sqrt(variance + self.eps)
        self.normal: Array = (x - self._wide(mean)) * self._wide(self.scale)
        return self.normal * self._wide(self.values["weight"]) + self._wide(self.values["bias"])

    def backward(self, d: Array) -> Array:
        """∂loss/∂x through the batch's own μ and σ²; the running ones are constants."""
        self.gradients["weight"] += (d * self.normal).sum(self.axes)
        self.gradients["bias"] += d.sum(self.axes)
        d = d * self._wide(self.values["weight"])
        if self.fixed:
            through: Array = d * self._wide(self.scale)
            return through
        mean = self._wide(d.mean(self.axes))
        along = self._wide((d * self.normal).mean(self.axes))
        dx: Array = (d - mean - self.normal * along) * self._wide(self.scale)
        return dx

    def _wide(self, channels: Array) -> Array:
        return channels.reshape(-1, *[1] * (len(self.axes) - 1))


class LayerNorm(Module):
    """γ (x − μ) / √(σ² + 1e-5) + β, μ and σ² of each picture's C×H×W (Ba et al. 2016, equation 3).

    Each channel has one γ and one β.
    """

    eps = 1e-5
    axes: tuple[int, ...] = (1, 2, 3)

    def __call__(self, x: Array) -> Array:
        centred = x - x.mean(self.axes, keepdims=True)
        self.scale = 1 / np.sqrt((centred**2).mean(self.axes, keepdims=True) + self.eps)
        self.normal: Array = centred * self.scale
        weight, bias = (self.values[name][:, None, None] for name in ("weight", "bias"))
        y: Array = self.normal * weight + bias
        return y

    def backward(self, d: Array) -> Array:
        self.gradients["weight"] += (d * self.normal).sum((0, 2, 3))
        self.gradients["bias"] += d.sum((0, 2, 3))
        d = d * self.values["weight"][:, None, None]
        mean = d.mean(self.axes, keepdims=True)
        along = (d * self.normal).mean(self.axes, keepdims=True)
        dx: Array = (d - mean - self.normal * along) * self.scale
        return dx


class GroupNorm(Module):
    """γ (x − μ) / √(σ² + 1e-5) + β, μ and σ² of a group of a picture's channels (Wu & He 2018).

    Each channel has one γ and one β.
    """

    layer: kinds.GroupNorm
    eps = 1e-5

    def __init__(self, placed: PlacedLayer) -> None:
        super().__init__(placed)
        assert isinstance(self.layer.groups, int)  # since it was placed
        self.groups = self.layer.groups

    def __call__(self, x: Array) -> Array:
        self.shape = x.shape
        rows = self._grouped(x)
        centred = rows - rows.mean(2, keepdims=True)
        self.scale = 1 / np.sqrt((centred**2).mean(2, keepdims=True) + self.eps)
        self.normal: Array = centred * self.scale
        weight, bias = (self.values[name][:, None, None] for name in ("weight", "bias"))
        y: Array = self.normal.reshape(x.shape) * weight + bias
        return y

    def backward(self, d: Array) -> Array:
        self.gradients["weight"] += (d * self.normal.reshape(d.shape)).sum((0, 2, 3))
        self.gradients["bias"] += d.sum((0, 2, 3))
        d = self._grouped(d * self.values["weight"][:, None, None])
        along = (d * self.normal).mean(2, keepdims=True)
        dx: Array = (d - d.mean(2, keepdims=True) - self.normal * along) * self.scale
        return dx.reshape(self.shape)

    def _grouped(self, maps: Array) -> Array:
        """N×C×H×W as N×groups×numbers."""
        return maps.reshape(len(maps), self.groups, -1)


class Sinusoids(Module):
    """sin(t fₖ), then cos(t fₖ), fₖ = 10000^(−k/K) for k = 0 … K − 1 (Vaswani et al. 2017, 3.5).

    The paper has each cosine beside its sine. t has no gradient: it is drawn or counted.
    """

    longest = 10000.0
    ends = False  # a mistake, or another convention: f_K−1 is 1/10000 already
    order = (np.sin, np.cos)
    beside = False  # as in the paper: each cosine after its sine
    factor = 1.0  # a mistake: t is scaled first

    def __call__(self, x: Array) -> Array:
        half = self.output_shape[0] // 2
        steps = np.arange(half) / max(half - self.ends, 1)
        angles = self.factor * np.asarray(x, np.float64)[:, None] * self.longest**-steps
        waves = [wave(angles) for wave in self.order]
        rows = np.stack(waves, 2).reshape(len(x), -1) if self.beside else np.hstack(waves)
        return rows.astype(_dtype)

    def backward(self, d: Array) -> Array:
        return np.zeros(len(d))


class InstanceNorm(LayerNorm):
    """The same with μ and σ² of each picture's map (Ulyanov et al. 2016, equation 1)."""

    axes = (2, 3)


class VirtualNorm(Module):
    """γ (x − μ) / √(σ² + 1e-5) + β by a batch of reference (Salimans et al. 2016, section 3.5).

    The first `rows` rows are the reference. With m and q, the means over places of x and of x²: of
    a row of the reference μ and σ² + μ² are the means of all m and q there; of another row they are
    those of its own and the reference's, as if it were one row more.
    """

    eps = 1e-5
    rows = 0
    counts = True  # a mistake, if not: a row does not count in its own statistics
    spreads = False  # a mistake: σ² is the mean of the rows' own variances
    constant = False  # a mistake: the reference's statistics have no gradient

    def __call__(self, x: Array) -> Array:
        self.x, self.axes = x, tuple(range(2, x.ndim))
        self.share = 1 / (self.rows + 1) if self.counts else 0.0
        own, square = self._over_places(x), self._over_places(x**2)
        first, second = self._joined(own), self._joined(square)
        if self.spreads:
            second = self._joined(square - own**2) + first**2
        self.mean = self._wide(first)
        self.scale = 1 / np.sqrt(self._wide(second) - self.mean**2 + self.eps)
        self.normal: Array = (x - self.mean) * self.scale
        return self.normal * self._wide(self.values["weight"]) + self._wide(self.values["bias"])

    def backward(self, d: Array) -> Array:
        """∂loss/∂x, through the statistics of a row and of the reference, too."""
        self.gradients["weight"] += (d * self.normal).sum((0, *self.axes))
        self.gradients["bias"] += d.sum((0, *self.axes))
        d = d * self._wide(self.values["weight"]) * self.scale
        second = -0.5 * self._sum_of_places(d * self.normal * self.scale)  # ∂loss/∂(σ² + μ²)
        first = -self._sum_of_places(d) - 2 * second * self._narrow(self.mean)
        places = self.x[0, 0].size
        of_mean, of_square = (self._wide(self._parted(one)) / places for one in (first, second))
        dx: Array = d + of_mean + 2 * self.x * of_square
        return dx

    def _joined(self, rows: Array) -> Array:
        """Each row's statistics: N×C from N×C."""
        reference = rows[: self.rows].mean(0)
        own = self.share * rows[self.rows :] + (1 - self.share) * reference
        return np.concatenate([np.broadcast_to(reference, rows[: self.rows].shape), own])

    def _parted(self, d: Array) -> Array:
        """The gradient of what goes into `_joined`, from that of what comes out."""
        own = d[self.rows :]
        reference = (d[: self.rows].sum(0) + (1 - self.share) * own.sum(0)) / self.rows
        reference = reference * (not self.constant)
        return np.concatenate([np.broadcast_to(reference, d[: self.rows].shape), self.share * own])

    def _over_places(self, x: Array) -> Array:
        return x.mean(self.axes) if self.axes else x

    def _sum_of_places(self, x: Array) -> Array:
        return x.sum(self.axes) if self.axes else x

    def _wide(self, rows: Array) -> Array:
        return rows.reshape(*rows.shape, *[1] * len(self.axes))

    def _narrow(self, wide: Array) -> Array:
        return wide.reshape(wide.shape[:2])


class Minibatch(Module):
    """o_b(i) = scale · Σ over j ≠ i of exp(−‖M_ib − M_jb‖₁), M = x Tᵀ as N×kernels×dims.

    Salimans et al. 2016, section 3.2. The paper's sum has j = i too, which is always 1.
    """

    layer: kinds.Minibatch
    itself = False  # a mistake: a row is close to itself, too
    lifted = True  # a mistake, if not: each row is subtracted from itself alone
    power = 1  # a mistake, if 2: squares in place of absolute values

    def __init__(self, placed: PlacedLayer) -> None:
        super().__init__(placed)
        assert isinstance(self.layer.scale, float)  # since it was placed
        self.scale = self.layer.scale

    def __call__(self, x: Array) -> Array:
        self.x = x
        m = (x @ self.values["weight"].T).reshape(len(x), *self.output_shape, -1)
        self.apart = (m[:, None] - m) * self.lifted  # N×N×kernels×dims
        self.close: Array = np.exp(-(np.abs(self.apart) ** self.power).sum(3))
        return self.scale * (self.close.sum(1) - (not self.itself))

    def backward(self, d: Array) -> Array:
        pairs = self.scale * (d[:, None] + d) * self.close  # one in the sum of two rows
        dm = -(pairs[..., None] * np.sign(self.apart)).sum(1).reshape(len(self.x), -1)
        self.gradients["weight"] += dm.T @ self.x
        dx: Array = dm @ self.values["weight"]
        return dx


class Reshape(Module):
    """The same numbers in another shape, in C, H, W order."""

    def __call__(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), *self.output_shape)

    def backward(self, d: Array) -> Array:
        return d.reshape(self.shape)


_MODULES: dict[type[Layer], type[Module]] = {
    kinds.Linear: Linear,
    kinds.Conv: Conv,
    kinds.TransposedConv: TransposedConv,
    kinds.MaskedConv: MaskedConv,
    kinds.Codebook: Codebook,
    kinds.MaxPool: MaxPool,
    kinds.AveragePool: AveragePool,
    kinds.GlobalPool: GlobalPool,
    kinds.Upsample: Upsample,
    kinds.Flatten: Reshape,
    kinds.Reshape: Reshape,
    kinds.ReLU: ReLU,
    kinds.LeakyReLU: LeakyReLU,
    kinds.Sigmoid: Sigmoid,
    kinds.SiLU: SiLU,
    kinds.Tanh: Tanh,
    kinds.BatchNorm: BatchNorm,
    kinds.LayerNorm: LayerNorm,
    kinds.GroupNorm: GroupNorm,
    kinds.Sinusoids: Sinusoids,
    kinds.InstanceNorm: InstanceNorm,
    kinds.VirtualNorm: VirtualNorm,
    kinds.Minibatch: Minibatch,
    kinds.Dropout: Module,  # these five are the network's own work
    kinds.Keep: Module,
    kinds.Concat: Module,
    kinds.Restore: Module,
    kinds.Add: Module,
}


def make_module(placed: PlacedLayer) -> Module:
    """A layer of a recipe, with all weights 0."""
    return _MODULES[type(placed.layer)](placed)


class Network:
    """A recipe's network: its layers one after the other.

    Call it with its input and the masks of its dropouts, in order; then, where virtual
    normalisations need one, with the batch of reference. Its rows pass through all layers before
    those of the input, and are left out at the end. Last comes what it takes beside its input.
    """

    def __init__(self, placed: Placed) -> None:
        self.beside = list(placed.beside)
        self.layers = [(one.layer, make_module(one)) for one in placed.layers]
        self.modules = [module for _, module in self.layers]
        self.name = placed.name

    def __call__(self, x: Array, *masks: Array) -> Array:
        before = len(masks) - len(self.beside)
        self.kept: dict[str, Array] = dict(zip(self.beside, masks[before:], strict=True))
        masks = masks[:before]
        self.rows_added: list[bool] = []
        self.masks, waiting = [], iter(masks)
        self.rows = 0
        virtual = [module for module in self.modules if isinstance(module, VirtualNorm)]
        if virtual:
            *masks_only, reference = masks
            waiting, self.rows = iter(masks_only), len(reference)
            x = np.concatenate([reference, x])
            for one in virtual:
                one.rows = self.rows
        for layer, module in self.layers:
            match layer:
                case kinds.Keep(of=of):
                    self.kept[of] = x
                case kinds.Concat(of=of):
                    x = np.concatenate([x, self.kept[of]], axis=1)
                case kinds.Restore(of=of):
                    x = self.kept[of]
                case kinds.Add(of=of):
                    self.rows_added.append(x.ndim < self.kept[of].ndim)
                    x = (x[:, :, None, None] if self.rows_added[-1] else x) + self.kept[of]
                case kinds.Dropout():
                    self.masks.append(next(waiting))
                    x = x * self.masks[-1]
                case _:
                    x = module(x)
        return x[self.rows :]

    def backward(self, d: Array) -> Array:
        owed: dict[str, Any] = dict.fromkeys(self.kept, 0.0)
        masks, rows_added = list(self.masks), list(self.rows_added)
        if self.rows:
            d = np.concatenate([np.zeros((self.rows, *d.shape[1:]), d.dtype), d])
        for layer, module in reversed(self.layers):
            match layer:
                case kinds.Keep(of=of):
                    d = d + owed[of]
                case kinds.Concat(of=of):
                    own = d.shape[1] - self.kept[of].shape[1]
                    d, owed[of] = d[:, :own], owed[of] + d[:, own:]
                case kinds.Restore(of=of):  # before it is a keep, which has all that is owed
                    d, owed[of] = np.zeros(()), owed[of] + d
                case kinds.Add(of=of):
                    owed[of] = owed[of] + d
                    d = d.sum((2, 3)) if rows_added.pop() else d
                case kinds.Dropout():
                    d = d * masks.pop()
                case _:
                    d = module.backward(d)
        return d[self.rows :]

    def clear(self) -> None:
        """Set every gradient to zero."""
        for module in self.modules:
            module.clear()


def add_mixed_slopes(network: Network, x: Array, v: Array) -> None:
    """Add ∂/∂w of ⟨v, ∂Σy/∂x⟩, y = network(x), to the gradients of every weight w.

    This is how the weights' gradients change when x moves along v. A complex step (Squire & Trapp
    1998) makes it exact to the last digit: it takes no difference, so no digits cancel.
    """
    tiny = 1e-100
    kept = [module.gradients for module in network.modules]
    for module in network.modules:
        module.gradients = {n: g.astype(complex) * 0 for n, g in module.gradients.items()}
    y = network(x + 1j * tiny * v)
    network.backward(np.ones_like(y))
    for module, before in zip(network.modules, kept, strict=True):
        module.gradients = {n: before[n] + g.imag / tiny for n, g in module.gradients.items()}


def turn(network: Network) -> None:
    """Keep the next u of every spectral layer of a network."""
    for module in network.modules:
        if isinstance(module, Spectral):
            module.turn()


def networks(recipe: Recipe) -> dict[str, Network]:
    """Every network of a recipe, with all weights 0."""
    return {name: Network(placed) for name, placed in layers.networks(recipe).items()}


class Pool:
    """Former pictures, N×C×H×W, which an answer looks at and exchanges; zeros at first."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.pictures = np.zeros(shape, _dtype)


def pools(recipe: Recipe) -> dict[str, Pool]:
    """Every pool of a recipe, as it begins."""
    return {name: Pool(pictures.shape) for name, pictures in layers.pools(recipe).items()}
