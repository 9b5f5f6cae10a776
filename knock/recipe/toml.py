"""TOML as a tree of tables, lists and values; text that is odd is a fault of the text, not of ours.

`tomllib` alone answers a number of thousands of digits with a ValueError about Python's settings,
and thousands of brackets with a RecursionError.
"""

import re
import tomllib
from collections.abc import Iterable
from typing import Any

_DEEPEST = 16
"""Tables and lists within each other; a recipe has six."""

_TOO_LARGE = 10**1000  # below, a number can be said in a message


def parse(text: str) -> dict[str, Any]:
    """The text's tables. Raises tomllib.TOMLDecodeError, a ValueError, that says what is wrong."""
    try:
        tree = tomllib.loads(text)
        _require_plain(tree, "", 0)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise _too_many("brackets", r"[\[{]", text) from None
    except ValueError:  # that int(…) has a limit of digits
        raise _too_many("digits", r"\d", text) from None
    return tree


def _too_many(of: str, pattern: str, text: str) -> tomllib.TOMLDecodeError:
    counted = [len(re.findall(pattern, line)) for line in text.splitlines()]
    return tomllib.TOMLDecodeError(f"too many {of} (at line {counted.index(max(counted)) + 1})")


def _require_plain(value: Any, key: str, depth: int) -> None:
    """Raise TOMLDecodeError for what is nested too deeply, and for numbers too large to say."""
    if depth > _DEEPEST:
        raise tomllib.TOMLDecodeError(f"{key[:80]} … is nested too deeply")
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        raise tomllib.TOMLDecodeError(f"{key} is too large a number")
    inside: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        inside = ((f"{key}.{name}" if key else name, one) for name, one in value.items())
    elif isinstance(value, list):
        inside = ((f"{key}[{index}]", one) for index, one in enumerate(value))
    for below, one in inside:
        _require_plain(one, below, depth + 1)
