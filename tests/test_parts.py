"""Part by part: each is judged by itself, whatever has become of the others."""

import ast
import inspect
import linecache
from pathlib import Path

from knock import frameworks
from knock.check import parts, trace
from knock.errors import UserError
from knock.questions import find
from knock.scripts import load as script
from knock.scripts import raised, starter
from knock.scripts.source import Source
from knock.scripts.splice import gives_ours, splice
from tests.test_cli import needs_torch

import pytest

GAN = find("gan")
PARTS = ["networks", "losses", "step", "sampling"]


def ours(framework: str = "pytorch") -> str:
    return GAN.answer(framework).read_text(encoding="utf-8")


def begun(*written: str) -> str:
    """A starter with our bodies in some of its parts."""
    left = {p: names for p, names in GAN.parts.items() if p not in written}
    return starter.make(ours(), left, "knock check")


def changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


WITH_ALL = "it counts once the whole file is right"


@pytest.fixture(autouse=True)
def ten_steps(monkeypatch):
    """A tenth of the time, and enough for all that is planted here."""
    monkeypatch.setattr(trace, "LOOKED_AT", (1, 2, 10))


@pytest.fixture
def look(tmp_path):
    """Look at a text as if it were a learner's file."""

    def at(text: str) -> parts.Report:
        file = tmp_path / "mine_pytorch.py"
        file.write_text(text, encoding="utf-8")
        return parts.look(GAN, "pytorch", file, travel=False)

    return at


def states(report: parts.Report) -> list[str]:
    assert [part.name for part in report.parts] == PARTS
    return [part.status for part in report.parts]


@needs_torch
def test_of_a_starter_all_is_to_do(look):
    report = look(begun())
    assert states(report) == ["to do"] * 4
    assert report.parts[2].message == "GAN.train_step"
    assert (report.results, report.passed, report.rest) == (None, False, "")


@needs_torch
@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_done_while_all_others_are_to_do(look, part):
    report = look(begun(part))
    assert states(report) == ["done" if name == part else "to do" for name in PARTS]
    assert report.done == [part]


WRONG = {
    "networks": ("(self.fc2(h), 0.2)  # 256\n        h =", "(self.fc2(h), 0.3)\n        h ="),
    "losses": ("torch.zeros_like", "torch.ones_like"),
    "step": ("generator_loss = called_real", "generator_loss = -called_real"),
    "sampling": ("noise) - 1  # [0, 1] → [-1, 1]\n\n\ndef", "noise) - 1.5\n\n\ndef"),
}
SAID = {
    "networks": "forward: generator: the leaky ReLU after fc2 has a slope of 0.3",
    "losses": "loss: you get this loss when all labels are 1",
    "step": "loss: generator has the wrong sign",
    "sampling": "forward: generate differs",
}


@needs_torch
@pytest.mark.parametrize("part", PARTS)
def test_a_mistake_fails_its_part_alone_and_says_what_came(look, part):
    report = look(changed(ours(), WRONG[part]))
    assert states(report) == ["failed" if name == part else "done" for name in PARTS]
    assert report.parts[PARTS.index(part)].message.startswith(SAID[part])
    assert report.rest == ""
    assert report.results and not report.passed


@needs_torch
def test_a_method_that_spoils_the_training_after_it_is_named(look):
    old = "return 2 * self.generator(noise) - 1  # [0, 1] → [-1, 1]\n\n\ndef"
    spoilt = f'self.d_optimizer.param_groups[0]["lr"] = 1.0\n        {old}'
    report = look(changed(ours(), (old, spoilt)))
    assert states(report) == ["done", "done", "done", "failed"]
    said = "generate leaves something changed behind, such as a network's mode: "
    assert report.parts[3].message.startswith(said), report.parts[3]


@needs_torch
def test_mistakes_in_two_parts_are_told_apart_while_a_third_is_to_do(look):
    text = changed(begun("networks", "losses", "step"), WRONG["networks"], WRONG["step"])
    report = look(text)
    assert states(report) == ["failed", "done", "failed", "to do"]
    assert report.parts[2].message.startswith(SAID["step"])


