"""`knock`, and `python -m knock`."""
# PYTHON_ARGCOMPLETE_OK: the mark by which argcomplete knows a program that answers the Tab key.

import os

from knock.cli import main as run_command


def main() -> None:
    """Run one command; or tell a shell that asks what may come next."""
    if "_ARGCOMPLETE" in os.environ:
        from knock.cli import completion

        completion.answer()
    run_command()


if __name__ == "__main__":
    main()
