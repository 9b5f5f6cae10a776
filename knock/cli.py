"""The command line `knock`. Everything but the heads of commands is imported when it is needed, so
that `--help`, `list` and `doctor` answer at once."""

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from knock.errors import UserError
from knock.options import OneLineParser, file, printable
from knock.stop import exit_with


def main(words: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 a check or test failed, 2 bad input, 130 stopped."""

    def do() -> int:
        found, rest = _parser().parse_known_args(words)
        takes_more: bool = found.takes_more
        if rest and not takes_more:
            raise UserError(f"unknown option {rest[0]!r} (see knock {found.command} --help)")
        command: Callable[[argparse.Namespace, list[str]], int] = found.do
        return command(found, rest)

    try:
        exit_with(do)
    except BrokenPipeError:  # `knock list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="knock",
        description="Learn image generation by doing: numbered questions, answered in PyTorch, "
        "TensorFlow, Keras and Chainer.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=OneLineParser
    )

    def add(
        name: str,
        do: Callable[[argparse.Namespace, list[str]], int],
        text: str,
        takes_more: bool = False,
        add_help: bool = True,
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=text, description=text, allow_abbrev=False, add_help=add_help
        )
        made.set_defaults(do=do, takes_more=takes_more)
        return made

    add("list", _list, "the questions, and the frameworks each is answered in")
    one = add("run", _run, "run an answer: knock run ae --framework keras [options]", True, False)
    one.add_argument("question", nargs="?", help="number or name")
    one.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    one = add("compare", _compare, "the same run in every framework, and one sheet of it", True)
    one.epilog = "It also takes the options of a run: knock run QUESTION --help lists them."
    one.add_argument("question", help="number or name")
    one.add_argument("--frameworks", metavar="A,B", help="only these, separated by commas")
    one.add_argument("--out", type=Path, metavar="FOLDER", help="where to (runs/compare_NAME)")
    one = add("check", _check, "check an answer part by part, on small sizes")
    one.add_argument("question", help="number or name")
    one.add_argument("file", nargs="?", type=file, help="else what you began or checked last")
    one.add_argument("--framework", "-f", help="in this one; else read off the file's name")
    one.add_argument("--ours", action="store_true", help="our answer, in all frameworks or in one")
    one.add_argument("--seed", type=int, default=0, help="other weights and batches")
    one = add(
        "watch", _watch, "check your answer again at every save; keys for a hint and for more"
    )
    one.add_argument("question", help="number or name")
    one.add_argument("file", nargs="?", type=file, help="else what you began or checked last")
    one.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    one.add_argument("--poll", action="store_true", help="look often: no file events come here")
    add("progress", _progress, "what you have reached, by question and framework")
    one = add("next", _next, "which question comes next, and how to go on")
    one.add_argument("--framework", "-f", help="in this one; else in the one you used last")
    one = add("start", _start, "begin an answer of your own: ours, with its parts left to you")
    begun = [one, add("reset", _start, "begin it again; what you had is kept beside it")]
    begun[0].add_argument("--force", action="store_true", help="keep the old file under a new name")
    begun[1].set_defaults(force=True)
    for one in begun:
        one.add_argument("question", help="number or name")
        one.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
        one.add_argument("--out", type=file, metavar="FILE", help="(my/NAME_FRAMEWORK.py)")
    one = add("notebook", _notebook, "an answer as a notebook, for Jupyter and Colab")
    one.add_argument("question", help="number or name")
    one.add_argument("file", nargs="?", type=file, help="your answer; without it, ours")
    one.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    one.add_argument("--starter", action="store_true", help="with its parts left to you")
    one.add_argument("--out", type=file, metavar="FILE", help="(my/NAME_FRAMEWORK.ipynb)")
    one.add_argument("--force", action="store_true", help="keep the old file under a new name")
    one = add("hint", _hint, "help with a question, level by level")
    one.add_argument("question", help="number or name")
    one.add_argument("--level", type=int, default=1, metavar="N", help="1, a nudge, to 3")
    one.add_argument("--part", metavar="NAME", help="of this part, or of all; else where you are")
    one.add_argument("--framework", "-f", help="in this one; else in the one you used last")
    one = add("solution", _solution, "our answer, once yours passes its check")
    one.add_argument("question", help="number or name")
    one.add_argument("file", nargs="?", type=file, help="yours (my/NAME_FRAMEWORK.py)")
    one.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    one.add_argument("--give-up", action="store_true", help="show it without a check")
    one = add("diff", _diff, "two answers side by side: knock diff dcgan keras pytorch")
    one.add_argument("question", help="number or name")
    for which, text in {
        "A": "a framework, for our answer in it, or a file",
        "B": "another",
    }.items():
        one.add_argument(which, type=printable, help=text)
    one.add_argument("--html", type=file, metavar="FILE", help="as a page for a browser")
    one = add("grade", _grade, "grade a folder of submissions: knock grade FOLDER --out grades.csv")
    one.add_argument("folder", type=Path, help="a subfolder or a file for each student")
    one.add_argument("--out", type=Path, required=True, metavar="FILE", help="the table (CSV)")
    one.add_argument("--html", type=file, metavar="FILE", help="a page for a browser, too")
    one.add_argument("--question", help="what all of them answer; else read off the files' names")
    one.add_argument("--framework", "-f", help="in which; else read off the files' names")
    one.add_argument("--points", type=Path, metavar="FILE", help="another table of points (TOML)")
    one.add_argument("--hidden", type=Path, metavar="FOLDER", help="other seeds and sizes (TOML)")
    one.add_argument("--seed", type=int, default=0, help="that of knock check, which is 0")
    one.add_argument("--jobs", type=int, metavar="N", help="so many at once (as many as cores)")
    one.add_argument("--dask", metavar="ADDRESS", help="on the workers of a Dask cluster")
    one.add_argument("--seconds", type=int, default=60, metavar="S", help="for each part (60)")
    one.add_argument("--memory", type=int, default=4096, metavar="MIB", help="for each part (4096)")
    one = add("explore", _explore, "a trained latent space as an HTML page: knock explore vae")
    one.add_argument("question", help="vae, or its number")
    one.add_argument(
        "run", nargs="?", type=Path, help="a run's folder or a checkpoint; without it, the newest"
    )
    one.add_argument("--out", type=Path, metavar="FILE", help="the page (RUN/explore.html)")
    one.add_argument("--data", type=Path, metavar="FOLDER", help="where the set's files are")
    one = add("data", _data, "where the data sets are; with a name, get that one and show some")
    one.add_argument("dataset", nargs="?", help="the set's name")
    one.add_argument("--data", type=Path, metavar="FOLDER", help="where its files are")
    one.add_argument("--out", type=Path, default=None, metavar="FILE", help="the sheet (PNG)")
    one = add("doctor", _doctor, "versions, devices, what is missing and how to get it")
    one.add_argument("--devices", action="store_true", help="ask every framework for its devices")
    one = add("verify", _verify, "is a question complete, and are its mistakes named? (authors)")
    one.add_argument("questions", nargs="*", metavar="QUESTION", help="numbers or names (all)")
    one.add_argument("--framework", "-f", help="only this one; else all that are installed")
    one.add_argument("--table", action="store_true", help="only the mistakes, as Markdown")
    add("test", _test, "run the test suite (further words go to pytest)", True)
    return parser


def _list(found: argparse.Namespace, rest: list[str]) -> int:
    from knock.questions import all_questions

    known = all_questions()
    label, title = max(len(q.label) for q in known), max(len(q.title) for q in known)
    for one in known:
        print(f"{one.label:<{label}}  {one.title:<{title}}  {', '.join(one.answered_in)}")
    return 0


def _run(found: argparse.Namespace, rest: list[str]) -> int:
    from knock import frameworks, look, options
    from knock.questions import find

    if found.question is None:
        if not {"-h", "--help"} & set(rest):
            raise UserError("run which question? knock list shows them")
        print("usage: knock run QUESTION --framework FRAMEWORK [OPTIONS]")
        print("knock run QUESTION --help shows the question's options; knock list, the questions")
        return 0
    question = find(found.question)
    framework = frameworks.find(question.framework(found.framework))
    program = f"knock run {question.name} --framework {framework.name}"
    if question.opens:  # `--help` and mistakes need no framework
        look.parse(question, program, framework.name, rest)
    else:
        options.parse(question, program, rest)
    if framework.missing:
        raise UserError(frameworks.missing_line(framework))
    command = [sys.executable, str(question.answer(framework.name)), *rest]
    if os.name == "posix":
        os.execv(sys.executable, command)  # in our place, so that signals reach it
    return subprocess.run(command).returncode


def _compare(found: argparse.Namespace, rest: list[str]) -> int:
    from knock import compare, start
    from knock.questions import find

    question = find(found.question)
    chosen = compare.choose(question, found.frameworks)
    folder = found.out or start.free(start.RUNS / f"compare_{question.name}")
    try:
        print(compare.compare(question, chosen, folder, rest))
    except compare.Stopped as stopped:
        return stopped.code
    return 0


def _check(found: argparse.Namespace, rest: list[str]) -> int:
    from knock.check import command

    return command.run(found.question, found.framework, found.file, found.seed, found.ours)


def _watch(found: argparse.Namespace, rest: list[str]) -> int:
    from knock.watch import command

    return command.run(found.question, found.framework, found.file, found.poll)


def _progress(found: argparse.Namespace, rest: list[str]) -> int:
    from knock import overview

    print(overview.show())
    return 0


def _next(found: argparse.Namespace, rest: list[str]) -> int:
    from knock import overview

    print(overview.following(found.framework))
    return 0


def _start(found: argparse.Namespace, rest: list[str]) -> int:
    from knock import mine

    print(mine.begin(found.question, found.framework, found.out, found.force))
    return 0


def _notebook(found: argparse.Namespace, rest: list[str]) -> int:
    from knock.notebook import command

    print(
        command.write(
            found.question, found.framework, found.file, found.starter, found.out, found.force
        )
    )
    return 0


def _hint(found: argparse.Namespace, rest: list[str]) -> int:
    from knock import hints

    print(hints.show(found.question, found.level, found.part, found.framework))
    return 0


def _solution(found: argparse.Namespace, rest: list[str]) -> int:
    from knock import solution

    return solution.show(found.question, found.framework, found.file, found.give_up)


def _diff(found: argparse.Namespace, rest: list[str]) -> int:
    from knock import diff

    print(diff.show(found.question, found.A, found.B, found.html))
    return 0


def _data(found: argparse.Namespace, rest: list[str]) -> int:
    from knock import samples

    return samples.run(found.dataset, found.data, found.out)


def _grade(found: argparse.Namespace, rest: list[str]) -> int:
    from knock.grade.command import Options, run

    told = {name: getattr(found, name) for name in Options.__annotations__ if name != "page"}
    return run(Options(**told, page=found.html))


def _explore(found: argparse.Namespace, rest: list[str]) -> int:
    from knock.explore import command

    path = command.run(found.question, found.run, found.out, found.data)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; open it in a browser")
    return 0


def _doctor(found: argparse.Namespace, rest: list[str]) -> int:
    from knock import doctor

    for line in doctor.devices() if found.devices else doctor.overview():
        print(line, flush=True)
    return 0


def _verify(found: argparse.Namespace, rest: list[str]) -> int:
    from knock.verify import command

    return command.run(found.questions, found.framework, found.table)


def _test(found: argparse.Namespace, rest: list[str]) -> int:
    from knock import paths

    paths.require_repository()
    if not (importlib.util.find_spec("pytest") and importlib.util.find_spec("xdist")):
        raise UserError('the tests need pytest and pytest-xdist: pip install -e ".[test]"')
    # A file to a worker: what a file's tests share is made once.
    command = [sys.executable, "-m", "pytest", "-n", "auto", "--dist", "loadfile", *rest]
    return subprocess.run(command, cwd=paths.ROOT).returncode
