"""The sizes in a recipe: whole numbers, or small expressions of names."""

import ast
import operator
import reprlib
from collections.abc import Callable, Mapping

from knock.errors import UserError
from knock.recipe.kinds import Size

_LARGEST = 2**31  # no array of a network is longer

_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


class DoesNotFit(UserError):
    """Pictures of some size do not fit a network; `why` says what keeps them from it, `where`."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}; choose another --size")
        self.where, self.why = where, why


class _TooLarge(Exception):
    """A number on the way to a size that is so large that no message should say it."""


def evaluate(size: Size, sizes: Mapping[str, object], where: str) -> int:
    """The value of a size: a whole number, or + − * / and min(…, …) of whole numbers and names.

    Division must leave no remainder. Raises UserError naming `where`: DoesNotFit if it does.
    """
    if isinstance(size, int):
        value = size
    else:
        try:
            value = _value(ast.parse(size, mode="eval").body, sizes, where)
        except _TooLarge:
            raise UserError(f"{where}: {reprlib.repr(size)} is too large") from None
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last: 2000 brackets
            raise UserError(f"{where}: {reprlib.repr(size)} is not a size") from None
    if value < 1:
        raise UserError(f"{where}: {size!r} comes to {value}; a size is at least 1")
    if value > _LARGEST:
        raise UserError(f"{where}: {reprlib.repr(size)} comes to {value}; that is too large")
    return value


def _value(node: ast.expr, sizes: Mapping[str, object], where: str) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name):
            found = sizes.get(name)
            if type(found) is not int:
                raise UserError(f"{where}: no whole number is called {name!r}")
            return found
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            top, bottom = _value(left, sizes, where), _value(right, sizes, where)
            if bottom == 0 or top % bottom:
                raise DoesNotFit(where, f"{ast.unparse(left)} = {top} must divide by {bottom}")
            return top // bottom
        case ast.Call(func=ast.Name(id="min"), args=[_, *_] as args, keywords=[]):
            return min(_value(one, sizes, where) for one in args)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            found = _OPERATORS[type(op)](_value(left, sizes, where), _value(right, sizes, where))
            if abs(found) > _LARGEST**2:
                raise _TooLarge
            return found
    raise UserError(f"{where}: {ast.unparse(node)!r} is not a size")
