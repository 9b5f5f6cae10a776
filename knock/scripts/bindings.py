"""Does each name of a learner's file mean what its definition says, as far as its text shows?

A file may bind a name anew: `GAN.train_step = …` at its end, a metaclass, a decorator, another
module's function that is replaced. Then a part's own code need not be what gives the numbers.
Python has more ways than a text can show; so what is asked here is whether there is any sign of
one. Where there is, a part is proved in another way.
"""

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence

from knock.scripts.source import Definition, Source, methods
from knock.scripts.splice import defined, is_whole, needed

_FRAMEWORKS = {"torch", "tensorflow", "keras", "chainer", "cupy", "numpy", "math"}
_WORDS = {
    "__future__": "annotations",
    "abc": "ABC abstractmethod",
    "collections": "OrderedDict Counter defaultdict deque namedtuple abc",
    "collections.abc": "Callable Generator Iterable Iterator Mapping Sequence",
    "contextlib": "contextmanager nullcontext suppress",
    "copy": "copy deepcopy",
    "dataclasses": "dataclass field",
    "enum": "Enum IntEnum auto",
    "functools": "cache lru_cache partial reduce",
    "itertools": "accumulate chain count cycle islice pairwise product repeat starmap zip_longest",
    "numbers": "Integral Number Real",
    "operator": "add eq floordiv ge gt itemgetter le lt matmul mod mul ne neg pow sub truediv",
    "random": "choice gauss randint random seed shuffle uniform",
    "re": "compile findall fullmatch match search sub",
    "statistics": "fmean mean median stdev variance",
    "string": "ascii_letters ascii_lowercase digits",
    "time": "monotonic perf_counter sleep time",
    "typing": "Any Callable ClassVar Dict Final Generic Iterable Iterator List Literal Mapping "
    "NamedTuple Optional Self Sequence Tuple Type TypeAlias TypeVar Union cast",
    "warnings": "catch_warnings filterwarnings simplefilter warn",
}
"""The other modules that an answer has a use for, each with what it has a use for in it: others set
attributes, as `functools.update_wrapper` does, look them up by a text, or run one."""
_MODULES = _FRAMEWORKS | {name.partition(".")[0] for name in _WORDS}
_OURS = ("knock.frameworks", "knock.run", "knock.look")
"""What an answer has a use for, besides `_MODULES`."""

_REACHING = {
    *("setattr", "delattr", "globals", "locals", "vars", "exec", "eval", "compile", "__import__"),
    *("__builtins__", "builtins", "sys", "_sys", "os", "_os", "inspect", "gc", "ctypes", "types"),
    *("importlib", "modules", "_getframe", "currentframe", "tb_frame", "f_back", "f_globals"),
    *("f_locals", "gi_frame", "cr_frame", "ag_frame", "library", "overrides", "partialmethod"),
    *("update_wrapper", "wraps", "methodcaller", "attrgetter", "get_type_hints", "ForwardRef"),
    *("Formatter", "get_field", "bltns", "pickle", "unpickle", "subprocess", "runpy", "pydoc"),
    *("functools", "operator", "typing", "dataclasses", "enum", "contextlib", "string"),
    *("testing", "f2py", "distutils", "load", "loads", "load_model", "saved_model", "hub", "fx"),
}
"""Names and attributes that lead to other code's names."""

_CALLED = {"__init__", "__call__", "__name__", "__class__", "__doc__", "__len__", "__version__"}
WRITTEN = _CALLED | {
    *("__post_init__", "__repr__", "__str__", "__iter__", "__next__", "__getitem__", "__eq__"),
    *("__hash__", "__enter__", "__exit__", "__contains__", "__slots__", "__all__", "__author__"),
}
"""Special names that an answer may use, and may define: they come between no name and its code."""


def keep_the_rest(mine: Source, ours: Source, taken: Collection[str]) -> bool:
    """Whether `mine` has all that `ours` is outside of `taken`, and besides it only new names.

    In any order; what nothing in `taken` needs, such as the loop over a run, may be otherwise.
    """
    owners = {name.split(".")[0] for name in taken}
    roots = [one for one in ours.tree.body if isinstance(one, Definition) and one.name in owners]
    asked = singly([*roots, *needed(ours.tree.body, roots, set(), set())])
    fixed = {name for node in asked for name in defined(node)}
    kept = {text for node in asked for text in _outside(node, taken)}
    found: set[str] = set()
    for node in singly(mine.tree.body):
        texts = set(_outside(node, taken))
        found |= texts
        if _is_text(node) or _is_main(node) or texts <= kept:  # with no text, it is taken
            continue
        if isinstance(node, ast.ClassDef) and node.name in owners:
            if not _adds_only(node, ours, taken):
                return False
        elif not isinstance(node, _DEFINING) or not _binds_names(node) or defined(node) & fixed:
            return False
    return kept <= found and all(count == 1 for count in _bindings(mine, taken).values())


