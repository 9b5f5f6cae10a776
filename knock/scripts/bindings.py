"""Does each name of a learner's file mean what its definition says, as far as its text shows?

A file may bind a name anew: `GAN.train_step = …` at its end, a metaclass, a decorator, another
module's function that is replaced. Then a part's own code need not be what gives the numbers.
Python has more ways than a text can show; so what is asked here is whether there is any sign of
one. Where there is, a part is proved in another way.
"""

import ast
import copy
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from knock.scripts.source import Definition, Source, methods
from knock.scripts.splice import defined, is_whole, needed

_FRAMEWORKS = {"torch", "tensorflow", "keras", "chainer", "cupy", "numpy", "math"}
_WORDS = {
    "PIL": "Image ImageDraw",
    "PIL.Image": "fromarray new open",
    "__future__": "annotations",
    "abc": "ABC ABCMeta abstractmethod",
    "argparse": "ArgumentParser Namespace",
    "bisect": "bisect bisect_left bisect_right insort",
    "collections": "ChainMap Counter OrderedDict UserDict abc defaultdict deque namedtuple",
    "collections.abc": "Callable Collection Generator Hashable Iterable Iterator Mapping "
    "MutableMapping Sequence Sized",
    "contextlib": "closing contextmanager nullcontext suppress",
    "copy": "copy deepcopy",
    "csv": "DictReader DictWriter reader writer",
    "dataclasses": "FrozenInstanceError asdict astuple dataclass field fields replace",
    "datetime": "date datetime timedelta timezone",
    "decimal": "Decimal",
    "enum": "Enum Flag IntEnum IntFlag StrEnum auto unique",
    "fractions": "Fraction",
    "functools": "cache cached_property lru_cache partial reduce singledispatch total_ordering",
    "gc": "collect",
    "glob": "glob iglob",
    "heapq": "heapify heappop heappush nlargest nsmallest",
    "io": "BytesIO StringIO",
    "itertools": "accumulate batched chain combinations compress count cycle dropwhile groupby "
    "islice pairwise permutations product repeat starmap takewhile tee zip_longest",
    "json": "dump dumps load loads",
    "logging": "CRITICAL DEBUG ERROR FileHandler Formatter INFO Logger NullHandler StreamHandler "
    "WARNING basicConfig critical debug disable error exception getLogger info log warning",
    "matplotlib": "rcParams use",
    "matplotlib.pyplot": "axis clf close colorbar figure grid imsave imshow legend plot rcParams "
    "savefig show subplot subplots tight_layout title xlabel xlim ylabel ylim",
    "numbers": "Integral Number Real",
    "operator": "abs add and_ contains eq floordiv ge getitem gt itemgetter le lt matmul mod mul "
    "ne neg not_ or_ pos pow sub truediv",
    "os": "cpu_count environ getcwd getenv getpid linesep listdir makedirs mkdir name path sep",
    "os.path": "abspath basename dirname exists expanduser isdir isfile join splitext",
    "pathlib": "Path PurePath",
    "platform": "machine platform python_version system",
    "pprint": "pformat pprint",
    "random": "Random choice choices gauss getrandbits normalvariate randint random randrange "
    "sample seed shuffle uniform",
    "re": "I IGNORECASE M MULTILINE S VERBOSE compile escape findall finditer fullmatch match "
    "search split sub",
    "shutil": "copy copyfile rmtree",
    "statistics": "fmean mean median stdev variance",
    "string": "ascii_letters ascii_lowercase ascii_uppercase digits punctuation",
    "sys": "argv byteorder executable exit float_info getsizeof maxsize platform "
    "setrecursionlimit stderr stdin stdout version version_info",
    "tempfile": "TemporaryDirectory gettempdir",
    "textwrap": "dedent fill indent wrap",
    "time": "ctime localtime monotonic monotonic_ns perf_counter perf_counter_ns process_time "
    "sleep strftime time time_ns",
    "tqdm": "tqdm trange",
    "traceback": "format_exc print_exc",
    "types": "SimpleNamespace",
    "typing": "Annotated Any Callable ClassVar Collection DefaultDict Deque Dict Final FrozenSet "
    "Generator Generic Hashable Iterable Iterator List Literal Mapping MutableMapping NamedTuple "
    "Never NewType NoReturn Optional ParamSpec Protocol Self Sequence Set Sized SupportsFloat "
    "SupportsInt TYPE_CHECKING Text Tuple Type TypeAlias TypeGuard TypeVar TypedDict Union "
    "assert_never cast final overload runtime_checkable",
    "warnings": "catch_warnings filterwarnings resetwarnings simplefilter warn",
}
"""The other modules that an answer has a use for, each with what it has a use for in it: others set
attributes, as `functools.update_wrapper` does, look them up by a text, or run one."""
_OURS = ("knock.frameworks", "knock.run", "knock.look")
"""What an answer has a use for, besides `_FRAMEWORKS` and `_WORDS`."""

