"""Our answer, for those who have found their own, or who would rather read on."""

from pathlib import Path

from knock import frameworks
from knock.errors import UserError, tell
from knock.learner import answers, progress
from knock.questions import Question, find


def show(word: str, framework: str | None, file: Path | None, give_up: bool) -> int:
    """Print our answer once every part of the learner's passes, or at once with `give_up`.

    A file that is as it was when it passed is not checked again. Without `framework` it is the one
    in the file's name; without a file, it is the learner's last. Returns 0, or 1 where something
    has not passed. Raises UserError where there is nothing to check.
    """
    question = find(word)
    if file is not None:
        framework = question.framework(framework or frameworks.of_file(file))
        path = file
    else:
        framework, path = _last(question, framework)
    if not give_up:
        if not path.is_file():
            raise UserError(
                f"no file {path} to check; knock start {question.name} begins one, and --give-up "
                "shows our answer all the same"
            )
        failed = _failed(question, framework, path)
        if failed:
            tell(
                f"{path} has not passed yet ({', '.join(failed)}); "
                f"{answers.check_command(question, framework, path)} says why, and --give-up shows "
                "our answer all the same"
            )
            return 1
    print(question.answer(framework).read_text(encoding="utf-8"), end="")
    return 0


def _last(question: Question, framework: str | None) -> tuple[str, Path]:
    """The framework and the file that were last worked on, or where one would be begun."""
    if (found := answers.known(question, framework)) is not None:
        return found
    framework = question.framework(framework)
    return framework, answers.file_of(question, framework)


def _failed(question: Question, framework: str, path: Path) -> list[str]:
    """What of a check fails."""
    known = progress.of(question, framework)
    if known is not None and known.path.resolve() == path.resolve() and known.passes:
        return []
    from knock.check.judge import check  # brings in much, for a command that may not need it

    return [r.name for r in check(question, framework, path) if r.status == "failed"]