@needs_torch
def test_an_error_names_the_line_of_the_learners_file(look):
    text = changed(begun("step"), ("called_real(self.discriminator(fake))", "called_real(3, 4)"))
    number = next(n for n, line in enumerate(text.splitlines(), 1) if "called_real(3, 4)" in line)
    failed = look(text).parts[2]
    assert failed.status == "failed"
    assert "TypeError: called_real() takes 1 positional argument but 2 were" in failed.message
    assert failed.message.endswith(f"(line {number}: generator_loss = called_real(3, 4))")


@needs_torch
def test_the_whole_traceback_is_printed_for_those_who_ask(knock, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = changed(begun("step"), ("called_real(self.discriminator(fake))", "called_real(3, 4)"))
    (tmp_path / "gan_pytorch.py").write_text(text, encoding="utf-8")
    code, out, err = knock("check", "gan", "gan_pytorch.py", "--traceback")
    assert (code, "Traceback" in out) == (1, False)
    assert err.startswith("Traceback (most recent call last):\n")
    assert "called_real(3, 4)" in err and err.count("Traceback") == 1
    assert knock("check", "gan", "gan_pytorch.py") == (code, out, "")


@needs_torch
def test_a_plain_class_is_not_blamed_for_what_our_other_parts_ask_of_it(look):
    """It has a step of its own, which asks the generator for nothing that ours does."""
    text = changed(
        ours(),
        (
            "self.d_optimizer = torch",
            "self.own = list(self.generator.parameters())\n"
            "        self.generator.parameters = None\n        self.d_optimizer = torch",
        ),
        ("torch.optim.Adam(self.generator.parameters()", "torch.optim.Adam(self.own"),
        ("inputs=list(self.generator.parameters())", "inputs=self.own"),
        ("generator_loss = called_real", "generator_loss = 2 * called_real"),
    )
    report = look(text)
    assert states(report) == ["unknown", "unknown", "failed", "unknown"]
    assert report.parts[0].message == f"our other parts do not fit it: {WITH_ALL}"
    assert report.parts[2].message.startswith("loss: generator is doubled")
    assert report.rest == ""
    right = look(changed(text, ("= 2 * called_real", "= called_real")))
    assert (states(right), right.rest, right.passed) == (["done"] * 4, "", True)
    apart = look(changed(text, ("= 2 * called_real", "= called_real"), WRONG["losses"]))
    assert states(apart) == ["unknown", "unknown", "done", "unknown"]
    assert apart.rest == (
        f"our parts do not fit beside yours, so see the whole file: {SAID['losses']}"
    )


@needs_torch
def test_a_helper_and_an_import_of_the_learners_own_stay(look):
    text = changed(
        begun("networks"),
        ("import math\n", "from math import prod as product\n"),
        ("math.prod", "product"),
        ("F.leaky_relu(", "slope("),
        ("class Generator", "def slope(x, a):\n    return F.leaky_relu(x, a)\n\n\nclass Generator"),
    )
    assert states(look(text)) == ["done", "to do", "to do", "to do"]


@needs_torch
def test_what_the_other_parts_need_is_there_though_the_learner_has_no_use_for_it(look):
    text = changed(
        begun("step"),
        ("import torch.nn.functional as F\n", ""),
        ("import math\n", ""),
        ("def called_fake(logits):", "def not_called(logits):"),
    )
    report = look(text)
    assert states(report)[:3] == ["to do", "to do", "done"]


@needs_torch
def test_a_right_answer_of_another_build_is_done_in_all_parts(look):
    losses = ours()[ours().index("def called_real") : ours().index("class GAN")]
    text = changed(
        ours(),
        (losses, ""),
        (
            "called_real(real_logits) + called_fake(fake_logits)",
            "F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()",
        ),
        ("called_real(self.discriminator(fake))", "F.softplus(-self.discriminator(fake)).mean()"),
    )
    report = look(text)
    assert states(report) == ["done"] * 4
    assert report.passed
    report = look(changed(text, ("F.softplus(-self", "F.softplus(self")))
    assert states(report) == ["done", "unknown", "failed", "done"]
    gone = "called_real, called_fake not in your file"
    assert report.parts[1].message == f"{gone}: {WITH_ALL}"
    assert report.rest == "" and not report.passed


@needs_torch
def test_a_fault_outside_of_the_parts_is_no_parts(look):
    mistaken = changed(ours(), ("d.lr, d.betas", "d.lr"))
    report = look(mistaken)
    assert states(report) == ["done"] * 4
    assert "d_optimizer: its first beta is 0.9" in report.rest and not report.passed
    for part, change in WRONG.items():  # and one's own fault is still seen beside it
        report = look(changed(mistaken, change))
        assert states(report) == ["failed" if name == part else "done" for name in PARTS]
        assert "d_optimizer: its first beta is 0.9" in report.rest
    report = look(changed(begun("sampling"), ("g.lr, g.betas", "g.lr, nothing")))
    assert states(report)[3] == "unknown"
    assert "name 'nothing' is not defined" in report.rest


@needs_torch
def test_parts_that_are_right_alone_and_wrong_together_are_said_to_be(look):
    """What only the other one of two parts undoes."""
    text = changed(
        ours(),
        ("def called_fake(logits):", "def called_fake(logits, *, shift=[0]):"),
        ("torch.zeros_like(logits))", "torch.zeros_like(logits)) + getattr(logits, 'more', 0)"),
        ("called_fake(fake_logits)", "called_fake(marked(fake_logits))"),
        ("class GAN", "def marked(x):\n    x.more = 1\n    return x\n\n\nclass GAN"),
    )
    report = look(text)
    assert states(report) == ["done"] * 4
    assert report.rest.startswith("each part is right by itself, but together they are not: loss: ")


@needs_torch
@pytest.mark.parametrize("text", ["def f(:\n", "x = 1\n", "\0", "\udcff", "raise SystemExit\n"])
def test_a_file_that_does_not_load_is_one_line(tmp_path, text):
    file = tmp_path / "mine_pytorch.py"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match="does not run|defines no class"):
        parts.look(GAN, "pytorch", file)


