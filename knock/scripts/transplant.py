"""One part of a learner's file in our answer: all else of the learner's is left out.

What gives the right numbers there is the part's own code. `knock.scripts.splice` does the opposite:
it leaves the learner's file around the part, and whatever that does to the part's names.
"""

import __future__

import ast
import copy
from collections.abc import Collection
from types import CodeType

from knock.errors import UserError
from knock.scripts.bindings import (
    WRITTEN,
    foreign_only,
    is_special,
    makes_tuples,
    reaches_far,
    singly,
)
from knock.scripts.source import Definition, Source, methods
from knock.scripts.splice import defined, head, is_whole, needed, relabelled

_MEMBERS = (ast.FunctionDef, ast.Assign, ast.AnnAssign)


def transplant(mine: Source, ours: Source, names: Collection[str]) -> CodeType:
    """`ours`, with the functions and methods in `names` replaced by those of `mine`.

    With them come the helpers, constants and imports of `mine` that they use; decorators do not,
    except for those of a framework. Raises UserError for what could not count as their own code: a
    metaclass, say.
    """
    made, theirs = _Transplant(mine, ours, names).made()
    texts = "annotations" in {
        one.name
        for node in mine.tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for one in node.names
    }
    flags = __future__.annotations.compiler_flag if texts else 0
    code = compile(made, str(ours.path), "exec", flags, dont_inherit=True)
    return relabelled(code, theirs, mine.path)


class _Transplant:
    def __init__(self, mine: Source, ours: Source, names: Collection[str]) -> None:
        self.mine, self.ours, self.names = mine, ours, names
        imported = {
            name
            for node in mine.tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in defined(node)
        }
        self.own = mine.bound - imported
        self.plain = False
        self.theirs: set[str] = set()

    def made(self) -> tuple[ast.Module, Collection[str]]:
        """The tree, and the names in it that are the learner's."""
        body: list[ast.stmt] = []
        brought: list[ast.stmt] = []
        for node in self.ours.tree.body:
            if isinstance(node, Definition) and is_whole(node, self.names):
                other = self._last(node.name)
                if other is None:
                    raise UserError(f"{node.name} is missing")
                self.theirs.add(node.name)
                brought.append(node := self._bare(other))
            elif isinstance(node, ast.ClassDef):
                mixed = self._mixed(node)
                brought += [one for one in mixed.body if one not in node.body]
                node = mixed
            body.append(node)
        kept = {name for node in body for name in defined(node)}
        asked = [
            one
            for one in needed(singly(self.mine.tree.body), brought, set(), kept)
            if not defined(one) & kept
        ]
        self.plain = not reaches_far(self.mine, self.ours, [*brought, *asked])
        helpers = [self._helper(one) for one in asked]
        place = head(body)
        body[place:place] = helpers
        return ast.fix_missing_locations(ast.Module(body, [])), self.theirs

    def _last(self, name: str) -> ast.stmt | None:
        """What the learner's file defines by a name: the last function or class, or a value."""
        found = [
            one
            for one in self.mine.tree.body
            if name in defined(one) and not isinstance(one, ast.If | ast.Try)
        ]
        written = [one for one in found if isinstance(one, Definition)]
        return next(reversed(written or found), None)

    def _mixed(self, ours: ast.ClassDef) -> ast.ClassDef:
        """Our class with the learner's methods that are asked for, and those beside them."""
        wanted = {one for one in self.names if one.startswith(f"{ours.name}.")}
        other = self._last(ours.name)
        if not wanted:
            return ours
        if not isinstance(other, ast.ClassDef):
            raise UserError(f"{ours.name} is missing")
        known = {name for one in ours.body for name in defined(one)}
        given = {one.name: one for one in methods(other)}
        gone = sorted(wanted - {f"{ours.name}.{name}" for name in given})
        if gone:
            raise UserError(f"{gone[0]} is missing")
        made = copy.copy(ours)
        made.body = []
        for one in ours.body:
            name = f"{ours.name}.{one.name}" if isinstance(one, ast.FunctionDef) else ""
            if isinstance(one, ast.FunctionDef) and name in wanted:
                self.theirs.add(name)
                made.body.append(self._bare(given[one.name]))
            else:
                made.body.append(one)
        for member in other.body:
            named = defined(member)
            if not isinstance(member, _MEMBERS) or named & known or any(map(is_special, named)):
                continue
            self.theirs |= {f"{ours.name}.{name}" for name in named}
            made.body.append(self._bare(member, strip=False))
        return made

    def _helper(self, node: ast.stmt) -> ast.stmt:
        """What a part needs besides itself, unless it is more than a definition."""
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if value and not self.plain and not foreign_only(value, self.own) and _calls(value):
            raise _not_own(node)
        if isinstance(node, ast.If | ast.Try) and not self.plain:
            raise _not_own(node)
        self.theirs |= defined(node) if isinstance(node, Definition) else set()
        return self._bare(node, strip=False)

    def _bare(self, node: ast.stmt, strip: bool = True) -> ast.stmt:
        """A statement without what is done to it from outside; with `strip`, no own decorators."""
        if not isinstance(node, Definition):
            return node
        made = copy.copy(node)
        if strip:
            made.decorator_list = [
                one for one in node.decorator_list if foreign_only(one, self.own)
            ]
        if isinstance(made, ast.ClassDef):
            calls = [one for one in made.bases if _calls(one) and not makes_tuples(one)]
            if not self.plain and (made.keywords or calls):
                raise _not_own(node)
            made.body = [self._bare(one, strip) for one in self._members(made)]
            return made
        if is_special(made.name) and made.name not in WRITTEN:
            raise _not_own(node)
        given = made.args
        defaults = [*given.defaults, *filter(None, given.kw_defaults)]
        if any(_calls(one) and not foreign_only(one, self.own) for one in defaults):
            raise _not_own(node)
        return made

    def _members(self, node: ast.ClassDef) -> list[ast.stmt]:
        """A class's functions, and its values that take no function's name."""
        functions = {one.name for one in methods(node)}
        kept: list[ast.stmt] = [
            one
            for one in node.body
            if isinstance(one, _MEMBERS)
            and (isinstance(one, ast.FunctionDef) or not defined(one) & functions)
        ]
        return kept or [ast.Pass()]