_REACHING = {
    *("setattr", "delattr", "globals", "locals", "vars", "exec", "eval", "compile", "__import__"),
    *("__builtins__", "builtins", "sys", "_sys", "os", "_os", "inspect", "gc", "ctypes", "types"),
    *("importlib", "modules", "_getframe", "currentframe", "tb_frame", "f_back", "f_globals"),
    *("f_locals", "gi_frame", "cr_frame", "ag_frame", "library", "overrides", "partialmethod"),
    *("update_wrapper", "wraps", "methodcaller", "attrgetter", "get_type_hints", "ForwardRef"),
    *("Formatter", "get_field", "bltns", "pickle", "unpickle", "subprocess", "runpy", "pydoc"),
    *("functools", "operator", "typing", "dataclasses", "enum", "contextlib", "string"),
    *("parse_args", "parse_known_args", "parse_intermixed_args", "parse_known_intermixed_args"),
    *("testing", "f2py", "distutils", "load", "loads", "load_model", "saved_model", "hub", "fx"),
}
"""Names and attributes that lead to other code's names."""

_BETWEEN = {
    *("_call_impl", "_wrapped_call_impl", "_compiled_call_impl", "_slow_forward"),
    *("quantized_call", "quantization_mode", "symbolic_call"),
}
"""What a framework's own class calls, or asks, before the method that an answer writes."""