@pytest.mark.parametrize("framework", list(frameworks.FRAMEWORKS))
def test_each_function_keeps_the_lines_of_the_file_that_it_is_from(framework, tmp_path):
    """No framework is needed: nothing of it runs."""
    source = ours(framework)
    file = tmp_path / "mine.py"
    left = {p: n for p, n in GAN.parts.items() if p != "step"}
    file.write_text(starter.make(source, left, "knock check"), encoding="utf-8")
    mine, other = Source.read(file), Source.read(GAN.answer(framework))
    taken = {place.name for place in starter.places(source, left)}
    code = splice(mine, other, taken)
    functions = [one for one in _codes(code) if "." in one.co_qualname or "called" in one.co_name]
    of_ours = {one.co_qualname for one in functions if one.co_filename == str(other.path)}
    assert of_ours == taken
    for one in functions:
        (lines, number), named = inspect.findsource(one), one.co_name
        assert lines == linecache.getlines(one.co_filename)
        while lines[number].lstrip().startswith("@"):
            number += 1
        assert lines[number].lstrip().startswith(f"def {named}(")
        assert "TODO" not in "".join(inspect.getblock(lines[number:]))


@pytest.mark.parametrize("framework", list(frameworks.FRAMEWORKS))
def test_a_starter_with_all_of_our_parts_is_our_answer(framework, tmp_path):
    source, other = ours(framework), Source.read(GAN.answer(framework))
    file = tmp_path / "mine.py"
    file.write_text(starter.make(source, GAN.parts, "knock check"), encoding="utf-8")
    mine, taken = Source.read(file), {place.name for place in starter.places(source, GAN.parts)}
    assert gives_ours(mine, other, taken)
    assert not gives_ours(mine, other, taken - {"called_real"})
    file.write_text(mine.text.replace("import math", "import math as m"), encoding="utf-8")
    assert not gives_ours(Source.read(file), other, taken)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            NameError(
                'in user code:\n\n    File "/my/a.py", line 7, in train_step  *\n        step()\n'
                '    File "/my/a.py", line 3, in step  *\n        y\n'
                '    File "/other.py", line 9, in call  **\n\n    NameError: no y\n'
            ),
            "NameError: no y (line 3)",
        ),
        (
            ValueError("Exception encountered when calling Net.call().\n\n\x1b[1mno y\x1b[0m\n\nx"),
            "ValueError: no y",
        ),
    ],
)
def test_what_tensorflow_and_keras_lay_around_an_error_is_left_out(error, said):
    assert raised.describe(error, Path("/my/a.py")) == said