def _calls(node: ast.expr) -> bool:
    return any(isinstance(one, ast.Call) for one in ast.walk(node))


def _not_own(node: ast.stmt) -> UserError:
    what = "class" if isinstance(node, ast.ClassDef) else "statement"
    return UserError(f"the {what} in line {node.lineno} does more than define a name")


MOVED = "_knock_moved"

_MOVES = f"""
def {MOVED}(value):
    if isinstance(value, dict):
        return {{key: {MOVED}(one) for key, one in value.items()}}
    if isinstance(value, (tuple, list)):
        return type(value)(map({MOVED}, value))
    if value is None or isinstance(value, (bool, int, str)):
        return value
    try:
        return value * 1.001
    except Exception:
        return value
"""


def moved(mine: Source, name: str) -> str:
    """The text of `mine` with all that one of its functions returns made larger by a thousandth.

    Where no number changes, what the function returns is not used, or is nothing.
    """
    tree = copy.deepcopy(mine.tree)
    owner, _, own = name.rpartition(".")
    places: list[ast.stmt] = [
        one for one in tree.body if isinstance(one, Definition) and one.name == (owner or own)
    ]
    if owner:
        places = [
            one
            for node in places
            if isinstance(node, ast.ClassDef)
            for one in methods(node)
            if one.name == own
        ]
    for place in places:
        _Moving(place).visit(place)
    at = head(tree.body)
    tree.body[at:at] = ast.parse(_MOVES).body
    return ast.unparse(ast.fix_missing_locations(tree))


class _Moving(ast.NodeTransformer):
    """Changes what one function returns, but not what the functions in it return."""

    def __init__(self, place: ast.AST) -> None:
        self.place = place

    def generic_visit(self, node: ast.AST) -> ast.AST:
        inner = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
        if isinstance(node, inner) and node is not self.place:
            return node
        return super().generic_visit(node)

    def visit_Return(self, node: ast.Return) -> ast.AST:  # noqa: N802  # as `ast` names it
        if node.value is not None:
            node.value = ast.Call(ast.Name(MOVED, ast.Load()), [node.value], [])
        return node
