"""A small grammar of changes to the judge's text: what if one thing in it is done otherwise?

Each change is one step away from the right text: a statement later, twice or left out, another
picture in a call, a pair the other way round, a factor, a sign, a mode. So a mistake that nobody
wrote down can still be recognised: whoever made it has the numbers of the changed text.
"""

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Change:
    """What was done, in words, and the changed text."""

    said: str
    tree: ast.Module


_HELPERS = """
def _hold(optimizer):
    kept = [[{n: g.copy() for n, g in m.gradients.items()} for m in net.modules]
            for net in optimizer.trained]
    for net in optimizer.trained:
        net.clear()
    return optimizer, kept


def _release(held):
    optimizer, kept = held
    for net, gradients in zip(optimizer.trained, kept):
        for module, before in zip(net.modules, gradients):
            module.gradients = before
    optimizer.update()
"""
"""What a changed text may call: gradients that are kept aside until a later update."""


def of_step(
    tree: ast.Module, name: str, values: Mapping[str, Any], normed: Sequence[str]
) -> Iterator[Change]:
    """Changes of the class's `train_step`, the likelier ones first.

    `values` has what stands in its names and its batch at its end, by their text; `normed` are the
    networks that have running averages.
    """
    step = _Step(tree, name, values)
    yield from step.orders()
    yield from step.reports()
    yield from step.joined()
    yield from step.pairs()
    yield from step.signs()
    yield from step.modes(normed)
    yield from step.swapped_arguments()
    yield from step.constants()


