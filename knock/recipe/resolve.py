"""The recipe of a question: what its networks are, and how they are trained, from one TOML file.

A recipe is resolved in layers, each overriding the one before: the file, the preset, what the data
set says, the options of the command line, and last its `--set`. What comes out is checked as a
whole, so an unknown key, a wrong type or an impossible value is refused with the key's name
wherever it came from.
"""

import copy
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from knock.errors import UserError
from knock.recipe import faults, layers, levels, settings, toml
from knock.recipe.schema import Augment, DataSet, Draw, File, Network, Outline, Recipe
from knock.recipe.settings import Settings
from knock.recipe.sizes import DoesNotFit

import msgspec

DEFAULT_PRESET = "quick"


def read(path: Path) -> dict[str, Any]:
    """The TOML file; of what is in it, only `Outline` is checked.

    A question that `opens` another one's checkpoints has that one's networks, sizes and data, and
    no optimiser: what its own file says lies over the other file. Raises UserError where a file
    cannot be read, or is no such recipe.
    """
    tree = head(path)
    if "opens" in tree:
        found = [*path.parent.parent.glob(f"[0-9][0-9]_{tree['opens']}/{path.name}")]
        if len(found) != 1:
            raise UserError(f"{path}: there is no question {tree['opens']!r} to open")
        other = head(found[0])
        if "opens" in other:
            raise UserError(f"{path}: question {tree['opens']!r} itself opens another one")
        tree = {**_untrained(other), "optimizers": {}, **tree}
    _require_outline(tree, path)
    return tree


