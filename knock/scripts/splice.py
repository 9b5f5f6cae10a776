"""A learner's file with some of its functions replaced by our answer's, made from syntax trees.

So one part can be checked alone: all others are right. Nothing is written to disk. The learner's
code keeps the name and the lines of their file, ours those of our file; so an error names the line
that the learner sees, and code that looks up a function's source finds it.
"""

import ast
import copy
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from types import CodeType

from knock.scripts.source import Definition, Source, methods


def splice(mine: Source, ours: Source, taken: Collection[str]) -> CodeType:
    """`mine`, with the functions and methods in `taken` replaced by those of `ours`.

    A class is replaced as a whole, with its bases, if all of its methods are in `taken`. Imports
    and helpers of ours that the replaced code needs are added, if `mine` has no such names.
    """
    made, foreign = _spliced(mine, ours, taken)
    return relabelled(compile(made, str(mine.path), "exec", dont_inherit=True), foreign, ours.path)


def gives_ours(mine: Source, ours: Source, taken: Collection[str]) -> bool:
    """Whether `splice` gives the code of our answer, but for the text at its top."""
    made, _ = _spliced(mine, ours, taken)
    return _dumped(made) == _dumped(ours.tree)


def _dumped(tree: ast.Module) -> list[str]:
    titled = ast.get_docstring(tree) is not None
    return [ast.dump(node) for node in tree.body[titled:]]


def _spliced(
    mine: Source, ours: Source, taken: Collection[str]
) -> tuple[ast.Module, Collection[str]]:
    """The tree that `splice` compiles, and the names in it that are ours."""
    given = {node.name: node for node in ours.tree.body if isinstance(node, Definition)}
    whole = {name for name, node in given.items() if is_whole(node, taken)}
    foreign = {*whole, *taken}
    body: list[ast.stmt] = []
    for node in mine.tree.body:
        named = node.name if isinstance(node, Definition) else None
        other = given.get(named) if named else None
        if other is not None and named in whole:
            body.append(other)
        elif isinstance(node, ast.ClassDef) and isinstance(other, ast.ClassDef):
            body.append(_mixed(node, other, taken))
        else:
            body.append(node)
    bound = mine.bound
    written = {node.name for node in mine.tree.body if isinstance(node, Definition)}
    # A name that is not a function in `mine`, but a partial, say, is replaced at the end.
    body += [given[name] for name in whole if name in bound - written]
    asked = needed(ours.tree.body, [given[n] for n in whole | _owners(taken)], whole, bound)
    there = {ast.dump(node) for node in body}
    added = [node for node in asked if ast.dump(node) not in there]  # imports that both have
    foreign |= {node.name for node in added if isinstance(node, Definition)}
    place = head(body)
    body[place:place] = added
    return ast.Module(body, []), foreign


def is_whole(node: Definition, taken: Collection[str]) -> bool:
    """Whether all of a definition is in `taken`: of a class, all of its methods."""
    if isinstance(node, ast.FunctionDef):
        return node.name in taken
    own = methods(node)
    return bool(own) and all(f"{node.name}.{one.name}" in taken for one in own)


def _owners(taken: Collection[str]) -> set[str]:
    """The classes that the taken methods are in."""
    return {name.split(".")[0] for name in taken if "." in name}


def _mixed(mine: ast.ClassDef, ours: ast.ClassDef, taken: Collection[str]) -> ast.ClassDef:
    """A class of the learner's with some methods replaced by ours."""
    given = {one.name: one for one in methods(ours) if f"{ours.name}.{one.name}" in taken}
    there = {one.name for one in methods(mine)}
    made = copy.copy(mine)
    made.body = [
        given.get(one.name, one) if isinstance(one, ast.FunctionDef) else one for one in mine.body
    ]
    made.body += [one for name, one in given.items() if name not in there]
    return made


def needed(
    ours: Sequence[ast.stmt], nodes: Iterable[ast.stmt], whole: set[str], bound: set[str]
) -> list[ast.stmt]:
    """Our statements that some nodes need and that are not defined elsewhere, in our order."""
    missing = whole - bound
    found: list[ast.stmt] = []
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        loaded = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        for statement in ours:
            defines = defined(statement) - bound
            if statement not in found and defines & (loaded | missing):
                found.append(statement)
                waiting.append(statement)
    return [statement for statement in ours if statement in found]


def defined(statement: ast.stmt) -> set[str]:
    """The names that a statement defines."""
    if isinstance(statement, Definition):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {one.asname or one.name.split(".")[0] for one in statement.names}
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        names = (one for one in ast.walk(statement) if isinstance(one, ast.Name))
        return {one.id for one in names if isinstance(one.ctx, ast.Store)}
    if isinstance(statement, ast.If | ast.Try):  # `try: import tqdm`
        inner = [one for one in ast.iter_child_nodes(statement) if isinstance(one, ast.stmt)]
        inner += [one for handler in getattr(statement, "handlers", ()) for one in handler.body]
        return set().union(*map(defined, inner))
    return set()


def head(body: list[ast.stmt]) -> int:
    """The place of the first function or class: imports may come after other statements."""
    return next(
        (place for place, node in enumerate(body) if isinstance(node, Definition)), len(body)
    )


def relabelled(code: CodeType, foreign: Collection[str], path: Path) -> CodeType:
    """The same code, but functions and classes in `foreign` have `path` as their file."""
    constants = tuple(
        one
        if not isinstance(one, CodeType)
        else _moved(one, path)
        if one.co_qualname in foreign
        else relabelled(one, foreign, path)
        for one in code.co_consts
    )
    return code.replace(co_consts=constants)


def _moved(code: CodeType, path: Path) -> CodeType:
    constants = tuple(_moved(c, path) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_consts=constants, co_filename=str(path))
