"""`knock diff`: two answers side by side."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from knock.arguments import file, place
from knock.errors import UserError

if TYPE_CHECKING:
    from knock.questions import Question

HELP = "show two answers side by side: knock diff dcgan keras pytorch"


def add_arguments(parser: ArgumentParser) -> None:
    """Which two answers, and where the page goes."""
    parser.add_argument(
        "question", nargs="?", help="number or name; without it, what you began or checked last"
    )
    one = "a file, or a framework for our answer in it (default: yours and ours, once yours passes)"
    one += "; or another question, whose answer is to be beside this one's"
    parser.add_argument("A", nargs="?", type=place, help=one)
    parser.add_argument("B", nargs="?", type=place, help="the other file or framework")
    parser.add_argument("--html", type=file, metavar="FILE", help="write a page for a browser")


def run(found: Namespace, rest: list[str]) -> int:
    """Print two columns, or write the page.

    Two questions, and perhaps a framework, stand for our answers to both. Else, of one or three
    words the first is the question; without it, that is the one in hand. Without the two answers,
    they are the learner's and ours. Raises UserError where the learner's has not passed: ours would
    give away what is still to be found.
    """
    from knock.learner import in_hand
    from knock.scripts import side_by_side

    words = [word for word in (found.question, found.A, found.B) if word is not None]
    if two := _of_two_questions(words):
        print(side_by_side.show(words[0], *two, found.html))
        return 0
    word = words.pop(0) if len(words) != 2 and words else None
    question, framework, path = in_hand.meant(word, None)
    first, second = words or _both(question, framework, path)
    print(side_by_side.show(question.name, first, second, found.html))
    return 0


def _of_two_questions(words: list[str]) -> tuple[str, str] | None:
    """Our answers to two questions in one framework, where the first two words name questions.

    Raises UserError where only one of two words does, and the other is no answer either.
    """
    from knock import frameworks
    from knock.questions import find

    pair = words[:2]
    if any(word in frameworks.FRAMEWORKS or Path(word).is_file() for word in pair):
        return None
    known = sum(map(_is_question, pair))
    if known == 0 or (known == 1 and len(words) != 2):  # of two words, the other was to be one
        return None
    both = [find(word) for word in pair]
    if both[0] == both[1]:
        raise UserError(f"{words[0]} and {words[1]} are one question; name two")
    asked = words[2] if len(words) > 2 else next(iter(frameworks.FRAMEWORKS))
    first, second = (one.answer(one.framework(asked)) for one in both)
    return str(first), str(second)


def _is_question(word: str) -> bool:
    from knock.questions import find

    try:
        find(word)
    except UserError:
        return False
    return True


def _both(question: "Question", framework: str | None, path: Path | None) -> tuple[str, str]:
    """The learner's answer, and ours in the same framework."""
    from knock import frameworks
    from knock.learner import answers, progress

    if path is None:
        framework, path = answers.remembered(question, framework)
    framework = question.framework(framework or frameworks.of_file(path))
    if not progress.passes(question, framework, path):
        raise UserError(
            f"{path} has not passed yet; knock diff {question.name} {framework} {path.as_posix()} "
            "shows our answer anyway"
        )
    return path.as_posix(), framework