class _Step:
    """The text of one training step, and changed copies of it."""

    def __init__(self, tree: ast.Module, name: str, values: Mapping[str, Any]) -> None:
        self.tree, self.name, self.values = tree, name, values

    def _copy(self) -> tuple[ast.Module, ast.FunctionDef]:
        tree = copy.deepcopy(self.tree)
        return tree, method(tree, self.name, "train_step")

    def _made(self, said: str, do: Callable[[ast.FunctionDef], None]) -> Change:
        tree, step = self._copy()
        do(step)
        return Change(said, ast.fix_missing_locations(tree))

    def orders(self) -> Iterator[Change]:
        """Updates that come twice, later, or in another loop."""
        original = method(self.tree, self.name, "train_step")
        for b, block in enumerate(_blocks(original)):
            for i, one in enumerate(block):
                optimizer = _updated(one)
                if not optimizer:
                    continue
                for j in range(i + 1):
                    if not any(".update()" in ast.unparse(other) for other in block[j:i]):
                        said = f"{optimizer} takes its step twice on the same batch"
                        yield self._made(said, partial(_again, b=b, first=j, last=i))
                for j in range(i + 2, len(block) + 1):
                    if _is_loss(block[j - 1]):
                        what = ", ".join(_targets(block[j - 1]))
                        said = f"{optimizer} takes its step only after {what} is computed"
                        yield self._made(said, partial(_late, b=b, i=i, j=j))
        for i, one in enumerate(original.body):
            late = ", ".join(filter(None, map(_updated, original.body[i + 1 :])))
            if isinstance(one, ast.For) and not _is_update_loop(one) and late:
                said = f"{late} takes a step in every round, not once after them"
                yield self._made(said, partial(_into_loop, i=i))

    def reports(self) -> Iterator[Change]:
        """Losses that are computed again after an update, or told of another round."""
        original = method(self.tree, self.name, "train_step")
        returned = _names(original.body[-1])
        for b, block in enumerate(_blocks(original)):
            for i, one in enumerate(block):
                if not (optimizer := _updated(one)):
                    continue
                again = [j for j, s in enumerate(block[:i]) if _is_forward(s)]
                for k in range(len(again)):
                    some = again[k:]
                    told = [t for j in some for t in _targets(block[j]) if t in returned]
                    said = f"{', '.join(told) or 'the loss'} is computed again after {optimizer}'s"
                    said += " step, and that is what is returned"
                    yield self._made(said, partial(_recomputed, b=b, i=i, some=some))
        for i, one in enumerate(original.body):
            if not isinstance(one, ast.For) or _is_update_loop(one):
                continue
            told = sorted({t for s in one.body for t in _targets(s)} & returned)
            for said, way in _ROUNDS.items() if told else ():
                said = f"what a round gives ({', '.join(told)}) is {said}"
                yield self._made(said, partial(_kept_rounds, i=i, told=told, way=way))

    def joined(self) -> Iterator[Change]:
        """Two batches that go through a network as one, as batch normalisation can tell."""
        original = method(self.tree, self.name, "train_step")
        for b, block in enumerate(_blocks(original)):
            for i in range(len(block) - 3):
                if found := _two_calls(block[i : i + 4]):
                    network, one, other, new = found
                    said = f"{one} and {other} go through the {network} together, as one batch"
                    yield self._made(said, partial(_instead_of_four, b=b, i=i, new=new))

    def pairs(self) -> Iterator[Change]:
        """What is joined, joined in the other order."""

        def both(node: Any) -> Any:
            return node.elts if isinstance(node, ast.Tuple) else node.args[0].elts

        def turn(node: Any) -> None:
            both(node).reverse()

        def said(node: Any) -> str:
            first, second = map(_said, both(node))
            return f"{second} comes before {first}"

        yield from self._at_nodes(_joins_two, turn, said)
        yield from self._at_nodes(_two_of_the_batch, turn, said)

    def signs(self) -> Iterator[Change]:
        """Weights that are handed over with the other sign: in all calls of a block, and in one."""
        original = method(self.tree, self.name, "train_step")
        places: dict[ast.AST, int] = {node: n for n, node in enumerate(ast.walk(original))}
        for block in _blocks(original):
            found: list[ast.Call] = [
                node
                for statement in block
                if not isinstance(statement, ast.For)
                for node in ast.walk(statement)
                if isinstance(node, ast.Call) and len(node.args) > 1
                if isinstance(_number(node.args[-1]), float) and not _is_plumbing(node)
            ]
            for some in ([found] if len(found) > 1 else []) + [[one] for one in found]:
                told = " and ".join(f"{_function(one)} of {_said(one.args[0])}" for one in some)
                said = f"{told} {'count' if len(some) > 1 else 'counts'} with the wrong sign"
                yield self._made(said, partial(_negated, places=[places[one] for one in some]))

    def modes(self, normed: Sequence[str]) -> Iterator[Change]:
        """Networks that are called in evaluation mode."""

        def change(node: Any) -> None:
            node.args.insert(0, node.func)
            node.func = ast.parse("framework.evaluate", mode="eval").body

        for network in normed:
            always = f"the {network} stays in evaluation mode: does a method leave it so?"
            when = f"the {network} is in evaluation mode when it is given "

            def chosen(node: Any, called: str = f"self.{network}") -> bool:
                return isinstance(node, ast.Call) and ast.unparse(node.func) == called

            def said(node: Any, when: str = when) -> str:
                return f"{when}{_said(node.args[0])}"

            yield from self._at_nodes(chosen, change, said, always)

    def swapped_arguments(self) -> Iterator[Change]:
        """Other pictures, noise or classes of the same shape in a call."""
        shapes = {text: np.shape(value) for text, value in self.values.items()}
        nodes: list[Any] = list(ast.walk(method(self.tree, self.name, "train_step")))
        for n, node in enumerate(nodes):
            if not isinstance(node, ast.Call) or _is_plumbing(node):
                continue
            for a, argument in enumerate(node.args):
                if (text := ast.unparse(argument)) not in shapes:
                    continue
                asked = f"{_function(node)} is given"
                for other, shape in shapes.items():
                    if shape == shapes[text] and other not in (text, "_"):
                        said = f"{asked} {_said_text(other)} instead of {_said_text(text)}"
                        yield self._made(said, partial(_other_argument, n=n, a=a, other=other))
                if "class" in text or "label" in text:
                    said = f"{asked} the {_said_text(text)} of other pictures, or the next ones"
                    for axis in range(len(shapes[text])):
                        for by in (1, -1):
                            other = f"np.roll({text}, {by}, {axis})"
                            yield self._made(said, partial(_other_argument, n=n, a=a, other=other))

    def constants(self) -> Iterator[Change]:
        """Numbers of the recipe that are another one's."""
        original = method(self.tree, self.name, "train_step")
        found = {
            ast.unparse(node)
            for node in ast.walk(original)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
        }
        for text in sorted(found):
            value = self.values.get(text)
            if not isinstance(value, float) or value == 0.0:  # no factor changes that
                continue
            for factor in (10.0, 0.1, 2.0, 0.5, 100.0, 0.01, 1 / value, value):
                yield self._everywhere(
                    f"{_said_text(text)} is {value * factor:.4g}, the recipe's {value:g}",
                    text,
                    f"({text} * {factor!r})",
                )

    def _everywhere(self, said: str, old: str, new: str) -> Change:
        def change(step: ast.FunctionDef) -> None:
            _Replace(old, ast.parse(new, mode="eval").body).visit(step)

        return self._made(said, change)

    def _at_nodes(
        self,
        chosen: Callable[[Any], bool],
        change: Callable[[Any], None],
        said: Callable[[Any], str],
        always: str = "",
    ) -> Iterator[Change]:
        """A change at each node that fits, and one at all of them."""
        nodes = list(ast.walk(method(self.tree, self.name, "train_step")))
        places = [n for n, node in enumerate(nodes) if chosen(node)]
        for some in ([places] if len(places) > 1 else []) + [[n] for n in places]:

            def do(step: ast.FunctionDef, some: list[int] = some) -> None:
                found = list(ast.walk(step))
                for n in some:
                    change(found[n])

            words = " and ".join(said(nodes[n]) for n in some)
            yield self._made(always if always and len(some) == len(places) else words, do)


