"""What is wrong in a recipe's file, in words: the key, its value, and what may be there instead.

msgspec finds a fault, but writes `networks[...]` for whichever network has it, and does not say
which keys and values there are to choose from.
"""

import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from knock.recipe.kinds import BY_NAME, Layer

import msgspec

TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
"""msgspec's and Python's names of types in the words of a recipe's reader."""


def find(value: Any, kind: Any, key: str = "") -> str | None:
    """What keeps `value` from being of a type; None where nothing does.

    `key` is where the value is, as a person writes it: `networks.encoder.layers[0]`.
    """
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        deeper = (find(*one) for one in _entries(value, kind, key))
        return next(filter(None, deeper), None) or _words(str(error), value, kind, key)
    return None


def _entries(value: Any, kind: Any, key: str) -> Iterator[tuple[Any, Any, str]]:
    """What is in a table or a list: each entry with its own type and key."""
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    origin, types = get_origin(kind), get_args(kind)
    if isinstance(value, list) and origin in (list, tuple):
        types = types if origin is tuple else types * len(value)
        if len(types) == len(value):  # else the length is the fault
            for index, (one, type_) in enumerate(zip(value, types, strict=True)):
                yield one, type_, f"{key}[{index}]"
    elif isinstance(value, Mapping):
        known = dict.fromkeys(value, types[1]) if origin is dict else _keys(value, kind)
        for name, one in value.items():
            if name in known:
                yield one, known[name], f"{key}.{name}" if key else name


def _keys(table: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """The keys that a table of this type may have, each with its type."""
    if kind == Layer:
        kind = BY_NAME.get(str(table.get("layer")))
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return {}
    return {one.encode_name: one.type for one in msgspec.structs.fields(kind)}


def _words(message: str, value: Any, kind: Any, key: str) -> str:
    """msgspec's message about a value of which no entry is at fault."""
    where = key
    if kind == Layer and isinstance(value, Mapping) and "layer" in value:
        if str(value["layer"]) not in BY_NAME:
            return _refused(f"{key}.layer", value["layer"], BY_NAME)
        where = f"{key} ({value['layer']})"
    where += ": " if where else ""
    if found := re.search("missing required field `(.*)`", message):
        choose = f"; choose from: {', '.join(BY_NAME)}" if found[1] == "layer" else ""
        return f"{where}{found[1]} is missing{choose}"
    if found := re.search("unknown field `(.*)`", message):
        return f"{where}unknown key {found[1]}; choose from: {', '.join(_keys(value, kind))}"
    if found := re.match(r"Expected `(.*?)`(.*?)(, got .*)?$", message):
        types = [TYPES[one] for one in found[1].split(" | ") if one in TYPES]
        return f"{key} must be {' or '.join(types)}{found[2]}, not {reprlib.repr(value)}"
    if choices := [str(one) for part in (kind, *get_args(kind)) for one in _literal(part)]:
        return _refused(key, value, choices)
    return where + message


def _literal(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def refused(key: str, value: Any, choices: Iterable[str]) -> str | None:
    """What is wrong with a value that is none of these words; None where it is one."""
    return None if value in choices else _refused(key, value, choices)


def _refused(key: str, value: Any, choices: Iterable[str]) -> str:
    return f"{key} cannot be {reprlib.repr(value)}; choose from: {', '.join(choices)}"
