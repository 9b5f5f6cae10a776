"""The pages tell the truth: their links lead somewhere, their commands run, their tables agree.

Every line of a block marked `sh` is run, in a folder of its own and with one step, or is covered
by a check with a reason, in `plan`. A command that `plan` does not know fails the test.
"""

import ast
import contextlib
import csv
import functools
import io
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from knock import cli, frameworks, installing, paths, recipe
from knock.check import trace
from knock.check.difference import TOLERANCE
from knock.commands import doctor
from knock.data import ladder, places
from knock.measure import examiner
from knock.questions import Question, all_questions, find, mistakes
from knock.recipe import layers
from knock.training import grid, look, options, sweep
from knock.training.recorder import Recorder
from knock.verify.markdown import FENCE, broken_links, prose, source, wrong_with
from tests import data_fixtures as made
from tests.helpers import knock_here, run_here

import pytest

ROOT = paths.ROOT
OURS = (
    "questions",
    "Dataset",
    "assets",
    "answers",
    "answers_image",
    "knock",
    "tests",
    "benchmarks",
)
PAGES = sorted(ROOT.glob("*.md"))
PAGES += sorted(page for folder in OURS for page in (ROOT / folder).rglob("*.md"))
QUESTIONS = all_questions()
README = ROOT / "README.md"
GUIDE = ROOT / "GUIDE.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
TEACHING = ROOT / "TEACHING.md"
RUNNABLE = [README, GUIDE, CONTRIBUTING, TEACHING]
RUNNABLE += [question.page for question in QUESTIONS]


def name(page) -> str:
    """How a page, or a question, is called in a test's name."""
    return page.relative_to(ROOT).as_posix() if isinstance(page, Path) else page.name


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in FENCE.findall(source(page)) if found == language]


def inline(page: Path) -> list[str]:
    """The pieces of code within a page's text, except where a change log says what is gone."""
    there = re.sub(r"^### Removed\n.*?(?=^##|\Z)", "", prose(page), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", there)


def section(page: Path, title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", prose(page), re.M | re.S)
    assert found, f"{name(page)} has no section {title!r}"
    return found[1]


def table(text: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


# Links


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page):
    assert not broken_links(page)


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("https://doi.org/10.1126/science.1127647", None),
        ("https:/doi.org/10", "no address"),
        ("ftp://example.org/x", "no address"),
        ("Dataset/README.md", None),
        ("#two-commands", None),
        ("#three-commands", "no such heading"),
        ("Dataset/READM.md", "no such file"),
        ("../elsewhere.md", "leads out of the repository"),
        ("pyproject.toml#project", "no such heading"),
    ],
)
def test_a_broken_link_is_noticed(link, why):
    assert wrong_with(link, README) == why


# Commands

QUICK = ["--threads", "1", "--quiet"]
CI = ROOT / ".ci" / "run"
COPIED = [Path("assets"), Path("answers_image")]


class Unknown(Exception):
    """A command that no case of `plan` covers."""


@dataclass(frozen=True)
class Plan:
    """How a command is tried: the words to run, and, where they are others, or none, the reason."""

    words: tuple[str, ...]
    reason: str = ""