def singly(body: Iterable[ast.stmt]) -> list[ast.stmt]:
    """The statements, and instead of an import of several names one for each of them."""
    found: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.Import):
            found += [ast.Import([one]) for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [ast.ImportFrom(node.module, [one], node.level) for one in node.names]
        else:
            found.append(node)
    return found


_DEFINING = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)


def _outside(node: ast.stmt, taken: Collection[str]) -> Iterator[str]:
    """What a statement has outside of `taken`, as text that can be compared."""
    if isinstance(node, Definition) and (node.name in taken or is_whole(node, taken)):
        return
    if isinstance(node, ast.ClassDef) and any(
        f"{node.name}.{one.name}" in taken for one in methods(node)
    ):
        yield _head(node)
        for member in node.body:
            if not _is_text(member) and f"{node.name}.{_named(member)}" not in taken:
                yield f"{node.name} {ast.dump(member)}"
    else:
        yield ast.dump(node)


def _head(node: ast.ClassDef) -> str:
    outer = [*node.bases, *node.keywords, *node.decorator_list]
    return f"class {node.name} {[ast.dump(one) for one in outer]}"


def _named(node: ast.stmt) -> str:
    return node.name if isinstance(node, Definition) else ""


def _adds_only(node: ast.ClassDef, ours: Source, taken: Collection[str]) -> bool:
    """Whether a class of which some methods are taken has ours, and new names besides."""
    other = next(
        one for one in ours.tree.body if isinstance(one, ast.ClassDef) and one.name == node.name
    )
    known = {*_outside(other, taken)}
    names = {name for one in other.body for name in defined(one)}
    for member in node.body:
        if _is_text(member) or f"{node.name}.{_named(member)}" in taken:
            continue
        if f"{node.name} {ast.dump(member)}" in known:
            continue
        new = isinstance(member, ast.FunctionDef | ast.Assign) and _binds_names(member)
        if not new or any(name in names or name.startswith("__") for name in defined(member)):
            return False
    return _head(node) in known


def _binds_names(node: ast.stmt) -> bool:
    """Whether a statement binds nothing but names of its own level."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        stored = [one for target in targets for one in ast.walk(target)]
        return not any(isinstance(one, ast.Attribute | ast.Subscript) for one in stored)
    return not isinstance(node, ast.ImportFrom) or all(one.name != "*" for one in node.names)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _is_main(node: ast.stmt) -> bool:
    """Whether a statement is the block for a file that is run by itself."""
    match node:
        case ast.If(ast.Compare(ast.Name("__name__"), [ast.Eq()], [ast.Constant("__main__")])):
            return not node.orelse
    return False


def _bindings(mine: Source, taken: Collection[str]) -> dict[str, int]:
    """How often each name in `taken`, and each class of such a method, is bound where it is."""
    wanted = {name.split(".")[0] for name in taken} | set(taken)
    counts = dict.fromkeys(wanted & mine.bound, 0)
    for name, _ in _stored(mine.tree.body, ""):
        if name in counts:
            counts[name] += 1
    return counts


def _stored(body: Sequence[ast.stmt], owner: str) -> Iterator[tuple[str, ast.AST]]:
    """Every binding of a module's names, and of its classes' names as `GAN.generate`."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield owner + node.name, node
            if isinstance(node, ast.ClassDef) and not owner:
                yield from _stored(node.body, f"{node.name}.")
        else:
            for one in ast.walk(node):
                for name in _names_of(one):
                    yield owner + name, one


def _names_of(node: ast.AST) -> list[str]:
    """The names that a node binds or deletes by itself."""
    match node:
        case ast.Name(name, ast.Store() | ast.Del()):
            return [name]
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            return [name]
        case ast.alias(name, other):
            return [other or name.split(".")[0]]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            return [name]
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return [name]
    return []


