"""`knock start`: begins a learner's own answer."""

from argparse import ArgumentParser, Namespace

from knock.arguments import file

HELP = "begin your own answer: our file, with its parts left for you to write"


def add_arguments(parser: ArgumentParser) -> None:
    """Which answer, where it goes, and what happens to an old file."""
    parser.add_argument("--force", action="store_true", help="keep the old file under a new name")
    add_which(parser)


def add_which(parser: ArgumentParser) -> None:
    """Which answer, and its file; `knock reset` has the same arguments."""
    parser.add_argument("question", help="number or name")
    parser.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    parser.add_argument(
        "--out", type=file, metavar="FILE", help="the new file (default: my/NAME_FRAMEWORK.py)"
    )
    parser.add_argument(
        "--open", action="store_true", help="open it in your editor: $VISUAL, or else $EDITOR"
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Write the starter, print what to do with it, and open it if asked to.

    Raises UserError; before the starter is written where the editor cannot be found.
    """
    from knock.learner import answers, editor

    program = editor.command() if found.open else None
    path, said = answers.begin(found.question, found.framework, found.out, found.force)
    print(said, flush=True)
    if program is not None:
        editor.open_in(program, path)
    return 0
