"""The kinds of layers that a recipe's network is made of, each with the keys that it takes.

A layer without a `name` has no parameters. What a kind does to a shape, and which parameters it
has, is in `knock.recipe.layers`.
"""

from typing import Annotated, Literal, get_args

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]

FromZero = Annotated[int, msgspec.Meta(ge=0)]
LARGEST_SIDE = 1024
"""Pixels a side: beyond it the answers' weights outgrow a machine's memory."""

Size = int | str
"""A number, or an expression in constants and in the image's channels, height and width."""

Constant = int | float | bool | str
"""A number, a switch or a word that a recipe gives a name."""

When = dict[str, Constant]
"""Constants, each with the value that it must have; all of them, where there are several."""


class _Layer(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="layer",
):
    """What all kinds share: the layer is there for pictures with a shorter side in this range.

    And only `when` the recipe's constants have these values.
    """

    min_side: Positive = 1
    max_side: Positive = LARGEST_SIDE
    when: When = {}

    @property
    def kind(self) -> str:
        """What a recipe calls it: `conv`, `batch_norm`."""
        return str(self.__struct_config__.tag)


class Linear(_Layer, frozen=True, tag="linear"):
    """y = x Wᵀ + b, with `out` numbers. `spectral`: W is divided by its largest stretch."""

    name: str
    out: Size
    bias: bool = True
    spectral: bool | When = False


class Conv(_Layer, frozen=True, tag="conv"):
    """A convolution to `out` maps; `pad` zeros on every side of its input.

    `spectral`, always or under a condition: the weight, a matrix with a row for each map, is
    divided by its largest stretch (Miyato et al. 2018, algorithm 1). The layer then has a vector
    `u`, which is kept from step to step and which no optimiser changes.
    """

    name: str
    out: Size
    kernel: Positive
    stride: Positive = 1
    pad: FromZero = 0
    bias: bool = True
    spectral: bool | When = False


class TransposedConv(_Layer, frozen=True, tag="tconv"):
    """The transpose of a convolution; `out_pad` more rows and columns at the end of its output."""

    name: str
    out: Size
    kernel: Positive
    stride: Positive = 1
    pad: FromZero = 0
    out_pad: FromZero = 0
    bias: bool = True


class MaskedConv(_Layer, frozen=True, tag="masked_conv"):
    """A convolution that sees what comes before a place, row after row (van den Oord et al. 2016).

    What is after the place in the kernel's window does not count; mask B lets the place itself
    count, mask A does not. The map keeps its size, so `kernel` is odd.
    """

    name: str
    out: Size
    kernel: Positive
    mask: Literal["A", "B"]
    bias: bool = True

    @property
    def stride(self) -> int:
        """One, always."""
        return 1

    @property
    def pad(self) -> int:
        """The zeros on every side of its input."""
        return self.kernel // 2


class Codebook(_Layer, frozen=True, tag="codebook"):
    """In place of the vector at each place, the nearest of `codes` vectors (van den Oord 2017)."""

    name: str
    codes: Size


class MaxPool(_Layer, frozen=True, tag="maxpool"):
    """The largest of each `kernel` × `kernel` window; windows do not overlap."""

    kernel: Positive


class AveragePool(_Layer, frozen=True, tag="avgpool"):
    """The mean of each `kernel` × `kernel` window; windows do not overlap."""

    kernel: Positive


class GlobalPool(_Layer, frozen=True, tag="global_pool"):
    """The mean of each map: a row with a number per channel."""


class Upsample(_Layer, frozen=True, tag="upsample"):
    """Each pixel `scale` times in both directions."""

    scale: Annotated[int, msgspec.Meta(ge=2)] = 2


class Flatten(_Layer, frozen=True, tag="flatten"):
    """A row of all numbers, in the order channels, height, width."""


class Reshape(_Layer, frozen=True, tag="reshape"):
    """The same numbers in another shape."""

    shape: list[Size]


class ReLU(_Layer, frozen=True, tag="relu"):
    """max(x, 0)."""


class LeakyReLU(_Layer, frozen=True, tag="leaky_relu"):
    """x where positive, `slope` · x elsewhere."""

    slope: float


class SiLU(_Layer, frozen=True, tag="silu"):
    """x · σ(x)."""


class Sigmoid(_Layer, frozen=True, tag="sigmoid"):
    """1 / (1 + e⁻ˣ)."""


class Tanh(_Layer, frozen=True, tag="tanh"):
    """tanh x."""


class BatchNorm(_Layer, frozen=True, tag="batch_norm"):
    """Batch normalisation; without `running` averages, always by the batch's own statistics."""

    name: str
    running: bool = True


class LayerNorm(_Layer, frozen=True, tag="layer_norm"):
    """Layer normalisation of each picture, with one scale and one shift per channel."""

    name: str


class GroupNorm(_Layer, frozen=True, tag="group_norm"):
    """Group normalisation: `groups` parts of a picture's channels, each by its own statistics.

    It has one scale and one shift per channel.
    """

    name: str
    groups: Size


class Sinusoids(_Layer, frozen=True, tag="sinusoids"):
    """A number as `out` numbers: the sines of it, slower and slower, and then the cosines."""

    out: Size


class InstanceNorm(_Layer, frozen=True, tag="instance_norm"):
    """Normalisation of each channel of each picture by itself, with a scale and a shift for each.

    Ulyanov et al. 2016, "Instance normalization: the missing ingredient for fast stylization".
    """

    name: str


class VirtualNorm(_Layer, frozen=True, tag="virtual_norm"):
    """Normalisation by a batch of reference, which passes through the network with the others.

    The network takes the draw called `of` after its input, and lays its rows before those of the
    input up to its end. A row of the input is normalised by the statistics of itself and of all
    rows of reference, a row of reference by those of the reference alone.
    """

    name: str
    of: str


class Minibatch(_Layer, frozen=True, tag="minibatch"):
    """How close each row of the input is to all others, in `kernels` ways, times `scale`.

    Each kernel compares `dims` numbers. `scale` is a number, or a constant's name.
    """

    name: str
    kernels: Size
    dims: Size
    scale: float | str = 1.0


class Dropout(_Layer, frozen=True, tag="dropout"):
    """Multiplies by a mask: for a network's n-th dropout, the draw called `of` and n."""

    of: str


class Keep(_Layer, frozen=True, tag="keep"):
    """Keeps its input under the name `of` for a later concat, restore or add."""

    of: str


class Concat(_Layer, frozen=True, tag="concat"):
    """Appends to its input the channels of what was kept under the name `of`."""

    of: str


class Restore(_Layer, frozen=True, tag="restore"):
    """What was kept under the name `of`, in place of its input, which a keep just before keeps."""

    of: str


class Add(_Layer, frozen=True, tag="add"):
    """Its input plus what was kept under the name `of`, of the same shape.

    To maps that were kept, a row with a number for each of them is added at every place.
    """

    of: str


Layer = (
    Linear
    | Conv
    | TransposedConv
    | MaskedConv
    | Codebook
    | MaxPool
    | AveragePool
    | GlobalPool
    | Upsample
    | Flatten
    | Reshape
    | ReLU
    | LeakyReLU
    | SiLU
    | Sigmoid
    | Tanh
    | BatchNorm
    | LayerNorm
    | GroupNorm
    | Sinusoids
    | InstanceNorm
    | VirtualNorm
    | Minibatch
    | Dropout
    | Keep
    | Concat
    | Restore
    | Add
)

BY_NAME: dict[str, type[Layer]] = {kind.__struct_config__.tag: kind for kind in get_args(Layer)}
"""Every kind by what a recipe calls it."""
