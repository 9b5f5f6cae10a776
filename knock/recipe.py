"""The recipe of a question: what its networks are, and how they are trained, from one TOML file.

A recipe is resolved in layers, each overriding the one before: the file, the preset, what the data
set says, the command line. What comes out is checked as a whole, so an unknown key, a wrong type or
an impossible value is refused with the key's name wherever it came from.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from knock import levels
from knock.errors import UserError

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]
LARGEST_SIDE = 1024
"""Pixels a side: beyond it the answers' weights outgrow a machine's memory."""
Side = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_SIDE)]
LARGEST_BATCH = 65536
Rate = Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
Decay = Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]
Size = int | str
"""A number, or an expression in constants and in the image's channels, height and width."""

Constant = int | float | bool | str
DEFAULT_PRESET = "quick"


class Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One layer of a network; `knock.layers` says which fields each kind of layer takes.

    It is there only for pictures whose shorter side lies between `min_side` and `max_side`. `of` is
    what a `concat` lays behind its input, the name under which a `keep` kept it; for a network's
    n-th dropout, the draw called `of` and n is its mask.
    """

    layer: str
    name: str | None = None
    out: Size | None = None
    kernel: Positive | None = None
    stride: Positive = 1
    pad: Annotated[int, msgspec.Meta(ge=0)] = 0
    out_pad: Annotated[int, msgspec.Meta(ge=0)] = 0
    slope: float | None = None
    running: bool = True
    of: str | None = None
    min_side: Positive = 1
    max_side: Annotated[int, msgspec.Meta(ge=1)] = LARGEST_SIDE
    bias: bool = True
    shape: list[Size] | None = None


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chain of layers with the shape of its input (without the batch axis)."""

    input: list[Size]
    layers: list[Layer]
    init: Literal["glorot_uniform", "he_uniform", "normal"] = "glorot_uniform"
    init_std: Annotated[float, msgspec.Meta(gt=0.0)] = 0.02


class Optimizer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An optimiser and the networks whose weights it updates; eps is 1e-8, outside the root."""

    algorithm: Literal["adam", "rmsprop", "sgd"]
    networks: list[str]
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
    of the right size, a test the middle.
    """

    flip: bool = False
    rotate: Annotated[float, msgspec.Meta(ge=0.0, le=180.0)] = 0.0
    shift: Annotated[float, msgspec.Meta(ge=0.0, lt=0.5)] = 0.0
    crop: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SIDE)] = 0


class DataSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one data set is used by a question, and what differs on it.

    `levels` are the shorter sides of a picture's pyramid, the coarsest first (see `knock.levels`).
    """

    image: tuple[Literal[1, 3], Side, Side]
    levels: list[Side] = []
    augment: Augment = Augment()
    constants: dict[str, Constant] = {}
    train: dict[str, Constant] = {}
    optimizers: dict[str, dict[str, Any]] = {}


class Draw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A random array that arrives in every batch, one row of `shape` a picture.

    A dropout's numbers are 0 with probability `rate`, and 1 / (1 − rate) otherwise. With `rounds`
    there are as many rows as pictures in a step, else as in one of its rounds.
    """

    distribution: Literal["uniform", "normal", "dropout"]
    shape: list[Size] = []
    low: float = 0.0
    high: float = 1.0
    rate: Decay = 0.5
    rounds: bool = False


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The small sizes on which answers are compared."""

    image: tuple[Positive, Side, Side]
    batch_size: Positive
    levels: list[Side] = []
    rounds: Positive = 1
    constants: dict[str, Constant] = {}
    networks: dict[str, dict[str, Constant]] = {}


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recipe file after merging; everything in it is checked against this.

    `parts` are what a learner writes, in their order, each with the names that an answer gives it;
    no run depends on them. `retired` are constants that the recipe once had, each with the value
    that changed nothing: see `without_retired`.
    """

    number: Positive
    name: str
    title: str
    class_name: str = msgspec.field(name="class")
    paper: str
    methods: dict[str, list[str]]
    parts: dict[str, Annotated[list[str], msgspec.Meta(min_length=1)]]
    networks: dict[str, Network]
    optimizers: dict[str, Optimizer]
    train: Train
    data: dict[str, DataSet]
    check: Check
    constants: dict[str, Constant] = {}
    draws: dict[str, Draw] = {}
    presets: dict[str, dict[str, Any]] = {}
    opens: str | None = None
    pairs: Literal["AtoB", "BtoA"] | None = None
    scores: list[Literal["classes", "overlap", "kept"]] = []
    retired: dict[str, Constant] = {}


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A resolved recipe: everything that decides a run's numbers, and nothing else.

    Two runs with equal recipes, on the same data, are the same run. `methods` are what a model can
    be asked besides taking a step, each with the names of the batch's entries that it is given.
    `levels` are the heights and widths of a picture's pyramid, the coarsest first. `pairs` says
    which picture of a pair is the input, `scores` what a test measures.
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
    levels: list[tuple[int, int]] = []
    pairs: Literal["AtoB", "BtoA"] | None = None
    scores: list[Literal["classes", "overlap", "kept"]] = []
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
    def read_shape(self) -> tuple[int, int, int]:
        """Channels, height and width in which pictures are read, before a part is cut out."""
        channels, height, width = self.image_shape
        return channels, height + 2 * self.augment.crop, width + 2 * self.augment.crop