def plan(line: str) -> Plan:
    """What to do with a line of a block marked `sh`. Raises Unknown, or AssertionError."""
    match shlex.split(line, comments=True):
        case ["python3", "bootstrap.py", *words]:
            # Installing is tested in test_bootstrap.py with fakes, and for real in .ci/run.
            assert "python3 bootstrap.py test" in source(CI)
            return plan(shlex.join(["knock", *words]))
        case ["knock", "test", *words]:
            parsed("knock", "test", *words)
            return Plan(("knock", "test", "--version"), "these are the tests")
        case ["knock", "doctor", "--devices"]:
            return Plan(("knock", "doctor", "--devices"), "asks PyTorch only")
        case ["knock", "run", "vae_latent", *words]:
            return Plan(("knock", "run", "vae_latent", *words), "trains nothing")
        case ["knock", "run", "dcgan_inside", *words]:
            parsed("knock", "run", "dcgan_inside", *words)
            return Plan((), "it makes thousands of pictures: see test_inside.py")
        case ["knock", "explore", *words]:
            return Plan(("knock", "explore", *words))
        case ["knock", "compare", run, *_] as words if Path(run).parent == paths.RUNS:
            return Plan(tuple(words), "runs of the commands above it")
        case ["knock", "run" | "compare" as command, *words]:
            return Plan(("knock", command, *shortened(words)), "one step, on the CPU")
        case ["knock", "sample" | "apply" as command, *words]:
            return Plan(("knock", command, *words, "--threads", "1", "--device", "cpu"), "the CPU")
        case ["knock", "score", *words]:
            few = () if "--n" in words else ("--n", "50")
            return Plan(("knock", "score", *words, *few, "--threads", "1"), "few pictures")
        case ["python", script, *words] if (ROOT / script).parent == paths.ANSWERS:
            return Plan(("python", str(ROOT / script), *shortened(words)), "one step, on the CPU")
        case ["python", script, *words] if Path(script).parent in COPIED:
            assert (ROOT / script).is_file(), script
            return Plan(("python", script, *words), "a copy of it, since it writes beside itself")
        case ["python", "dcgan_pytorch.py", *words]:
            return Plan(("python", "dcgan_pytorch.py", *words, "--steps", "1"), "one step")
        case ["python", script, *words] if Path(script).parent == Path("my"):
            return Plan(("python", script, *shortened(words)), "one step, on the CPU")
        case ["knock", "check" | "solution" as command, question]:
            mine = f"my/{question}_pytorch.py"
            return Plan(("knock", command, question, mine), "as if that had been begun, and done")
        case ["knock", "sweep", question, *words]:
            accepted(question, words)
            return Plan((), "it starts processes: see test_sweep.py")
        case ["knock", "standalone", question]:
            other = ("--out", f"{question}_home.py")
            return Plan(("knock", "standalone", question, *other), "another page may make it, too")
        case ["knock", "standalone", *words]:
            return Plan(("knock", "standalone", *words))
        case ["knock", "check", *words]:
            if "--ours" in words and "--framework" not in words:
                words = [*words, "--framework", "pytorch"]
            return Plan(("knock", "check", *words), "as if PyTorch were the only one installed")
        case ["knock", "watch", *words]:
            parsed("knock", "watch", *words)
            return Plan((), "it goes on until somebody presses q: see test_watch.py")
        case ["knock", "start", *words] if "--out" in words:
            return Plan(("knock", "start", *words))
        case ["knock", "start" | "reset" as command, *words]:
            other = ("--out", f"begun/{'_'.join(words)}.py")
            return Plan(("knock", command, *words, *other), "my/ has answers that pass already")
        case [
            "knock",
            "list"
            | "data"
            | "doctor"
            | "hint"
            | "solution"
            | "notebook"
            | "diff"
            | "grade"
            | "progress"
            | "runs"
            | "next" as command,
            *words,
        ]:
            return Plan(("knock", command, *words))
        case ["docker", "build" | "run", *words]:
            parsed("knock", "grade", *(words[words.index("knock-grade") + 1 :] or ["class"]))
            return Plan((), "needs Docker")
        case ["copydetect", *_]:
            return Plan((), "somebody else's tool, which the page says how to get")
        case ["knock", "verify", *words]:
            parsed("knock", "verify", *words)
            return Plan((), "minutes: test_verify.py does the same, piece by piece")
        case [".ci/run"]:
            assert os.access(CI, os.X_OK)
            return Plan((), "it runs these tests")
        case [".ci/oldest"]:
            script = ROOT / ".ci" / "oldest"
            listed = re.sub("#.*", "", source(script).split("tests=(")[1].split("\n)")[0]).split()
            assert os.access(script, os.X_OK) and listed
            assert all((ROOT / "tests" / f"test_{name}.py").is_file() for name in listed)
            return Plan((), "it installs other versions, and runs some of these tests with them")
        case ["ruff" | "mypy" | "lint-imports", *_]:
            assert f"stage .venv/bin/{line}\n" in source(CI)
            return Plan((), "a stage of .ci/run")
        case ["pytest", *words]:
            assert collected(words), line
            return Plan((), "these are the tests: it is enough that there are such")
        case ["git", "clone", address]:
            assert address == project()["urls"]["Repository"]
            return Plan((), "this is a clone")
        case ["cd", folder]:
            assert folder == project()["urls"]["Repository"].rpartition("/")[2]
            return Plan((), "this is a clone")
        case ["source", ".venv/bin/activate"]:
            return Plan((), "bootstrap.py makes it: see test_bootstrap.py")
        case ["export", setting]:
            assert setting.split("=")[0] == places.VARIABLE
            return Plan((), "set for the commands below, to a folder of small files")
        case ["python", "-m", "pip", "install", "-r", file]:
            assert (ROOT / file).is_file(), file
            return Plan((), "installs: the file is there, see test_packaging.py")
        case ["pip", "install", *words]:
            installable(words)
            return Plan((), "installs: what it asks for is there")
    raise Unknown(line)