_ROUNDS = {
    "returned of the first round instead of the last": "_told[0]",
    "averaged over the rounds; the last round's is asked for": (
        "[sum(x) / len(x) for x in zip(*_told)]"
    ),
    "added up over the rounds; the last round's is asked for": "[sum(x) for x in zip(*_told)]",
}
"""What may be told of several rounds, in words and as text."""


def _again(step: ast.FunctionDef, b: int, first: int, last: int) -> None:
    block = _blocks(step)[b]
    block[last + 1 : last + 1] = copy.deepcopy(block[first : last + 1])


def _late(step: ast.FunctionDef, b: int, i: int, j: int) -> None:
    """Keep the gradients of the update at i, and make it only before the statement at j."""
    block = _blocks(step)[b]
    optimizer = ast.unparse(block[i]).removesuffix(".update()")
    block[j:j] = ast.parse("_release(_held)").body
    block[i] = ast.parse(f"_held = _hold({optimizer})").body[0]


def _into_loop(step: ast.FunctionDef, i: int) -> None:
    *moved, last = step.body[i + 1 :]
    loop = step.body[i]
    assert isinstance(loop, ast.For)
    loop.body += moved
    step.body[i + 1 :] = [last]


def _recomputed(step: ast.FunctionDef, b: int, i: int, some: Sequence[int]) -> None:
    block = _blocks(step)[b]
    block[i + 1 : i + 1] = copy.deepcopy([block[j] for j in some])


def _kept_rounds(step: ast.FunctionDef, i: int, told: Sequence[str], way: str) -> None:
    names, loop = ", ".join(told), step.body[i]
    assert isinstance(loop, ast.For)
    loop.body += ast.parse(f"_told.append(({names},))").body
    step.body[i + 1 : i + 1] = ast.parse(f"{names}, = {way}").body
    step.body[i:i] = ast.parse("_told = []").body


def _instead_of_four(step: ast.FunctionDef, b: int, i: int, new: str) -> None:
    _blocks(step)[b][i : i + 4] = ast.parse(new).body


