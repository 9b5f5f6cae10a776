"""What a recipe may say: its types, from the TOML file's to the resolved recipe's."""

from typing import Annotated, Any, Literal

from knock.recipe.kinds import LARGEST_SIDE, Constant, Layer, Positive, Size

import msgspec

Side = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_SIDE)]

LARGEST_BATCH = 65536

Rate = Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]

Decay = Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chain of layers with the shape of its input (without the batch axis).

    One that is `like` another has that one's layers and begins with its weights, but no optimiser
    changes it: for a running mean of weights. A network is not there where all constants in
    `unless` have these values. What it takes `beside` its input is kept under these names for its
    layers, each with its shape; a number has an empty one.
    """

    input: list[Size]
    layers: list[Layer]
    init: Literal["glorot_uniform", "he_uniform", "normal"] = "glorot_uniform"
    init_std: Annotated[float, msgspec.Meta(gt=0.0)] = 0.02
    like: str | None = None
    unless: dict[str, Constant] = {}
    beside: dict[str, list[Size]] = {}


class Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Former pictures of a network that a step looks at and changes: the first are zeros.

    They have the size of the data's. A pool belongs to a run's state as the weights do, but no
    optimiser changes it.
    """

    pictures: Size
    of: str


class Optimizer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An optimiser and the networks whose weights it updates; eps is 1e-8, outside the root."""

    algorithm: Literal["adam", "rmsprop", "sgd"]
    networks: Annotated[list[str], msgspec.Meta(min_length=1)]
    lr: Rate
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    alpha: Decay = 0.99
    momentum: Decay = 0.0


class Train(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long, how much at a time, and how often something is written.

    A step's pictures are `rounds` batches, one behind the other: for a critic that is trained more
    often than its generator.
    """

    batch_size: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_BATCH)]
    steps: Positive
    rounds: Positive = 1
    sample_every: Positive = 200
    save_every: Positive = 200
    shown: Annotated[int, msgspec.Meta(ge=1, le=256)] = 8

    @property
    def pictures(self) -> int:
        """How many pictures a step takes: all of its rounds' batches."""
        return self.batch_size * self.rounds

    def timed_as(self, other: "Train") -> "Train":
        """The same, but as long as the other, and written as often: no step's numbers change."""
        return msgspec.structs.replace(
            self,
            steps=other.steps,
            sample_every=other.sample_every,
            save_every=other.save_every,
        )


class Augment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Random changes to a training picture: mirror, ± degrees, ± share of the side, another part.

    With `crop`, pictures are read that many pixels larger on every side: training takes some part
    of the right size, a test the middle. With `still`, training takes the middle, too.
    """

    flip: bool = False
    rotate: Annotated[float, msgspec.Meta(ge=0.0, le=180.0)] = 0.0
    shift: Annotated[float, msgspec.Meta(ge=0.0, lt=0.5)] = 0.0
    crop: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SIDE)] = 0
    still: bool = False

    @property
    def changes(self) -> list[str]:
        """What happens to a training picture, in words; empty where nothing does."""
        found = {
            "mirrored": self.flip,
            f"rotated by up to {self.rotate:g}°": self.rotate,
            f"shifted by up to {self.shift:g} of a side": self.shift,
            f"cropped by {2 * self.crop} pixels": self.crop and not self.still,
        }
        return [words for words, happens in found.items() if happens]

    @property
    def off(self) -> "Augment":
        """None of these changes, on pictures of the same size and the same part of the file."""
        return Augment(crop=self.crop, still=self.crop > 0)


class DataSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one data set is used by a question, and what differs on it.

    `levels` are the shorter sides of a picture's pyramid, the coarsest first (see `levels.py`).
    """

    image: tuple[Literal[1, 3], Side, Side]
    levels: list[Side] = []
    augment: Augment = Augment()
    constants: dict[str, Constant] = {}
    train: dict[str, Constant] = {}
    optimizers: dict[str, dict[str, Any]] = {}


