"""`knock check`: is an answer right, part by part?"""

import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from knock import paths
from knock.arguments import file
from knock.errors import UserError, in_words

if TYPE_CHECKING:
    from knock.check.report import CheckedFile, Document
    from knock.questions import Question

HELP = "check an answer part by part, on small sizes"


def add_arguments(parser: ArgumentParser) -> None:
    """Which answer, whose, with which numbers, and how it is reported."""
    parser.add_argument(
        "question", nargs="?", help="number or name; without it, what you began or checked last"
    )
    parser.add_argument("file", nargs="?", type=file, help="else what you began or checked last")
    parser.add_argument("--framework", "-f", help="in this one; else read off the file's name")
    parser.add_argument("--ours", action="store_true", help="our answer, in one framework or all")
    parser.add_argument("--seed", type=int, default=0, help="other weights and batches")
    parser.add_argument(
        "--traceback",
        action="store_true",
        help="print all that Python says of the first error that your code raises",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the report as JSON, for programs (see TEACHING.md); what your file prints then "
        "goes to standard error",
    )


def refused(words: Sequence[str], error: UserError) -> None:
    """With `--json`, say as data too what is wrong with the words of the command line."""
    if "--json" in words:
        from knock.check import report

        print(report.to_json(report.Document(error=in_words(error))).decode(), end="")


def run(found: Namespace, rest: list[str]) -> int:
    """Check one answer; 0 when all of it passed, 1 otherwise.

    Without a file it is the learner's own, which `knock start` or an earlier check knows; with
    `--ours`, it is ours in every installed framework.
    """
    from knock.learner import apart

    if found.ours or not apart.possible():
        apart.tell_of_crashes()
        return _run(found, rest)
    return apart.run(lambda: _run(found, rest), lambda why: _say_as_data(found, why))


def _say_as_data(found: Namespace, why: str) -> None:
    """With `--json`, say as data too how a file has ended its check."""
    from knock.check import report

    if found.json:
        print(report.to_json(report.Document(error=why)).decode(), end="")


def _run(found: Namespace, rest: list[str]) -> int:
    """The same, in this process."""
    if found.traceback:
        return _with_traceback(found, rest)
    if found.json:
        return _as_data(found)
    from knock.check import report
    from knock.learner import overview, progress

    question, framework, path = _meant(found)
    if framework is None:
        return _all(question, found.seed)
    before = path is not None and progress.passes(question, framework, path)
    seen = _check(question, framework, path, found.seed)
    print(report.lines(seen))
    if path is not None and seen.whose == "learner" and seen.passed and not before:
        print(f"\n{overview.passed(question, path)}")
    return 0 if seen.passed else 1


def _with_traceback(found: Namespace, rest: list[str]) -> int:
    """The same, and on standard error the whole traceback of the first error, if there is one."""
    from knock.scripts import raised

    found.traceback = False
    with raised.whole_tracebacks() as kept:
        try:
            return _run(found, rest)
        finally:
            written = (text for text in kept if "NotImplementedError: TODO " not in text)
            print(next(written, ""), file=sys.stderr, end="")


def _as_data(found: Namespace) -> int:
    """The same, as one document of JSON, which also says why nothing could be checked."""
    from knock.check import output
    from knock.check.report import Document, to_json

    with output.kept_for_data() as write:
        try:
            question, framework, path = _meant(found)
            if framework is None:
                document, code = _all_as_data(question, found.seed)
            else:
                seen = _check(question, framework, path, found.seed)
                document, code = Document(reports=[seen]), 0 if seen.passed else 1
        except Exception as error:
            write(to_json(Document(error=in_words(error))))
            raise
        except SystemExit as left:  # of an adapter that cannot be used here
            write(to_json(Document(error=str(left.__cause__ or left))))
            raise
        write(to_json(document))
    return code


def _meant(found: Namespace) -> tuple["Question", str | None, Path | None]:
    """The question, the framework and the file; with `--ours` no file, and None for all frameworks.

    Raises UserError where there is no such file, or none of the learner's.
    """
    from knock import frameworks
    from knock.learner import answers, in_hand

    if found.ours and found.file is not None:
        raise UserError(f"either --ours or {found.file}, not both")
    mine = None if found.ours else found.framework
    question, framework, path = in_hand.meant(found.question, mine, found.file)
    if found.ours:
        framework, path = found.framework, None
    elif path is None:
        other = f"; knock check {question.name} --ours checks ours"
        framework, path = answers.remembered(question, framework, other)
    elif not path.is_file():
        raise UserError(f"{path} is a folder; name a file" if path.is_dir() else f"no file {path}")
    if framework is None and path is not None:
        framework = frameworks.of_file(path)
    return question, framework, path


def _check(question: "Question", framework: str, path: Path | None, seed: int) -> "CheckedFile":
    """Check one file in this process, and remember what was found if it is a learner's."""
    from knock import check
    from knock.check import report
    from knock.learner import apart, checking, progress

    if path is not None and path.resolve().parent != paths.ANSWERS:
        apart.begins(path)
        return checking.check(question, framework, path, seed, told=apart.known)
    path = path or question.answer(framework)
    before = progress.digest(path)
    results = check.check(question, framework, path, seed)
    return report.of_ours(question, framework, path, before, seed, results)


def _all(question: "Question", seed: int) -> int:
    """Check ours in every installed framework, one after the other, and print what was found."""
    from knock import frameworks

    codes = []
    for name, words in _each(question, seed).items():
        # A report comes all at once, and may take half a minute.
        print(f"{frameworks.FRAMEWORKS[name].title} …", file=sys.stderr, flush=True)
        codes.append(_code(subprocess.run(words)))
    return max(codes)


def _all_as_data(question: "Question", seed: int) -> tuple["Document", int]:
    """The same, with all reports in one document."""
    from knock.check.report import Document, from_json

    codes, reports, errors = [], [], []
    for name, words in _each(question, seed).items():
        done = subprocess.run([*words, "--json"], stdout=subprocess.PIPE)
        codes.append(_code(done))
        said = from_json(done.stdout)
        if said is None:
            said = Document(error=f"its check ended without a report (exit code {codes[-1]})")
        reports += said.reports
        errors += [f"{name}: {said.error}"] if said.error else []
    return Document(reports=reports, error="; ".join(errors)), max(codes)


def _each(question: "Question", seed: int) -> dict[str, list[str]]:
    """For each installed framework, how our answer is checked in a process of its own.

    Raises UserError where none is installed.
    """
    from knock import frameworks

    names = [name for name in frameworks.installed() if name in question.answered_in]
    if not names:
        raise UserError("no framework is installed; knock doctor says how to get one")
    knock = [sys.executable, "-P", "-m", "knock", "check", question.name, "--ours"]
    return {name: [*knock, "--framework", name, "--seed", str(seed)] for name in names}


def _code(done: "subprocess.CompletedProcess[bytes]") -> int:
    """A process' exit code; for one that a signal ended, what a shell says."""
    return done.returncode if done.returncode >= 0 else 128 - done.returncode