def may_be_anew(mine: Source, ours: Source, taken: Collection[str]) -> bool:
    """Whether anything in `mine` that is not in `ours` could bind a name in `taken` anew."""
    if any(count > 1 for count in _bindings(mine, taken).values()):
        return True
    tops = {name for name, _ in _stored(mine.tree.body, "") if "." not in name}
    called = {name.rpartition(".")[2] for source in (mine, ours) for name in source.definitions}
    known = {ast.dump(one) for one in _pieces(ours)}
    own = tops - _imports(mine)
    others = [piece for piece in _pieces(mine) if ast.dump(piece) not in known]
    return (
        any(_reaches(one, tops, called) for piece in others for one in ast.walk(piece))
        or _asks_for_more(mine.tree, others)
        or any(_wrapped(node, own) for name, node in mine.definitions.items() if name in taken)
    )


def _asks_for_more(tree: ast.Module, pieces: Iterable[ast.AST]) -> bool:
    """Whether some pieces use a module for more than `_WORDS`, or hand on what finds names by text.

    That is the module itself, or `getattr` and `type` where they are not called at once.
    """
    asked: dict[str, str] = {"getattr": "", "type": ""}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                top = one.name.partition(".")[0]
                if top in _WORDS:
                    asked[one.asname or top] = one.name if one.asname else top
        elif isinstance(node, ast.ImportFrom) and (module := node.module) in _WORDS:
            asked |= {one.name: "" for one in node.names if one.name not in _WORDS[module].split()}
    for nodes in map(list, map(ast.walk, pieces)):
        right = {
            id(one.func)
            for one in nodes
            if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)
        } | {
            id(one.value)
            for one in nodes
            if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name)
            if one.attr in _WORDS.get(asked.get(one.value.id, ""), "").split()
        }
        if any(isinstance(n, ast.Name) and n.id in asked and id(n) not in right for n in nodes):
            return True
    return False


def _pieces(source: Source) -> Iterator[ast.AST]:
    """The statements of a file, those of its classes one by one, and what stands around these."""
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef):
            yield from node.body
            yield ast.ClassDef(node.name, node.bases, node.keywords, [], node.decorator_list)
        elif not _is_main(node):
            yield node


def _imports(source: Source) -> set[str]:
    return {
        name
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in defined(node)
    }


def _wrapped(node: ast.stmt, own: set[str]) -> bool:
    """Whether a definition has a decorator that the file itself defines."""
    return isinstance(node, Definition) and any(
        not foreign_only(one, own) for one in node.decorator_list
    )


def foreign_only(node: ast.expr, own: Collection[str]) -> bool:
    """Whether an expression has no function of the file's own, whose names are `own`, in it."""
    return not any(
        isinstance(one, ast.Lambda | ast.NamedExpr | ast.Await)
        or (isinstance(one, ast.Name) and one.id in own)
        for one in ast.walk(node)
    )


def _reaches(node: ast.AST, tops: set[str], called: set[str]) -> bool:
    """Whether a node could change what a name means somewhere else."""
    match node:
        case ast.Import(names):
            return not all(_is_known(one.name) for one in names)
        case ast.ImportFrom(module, names, level):
            return bool(level) or not _is_known(module or "") or names[0].name == "*"
        case ast.Global(names) | ast.Nonlocal(names):
            return bool(tops & set(names))
        case ast.ClassDef(_, bases, keywords):
            return bool(keywords) or any(isinstance(one, ast.Call) for one in bases)
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
            return is_special(name) and name not in WRITTEN
        case ast.Call(ast.Name("type"), arguments):
            return len(arguments) != 1
        case ast.Call(ast.Name("getattr"), [_, name, *_]):
            text = name.value if isinstance(name, ast.Constant) else None
            return not isinstance(text, str) or _is_reaching(text)
        case ast.Name(name, ast.Store()):
            return is_special(name) and name not in WRITTEN
        case ast.Name(name):
            return name in _REACHING - _WORDS.keys() or (is_special(name) and name not in _CALLED)
        case ast.Attribute(value, name, ast.Load()):
            private = name.startswith("_") and not is_special(name)
            return _is_reaching(name) or (private and _root(value) in tops)
        case ast.Attribute(value, name):
            return is_special(name) or name in called or _root(value) in tops
        case ast.Subscript(value, ctx=ast.Store() | ast.Del()):
            return _root(value) in tops
    return False


def _is_known(module: str) -> bool:
    return module.split(".")[0] in _MODULES or module.startswith(_OURS)


def is_special(name: str) -> bool:
    """Whether Python itself uses a name, such as `__init__`."""
    return name.startswith("__") and name.endswith("__")


def _is_reaching(name: str) -> bool:
    return name in _REACHING or "hook" in name or (is_special(name) and name not in _CALLED)


def _root(node: ast.expr) -> str:
    """The name that a chain of attributes, items and calls begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
