"""`--set KEY=VALUE`: one key of a recipe, by its name in the file, changed for one run.

    given = settings.read(["train.shown=8"], tree)      # as written, checked
    settings.plain(given, preset, dataset)              # as it applies to this run

Only what takes effect may be set: an answer's own code decides its layers and its kinds of
optimisers. A key may stand below its preset or data set, as pages show it: for a run with this
preset and this data set `presets.quick.data.newts.train.steps` is `train.steps`.
"""

import difflib
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from knock.errors import UserError
from knock.recipe import levels, toml
from knock.recipe.schema import Augment, Draw, File, Recipe, Train

import msgspec

OPTION = "--set"

_OWN = {"adam": ("lr", "betas"), "rmsprop": ("lr", "alpha"), "sgd": ("lr", "momentum")}
_FIRST_WEIGHTS = ("init", "init_std")
_DRAWN = ("distribution", "low", "high", "rate")
_BY_DRAW = {"uniform": ("low", "high"), "normal": (), "dropout": ("rate",), "integers": ()}

_CODE = "it is in the answers' code: change that, in a file that knock start begins"
_RELIED_ON = "the answers rely on it"
_OF_QUESTION = "it says what the question is, not how a run is trained"
_FIXED = {
    r"networks\.[^.]+\.(layers|input|like|unless|beside)\b.*": _CODE,
    r"optimizers\.[^.]+\.(algorithm|networks)": _CODE,
    r"draws\.[^.]+\.(shape|rounds|rows|fixed|check|sampling|first|up_to|when)\b.*": _RELIED_ON,
    r"draws\.[^.]+\.distribution": _RELIED_ON,
    r"(seed|dtype|dataset|preset|size)": "that is an option of its own",
    r"(number|name|title|class|paper|opens|known|scores|parts|methods|check)\b.*": _OF_QUESTION,
    r"(retired|choices|ranges)\b.*": _OF_QUESTION,
}
"""Keys of a recipe that no run may change, and why."""

_TOO_LARGE = 2**63  # an integer in a checkpoint has no more bits
_BARE = re.compile(r"[A-Za-z_]\w*")

Settings = Mapping[str, Any]
"""Dotted keys, each with its value; none of these is a table."""


def read(words: Sequence[str], tree: Mapping[str, Any]) -> dict[str, Any]:
    """What the words KEY=VALUE set in a recipe file's tree, with the keys as they were written.

    A VALUE is written as in TOML, but a word needs no quotation marks; a table stands for the keys
    that it names. Raises UserError for what is no such word, for keys that are unknown, that cannot
    be set or are set twice, and for a table in the place of a value.
    """
    found: dict[str, Any] = {}
    known = names(tree)
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UserError(f"{OPTION} needs KEY=VALUE, as in train.shown=8, not {word!r}")
        for leaf, value in _leaves(key, _value(key, text)):
            _require_known(leaf, tree, known)
            short = bare(leaf)
            if any(bare(other) == short for other in found):
                raise UserError(f"{OPTION} gives {short} twice; leave one out")
            found[leaf] = value
    return found


def names(tree: Mapping[str, Any]) -> list[str]:
    """Every key that can be set, below no preset and no data set; with `#` for a level's number."""
    train = [name for name in Train.__struct_fields__ if name != "rounds" or name in tree["train"]]
    found = [f"constants.{name}" for name in tree.get("constants", {})]
    found += [f"train.{name}" for name in train]
    for name, one in tree["optimizers"].items():
        found += [f"optimizers.{name}.{key}" for key in _OWN[one["algorithm"]]]
    own = [name for name, one in tree["networks"].items() if "like" not in one]
    found += [f"networks.{name}.{key}" for name in own for key in _FIRST_WEIGHTS]
    free = [k for k, one in tree.get("draws", {}).items() if one["distribution"] != "integers"]
    found += [f"draws.{name}.{key}" for name in free for key in _DRAWN]
    for name, one in tree["data"].items():
        found += [f"data.{name}.image", *([f"data.{name}.levels"] if "levels" in one else [])]
        found += [f"data.{name}.augment.{key}" for key in Augment.__struct_fields__]
    return [*found, *(["pairs"] if "pairs" in tree else [])]


