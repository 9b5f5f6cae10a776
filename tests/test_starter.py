"""A starter is our answer without the bodies of its parts, and otherwise the same."""

import ast
import re

from knock import frameworks, paths, recipe
from knock.check.judge import check
from knock.questions import Question, all_questions, find
from knock.scripts import starter
from tests.test_cli import needs_torch

import pytest

QUESTIONS = all_questions()
ANSWERS = [(question, framework) for question in QUESTIONS for framework in question.answered_in]
COMMAND = "knock check"
NOTE = re.compile(r"\n\nThis is a starter: [^\"]*\n    knock check\n(?=\"\"\")")


def name(value: object) -> str:
    return value.name if isinstance(value, Question) else str(value)


def source(question: Question, framework: str) -> str:
    return question.answer(framework).read_text(encoding="utf-8")


def made(question: Question, framework: str) -> str:
    return starter.make(source(question, framework), question.parts, COMMAND)


@pytest.mark.parametrize(("question", "framework"), ANSWERS, ids=name)
def test_its_docstring_says_what_a_check_expects_as_the_page_does(question, framework):
    last = frameworks.find(framework).channels_last
    adapter = "\n".join(
        file.read_text(encoding="utf-8")
        for file in (paths.PACKAGE / "frameworks").glob(f"{framework}*")
        for file in ([file] if file.is_file() else file.glob("*.py"))
    )
    assert f"CHANNELS_LAST = {last}\n" in adapter
    text = starter.make(source(question, framework), question.parts, COMMAND, last)
    told = " ".join((ast.get_docstring(ast.parse(text)) or "").split())
    page = " ".join(question.page.read_text(encoding="utf-8").split())
    for words in (
        "define them in the order of the table",
        "are float64",
        "image_shape` is (C, H, W)",
    ):
        assert words in page
        assert words.replace("`", "") in told
    assert ("N×H×W×C" in told, "N×C×H×W" in told) == (last, not last)
    assert max(map(len, text.splitlines())) <= 100


def functions(text: str) -> dict[str, ast.FunctionDef]:
    """The functions and methods of a source by name."""
    tree = ast.parse(text)
    found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
            found |= {f"{node.name}.{method.name}": method for method in methods}
    return found


def owners(question: Question, text: str) -> dict[str, str]:
    """Each function of a source that belongs to a part, with the part."""
    found = {}
    for part, names in question.parts.items():
        for function in functions(text):
            if function in names or function.split(".")[0] in names:
                found[function] = part
    return found


def head(node: ast.FunctionDef) -> str:
    """A function without its body and its docstring."""
    bare = ast.FunctionDef(node.name, node.args, [ast.Pass()], node.decorator_list, node.returns)
    return ast.unparse(ast.fix_missing_locations(bare))


@pytest.mark.parametrize("question", QUESTIONS, ids=name)
def test_every_name_of_a_part_is_in_some_answer_and_every_part_in_each(question):
    parts = question.parts
    seen = set()
    for framework in question.answered_in:
        there = starter.names(source(question, framework), parts)
        assert list(there) == list(parts)
        assert all(there.values()), (framework, there)
        seen |= {one for names in there.values() for one in names}
    named = [one for names in parts.values() for one in names]
    assert seen == set(named)
    assert len(named) == len(seen), "a name belongs to one part"


@pytest.mark.parametrize(("question", "framework"), ANSWERS, ids=name)
def test_the_body_of_a_part_is_an_error_that_names_it(question, framework):
    given, text = source(question, framework), made(question, framework)
    compile(text, "starter", "exec")
    before, after, parts = functions(given), functions(text), owners(question, given)
    assert list(before) == list(after)
    assert f"{recipe.load(question.recipe_file).class_name}.__init__" not in parts
    for function, node in after.items():
        if function not in parts:
            assert ast.dump(node) == ast.dump(before[function]), function
            continue
        assert head(node) == head(before[function])
        assert ast.get_docstring(node) == ast.get_docstring(before[function])
        *kept, last = map(ast.unparse, node.body[ast.get_docstring(node) is not None :])
        assert last == f"raise NotImplementedError('TODO {parts[function]}: {function}')"
        assert len(kept) <= function.endswith("__init__")
        assert all(re.fullmatch(r"super\(\).__init__\(.*\)", one) for one in kept)