def _codes(code):
    for one in code.co_consts:
        if inspect.iscode(one):
            yield one
            yield from _codes(one)


def test_a_class_keeps_what_the_learner_added_unless_all_of_it_is_taken(tmp_path):
    texts = {
        "mine": "from __future__ import annotations\nclass A(Base):\n    size = 2\n"
        "    def one(self): return 'mine'\n    def more(self): return self.size\n"
        "class B: pass\nC = int\n",
        "ours": "import math\nSIDE = 3\ndef side(): return SIDE\nclass Base: pass\n"
        "class A(Base):\n    def one(self): return 'ours'\n"
        "    def two(self): return math.floor(side())\n    def three(self): pass\n"
        "class B:\n    def one(self): return 'ours'\ndef C(): return 'ours'\n",
    }
    files = {name: tmp_path / f"{name}.py" for name in texts}
    for name, text in texts.items():
        files[name].write_text(text, encoding="utf-8")
    mine, other = Source.read(files["mine"]), Source.read(files["ours"])
    changed_mine = Source(mine.path, mine.text, ast.parse(mine.text.replace("(Base)", "")))
    code = splice(changed_mine, other, {"A.one", "A.two", "B.one", "C"})
    made = script.load(files["mine"], code)
    assert (made.A().one(), made.A().two(), made.A().more()) == ("ours", 3, 2)
    assert not hasattr(made.A, "three")
    assert (made.B().one(), made.C()) == ("ours", "ours")


# What is known early


@needs_torch
@pytest.mark.parametrize("part", ["networks", "step"])
def test_a_run_that_ends_at_its_first_failure_says_what_the_whole_run_says(look, monkeypatch, part):
    text = changed(ours(), WRONG[part])
    early, steps = look(text), []
    grown = trace.losses

    def counted(*args):
        steps.append(args)
        return grown(*args)

    monkeypatch.setattr(trace, "losses", counted)
    look(text)
    taken, steps[:] = len(steps), []
    monkeypatch.setattr(parts.UpToTheFirst, "__call__", lambda self, grown: False)
    assert look(text) == early
    assert taken < len(steps)


def told(file: Path, text: str, **more) -> tuple[parts.Report, list]:
    file.write_text(text, encoding="utf-8")
    heard = []
    return parts.look(GAN, "pytorch", file, travel=False, told=heard.append, **more), heard


@needs_torch
def test_each_verdict_is_told_as_soon_as_it_is_known(tmp_path):
    file = tmp_path / "mine_pytorch.py"
    report, heard = told(file, ours())
    assert [one.name for one in heard] == ["parameters", "forward", "loss", "gradients", "10 steps"]
    assert {one.status for one in heard} == {"passed"} and report.passed
    report, heard = told(file, changed(ours(), WRONG["step"]))
    assert [one for one in heard if isinstance(one, parts.Part)] == report.parts
    stages = [one for one in heard if not isinstance(one, parts.Part)]
    wanted = {one.name: one.status for one in report.results}
    assert stages and all(wanted[one.name] == one.status for one in stages)


@needs_torch
def test_a_part_that_changed_is_checked_first_and_then_one_that_failed(tmp_path):
    file, before = tmp_path / "mine_pytorch.py", begun("networks", "losses")
    now = changed(begun("networks", "losses", "sampling"), ("import math\n", "import math  # 1\n"))
    earlier = parts.Earlier(before, ["step"])
    report, heard = told(file, now, earlier=earlier)
    assert [one.name for one in heard] == ["sampling", "step", "networks", "losses"]
    assert [part.name for part in report.parts] == PARTS
    assert report == told(file, now)[0] == told(file, now, earlier=parts.Earlier("def f(:"))[0]


@needs_torch
def test_of_a_fault_outside_of_the_parts_no_part_is_told_to_have_failed(tmp_path):
    file = tmp_path / "mine_pytorch.py"
    mistaken = changed(ours(), ("d.lr, d.betas", "d.lr"), WRONG["step"])
    report, heard = told(file, mistaken)
    assert "step" in [part.name for part in report.parts if part.status == "failed"]
    assert [one.name for one in heard if one.status == "failed" and one.name in PARTS] == []