class Draw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A random array that arrives in every batch, one row of `shape` a picture.

    A dropout's numbers are 0 with probability `rate`, and 1 / (1 − rate) otherwise; integers are
    `first` … `up_to`, all equally likely. With `rounds` there are as many rows as pictures in a
    step, else as in one of its rounds; or as many as `rows` says. A `fixed` one is the same in
    every batch. No training step takes one with `check`, which is only in the batches of a check,
    nor one with `sampling`, which is also there where pictures are made. A draw is there only
    `when` the recipe's constants have these values.
    """

    distribution: Literal["uniform", "normal", "dropout", "integers"]
    shape: list[Size] = []
    low: float = 0.0
    high: float = 1.0
    rate: Decay = 0.5
    first: int = 1
    up_to: Size = 1
    rounds: bool = False
    rows: Size | None = None
    fixed: bool = False
    check: bool = False
    sampling: bool = False
    when: dict[str, Constant] = {}

    @property
    def in_training(self) -> bool:
        """Whether a training step takes it."""
        return not self.check and not self.sampling


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The small sizes on which answers are compared.

    `loose` are the outputs of networks and methods that may differ more than others do, each with
    the relative difference that passes. `also` are other constants, each a set: the answers are
    compared with each of them, too, for one step.
    """

    image: tuple[Positive, Side, Side]
    batch_size: Positive
    levels: list[Side] = []
    rounds: Positive = 1
    constants: dict[str, Constant] = {}
    networks: dict[str, dict[str, Constant]] = {}
    loose: dict[str, Rate] = {}
    also: list[Annotated[dict[str, Constant], msgspec.Meta(min_length=1)]] = []