def read(path: Path) -> dict[str, Any]:
    """The TOML file, unchecked. Raises UserError where it cannot be read.

    A question that `opens` another one's checkpoints has that one's networks, sizes and data, and
    no optimiser: what its own file says lies over the other file.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        if "opens" in tree:
            (other,) = path.parent.parent.glob(f"[0-9][0-9]_{tree['opens']}/{path.name}")
            tree = {**read(other), "optimizers": {}, **tree}
        return tree
    except ValueError as error:
        if not isinstance(error, tomllib.TOMLDecodeError | UnicodeDecodeError):
            raise UserError(f"{path}: there is no question {tree['opens']!r} to open") from None
        raise UserError(f"the recipe {path} is not valid TOML: {error}") from None
    except OSError as error:
        raise UserError(f"cannot read the recipe {path}: {error.strerror}") from None


def load(
    path: Path,
    dataset: str | None = None,
    preset: str = DEFAULT_PRESET,
    overrides: Mapping[str, Any] | None = None,
    seed: int = 0,
    dtype: str = "float32",
) -> Recipe:
    """Resolve the recipe file at `path`.

    `overrides` is a tree of the file's own keys (`{"train": {"steps": 5}}`), as the command line
    gives them; `image` in it is the pictures' (channels, height, width), and `lr` every optimiser's
    learning rate. Without `dataset` the file's first is taken. Raises UserError naming the file and
    the key.
    """
    tree = read(path)
    presets = tree.get("presets", {})
    if preset not in presets:
        raise UserError(f"no preset {preset!r} in {path}; choose from: {', '.join(presets)}")
    tree = _merge(tree, presets[preset], path, "")
    # The whole file is refused for any fault, used here or not.
    file = _convert(levels.expand(tree, 1), path)
    names = list(tree["data"])
    dataset = dataset or names[0]
    if dataset not in names:
        raise UserError(
            f"question {tree['name']} has no data set {dataset!r}; choose from: {', '.join(names)}"
        )
    own = tree["data"][dataset]
    differs = {key: own[key] for key in ("constants", "train", "optimizers") if key in own}
    tree = _merge(tree, differs, path, "")
    changes = dict(overrides or {})
    image, rate = changes.pop("image", own["image"]), changes.pop("lr", None)
    tree = _merge(tree, changes, path, "")
    tree["data"][dataset]["image"] = list(image)
    sizes, tree = _with_levels(tree, file.data[dataset].levels, image)
    if rate is not None:
        tree["optimizers"] = {name: {**one, "lr": rate} for name, one in tree["optimizers"].items()}
    file = _convert(tree, path)
    return _resolve(file, file.data[dataset].image, sizes, dataset, preset, seed, dtype)


def load_check(
    path: Path,
    dtype: str = "float64",
    seed: int = 0,
    other: Mapping[str, Any] = MappingProxyType({}),
) -> Recipe:
    """The recipe at the small sizes of its `[check]` table, without augmentation.

    `other` has other ones for some of that table's keys.
    """
    tree = _merge(read(path), {"check": other}, path, "")
    file = _convert(levels.expand(tree, 1), path)
    changes = {
        "constants": file.check.constants,
        "train": {"batch_size": file.check.batch_size, "rounds": file.check.rounds},
        "networks": file.check.networks,
    }
    tree = _merge(tree, changes, path, "")
    sizes, tree = _with_levels(tree, file.check.levels, file.check.image)
    return _resolve(_convert(tree, path), file.check.image, sizes, "check", "check", seed, dtype)


def parts(path: Path) -> dict[str, list[str]]:
    """What a learner writes of an answer: the parts, in order, with the names of each.

    A name is a function's, a class' or a method's, in any of the frameworks.
    """
    return _convert(levels.expand(read(path), 1), path).parts


def without_retired(old: Recipe, path: Path) -> Recipe:
    """An old checkpoint's recipe without the constants that the file at `path` has retired.

    A checkpoint keeps every constant of its day, and one that the file lacks is refused. But where
    it had the value that changed nothing, the run is the one that today's file describes, and must
    open and go on. With another value it was another run, and stays refused.
    """
    retired = _convert(levels.expand(read(path), 1), path).retired
    kept = {
        name: value
        for name, value in old.constants.items()
        if name not in retired or value != retired[name]
    }
    return msgspec.structs.replace(old, constants=kept)


def _with_levels(
    tree: Mapping[str, Any], named: list[int], shape: tuple[int, int, int]
) -> tuple[list[levels.Sides], dict[str, Any]]:
    """The sides of the levels of a picture, and the tree with a table for each of them."""
    sizes = levels.sizes(named, *shape[1:])
    return sizes, levels.expand(tree, len(sizes))


def from_json(text: str) -> Recipe:
    """The recipe that `to_json` wrote. Raises msgspec.ValidationError on anything else."""
    return msgspec.json.decode(text, type=Recipe)


def to_json(recipe: Recipe) -> str:
    """One line of JSON that `from_json` reads back to an equal recipe."""
    return msgspec.json.encode(recipe).decode()


def difference(old: Recipe, new: Recipe) -> str | None:
    """The first key in which two recipes differ, with both values; None when they are equal."""
    return _difference(msgspec.to_builtins(old), msgspec.to_builtins(new), "")


def _difference(old: Any, new: Any, key: str) -> str | None:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            below = f"{key}.{name}" if key else name
            found = _difference(old.get(name), new.get(name), below)
            if found:
                return found
        return None
    return None if old == new else f"{key} was {old!r} and is now {new!r}"


def _merge(base: Any, change: Mapping[str, Any], path: Path, key: str) -> dict[str, Any]:
    """`base` with `change` laid over it, tables merged key by key.

    A change may not invent a key that the base lacks in `constants`: a constant that no network
    reads is a typing mistake.
    """
    if not isinstance(base, dict):
        raise UserError(f"{path}: {key} must be a table")
    result = dict(base)
    for name, value in change.items():
        below = f"{key}.{name}" if key else name
        if key == "constants":
            value = _constant(base, name, value, path, below)
        result[name] = (
            _merge(base.get(name, {}), value, path, below) if isinstance(value, Mapping) else value
        )
    return result


def _constant(base: Mapping[str, Any], name: str, value: Any, path: Path, key: str) -> Any:
    if name not in base:
        raise UserError(f"{path}: unknown key {key}; the constants are: {', '.join(base) or '-'}")
    if isinstance(base[name], float) and type(value) is int:
        value = float(value)
    if type(value) is not type(base[name]):
        raise UserError(f"{path}: {key} must be {type(base[name]).__name__}, not {value!r}")
    return value


def _convert(tree: Mapping[str, Any], path: Path) -> _File:
    try:
        file = msgspec.convert(tree, _File)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {_plain(str(error))}") from None
    if not file.data:
        raise UserError(f"{path}: data must name at least one data set")
    for name, optimizer in file.optimizers.items():
        for network in optimizer.networks:
            if network not in file.networks:
                raise UserError(f"{path}: optimizers.{name}.networks names {network!r}, unknown")
    return file


def _plain(message: str) -> str:
    """msgspec's sentence with the key as a person writes it: `$.train.steps` is train.steps."""
    what, _, where = message.partition(" - at `$")
    key = where.rstrip("`").lstrip(".")
    return f"{key}: {what}" if key else what


def _resolve(
    file: _File,
    image: tuple[int, int, int],
    sizes: list[levels.Sides],
    dataset: str,
    preset: str,
    seed: int,
    dtype: str,
) -> Recipe:
    if seed < 0:
        raise UserError(f"the seed must be 0 or more, not {seed}")
    if dtype not in ("float32", "float64"):
        raise UserError(f"no dtype {dtype!r}; choose from: float32, float64")
    return Recipe(
        question=file.name,
        title=file.title,
        class_name=file.class_name,
        methods=file.methods,
        preset=preset,
        dataset=dataset,
        image_shape=image,
        augment=file.data[dataset].augment if dataset in file.data else Augment(),
        constants=file.constants,
        networks=file.networks,
        optimizers=file.optimizers,
        draws=file.draws,
        train=file.train,
        levels=sizes,
        pairs=file.pairs,
        scores=file.scores,
        seed=seed,
        dtype=dtype,  # type: ignore[arg-type]  # compared with the two values above
    )