def _other_argument(step: ast.FunctionDef, n: int, a: int, other: str) -> None:
    node: Any = list(ast.walk(step))[n]
    node.args[a] = ast.parse(other, mode="eval").body


def _negated(step: ast.FunctionDef, places: Sequence[int]) -> None:
    nodes: list[Any] = list(ast.walk(step))
    for n in places:
        nodes[n].args[-1] = ast.UnaryOp(ast.USub(), nodes[n].args[-1])


def _number(node: ast.AST) -> object:
    """The number that an expression is, with its sign; None for another expression."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=(int() | float()) as value)):
            return -value
        case ast.Constant(value=(int() | float()) as value):
            return value
    return None


def of_formulas(tree: ast.Module, functions: Sequence[str]) -> Iterator[Change]:
    """Changes of single terms in some functions: left out, turned round, with another number."""
    yield from _of_logits(tree, functions)
    yield from _of_halves(tree, functions)
    yield from _of_axes(tree, functions)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in functions:
            for formula in _formulas(node):
                for part in ast.walk(formula):
                    for new in _other_terms(part):
                        yield _replaced(tree, node.name, formula, part, new)
                        if isinstance(part, ast.BinOp):  # and wherever else it stands
                            yield _replaced(tree, node.name, formula, part, new, everywhere=True)


_READ = {
    "a sigmoid comes before the loss, which takes logits": "sigmoid(logits)",
    "the logits are taken for probabilities: the loss must be told that they are logits": (
        "np.log((_p := np.clip(logits, 1e-07, 1 - 1e-07)) / (1 - _p))"
    ),
}
"""What a loss may take logits for, in words and as text; probabilities are kept off 0 and 1."""


def _of_logits(tree: ast.Module, functions: Sequence[str]) -> Iterator[Change]:
    """The losses that take logits, given something else: all of them, and one by one."""
    losses = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name in functions
        if [one.arg for one in node.args.args][:1] == ["logits"]
    ]
    for some in ([losses] if len(losses) > 1 else []) + [[one] for one in losses]:
        for said, text in _READ.items():
            made = copy.deepcopy(tree)
            for node in ast.walk(made):
                if isinstance(node, ast.FunctionDef) and node.name in some:
                    place = 1 if ast.get_docstring(node) else 0
                    node.body[place:place] = ast.parse(f"logits = {text}").body
            yield Change(f"in {' and '.join(some)}, {said}", ast.fix_missing_locations(made))


def _of_halves(tree: ast.Module, functions: Sequence[str]) -> Iterator[Change]:
    """What is split into two, taken the other way round."""
    for place, node in enumerate(ast.walk(tree)):
        match node:
            case ast.FunctionDef(name=name) if name in functions:
                statements = [one for one in ast.walk(node) if isinstance(one, ast.Assign)]
            case _:
                continue
        for n, statement in enumerate(statements):
            match statement:
                case ast.Assign(
                    targets=[ast.Tuple(elts=[ast.Name(id=first), ast.Name(id=second)])],
                    value=ast.Call(func=function),
                ) if ast.unparse(function) == "np.split":
                    made = copy.deepcopy(tree)
                    owner = list(ast.walk(made))[place]
                    turned = [one for one in ast.walk(owner) if isinstance(one, ast.Assign)][n]
                    turned.targets[0].elts.reverse()  # type: ignore[attr-defined]
                    said = f"{first} and {second} are taken the other way round"
                    yield Change(said, ast.fix_missing_locations(made))


def _of_axes(tree: ast.Module, functions: Sequence[str]) -> Iterator[Change]:
    """Functions that go along the other one of two axes, everywhere in them."""
    for name in functions:
        made, axes = copy.deepcopy(tree), set[int]()
        for function in ast.walk(made):
            if not isinstance(function, ast.FunctionDef) or function.name != name:
                continue
            for node in ast.walk(function):
                match node:
                    case ast.Call(
                        func=ast.Attribute(attr="max" | "min" | "sum" | "mean"),
                        args=[ast.Constant(value=int() as axis) as given],
                    ) if axis in (0, 1):
                        axes.add(axis)
                        given.value = 1 - axis
        if len(axes) == 1:
            (axis,) = axes
            said = f"in {name}, it goes along axis {1 - axis} instead of axis {axis}"
            yield Change(said, ast.fix_missing_locations(made))


def _formulas(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """What is computed in a function, line by line; no gradients, which frameworks find alone."""
    for statement in ast.walk(function):
        match statement:
            case ast.Return(value=ast.Tuple(elts=[value, *_])):
                yield value
            case ast.Return(value=ast.Dict(values=values)):
                yield from (value for value in values if not isinstance(value, ast.Name))
            case ast.Return(value=ast.expr() as value):
                yield value
            case ast.Expr(value=ast.Call(keywords=[ast.keyword(arg="out")]) as value):
                yield value
            case ast.AugAssign(target=ast.Name(id=name), value=value) if name != "gradient":
                if "backward" not in ast.unparse(value) and _targets(statement):
                    yield value
            case ast.Assign(targets=[target], value=value):
                if "backward" in ast.unparse(value) or not _targets(statement):
                    continue
                both = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
                yield from value.elts[:1] if both else [value]  # type: ignore[attr-defined]


def reached(tree: ast.Module, name: str, start: Sequence[str]) -> list[str]:
    """Functions and methods of a text that some methods of its class call, in the text's order."""
    owner = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    defined = {n.name: n for n in [*tree.body, *owner.body] if isinstance(n, ast.FunctionDef)}
    found, waiting = set[str](), list(start)
    while waiting:
        one = waiting.pop()
        if one in found or one not in defined:
            continue
        found.add(one)
        for node in ast.walk(defined[one]):
            if isinstance(node, ast.Name):
                waiting.append(node.id)
            elif isinstance(node, ast.Attribute):
                waiting.append(node.attr)
    return [one for one in defined if one in found]