def bare(key: str) -> str:
    """A key without the preset and the data set that it stands below."""
    key = re.sub(r"^presets\.[^.]+\.", "", key)
    return re.sub(r"^data\.[^.]+\.(?=constants\.|train\.|optimizers\.)", "", key)


def plain(given: Settings, preset: str, dataset: str) -> dict[str, Any]:
    """The settings of a run with this preset and data set, their keys without them.

    Raises UserError for a key below another preset or data set, which would change nothing.
    """
    for key in given:
        for table, kind, mine in (("presets", "preset", preset), ("data", "data set", dataset)):
            below = re.search(rf"(?:^|\.){table}\.([^.]+)(?=\.)", key)
            if below and below[1] != mine:
                raise UserError(_idle(key, f"the run's {kind} is {mine}"))
    return {bare(key): value for key, value in given.items()}


def before_levels(given: Settings) -> dict[str, Any]:
    """The tree of those settings that have nothing to do with a pyramid's levels, or size them."""
    return _tree({k: v for k, v in given.items() if k.split(".")[0] not in levels.TABLES})


def of_levels(given: Settings, tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of the others; `tree` has a table for each level.

    A key with a `#` is set for every level, but a level's own key goes before it. Raises UserError
    for a level that there is not.
    """
    mine = {k: v for k, v in given.items() if k.split(".")[0] in levels.TABLES}
    found: dict[str, Any] = {}
    for key, value in sorted(mine.items(), key=lambda one: levels.MARK not in one[0]):
        table, name, leaf = key.split(".")
        places = _places(name, tree[table])
        if not places:
            there = ", ".join(tree[table])
            raise UserError(f"{OPTION} {key}: there is no {name} in {table}, only {there}")
        found |= {f"{table}.{place}.{leaf}": value for place in places}
    return _tree(found)


def require_effect(given: Settings, file: File) -> None:
    """Raise UserError for a setting that changes nothing beside the others of its table."""
    for key in given:
        table, name, *rest = [*key.split("."), ""]
        if table == "draws":
            for place in _places(name, file.draws):
                _require_drawn(key, place, rest[0], file.draws[place])
        elif table == "networks" and rest[0] == "init_std":
            for place in _places(name, file.networks):
                init = file.networks[place].init
                if init != "normal":
                    raise UserError(_idle(key, f"the init of {place} is {init}, not normal"))


def _require_drawn(key: str, name: str, leaf: str, draw: Draw) -> None:
    if draw.check:
        raise UserError(_idle(key, f"only a check draws {name}"))
    if leaf != "distribution" and leaf not in _BY_DRAW[draw.distribution]:
        raise UserError(_idle(key, f"the distribution of {name} is {draw.distribution}"))


def _places(name: str, there: Iterable[str]) -> list[str]:
    """The tables that a name stands for: itself, or one for each level."""
    return [one for one in there if re.fullmatch(_numbered(name), one)]


def _idle(key: str, why: str) -> str:
    return f"{OPTION} {key} changes nothing: {why}"


def changeable(recipe: Recipe) -> dict[str, Any]:
    """All that could be set of a resolved recipe, as `recipe.load` takes it for `overrides`."""
    own: dict[str, Any] = {"augment": msgspec.to_builtins(recipe.augment)}
    if recipe.levels:
        own["levels"] = [min(sides) for sides in recipe.levels]
    return {
        "constants": recipe.constants,
        "train": msgspec.to_builtins(recipe.train),
        "optimizers": {
            name: _some(one, _OWN[one.algorithm]) for name, one in recipe.optimizers.items()
        },
        "networks": {
            name: _some(one, _FIRST_WEIGHTS)
            for name, one in recipe.networks.items()
            if one.like is None
        },
        "draws": {name: _some(one, _DRAWN) for name, one in recipe.draws.items()},
        "image": recipe.image_shape,
        "pairs": recipe.pairs,
        "data": {recipe.dataset: own},
    }


def leaves(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Tables within tables as dotted keys."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        key = f"{above}{name}"
        found |= leaves(value, f"{key}.") if isinstance(value, Mapping) else {key: value}
    return found


def _some(struct: msgspec.Struct, keys: Sequence[str]) -> dict[str, Any]:
    return {key: msgspec.to_builtins(getattr(struct, key)) for key in keys}


def _value(key: str, text: str) -> Any:
    try:
        found = toml.parse(f"value = {text}")
    except ValueError:
        if not _BARE.fullmatch(text.strip()):
            raise UserError(
                f"{OPTION} {key}: {reprlib.repr(text)} is no value of TOML; write 0.5, true, "
                'normal, [0.5, 0.9] or "two words"'
            ) from None
        return text.strip()
    if list(found) != ["value"]:
        raise UserError(f"{OPTION} {key}: {reprlib.repr(text)} is more than one value")
    return found["value"]


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What a value sets: a table each of its keys."""
    if isinstance(value, Mapping):
        if not value:
            raise UserError(f"{OPTION} {key}: an empty table changes nothing; name its keys")
        for name, one in value.items():
            yield from _leaves(f"{key}.{name}", one)
        return
    for one in _flat(value):
        if isinstance(one, int | float) and not abs(one) < _TOO_LARGE:
            raise UserError(f"{OPTION} {key}: {reprlib.repr(one)} is too large, or no number")
    yield key, value


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    else:
        yield value


def _require_known(key: str, tree: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise UserError for a key that there is not, or that no run may change."""
    below = dict(re.findall(r"(?:^|\.)(presets|data)\.([^.]+)(?=\.)", key))
    for table, name in below.items():
        if name not in tree.get(table, {}):
            _unknown(key, [f"{table}.{one}" for one in tree.get(table, {})], f"{table}.{name}")
    short = bare(key)
    if any(re.fullmatch(_numbered(name), short) for name in known):
        return
    for pattern, why in _FIXED.items():
        if re.fullmatch(pattern, short):
            raise UserError(f"{OPTION} cannot change {short}: {why}")
    inside = [name for name in known if re.match(rf"{_numbered(short)}\.", name)]
    if inside:
        raise UserError(f"{OPTION} {key}: this is a table; set a key of it, such as {inside[0]}")
    _unknown(key, known, short)


def _unknown(key: str, known: Sequence[str], part: str) -> NoReturn:
    """Raise UserError with the nearest known key; `part` is what of this one is none of them."""
    table, _, leaf = part.rpartition(".")
    beside = {name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == table}
    ends = [name for name in known if name.endswith(f".{part}")]
    near = ends or [beside[one] for one in difflib.get_close_matches(leaf, beside, n=1)]
    near = near or ([] if beside else difflib.get_close_matches(part, known, n=1, cutoff=0.8))
    if near:
        guess = f"did you mean {near[0]}?"
    elif beside:
        guess = f"choose from: {', '.join(beside.values())}"
    else:
        tables = dict.fromkeys(name.split(".")[0] for name in known)
        guess = f"the page's table of the recipe has the keys, in {', '.join(tables)}"
    raise UserError(f"{OPTION}: unknown key {key}; {guess}")


def _numbered(name: str) -> str:
    """A pattern for a name, in which a `#` stands for a level's number, or for itself."""
    return re.escape(name).replace(re.escape(levels.MARK), rf"(?:\d+|{re.escape(levels.MARK)})")


def _tree(leaves: Settings) -> dict[str, Any]:
    """Dotted keys as tables within tables."""
    tree: dict[str, Any] = {}
    for key, value in leaves.items():
        *tables, last = key.split(".")
        within = tree
        for table in tables:
            within = within.setdefault(table, {})
        within[last] = value
    return tree