@pytest.mark.parametrize(("question", "framework"), ANSWERS, ids=name)
def test_every_other_line_is_the_same_as_in_the_answer(question, framework):
    given, text = source(question, framework), made(question, framework)
    lines = given.split("\n")
    parts, gone = owners(question, given), set()
    for function, node in functions(given).items():
        if function in parts:
            kept = ast.get_docstring(node) is not None
            kept += function.endswith("__init__")  # in ours, the next line calls super().__init__
            first = node.body[kept].lineno if kept < len(node.body) else node.end_lineno + 1
            while lines[first - 2].lstrip().startswith("#"):
                first -= 1
            gone |= set(range(first, node.end_lineno + 1))
    text, count = NOTE.subn("\n", text)
    assert count == 1
    kept_lines = [
        line for line in text.split("\n") if not re.match(r" +(# → |raise NotImpl)", line)
    ]
    assert kept_lines == [line for number, line in enumerate(lines, 1) if number not in gone]
    removed = "\n".join(lines[number - 1] for number in sorted(gone))
    for shape in re.findall(r"# → (.*)", text):
        assert f"  # {shape}\n" in f"{removed}\n"


@pytest.mark.parametrize(
    ("framework", "called", "shapes"),
    [
        (
            "pytorch",
            "forward",
            [
                "512·H/8·W/8; large: 256·H/16·W/16",
                "512×H/8×W/8; large: 256×H/16×W/16",
                "512×H/8×W/8, if large",
            ],
        ),
        (
            "keras",
            "call",
            [
                "H/8·W/8·512; or H/16·W/16·256",
                "H/8×W/8×512; large: H/16×W/16×256",
                "H/8×W/8×512, if large",
            ],
        ),
    ],
)
def test_the_shapes_stay_layer_by_layer(framework, called, shapes):
    lines = made(find("dcgan"), framework).split("\n")
    place = next(k for k, line in enumerate(lines) if "(self, noise" in line)
    assert lines[place].endswith("# z")
    assert lines[place + 1 : place + 4] == [f"        # → {shape}" for shape in shapes]
    assert lines[place + 6].endswith("in [-1, 1]")
    assert lines[place + 7].endswith(
        f'raise NotImplementedError("TODO networks: Generator.{called}")'
    )


def test_a_function_of_any_form_keeps_its_head():
    text = '''"""One line."""


@outer(1, name="×")
@inner
def first(
    a,  # the one
    b=(1, 2),
) -> int:  # both
    # a first remark
    return (
        a  # 3×4
        + b
    )


def short(x): return x  # N×4


class Net:
    """A network."""

    size = 3

    def __init__(self):
        """Layers."""
        super().__init__(name="net")
        with self.init_scope():
            self.a = 1  # C×H×W: the first
            self.b = 2  # not a shape

    @property
    def wide(self):
        def inside():
            return 1  # 64

        return inside() * 2  # 2·z, doubled

    def empty(self):
        """Nothing more."""
'''
    parts = {"one": ["first", "short"], "two": ["Net"]}
    assert (
        starter.make(text, parts, 'knock check x "my.py"')
        == '''"""One line.

This is a starter: write its one and two, each where a TODO is raised.

A check finds the layers by the names in the table on the question's page or, if you choose others,
by their order: define them in the order of the table. recipe.image_shape is (C, H, W); pictures in
a batch are N×C×H×W. All numbers in a check are float64: a constant in float32 shows as a
difference.

Check it with

    knock check x \\"my.py\\"
"""


@outer(1, name="×")
@inner
def first(
    a,  # the one
    b=(1, 2),
) -> int:  # both
    # → 3×4
    raise NotImplementedError("TODO one: first")


def short(x):  # N×4
    raise NotImplementedError("TODO one: short")


class Net:
    """A network."""

    size = 3

    def __init__(self):
        """Layers."""
        super().__init__(name="net")
        # → C×H×W: the first
        raise NotImplementedError("TODO two: Net.__init__")

    @property
    def wide(self):
        # → 64
        # → 2·z, doubled
        raise NotImplementedError("TODO two: Net.wide")

    def empty(self):
        """Nothing more."""
        raise NotImplementedError("TODO two: Net.empty")
'''
    )


@needs_torch
def test_a_starter_fails_its_check_at_its_first_part(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(made(find("gan"), "pytorch"), encoding="utf-8")
    first, *others = check("gan", "pytorch", file, travel=False)
    assert (first.name, first.status) == ("parameters", "failed")
    assert "NotImplementedError: TODO networks: Generator.__init__" in first.message
    assert {one.status for one in others} == {"skipped"}


@needs_torch
def test_a_starter_with_its_parts_pasted_back_is_the_answer_and_passes(tmp_path):
    question = find("vae_latent")
    given, text = source(question, "pytorch"), made(question, "pytorch")
    before, lines = functions(given), text.split("\n")
    nodes = sorted(functions(text).items(), key=lambda one: one[1].lineno)
    for function, node in reversed(nodes):
        own = before[function]
        written = given.split("\n")[own.lineno - 1 : own.end_lineno]
        lines[node.lineno - 1 : node.end_lineno] = written
    pasted = NOTE.sub("\n", "\n".join(lines))
    assert pasted == given
    file = tmp_path / "mine.py"
    file.write_text(pasted, encoding="utf-8")
    assert {one.status for one in check(question, "pytorch", file, travel=False)} <= {
        "passed",
        "skipped",
    }
