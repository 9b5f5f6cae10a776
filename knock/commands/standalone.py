"""`knock standalone`: makes one script of our answer that needs nothing of this project."""

from argparse import ArgumentParser, Namespace

from knock.arguments import file
from knock.errors import UserError

HELP = "make one script of an answer that needs nothing of this project"


def add_arguments(parser: ArgumentParser) -> None:
    """Which answer, and where the script goes."""
    parser.add_argument("question", help="number or name")
    parser.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    parser.add_argument(
        "--out",
        type=file,
        metavar="FILE",
        help="where the script goes (default: NAME_FRAMEWORK.py, here)",
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Write the script. Without `--framework` it is the one in `--out`, or the first installed.

    Raises UserError where the file exists already, and for a question that trains no network to
    take home; then nothing is written.
    """
    from pathlib import Path

    from knock import frameworks
    from knock.files import write_atomically
    from knock.questions import find
    from knock.standalone.make import make

    question, framework = find(found.question), found.framework
    if framework is None and found.out is not None:
        framework = frameworks.in_name(found.out)
    framework = question.framework(framework)
    path: Path = found.out or Path(f"{question.name}_{framework}.py")
    if path.suffix != ".py":
        raise UserError(f"--out must name a Python file, such as {question.name}_{framework}.py")
    if path.exists():
        raise UserError(f"{path} exists already; name another file with --out, or move it away")
    script = make(question, framework)
    write_atomically(path, script.text)
    title = frameworks.find(framework).title
    print(f"{path}: {question.label} in {title}, {len(script.text.splitlines())} lines")
    needs = "TensorFlow, Keras" if framework == "keras" else title
    print(f"It needs {needs}, NumPy and Pillow. Run it anywhere: python {path} --data FOLDER")
    return 0