class Outline(msgspec.Struct, frozen=True):
    """The tables of a recipe file that are merged and numbered before the whole is checked."""

    data: dict[str, dict[str, Any]]
    networks: dict[str, dict[str, Any]]
    optimizers: dict[str, dict[str, Any]]
    methods: dict[str, list[str]]
    train: dict[str, Any] = {}
    check: dict[str, Any] = {}
    constants: dict[str, Constant] = {}
    draws: dict[str, dict[str, Any]] = {}
    presets: dict[str, dict[str, Any]] = {}


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recipe file after merging; everything in it is checked against this.

    `parts` are what a learner writes, in their order, each with the names that an answer gives it;
    no run depends on them. `known` is the constant that says how many pictures of each class come
    with a label that training may use, 0 for none. `retired` are constants that the recipe once
    had, each with the value that changed nothing: see `without_retired`. `choices` has the values
    that a constant may have, for those that are words; `ranges` the least and the greatest for some
    of those that are numbers.
    """

    number: Positive
    name: str
    title: str
    class_name: str = msgspec.field(name="class")
    paper: str
    methods: dict[str, list[str]]
    parts: Annotated[
        dict[str, Annotated[list[str], msgspec.Meta(min_length=1)]], msgspec.Meta(min_length=1)
    ]
    networks: dict[str, Network]
    optimizers: dict[str, Optimizer]
    train: Train
    data: dict[str, DataSet]
    check: Check
    constants: dict[str, Constant] = {}
    draws: dict[str, Draw] = {}
    pools: dict[str, Pool] = {}
    presets: dict[str, dict[str, Any]] = {}
    opens: str | None = None
    known: str | None = None
    pairs: Literal["AtoB", "BtoA"] | None = None
    unpaired: bool = False
    scores: list[Literal["classes", "overlap", "kept", "named", "used", "translated"]] = []
    retired: dict[str, Constant] = {}
    choices: dict[str, Annotated[list[str], msgspec.Meta(min_length=1)]] = {}
    ranges: dict[str, tuple[float, float]] = {}


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A resolved recipe: everything that decides a run's numbers, and nothing else.

    Two runs with equal recipes, on the same data, are the same run. `methods` are what a model can
    be asked besides taking a step, each with the names of the batch's entries that it is given.
    `levels` are the heights and widths of a picture's pyramid, the coarsest first. `known` is the
    constant that says how many pictures of each class have a label in training. `pairs` says
    which picture of a pair is the input. Where pictures are `unpaired`, there are two classes, and
    a step takes some of each. `scores` says what a test measures, `loose` which outputs may
    differ more in a check, `also` the same recipe with other constants, compared there as well.
    """

    question: str
    title: str
    class_name: str
    methods: dict[str, list[str]]
    preset: str
    dataset: str
    image_shape: tuple[int, int, int]
    augment: Augment
    constants: dict[str, Constant]
    networks: dict[str, Network]
    optimizers: dict[str, Optimizer]
    draws: dict[str, Draw]
    train: Train
    pools: dict[str, Pool] = {}
    levels: list[tuple[int, int]] = []
    known: str | None = None
    pairs: Literal["AtoB", "BtoA"] | None = None
    unpaired: bool = False
    scores: list[Literal["classes", "overlap", "kept", "named", "used", "translated"]] = []
    loose: dict[str, Rate] = {}
    also: list["Recipe"] = []
    seed: int = 0
    dtype: Literal["float32", "float64"] = "float32"

    @property
    def sizes(self) -> dict[str, Constant]:
        """The names that a size expression may use; `side` is the shorter of height and width.

        The sides of a pyramid's levels have the level's number: height1, width1, height2 ….
        """
        channels, height, width = self.image_shape
        own = {"channels": channels, "height": height, "width": width, "side": min(height, width)}
        for level, (high, wide) in enumerate(self.levels, 1):
            own |= {f"height{level}": high, f"width{level}": wide}
        return {**self.constants, **own}

    @property
    def labelled(self) -> int | None:
        """How many pictures of each class have a label in training; None where all have one."""
        return None if self.known is None else int(self.constants[self.known])

    @property
    def read_shape(self) -> tuple[int, int, int]:
        """Channels, height and width in which pictures are read, before a part is cut out."""
        channels, height, width = self.image_shape
        return channels, height + 2 * self.augment.crop, width + 2 * self.augment.crop

    @property
    def from_noise(self) -> str | None:
        """The method that makes pictures of draws, and of labels perhaps; None if there is none."""
        return "generate" if "images" not in self.methods.get("generate", ["images"]) else None

    @property
    def from_pictures(self) -> str | None:
        """The method that makes a picture of each picture it is given; None if there is none."""
        if "reconstruct" in self.methods:
            return "reconstruct"
        return "generate" if "images" in self.methods.get("generate", []) else None


def from_json(text: str) -> Recipe:
    """The recipe that `to_json` wrote. Raises msgspec.ValidationError on anything else."""
    return msgspec.json.decode(text, type=Recipe)


def to_json(recipe: Recipe) -> str:
    """One line of JSON that `from_json` reads back to an equal recipe."""
    return msgspec.json.encode(recipe).decode()


def timed_as(recipe: Recipe, other: Recipe) -> Recipe:
    """The same recipe, with a training as long as the other's, and written as often."""
    return msgspec.structs.replace(recipe, train=recipe.train.timed_as(other.train))


def difference(old: Recipe, new: Recipe) -> str | None:
    """The first key in which two recipes differ, with both values; None when they are equal."""
    return _difference(msgspec.to_builtins(old), msgspec.to_builtins(new), "")


def switched(recipe: Recipe, other: Recipe) -> str:
    """The constants of the second recipe that differ from the first's: `norm = batch, each = 0`."""
    found = {k: v for k, v in other.constants.items() if v != recipe.constants.get(k)}
    return ", ".join(
        f"{name} = {value:g}" if type(value) is float else f"{name} = {value}"
        for name, value in found.items()
    )


def _difference(old: Any, new: Any, key: str) -> str | None:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            below = f"{key}.{name}" if key else name
            found = _difference(old.get(name), new.get(name), below)
            if found:
                return found
        return None
    return None if old == new else f"{key} was {old!r} and is now {new!r}"