def _other_terms(node: ast.AST) -> Iterator[str]:
    """Expressions that somebody may have written in the place of one."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            a, b = f"({ast.unparse(left)})", f"({ast.unparse(right)})"
            match op:
                case ast.Add():
                    yield from (a, b, f"{a} - {b}")
                    if isinstance(right, ast.BinOp) and isinstance(right.op, ast.Mult):
                        factor, term = map(ast.unparse, (right.left, right.right))
                        yield f"({factor}) * {a} + ({term})"
                case ast.Sub():
                    yield from (a, f"{b} - {a}", f"{a} + {b}", f"-{b}")
                case ast.Mult():
                    yield from (a, b, f"{a} ** {b}")
                case ast.Div() | ast.FloorDiv():
                    yield from (a, f"{a} * {b}")
                case ast.Pow():
                    yield a
            for i, side in enumerate((left, right)):
                for other in _other_numbers(side):
                    if isinstance(op, ast.Pow) and other == "1":
                        continue  # the base alone says the same
                    yield _with_side(node, i, other)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield from (f"({ast.unparse(operand)})", "0.0")
        case ast.Attribute(value=ast.Name(id="self"), ctx=ast.Load()):
            yield from (f"({ast.unparse(node)} {change})" for change in ("+ 1", "- 1"))
        case ast.Call(func=ast.Attribute(value=inner, attr=("mean" | "sum") as kind)):
            if ast.unparse(inner) != "np":
                turned = copy.deepcopy(node)
                turned.func.attr = {"mean": "sum", "sum": "mean"}[kind]  # type: ignore[attr-defined]
                yield ast.unparse(turned)
        case ast.Call(func=function, args=[only]) if ast.unparse(function) in _PLAIN:
            yield f"({ast.unparse(only)})"
        case ast.Call(func=function, args=[*arguments]) if ast.unparse(function) == "np.linspace":
            for i, argument in enumerate(arguments):
                for number in _other_numbers(argument):
                    changed = copy.deepcopy(node)
                    changed.args[i] = ast.parse(number, mode="eval").body
                    yield ast.unparse(changed)
            low, high, *more = arguments
            if ast.unparse(low) == f"-{ast.unparse(high)}":  # the same line, longer or shorter
                for number in _other_numbers(high):
                    ends = f"-{number}", number, *map(ast.unparse, more)
                    yield f"np.linspace({', '.join(ends)})"
            backwards = [arguments[1], arguments[0], *arguments[2:]]
            yield f"np.linspace({', '.join(map(ast.unparse, backwards))})"
            yield f"np.linspace({', '.join(map(ast.unparse, arguments))}, endpoint=False)"
        case ast.Subscript(value=ast.Call() as value, slice=ast.Name(id=index)):
            yield f"{ast.unparse(value)}[{index} - 1]"
        case ast.Subscript(
            value=value, slice=ast.Slice(lower=low, upper=ast.expr() as high, step=None)
        ):
            if "//" in ast.unparse(high):  # every k-th of them, where a part in one piece is meant
                count = ast.unparse(high).split(" // ")[-1]
                yield f"{ast.unparse(value)}[{'i' if low else '0'}::{count}]"
        case ast.Call(args=[ast.List(elts=[first, second])]) if _joins_two(node):
            turned = copy.deepcopy(node)
            turned.args[0] = ast.parse(
                f"[{ast.unparse(second)}, {ast.unparse(first)}]", mode="eval"
            ).body
            yield ast.unparse(turned)
        case ast.Call(args=[first, second], keywords=[]) if not _is_plumbing(node):
            yield f"{ast.unparse(node.func)}({ast.unparse(second)}, {ast.unparse(first)})"


def _other_numbers(node: ast.expr) -> Iterator[str]:
    """Numbers near a number, as text."""
    match node:
        case ast.Constant(value=(int() | float()) as value) if not isinstance(value, bool):
            numbers = (value + 1, value - 1, 2 * value, value / 2)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=(int() | float()) as value)):
            numbers = (-value + 1, -value - 1, -2 * value, -value / 2)
        case _:
            return
    for number in dict.fromkeys(numbers):
        if number != value:
            yield repr(int(number) if number == int(number) else number)


def _with_side(node: ast.BinOp, side: int, other: str) -> str:
    changed = copy.deepcopy(node)
    new = ast.parse(other, mode="eval").body
    if side:
        changed.right = new
    else:
        changed.left = new
    return ast.unparse(changed)


_PLAIN = ("np.sqrt", "np.exp", "np.log", "np.tanh", "np.square", "np.abs", "sigmoid", "np.mean")


def _replaced(
    tree: ast.Module,
    function: str,
    formula: ast.expr,
    part: ast.AST,
    new: str,
    everywhere: bool = False,
) -> Change:
    """A text with a part of one of its formulas replaced, or all in the function that read so."""
    replaced = ast.parse(new, mode="eval").body
    changed = _At(_place(part), replaced).visit(copy.deepcopy(formula))
    made = copy.deepcopy(tree)
    if everywhere:
        same = _Same(ast.dump(part), replaced)
        for node in ast.walk(made):
            if isinstance(node, ast.FunctionDef) and node.name == function:
                node.body = [same.visit(statement) for statement in node.body]
    else:
        made = _At(_place(formula), changed).visit(made)
    spelled = _Spelled(_meanings(tree, function))
    shown, right = (spelled(one) for one in (changed, formula))
    if len(right) > _LONGEST:
        shown, right = (spelled(one) for one in (replaced, part))
    said = f"in {function}, `{shown}` is computed instead of `{right}`"
    return Change(said, ast.fix_missing_locations(made))


_LONGEST = 70
"""Of a longer formula only the part that differs is shown."""

_SHORT = 40
"""Characters of what stands in the place of a name that is the judge's own."""