_CALLED = {"__init__", "__call__", "__name__", "__class__", "__doc__", "__len__", "__version__"} | {
    *("__file__", "__debug__"),
}
WRITTEN = _CALLED | {
    *("__post_init__", "__repr__", "__str__", "__iter__", "__next__", "__getitem__", "__eq__"),
    *("__hash__", "__enter__", "__exit__", "__contains__", "__slots__", "__all__", "__author__"),
    *("__setitem__", "__delitem__", "__missing__", "__bool__", "__int__", "__float__", "__lt__"),
    *("__le__", "__gt__", "__ge__", "__ne__", "__add__", "__radd__", "__sub__", "__rsub__"),
    *("__mul__", "__rmul__", "__truediv__", "__matmul__", "__pow__", "__neg__", "__reversed__"),
    *("__date__", "__license__", "__email__", "__copyright__"),
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
    between = any(name.rpartition(".")[2] in _BETWEEN for name, _ in stored(mine.tree.body, ""))
    once = all(count == 1 for count in _bindings(mine, taken).values())
    return kept <= found and once and not between


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
    for name, _ in stored(mine.tree.body, ""):
        if name in counts:
            counts[name] += 1
    return counts


def stored(body: Sequence[ast.stmt], owner: str) -> Iterator[tuple[str, ast.AST]]:
    """Every binding of a module's names, and of its classes' names as `GAN.generate`."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield owner + node.name, node
            if isinstance(node, ast.ClassDef) and not owner:
                yield from stored(node.body, f"{node.name}.")
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


def may_be_anew(mine: Source, ours: Source, taken: Collection[str]) -> str:
    """Where `mine`, outside of what is in `ours`, could bind a name in `taken` anew: "line 12".

    It is "" if there is no sign of that.
    """
    counts = _bindings(mine, taken)
    for name, node in reversed(list(stored(mine.tree.body, ""))):
        if counts.get(name, 0) > 1:
            return _line(node)
    signs, own = _Signs.of(mine, ours, taken), _bound(mine) - _imports(mine)
    known = {ast.dump(one) for one in _pieces(ours)}
    for piece in _pieces(mine):
        if ast.dump(piece) not in known and (found := signs.first(piece)):
            return _line(found)
    wrapped = [
        one for name, one in mine.definitions.items() if name in taken and _wrapped(one, own)
    ]
    return _line(wrapped[0]) if wrapped else ""


def reaches_far(mine: Source, ours: Source, pieces: Iterable[ast.stmt]) -> bool:
    """Whether some statements of `mine` could bind names of other code, as far as they show it."""
    signs = _Signs.of(mine, ours, ())
    return any(signs.first(one) for one in pieces)


def without_signs(mine: Source, ours: Source, taken: Collection[str]) -> str:
    """The text of `mine` without the statements that could bind names anew and that no part needs.

    And without decorators of its own around what is in `taken`. Lines are otherwise numbered.
    """
    tree = copy.deepcopy(mine.tree)
    signs, own = _Signs.of(mine, ours, taken), _bound(mine) - _imports(mine)
    tops = {name.split(".")[0] for name in ours.definitions}
    roots = [one for one in tree.body if isinstance(one, Definition) and one.name in tops]
    for root in roots:
        inner = methods(root) if isinstance(root, ast.ClassDef) else []
        for one, name in [(root, root.name), *((m, f"{root.name}.{m.name}") for m in inner)]:
            if name in taken:
                one.decorator_list = [d for d in one.decorator_list if foreign_only(d, own)]
    kept = [*roots, *needed(tree.body, roots, set(), set())]
    tree.body = [one for one in tree.body if one in kept or not signs.first(one)]
    return ast.unparse(tree)


def _line(node: ast.AST) -> str:
    return f"line {getattr(node, 'lineno', 1)}"


def _bound(source: Source) -> set[str]:
    """The names of a file's own level."""
    return {name for name, _ in stored(source.tree.body, "") if "." not in name}


@dataclass(frozen=True)
class _Signs:
    """What tells whether a statement could change what a name means somewhere else.

    `tops` are the file's names, `fixed` those of its functions, classes and imports and of parts,
    `called` those of all functions; `asked` has the module that each imported name is or is of,
    with what of it may be used. `values` are names of the file's own plain objects, `members` has
    the values that are set in each of its classes.
    """

    tops: set[str]
    fixed: set[str]
    called: set[str]
    asked: Mapping[str, Collection[str]]
    values: set[str]
    members: Mapping[str, set[str]]

    @classmethod
    def of(cls, mine: Source, ours: Source, taken: Collection[str]) -> "_Signs":
        """What a file's text says of its names."""
        names = [name for name, _ in stored(mine.tree.body, "")]
        tops = {name for name in names if "." not in name}
        written = {one for source in (mine, ours) for one in source.definitions}
        imports = _imports(mine)
        classes = [one for one in mine.tree.body if isinstance(one, ast.ClassDef)]
        plain = [one.name for one in classes if all(map(_is_foreign, one.decorator_list))]
        return cls(
            tops,
            {*(one for one in written if "." not in one), *imports, *_roots(taken)},
            {one.rpartition(".")[2] for one in written},
            _asked(mine.tree),
            {
                target.id
                for node in mine.tree.body
                for target, value in _single(node)
                if names.count(target.id) == 1 and _is_own_object(value, plain, tops - imports)
            },
            {
                one.name: {target.id for member in one.body for target, _ in _single(member)}
                for one in classes
                if names.count(one.name) == 1
            },
        )

    def first(self, piece: ast.AST) -> ast.AST | None:
        """The first node of a statement that could bind a name of other code anew."""
        nodes = list(ast.walk(piece))
        fine = {id(one) for node in nodes for one in self._fine(node)}
        for node in nodes:
            if id(node) not in fine and self._reaches(node):
                return node if hasattr(node, "lineno") else piece
        return None

    def _fine(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes that are no sign since they stand in `node`, though each alone could be one."""
        match node:
            case ast.Attribute(ast.Name(name) as module, word, ast.Load()):
                if word in self.asked.get(name, ()):
                    yield from (node, module)
            case ast.Call(ast.Name("getattr" | "type") as function):
                yield function
            case ast.Call(ast.Attribute(_, "parse_args" | "parse_known_args") as function, given):
                starred = any(isinstance(one, ast.Starred) for one in given)
                if len(given) <= 1 and not node.keywords and not starred:  # it has no namespace
                    yield function
            case ast.FunctionDef(decorator_list=outer):
                for one in outer:
                    yield from self._naming(one)
            case ast.Assign(targets, value):
                for target in targets:
                    if self._sets_only(target, value):
                        yield target
            case ast.AugAssign(target, _, value) | ast.AnnAssign(target, _, value):
                if value is not None and self._sets_only(target, value):
                    yield target

    def _naming(self, decorator: ast.expr) -> Iterator[ast.AST]:
        """The name in a decorator that does no more than to copy another's name: `@wraps(f)`."""
        match decorator:
            case ast.Call(_, [ast.Starred()]):
                return
            case ast.Call(ast.Attribute(ast.Name(name), "wraps"), [_], []):
                if self.asked.get(name) is _MODULE_WORDS["functools"]:
                    yield decorator.func
                    yield from ast.iter_child_nodes(decorator.func)
            case ast.Call(ast.Name(name), [_], []):
                if self.asked.get(name) is _NAMING:
                    yield decorator.func

    def _sets_only(self, target: ast.expr, value: ast.expr) -> bool:
        """Whether a target is no function's name, and its value or its owner no other code's."""
        if isinstance(target, ast.Attribute) and (
            target.attr in self.called | _BETWEEN
            or is_special(target.attr)
            or _is_reaching(target.attr)
        ):
            return False
        if _is_literal(value):
            return isinstance(target, ast.Attribute | ast.Subscript)
        match target:
            case ast.Attribute(ast.Name(owner), name):
                return owner in self.values or name in self.members.get(owner, ())
            case ast.Subscript(ast.Name(owner)):
                return owner in self.values
            case ast.Subscript(ast.Attribute(ast.Name("os"), "environ")):
                return self.asked.get("os") is _MODULE_WORDS["os"]
        return False

    def _reaches(self, node: ast.AST) -> bool:
        match node:
            case ast.Import(names):
                return not all(_is_known(one.name) for one in names)
            case ast.ImportFrom(module, names, level):
                top = (module or "").split(".")[0]
                if bool(level) or not _is_known(module or ""):
                    return True
                if names[0].name == "*":
                    return top not in _FRAMEWORKS
                return top in _FRAMEWORKS and any(one.name in _REACHING for one in names)
            case ast.Global(names) | ast.Nonlocal(names):
                return bool(self.fixed & set(names))
            case ast.ClassDef(_, bases, keywords):
                return not all(map(_is_plain_keyword, keywords)) or any(
                    isinstance(one, ast.Call) and not makes_tuples(one) for one in bases
                )
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                return name in _BETWEEN or (is_special(name) and name not in WRITTEN)
            case ast.Call(ast.Name("type"), arguments):
                return len(arguments) != 1
            case ast.Call(ast.Name("getattr"), [_, name, *_]):
                text = name.value if isinstance(name, ast.Constant) else None
                return not isinstance(text, str) or _is_reaching(text)
            case ast.Name(name, ast.Store()):
                return name in _BETWEEN or (is_special(name) and name not in WRITTEN)
            case ast.Name(name):
                reaching = name in self.asked or name in _REACHING
                return reaching or (is_special(name) and name not in _CALLED)
            case ast.Attribute(value, name, ast.Load()):
                private = name.startswith("_") and not is_special(name)
                return _is_reaching(name) or (private and _root(value) in self.tops)
            case ast.Attribute(value, name):
                called = name in self.called | _BETWEEN
                return is_special(name) or called or _root(value) in self.tops
            case ast.Subscript(value, ctx=ast.Store() | ast.Del()):
                return _root(value) in self.tops
        return False


_NAMING = frozenset({"wraps"})
"""What is known of `wraps`, where it is imported by its name."""

_MODULE_WORDS = {module: frozenset(words.split()) for module, words in _WORDS.items()}


def _asked(tree: ast.Module) -> dict[str, frozenset[str]]:
    """What may be used of each name that a file imports, unless it is a framework's or ours.

    That is some words of a module, or the name itself. And nothing of `getattr` and `type`, which
    find names by text, where they are not called at once.
    """
    found: dict[str, frozenset[str]] = {"getattr": frozenset(), "type": frozenset()}
    bound: Counter[str] = Counter()
    for node in ast.walk(tree):
        bound.update([node.arg] if isinstance(node, ast.arg) else _names_of(node))
        if isinstance(node, ast.Import):
            for one in node.names:
                module = one.name if one.asname else one.name.partition(".")[0]
                if not _is_ours(module):
                    found[one.asname or module] = _MODULE_WORDS.get(module, frozenset())
        elif isinstance(node, ast.ImportFrom) and not _is_ours(node.module or ""):
            module = node.module or ""
            for one in node.names:
                if (whole := f"{module}.{one.name}") in _WORDS:  # itself a module
                    found[one.asname or one.name] = _MODULE_WORDS[whole]
                elif whole == "functools.wraps":
                    found[one.asname or one.name] = _NAMING
                elif one.name not in _MODULE_WORDS.get(module, ()):
                    found[one.asname or one.name] = frozenset()
    # Of a name that means several things, nothing is known.
    return {name: words if bound[name] == 1 else frozenset() for name, words in found.items()}


def _roots(taken: Collection[str]) -> set[str]:
    return {name.split(".")[0] for name in taken}


def _single(node: ast.stmt) -> Iterator[tuple[ast.Name, ast.expr]]:
    """The name that a statement sets to a value, and the value."""
    match node:
        case ast.Assign([ast.Name() as target], value):
            yield target, value
        case ast.AnnAssign(ast.Name() as target, _, ast.expr() as value):
            yield target, value


def _is_foreign(decorator: ast.expr) -> bool:
    """Whether a decorator leaves a class what it is."""
    made = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = made.attr if isinstance(made, ast.Attribute) else getattr(made, "id", "")
    return name in {"dataclass", "total_ordering", "unique"}


_OBJECTS = {"dict", "list", "set", "defaultdict", "Counter", "deque", "OrderedDict"} | {
    *("Namespace", "SimpleNamespace", "getLogger", "asdict"),
}
"""What makes an object that has no other code's names."""


def _is_own_object(value: ast.expr, classes: Collection[str], own: Collection[str]) -> bool:
    """Whether a value is an object that is new: of one of some classes, or plain.

    `own` are the names that the file itself defines.
    """
    match value:
        case ast.Dict() | ast.List() | ast.Set() | ast.DictComp() | ast.ListComp() | ast.SetComp():
            return True
        case ast.Call(ast.Name(name) | ast.Attribute(ast.Name(), name)):
            return name in classes or name in _OBJECTS - set(own)
    return False


def _is_literal(value: ast.expr) -> bool:
    """Whether a value is written out: it has nobody's code."""
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _is_plain_keyword(keyword: ast.keyword) -> bool:
    """Whether what a class is made with leaves it what it is, as `metaclass=ABCMeta` does."""
    match keyword.value:
        case ast.Constant():
            return keyword.arg == "total"
        case ast.Name("ABCMeta") | ast.Attribute(ast.Name("abc"), "ABCMeta"):
            return keyword.arg == "metaclass"
    return False


def makes_tuples(base: ast.expr) -> bool:
    """Whether a class's base is a tuple with names, made there."""
    match base:
        case ast.Call(ast.Name(name) | ast.Attribute(ast.Name("collections" | "typing"), name)):
            return name in {"namedtuple", "NamedTuple"}
    return False


def _pieces(source: Source) -> Iterator[ast.AST]:
    """The statements of a file, those of its classes one by one, and what stands around these."""
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef):
            yield from node.body
            around = ast.ClassDef(node.name, node.bases, node.keywords, [], node.decorator_list)
            yield ast.copy_location(around, node)
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


def _is_ours(module: str) -> bool:
    """Whether a module is a framework's, or what an answer needs of this package."""
    return module.split(".")[0] in _FRAMEWORKS or module.startswith(_OURS)


def _is_known(module: str) -> bool:
    """Whether a module is where it should be: what a file has written itself is not."""
    top = module.split(".")[0]
    return _is_ours(module) or top in _TOPS or top in sys.stdlib_module_names


_TOPS = {name.split(".")[0] for name in _WORDS}


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
