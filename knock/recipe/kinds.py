"""The kinds of layers that a recipe's network is made of, each with the keys that it takes.

A layer without a `name` has no parameters. What a kind does to a shape, and which parameters it
has, is in `knock.recipe.layers`.
"""

from typing import Annotated, get_args

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]

FromZero = Annotated[int, msgspec.Meta(ge=0)]
LARGEST_SIDE = 1024
"""Pixels a side: beyond it the answers' weights outgrow a machine's memory."""

Size = int | str
"""A number, or an expression in constants and in the image's channels, height and width."""


class _Layer(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="layer",
):
    """What all kinds share: the layer is there for pictures with a shorter side in this range."""

    min_side: Positive = 1
    max_side: Positive = LARGEST_SIDE

    @property
    def kind(self) -> str:
        """What a recipe calls it: `conv`, `batch_norm`."""
        return str(self.__struct_config__.tag)


class Linear(_Layer, frozen=True, tag="linear"):
    """y = x Wᵀ + b, with `out` numbers."""

    name: str
    out: Size
    bias: bool = True


class Conv(_Layer, frozen=True, tag="conv"):
    """A convolution to `out` maps; `pad` zeros on every side of its input."""

    name: str
    out: Size
    kernel: Positive
    stride: Positive = 1
    pad: FromZero = 0
    bias: bool = True


class TransposedConv(_Layer, frozen=True, tag="tconv"):
    """The transpose of a convolution; `out_pad` more rows and columns at the end of its output."""

    name: str
    out: Size
    kernel: Positive
    stride: Positive = 1
    pad: FromZero = 0
    out_pad: FromZero = 0
    bias: bool = True


class MaxPool(_Layer, frozen=True, tag="maxpool"):
    """The largest of each `kernel` × `kernel` window; windows do not overlap."""

    kernel: Positive


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


class Dropout(_Layer, frozen=True, tag="dropout"):
    """Multiplies by a mask: for a network's n-th dropout, the draw called `of` and n."""

    of: str


class Keep(_Layer, frozen=True, tag="keep"):
    """Keeps its input under the name `of` for a later concat."""

    of: str


class Concat(_Layer, frozen=True, tag="concat"):
    """Appends to its input the channels of what was kept under the name `of`."""

    of: str


Layer = (
    Linear
    | Conv
    | TransposedConv
    | MaxPool
    | Flatten
    | Reshape
    | ReLU
    | LeakyReLU
    | Sigmoid
    | Tanh
    | BatchNorm
    | LayerNorm
    | Dropout
    | Keep
    | Concat
)

BY_NAME: dict[str, type[Layer]] = {kind.__struct_config__.tag: kind for kind in get_args(Layer)}
"""Every kind by what a recipe calls it."""