def _meanings(tree: ast.Module, function: str) -> dict[str, ast.expr]:
    """What the names in a function are short for, where that is a short formula.

    They are the judge's: a learner has others. A parameter is short for what is handed over where
    the function is called, if that is in one place.
    """
    defined = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    own = defined[function]
    calls = [
        (caller, node)
        for caller in defined.values()
        for node in ast.walk(caller)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == function
    ]
    found: dict[str, ast.expr] = {}
    if len(calls) == 1:
        caller, call = calls[0]
        known = _assigned(caller)
        for parameter, given in zip(own.args.args, call.args, strict=False):
            if isinstance(given, ast.Name) and given.id == parameter.arg and given.id in known:
                found[given.id] = known[given.id]
    return found | _assigned(own)


def _assigned(function: ast.FunctionDef) -> dict[str, ast.expr]:
    """The names that a function gives a value once, and this value, where it is a short formula."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.setdefault(name, []).append(value)
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                for one, value in zip(names, values, strict=True):
                    if isinstance(one, ast.Name):
                        found.setdefault(one.id, []).append(value)
            case ast.AugAssign(target=ast.Name(id=name)):
                found.setdefault(name, []).append(ast.Constant(None))
    parameters = {one.arg for one in function.args.args}
    return {
        name: values[0]
        for name, values in found.items()
        if len(values) == 1 and name not in parameters and _is_formula(values[0])
    }


def _is_formula(node: ast.expr) -> bool:
    """Whether something is short, and computed from names with operators and NumPy's functions."""
    text = ast.unparse(node)
    return isinstance(node, ast.BinOp | ast.Call) and len(text) <= _SHORT and "self." not in text