def shortened(words: list[str]) -> list[str]:
    """The words of a training run with one small step, or one more, on any machine."""
    words = ["cpu" if word == "cuda" else word for word in words]
    if {"--help", "--test"} & set(words):
        return words
    if "--resume" in words:  # its batches are those of the run
        return [*words, "--steps", "2", *QUICK]
    small = [] if "--batch-size" in words else ["--batch-size", "2"]
    if words[0] in walked() and "--sample-steps" not in words:
        small += ["--sample-steps", "2"]
    return [*words, "--steps", "1", *small, *QUICK]


@functools.cache
def walked() -> set[str]:
    """The questions whose pictures are made in many steps."""
    constants = {q.name: recipe.read(q.recipe_file).get("constants", {}) for q in QUESTIONS}
    return {name for name, known in constants.items() if "sample_steps" in known}


def accepted(question: str, words: list[str]) -> None:
    """Every run of a sweep takes the options that it is given."""
    _, found, rest = cli.parse(["sweep", question, *words])
    over = grid.read(found.over)
    asked = find(question)
    rest = [word for word in rest if word != sweep.RESUME]
    plan = sweep.Plan(asked.name, "pytorch", over, rest, 50)
    assert sweep._recipes(asked, plan, grid.cells(over))


def project() -> dict:
    """What pyproject.toml says of the project."""
    return tomllib.loads(source(ROOT / "pyproject.toml"))["project"]


def collected(words: list[str]) -> bool:
    """Whether pytest finds a test by these words: a file, and `-k` with a text in its name."""
    paths = words[: words.index("-k")] if "-k" in words else words
    texts = words[len(paths) + 1 :]
    without = [text.removeprefix("not ") for text in texts if text.startswith("not ")]
    wanted = [text for text in texts if not text.startswith("not ")]
    return any(
        all(name.startswith(path) for path in paths)
        and all(text in name for text in wanted)
        and not any(text in name for text in without)
        for name in all_tests()
    )


@functools.cache
def all_tests() -> list[str]:
    """The name of every test, collected once, in this process."""
    out = io.StringIO()
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(out):
        assert pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider"]) == 0
    return [line for line in out.getvalue().splitlines() if "::" in line]


def installable(words: list[str]) -> None:
    """pip's words name extras of ours, or are those that doctor gives for Chainer."""
    chainer = shlex.split(frameworks.find("chainer").how_to_install)
    for word in words:
        extra = re.fullmatch(r"\.\[(\w+)\]|[\w-]+\[(\w+)\] @ .*", word)
        if extra:
            name = extra[1] or extra[2]
            assert name in project()["optional-dependencies"], word
            assert extra[1] or word in installing.from_anywhere(name)
        else:
            assert word in chainer, word


def parsed(program: str, *words: str) -> None:
    """Raises UserError, or exits, where the command line does not take the words."""
    cli.parse(words)


def commands(page: Path) -> list[str]:
    lines = "".join(blocks(page, "sh")).splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with what the pages' commands speak of, and what those that were tried left in it.

    It is one for all pages, and knows which commands were tried: they need not be tried again.
    """
    tmp_path = tmp_path_factory.mktemp("workplace")
    mine = tmp_path / "my"
    mine.mkdir()
    for question in QUESTIONS:
        text = source(question.answer("pytorch"))
        (mine / f"{question.name}_pytorch.py").write_text(text, encoding="utf-8")
    handed_in = tmp_path / "class" / "kato" / "gan_pytorch.py"
    handed_in.parent.mkdir(parents=True)
    handed_in.write_text(source(paths.ANSWERS / handed_in.name), encoding="utf-8")
    (tmp_path / "class.csv").write_text("Name\nKato\n", encoding="utf-8")
    made.write_newts(mine / "newts", each=4)
    for number in range(6):
        made.write_picture(mine / "pictures" / f"{number}.png")
    made.write_idx(tmp_path / "data" / "mnist")
    for folder in COPIED:
        (tmp_path / folder).mkdir()
        for file in (ROOT / folder).iterdir():
            if file.suffix in (".py", ".safetensors"):
                shutil.copy(file, tmp_path / folder)
    before = kept_here()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(places.VARIABLE, str(tmp_path / "data"))
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setattr(doctor, "FRAMEWORKS", {"pytorch": frameworks.FRAMEWORKS["pytorch"]})
        yield Workplace(tmp_path, set())
    assert kept_here() == before, "a command wrote into the repository, not into its workplace"


@dataclass(frozen=True)
class Workplace:
    """Where the pages' commands are tried, and which were."""

    folder: Path
    tried: set[tuple[str, ...]]