def _untrained(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's tree without its optimisers, and without what its presets change of them."""
    return {
        key: _untrained(value) if isinstance(value, Mapping) else value
        for key, value in tree.items()
        if key != "optimizers"
    }


def head(path: Path) -> dict[str, Any]:
    """One TOML file, unchecked. Raises UserError where it cannot be read."""
    try:
        return copy.deepcopy(_parsed(path.read_text(encoding="utf-8-sig")))
    except ValueError as error:  # not TOML, or not text
        raise UserError(f"the recipe {path} is not valid TOML: {error}") from None
    except OSError as error:
        raise UserError(f"cannot read the recipe {path}: {error.strerror}") from None


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> dict[str, Any]:
    """TOML as a tree, which callers copy: to find one question, the recipes of all are read."""
    return toml.parse(text)


def _require_outline(tree: Mapping[str, Any], path: Path | str) -> None:
    """Raise UserError where a tree lacks what is used of it before it is checked as a whole."""
    if fault := faults.find(tree, Outline):
        raise UserError(f"{path}: {fault}")


def load(
    path: Path,
    dataset: str | None = None,
    preset: str = DEFAULT_PRESET,
    overrides: Mapping[str, Any] | None = None,
    seed: int = 0,
    dtype: str = "float32",
    given: Settings = MappingProxyType({}),
) -> Recipe:
    """Resolve the recipe file at `path`.

    `overrides` is a tree of the file's own keys (`{"train": {"steps": 5}}`), as the command line
    gives them; `image` in it is the pictures' (channels, height, width), and `lr` every optimiser's
    learning rate. `given` is what `settings.read` made of `--set`; it overrides all else. Without
    `dataset` the file's first is taken. Raises UserError naming the file and the key.
    """
    tree = read(path)
    presets = tree.get("presets", {})
    if preset not in presets:
        raise UserError(f"no preset {preset!r} in {path}; choose from: {', '.join(presets)}")
    tree = _merge(tree, presets[preset], path, "")
    # The whole file is refused for any fault, used here or not.
    _checked(tree, path)
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
    if rate is not None:
        tree["optimizers"] = {name: {**one, "lr": rate} for name, one in tree["optimizers"].items()}
    said = settings.plain(given, preset, dataset)
    if said:
        tree = _merge(tree, settings.before_levels(said), settings.OPTION, "")
        if fault := faults.find(tree["data"], dict[str, DataSet], "data"):
            raise UserError(f"{settings.OPTION}: {fault}")
    own = tree["data"][dataset]
    sizes, tree = _with_levels(tree, own.get("levels", []), own["image"])
    if said:
        tree = _merge(tree, settings.of_levels(said, tree), settings.OPTION, "")
    file = _convert(tree, settings.OPTION if said else path)
    settings.require_effect(said, file)
    made = _resolve(file, file.data[dataset].image, sizes, dataset, preset, seed, dtype)
    if fault := _unfit(made):
        if not overrides and not said:
            raise UserError(f"{path}: {fault}")
        load(path, dataset, preset)  # is it the file's fault? Else who asked for this is told
    return made


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
    file = _checked(tree, path)
    changes = {
        "constants": file.check.constants,
        "train": {"batch_size": file.check.batch_size, "rounds": file.check.rounds},
        "networks": file.check.networks,
    }
    tree = _merge(tree, changes, path, "")

    def small(constants: Mapping[str, Any]) -> Recipe:
        one = _merge(tree, {"constants": constants}, path, "")
        sizes, one = _with_levels(one, file.check.levels, file.check.image)
        found = _resolve(
            _convert(one, path), file.check.image, sizes, "check", "check", seed, dtype
        )
        if (fault := _unfit(found)) and not other:
            raise UserError(f"{path}: with the sizes of [check], {fault}")
        # A mean of weights has first ones of its own here, so that a step shows what becomes of it.
        own = {n: msgspec.structs.replace(one, like=None) for n, one in found.networks.items()}
        return msgspec.structs.replace(found, networks=own, loose=file.check.loose)

    also = [small(constants) for constants in file.check.also]
    return msgspec.structs.replace(small({}), also=also)


def parts(path: Path) -> dict[str, list[str]]:
    """What a learner writes of an answer: the parts, in order, with the names of each.

    A name is a function's, a class' or a method's, in any of the frameworks.
    """
    return _checked(read(path), path).parts


def without_retired(old: Recipe, path: Path) -> Recipe:
    """An old checkpoint's recipe without the constants that the file at `path` has retired.

    A checkpoint keeps every constant of its day, and one that the file lacks is refused. But where
    it had the value that changed nothing, the run is the one that today's file describes, and must
    open and go on. With another value it was another run, and stays refused.
    """
    retired = _checked(read(path), path).retired
    kept = {
        name: value
        for name, value in old.constants.items()
        if name not in retired or value != retired[name]
    }
    return msgspec.structs.replace(old, constants=kept)


def _with_levels(
    tree: Mapping[str, Any], named: Sequence[int], shape: Sequence[int]
) -> tuple[list[levels.Sides], dict[str, Any]]:
    """The sides of the levels of a picture, and the tree with a table for each of them."""
    _, height, width = shape
    sizes = levels.sizes(named, height, width)
    return sizes, levels.expand(tree, len(sizes))


def _merge(base: Any, change: Mapping[str, Any], path: Path | str, key: str) -> dict[str, Any]:
    """`base` with `change` laid over it, tables merged key by key; `path` is where it comes from.

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


def _constant(base: Mapping[str, Any], name: str, value: Any, path: Path | str, key: str) -> Any:
    if name not in base:
        raise UserError(f"{path}: unknown key {key}; the constants are: {', '.join(base) or '-'}")
    if isinstance(base[name], float) and type(value) is int:
        value = float(value)
    if type(value) is not type(base[name]):
        wanted = faults.TYPES[type(base[name]).__name__]
        raise UserError(f"{path}: {key} must be {wanted}, not {value!r}")
    return value


def _checked(tree: Mapping[str, Any], path: Path) -> File:
    """A file's tree as what it says. Raises UserError for any fault in it, used here or not."""
    _require_outline(tree, path)
    return _convert(levels.expand(tree, 1), path)


def _unfit(recipe: Recipe) -> str | None:
    """Why the layers of a recipe's networks do not fit one another; None where they do."""
    try:
        layers.networks(recipe)
    except DoesNotFit as error:
        return f"{error.where}: {error.why}"
    except UserError as error:
        return str(error)
    return None


def _convert(tree: Mapping[str, Any], path: Path | str) -> File:
    tree = {**tree, "networks": _with_copies(tree["networks"], path)}
    if fault := faults.find(tree, File):
        raise UserError(f"{path}: {fault}")
    file = msgspec.convert(tree, File)
    if not file.data:
        raise UserError(f"{path}: data must name at least one data set")
    if not file.optimizers and file.opens is None:
        raise UserError(f"{path}: optimizers must name at least one, or nothing is trained")
    for name, words in file.choices.items():
        if name not in file.constants:
            raise UserError(f"{path}: choices names {name!r}, which is no constant")
        if fault := faults.refused(f"constants.{name}", file.constants[name], words):
            raise UserError(f"{path}: {fault}")
    for name, (least, most) in file.ranges.items():
        value = file.constants.get(name)
        if not isinstance(value, int | float):
            raise UserError(f"{path}: ranges names {name!r}, no constant that is a number")
        if not least <= value <= most:
            raise UserError(
                f"{path}: constants.{name} must be between {least:g} and {most:g}, not {value:g}"
            )
    for name, draw in file.draws.items():
        for constant in draw.when:
            if constant not in file.constants:
                raise UserError(f"{path}: draws.{name}.when names {constant!r}, no constant")
    for name, optimizer in file.optimizers.items():
        for network in optimizer.networks:
            if network not in file.networks:
                raise UserError(f"{path}: optimizers.{name}.networks names {network!r}, unknown")
            if file.networks[network].like:
                raise UserError(
                    f"{path}: optimizers.{name}.networks names {network!r}, which is like another"
                )
    for name, one in file.networks.items():
        for constant in one.unless:
            if constant not in file.constants:
                raise UserError(f"{path}: networks.{name}.unless names {constant!r}, no constant")
    if file.known is not None:
        each = file.constants.get(file.known)
        if type(each) is not int or each < 0:
            raise UserError(
                f"{path}: known must name a constant that is a whole number of at least 0, "
                f"and {file.known} is {each!r}"
            )
    for name in file.check.loose:
        if name not in {**file.networks, **file.methods}:
            raise UserError(
                f"{path}: check.loose names {name!r}, which is no network and no method"
            )
    return file


def _with_copies(networks: Mapping[str, Any], path: Path | str) -> dict[str, Any]:
    """The tables of the networks, in which one that is like another has what that one's has."""
    found = dict(networks)
    for name, one in networks.items():
        other = one.get("like")
        if not isinstance(other, str):  # none, or a fault that is told with the others
            continue
        if "like" in networks.get(other, {"like": None}):
            raise UserError(f"{path}: networks.{name}.like names {other!r}, no network of layers")
        if more := [key for key in one if key not in ("like", "unless")]:
            raise UserError(
                f"{path}: networks.{name}.{more[0]}: a network like another one has its own "
                "unless, and all else of that one"
            )
        found[name] = {**networks[other], **one}
    return found


def _there(file: File) -> dict[str, Network]:
    """The networks that are there with the constants of a file."""
    return {
        name: msgspec.structs.replace(one, unless={})
        for name, one in file.networks.items()
        if not one.unless or any(file.constants[key] != value for key, value in one.unless.items())
    }


def _drawn(file: File) -> dict[str, Draw]:
    """The draws that are there with the constants of a file."""
    return {
        name: msgspec.structs.replace(one, when={})
        for name, one in file.draws.items()
        if all(file.constants[key] == value for key, value in one.when.items())
    }


def _resolve(
    file: File,
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
    draws = _drawn(file)
    gone = file.draws.keys() - draws.keys()
    return Recipe(
        question=file.name,
        title=file.title,
        class_name=file.class_name,
        methods={k: [one for one in v if one not in gone] for k, v in file.methods.items()},
        preset=preset,
        dataset=dataset,
        image_shape=image,
        augment=file.data[dataset].augment if dataset in file.data else Augment(),
        constants=file.constants,
        networks=_there(file),
        optimizers=file.optimizers,
        draws=draws,
        train=file.train,
        pools=file.pools,
        levels=sizes,
        known=file.known,
        pairs=file.pairs,
        unpaired=file.unpaired,
        scores=file.scores,
        seed=seed,
        dtype=dtype,  # type: ignore[arg-type]  # compared with the two values above
    )