class _Spelled(ast.NodeTransformer):
    """An expression as text, with what the judge's own names are short for."""

    def __init__(self, meanings: Mapping[str, ast.expr]) -> None:
        self.meanings = meanings

    def __call__(self, node: ast.AST) -> str:
        text = ast.unparse(node)
        longer = ast.unparse(self.visit(copy.deepcopy(node)))
        return (longer if len(longer) <= 2 * _LONGEST else text).replace("self.", "")

    def visit_Name(self, node: ast.Name) -> ast.expr:
        meant = self.meanings.get(node.id)
        return node if meant is None else copy.deepcopy(meant)


def _place(node: ast.AST) -> tuple[int, int, int, int, type]:
    """Where an expression stands in the text, and its kind: no two have the same."""
    assert isinstance(node, ast.expr)
    return node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0, type(node)


class _At(ast.NodeTransformer):
    """Puts another expression where one stands."""

    def __init__(self, place: tuple[int, int, int, int, type], new: ast.expr) -> None:
        self.place, self.new = place, new

    def visit(self, node: ast.AST) -> Any:
        """As in `ast.NodeTransformer`."""
        if isinstance(node, ast.expr) and _place(node) == self.place:
            return self.new
        return self.generic_visit(node)


class _Same(ast.NodeTransformer):
    """Puts another expression in the place of all that are the same."""

    def __init__(self, old: str, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        """As in `ast.NodeTransformer`."""
        if isinstance(node, ast.expr) and ast.dump(node) == self.old:
            return copy.deepcopy(self.new)
        return self.generic_visit(node)


class _Replace(ast.NodeTransformer):
    """Puts another expression in the place of all that read so."""

    def __init__(self, old: str, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return self.new if ast.unparse(node) == self.old else node


def helpers() -> list[ast.stmt]:
    """What every changed text has besides its own."""
    return ast.parse(_HELPERS).body


def method(tree: ast.Module, name: str, function: str) -> ast.FunctionDef:
    """A method of a class in a text. Raises StopIteration where it is not there."""
    owner = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    return next(n for n in owner.body if isinstance(n, ast.FunctionDef) and n.name == function)


def _blocks(step: ast.FunctionDef) -> list[list[ast.stmt]]:
    """The body of a function, and those of its loops."""
    loops = [node for node in ast.walk(step) if isinstance(node, ast.For)]
    return [step.body] + [loop.body for loop in loops if not _is_update_loop(loop)]


def _updated(statement: ast.stmt) -> str:
    """The optimiser that a statement updates; empty for another statement."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        text = ast.unparse(statement.value)
        if text.endswith(".update()"):
            return text.removesuffix(".update()").removeprefix("self.")
    return ""


def _is_update_loop(node: ast.For) -> bool:
    return len(node.body) == 1


def _is_forward(statement: ast.stmt) -> bool:
    """Whether a statement computes something from pictures, and no gradient."""
    is_forward = isinstance(statement, ast.Assign) and _calls(statement)
    return is_forward and "backward" not in ast.unparse(statement)


def _is_loss(statement: ast.stmt) -> bool:
    """Whether a statement asks a network, or a loss, for something that is kept."""
    return isinstance(statement, ast.Assign | ast.AugAssign) and _calls(statement)


def _calls(statement: ast.stmt) -> bool:
    return any(isinstance(node, ast.Call) for node in ast.walk(statement))


def _targets(statement: ast.stmt) -> list[str]:
    """The names that a statement gives a value, without those of gradients."""
    names = [
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    return [name for name in names if name not in ("d", "_", "slope") and not name.startswith("d_")]


def _names(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _two_calls(four: Sequence[ast.stmt]) -> tuple[str, str, str, str] | None:
    """Two losses of one network, each with its backward: the same with both batches as one."""
    found = []
    for one, learnt in (four[:2], four[2:]):
        match one, learnt:
            case (
                ast.Assign(
                    targets=[ast.Tuple(elts=[ast.Name(id=value), ast.Name(id=d)])],
                    value=ast.Call(func=loss, args=[ast.Call(func=network, args=[x, *masks])]),
                ),
                ast.Expr(value=ast.Call(func=ast.Attribute(attr="backward"), args=[slope])),
            ):
                found.append((value, d, ast.unparse(loss), ast.unparse(network), x, masks, slope))
            case _:
                return None
    (v1, d, f1, n1, x1, m1, s1), (v2, _, f2, n2, x2, m2, s2) = found
    if n1 != n2 or len(m1) != len(m2):
        return None
    if any(isinstance(mask, ast.Starred) for mask in (*m1, *m2)):
        return None  # masks are one picture's each
    twice = "".join(f", np.concatenate([{ast.unparse(mask)}] * 2)" for mask in m1)
    new = (
        f"_both = {n1}(np.concatenate([{ast.unparse(x1)}, {ast.unparse(x2)}]){twice})\n"
        f"{v1}, {d} = {f1}(_both[: len(_both) // 2])\n_d = {ast.unparse(s1)}\n"
        f"{v2}, {d} = {f2}(_both[len(_both) // 2 :])\n"
        f"{n1}.backward(np.concatenate([_d, {ast.unparse(s2)}]))\n"
    )
    return n1.removeprefix("self."), _said(x1), _said(x2), new


def _joins_two(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) == "np.concatenate"
        and isinstance(node.args[0], ast.List)
        and len(node.args[0].elts) == 2
    )


def _two_of_the_batch(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Tuple)
        and len(node.elts) == 2
        and all(ast.unparse(one).startswith("batch[") for one in node.elts)
    )


def _is_plumbing(node: ast.Call) -> bool:
    """Whether a call makes numbers of numbers, and is no network, loss or method."""
    text = ast.unparse(node.func)
    plain = ("np.", "framework.", "len", "zip", "int", "max", "min", "range")
    inner = ("backward", "update", "clear", "append", "items", "copy", "sum", "mean")
    return text.startswith(plain) or text.split(".")[-1] in inner


def _function(node: ast.Call) -> str:
    return f"the {text[5:]}" if (text := ast.unparse(node.func)).startswith("self.") else text


def _said(node: ast.AST) -> str:
    return _said_text(ast.unparse(node))


def _said_text(text: str) -> str:
    """An expression in the words of an answer: batch['noise'] is the noise."""
    return text.replace("self.", "").replace("batch['", "").replace("']", "")