def kept_here() -> dict[Path, int]:
    """When each file of the folders that a workplace has was written last."""
    files = (file for folder in COPIED for file in (ROOT / folder).iterdir() if file.is_file())
    return {file: file.stat().st_mtime_ns for file in files}


def tried(words: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of `plan` in a folder, in this process: all pages import a framework once."""
    program, *rest = words
    if program == "python":
        return run_here(*rest, cwd=folder)
    one = ["pytorch"] if rest[0] == "check" else frameworks.installed()
    # A check takes a hundred steps in test_check.py; a grade's are taken by another process, too.
    steps = (1, 2, 10) if rest[0] in ("check", "solution") else trace.LOOKED_AT
    with (
        mock.patch.object(frameworks, "installed", lambda: one),
        mock.patch.object(trace, "LOOKED_AT", steps),
        mock.patch.object(examiner, "_STEPS", 2),
        mock.patch.object(ladder, "MOST", 40),
        mock.patch.object(examiner.EXAMINERS, "name", str(folder / "examiners")),
        mock.patch.object(Recorder, "_draw", lambda *_: None),  # curves and films: test_games.py
        frameworks.load("tensorflow").eagerly(),  # one step is over before its graph is made
    ):
        return knock_here(*rest, cwd=folder)


@pytest.mark.skipif(len(frameworks.installed()) < 4, reason="the pages speak of all four")
@pytest.mark.parametrize("page", RUNNABLE, ids=name)
def test_every_command_runs(page, workplace):
    for words in dict.fromkeys(plan(line).words for line in commands(page)):
        if words and words not in workplace.tried:
            workplace.tried.add(words)
            done = tried(words, workplace.folder)
            assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
            if words[:2] == ("knock", "grade"):  # what is handed in is our answer
                with (workplace.folder / "grades.csv").open(encoding="utf-8-sig") as file:
                    (row,) = csv.DictReader(file)
                assert row["points"] == row["of"] and row["remarks"] == "", row


@pytest.mark.parametrize(
    "line",
    [
        "rm -rf runs",
        "knock fly ae",
        "python setup.py",
        "pip download x",
        "make",
        "knock",
        "pytest tests/test_recipe.py -k nothing_is_called_so",
        "python assets/draw_nothing.py",
        "mypy --elsewhere",
    ],
)
def test_an_unknown_command_is_noticed(line):
    with pytest.raises((Unknown, AssertionError)):
        plan(line)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_block_says_what_it_is(page):
    """Commands stand in blocks marked `sh`, so that none goes untried."""
    for language, text in FENCE.findall(source(page)):
        assert language in ("", "sh", "python", "text", "toml", "json", "math"), (
            f"{name(page)}: ```{language}"
        )
        if language != "sh" and page in RUNNABLE:
            assert not re.search(r"^(knock|pip|python3?) ", text, re.MULTILINE), text


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_excerpt_of_python_is_python(page):
    for text in blocks(page, "python"):
        ast.parse(text)


def known_options() -> set[str]:
    parsers = [(look if q.opens else options).parser(q, "knock run") for q in QUESTIONS]
    parsers += [cli.parser(name) for name in cli.names()]
    found = {text for parser in parsers for a in parser._actions for text in a.option_strings}
    return found | {"--version"}


@pytest.mark.parametrize("page", [p for p in PAGES if "Dataset" not in p.parts], ids=name)
def test_options_and_commands_in_the_text_exist(page):
    known = known_options()
    for code in inline(page):
        words = code.split()
        if words[0] == "knock" and len(words) > 1:
            assert words[1] in [*cli.names(), "COMMAND"] or words[1].startswith("--"), code
        if words[0].startswith("--"):
            assert words[0] in known, code


@pytest.mark.parametrize("question", [q for q in QUESTIONS if not q.opens], ids=name)
def test_what_a_page_sets_can_be_set(question):
    words = [shlex.split(code) for code in inline(question.page) if code.startswith("--set ")]
    assert words
    for line in words:
        given = options.parse(question, "x", line).given
        assert recipe.load(question.recipe_file, given=given)


# Tables


def expected_layers(question: Question) -> list[list[str]]:
    found, total = [], 0
    resolved = recipe.load(question.recipe_file)
    for placed in layers.networks(resolved).values():
        if resolved.networks[placed.name].like:  # it has the layers of another, and no more to say
            continue
        found.append([f"*{placed.name}*", sides(placed.input), ""])
        for one in placed.layers:
            size = getattr(one.layer, "kernel", None)
            kernel = f" {size}×{size}" if size else ""
            called = f" `{one.name}`" if one.name else ""
            count = sum(p.size for p in one.parameters)
            found.append([f"{one.layer.kind}{kernel}{called}", sides(one.output), f"{count:,}"])
            total += count
    return [*found, ["**together**", "", f"**{total:,}**"]]


def sides(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "1"


@pytest.mark.parametrize("question", QUESTIONS, ids=name)
def test_the_table_of_layers_is_the_recipes(question):
    found = table(section(question.page, "The layers"))
    assert found == expected_layers(question)


def values(tree: object) -> list[object]:
    """Everything in a piece of TOML, in its order."""
    if isinstance(tree, dict):
        return [one for below in tree.values() for one in values(below)]
    if isinstance(tree, list):
        return [one for below in tree for one in values(below)]
    return [tree]


@pytest.mark.parametrize("question", [q for q in QUESTIONS if not q.opens], ids=name)
def test_the_table_of_the_recipe_is_the_recipes(question):
    rows = table(section(question.page, "The recipe"))
    assert len(rows) >= 5
    train = recipe.load(question.recipe_file).train  # what a run without options takes
    first = {row[0]: row[1].split()[0] for row in rows}
    assert (first["batch"], first["steps"]) == (str(train.batch_size), str(train.steps))
    for _, cell, keys in rows:
        found: list[object] = []
        for key in re.findall(r"`([^`]+)`", keys):
            tree = recipe.read(question.recipe_file)
            for part in key.split("."):
                tree = tree[part]
            found += values(tree)
        numbers = [one for one in found if type(one) in (int, float)]
        said = [float(n) for n in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?", cell)]
        assert said == numbers, f"{cell!r} says {said}, the recipe {numbers}"
        for one in found:
            if isinstance(one, str):
                assert one in cell, f"{one!r} is not in {cell!r}"
            if isinstance(one, bool):
                assert ("yes" if one else "no") in cell.replace(":", "").split("; ")[0], cell


@pytest.mark.parametrize("question", [q for q in QUESTIONS if not q.opens], ids=name)
def test_the_table_tells_of_the_random_changes(question):
    """How many pictures there are matters most, so nobody must miss what adds some."""
    sets = recipe.read(question.recipe_file)["data"]
    changed = [f"data.{one}.augment" for one, own in sets.items() if "augment" in own]
    told = [row[2] for row in table(section(question.page, "The recipe"))]
    assert any(key in keys for key in changed for keys in told)


# Numbers in the text


def test_teaching_counts_the_mistakes():
    counted = sum(len(mistakes.rows(mistakes.of(question))) for question in QUESTIONS)
    assert re.findall(r"(\d+) mistakes in all", source(TEACHING)) == [str(counted)]


COUNTED = {"twenty-three": 23}


def test_a_page_counts_what_the_check_knows():
    for question in QUESTIONS:
        for said in re.findall(r"knows ([\w-]+) mistakes by the numbers", source(question.page)):
            assert COUNTED[said] == len(mistakes.suspects(question.mistakes_file))


def test_a_sum_in_the_text_is_one_of_its_table():
    (page,) = (question.page for question in QUESTIONS if question.name == "vae")
    rows = [row[1:] for row in table(section(page, "What to look for")) if len(row) == 4]
    sums = [cells[2] for cells in rows if re.fullmatch(r"[\d.]+", cells[2])]
    assert len(sums) == 4
    assert re.findall(r"sum in our table, such as ([\d.]+),", source(page))[0] in sums


def test_the_guide_gives_the_checks_tolerances():
    rows = {row[0]: row[1] for row in table(section(GUIDE, "Why four runs are one run"))}
    wanted = {stage: f"{t:.0e}" if t else "exact" for stage, t in TOLERANCE.items()}
    not_there = ("batch norm", "switches")  # 01 has neither
    assert rows == {stage: text for stage, text in wanted.items() if stage not in not_there}


@pytest.mark.parametrize("page", RUNNABLE, ids=name)
def test_what_a_check_is_said_to_say_it_can_say(page):
    sentences = re.sub(r'"\s*f?"', "", source(ROOT / "knock" / "check" / "explain_numbers.py"))
    assert sentences
    for text in blocks(page, "text"):
        for stage, message in re.findall(r"^  ✗ (.{12}) .{8}  .{7}  (.*)$", text, re.MULTILINE):
            assert stage.strip() in TOLERANCE
            planted = {m.said for q in QUESTIONS for m in mistakes.of(q) if m.numpy}
            words = re.sub(
                "^(you get (this loss|these (losses|gradients))|"
                "the gradients of the first step are those) when |^[a-z]+: ",
                "",
                message,
            )
            assert words in planted or message in sentences, message
