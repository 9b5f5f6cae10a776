"""Who has handed in what: a folder or a zip file with a folder or a file for each student."""

import collections
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from knock.errors import UserError
from knock.grade import names, plain_text, reading
from knock.grade.handed_in import LARGEST, File, Handed, handed_in, meant
from knock.questions import Question

import msgspec

_SHOWN = 3
"""How many names of a list a message shows, or reasons of one student."""

_MOST_TRIES = 5
"""How many files of one student are graded for one question in one framework: each may be made to
take minutes."""

_PACKED = (".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".zipx")


class Submission(msgspec.Struct, frozen=True):
    """One answer of one student, or what stands for it in the table where there is none.

    `problem` says why there is no text; it is empty if there is one. Only then the question and the
    framework may be empty, too. `file` is its path in what was handed in, and `number` the
    student's on a learning platform. `note` is for the teacher, whatever the grade.
    """

    student: str
    question: str
    framework: str
    file: str
    text: str = ""
    problem: str = ""
    note: str = ""
    number: str = ""


def find(
    place: Path, question: Question | None, framework: str | None
) -> tuple[list[Submission], list[str]]:
    """All that was handed in, and a line for each thing that a teacher should know of it.

    The question and the framework are given for all of them, or are in a file's name. If the file
    is in no folder, the rest of its name is the student. A student of whom nothing can be graded
    has one submission, with the reason. Whatever has no submission is named in a line. Raises
    UserError if nothing can be graded.
    """

    def wanted(path: PurePosixPath) -> bool:
        answers, uses, _ = names.asked(path.stem)
        return bool((question or answers) and (framework or uses))

    found: list[Submission] = []
    said: list[str] = []
    beside: list[str] = []
    hidden: list[str] = []
    for handed in handed_in(place, wanted):
        if handed.name in handed.hidden:
            hidden.append(handed.name)
        elif _is_beside(handed):
            beside += handed.others
        else:
            mine, more = _of(handed, question, framework)
            found += mine
            said += more
    found, repeated = _without_repetition(found)
    for names_of, why in (
        (beside, "neither a folder nor a script, a notebook or a zip file, so not graded"),
        (hidden, "passed over, since the name begins with . or __; rename what is to be graded"),
        (repeated, "nothing to grade in it, but elsewhere of the same student"),
    ):
        if names_of:  # all of them: nobody is left out silently
            said.append(f"{', '.join(map(plain_text.name, names_of))}: {why}")
    if not any(one.question for one in found):
        example = "dcgan_keras.py in a subfolder for each student"
        more_of = f": {_called(found[0])}: {found[0].problem}" if found else f", such as {example}"
        raise UserError(f"no submissions in {place}{more_of}")
    return _told_apart(found), [*said, *_contradictions(found, question, framework)]


def _of(
    handed: Handed, question: Question | None, framework: str | None
) -> tuple[list[Submission], list[str]]:
    """The submissions of one folder, zip file or file, and what else should be known."""
    owner = names.owner(handed.name)
    whose = plain_text.name(owner.name or ("" if handed.alone else handed.name))
    late = "handed in late, says Canvas" if owner.late else ""
    found, unnamed = [], []
    tries: Counter[tuple[str, str]] = Counter()
    for file in handed.files:
        stem = owner.rest if handed.alone else file.path.stem
        answers, uses, rest = names.asked(stem)
        here, there = question.name if question else answers, framework or uses
        if here is None or there is None:
            unnamed.append(file)
            continue
        tries[here, there] += 1
        if tries[here, there] > _MOST_TRIES:
            continue
        notes = [_contradiction(answers, question.name if question else None, "question")]
        notes += [_contradiction(uses, framework, "framework"), late]
        note = "; ".join(filter(None, notes))
        text, problem = _text(file)
        student = whose or plain_text.name(rest or stem)
        name = plain_text.name(str(file.path))
        found.append(Submission(student, here, there, name, text, problem, note, owner.number))
    lines = _first([_unnamed(file, question, framework) for file in unnamed])
    lines += [
        _about(handed, f"{count} files for {here} in {there}, of which {_MOST_TRIES} are graded")
        for (here, there), count in tries.items()
        if count > _MOST_TRIES
    ]
    lines += [_about(handed, wrong) for wrong in _first(handed.wrong)]
    if found:
        astray = [one for one in (*handed.others, *handed.hidden) if _is_astray(one)]
        lines += [_about(handed, _renamed(astray))] if astray else []
        return found, lines
    reasons = [_why(handed, unnamed, question, framework), *_first(handed.wrong)]
    problem = plain_text.message("; ".join(filter(None, reasons)))
    student = whose or plain_text.name(names.asked(owner.rest)[2] or handed.name)
    name = plain_text.name(str(unnamed[0].path) if len(unnamed) == 1 else handed.name)
    return [Submission(student, "", "", name, "", problem, late, owner.number)], []


def _is_beside(handed: Handed) -> bool:
    """Whether a file only lies beside the submissions, such as a list of the class."""
    nothing = handed.alone and not handed.files and not handed.wrong
    return (
        nothing and not names.owner(handed.name).number and not any(map(_is_a_try, handed.others))
    )


def _is_a_try(name: str) -> bool:
    """Whether a name that is no script's was meant as a submission."""
    return _is_astray(name) or name.lower().endswith(_PACKED)


def _is_astray(name: str) -> bool:
    """Whether a file would be graded if it had another name."""
    if name.startswith("._"):  # what macOS keeps beside a file
        return False
    answers, uses, _ = names.asked(PurePosixPath(meant(name) or name).stem)
    is_script = PurePosixPath(name).suffix.lower() in LARGEST
    return bool(meant(name)) or bool(answers and uses) or is_script and bool(answers or uses)


def _first(reasons: list[str]) -> list[str]:
    more = len(reasons) - _SHOWN
    return [*reasons[:_SHOWN], *([f"and {more} more of this kind"] if more > 0 else [])]


def _about(handed: Handed, wrong: str) -> str:
    return f"{plain_text.name(handed.name)}: {wrong}"


def _why(
    handed: Handed, unnamed: list[File], question: Question | None, framework: str | None
) -> str:
    """Why nothing of what a student has handed in can be graded, if no file is to blame for it."""
    if unnamed:
        missing = _missing(unnamed[0], question, framework)
        which = "" if len(unnamed) == 1 else f" ({_listed([one.path.name for one in unnamed])})"
        what = "its name" if len(unnamed) == 1 else "the names"
        return f"no {missing} in {what}{which}; add --{missing}"
    if handed.wrong:
        return ""
    astray = [one for one in (*handed.others, *handed.hidden) if _is_astray(one)]
    if astray:
        return _renamed(astray)
    packed = [one for one in handed.others if one.lower().endswith(_PACKED)]
    if packed:
        return f"{_listed(packed)}: not a kind that is read; unpack it, or make it a zip file"
    other = f", but {_listed(handed.others)}" if handed.others else ""
    return f"no script or notebook{other}; ask for a file that ends in .py or .ipynb"


def _renamed(astray: list[str]) -> str:
    """What to do about files that would be graded if they had other names."""
    wanted = [meant(name) or f"{PurePosixPath(name).stem}.py" for name in astray]
    wanted = [name.lstrip("._") for name in wanted]
    return f"{_listed(astray)}: not graded under this name; rename to {_listed(wanted)}"


def _listed(all_names: list[str]) -> str:
    more = len(all_names) - _SHOWN
    shown = ", ".join(map(plain_text.name, all_names[:_SHOWN]))
    return shown + (f" and {more} more" if more > 0 else "")


def _missing(file: File, question: Question | None, framework: str | None) -> str:
    return "framework" if question or names.asked(file.path.stem)[0] else "question"


def _unnamed(file: File, question: Question | None, framework: str | None) -> str:
    missing = _missing(file, question, framework)
    return f"{plain_text.name(str(file.path))}: no {missing} in its name; add --{missing}"


def _called(one: Submission) -> str:
    return one.file or one.student


def _contradiction(named: str | None, given: str | None, option: str) -> str:
    """A note where a file's name says something else than an option."""
    if given is None or named in (None, given):
        return ""
    return f"its name says {named}, but --{option} {given}"


def _contradictions(
    found: list[Submission], question: Question | None, framework: str | None
) -> Iterator[str]:
    """One line for all files whose names say something else than an option."""
    named = question.name if question else None
    for option, given in (("question", named), ("framework", framework)):
        files = [one.file for one in found if f"but --{option} {given}" in one.note]
        if files:
            yield f"--{option} {given}, but another {option} in the name of {_listed(files)}"


def _without_repetition(found: list[Submission]) -> tuple[list[Submission], list[str]]:
    """Of a student of whom nothing can be graded, one submission is enough; and what is left out.

    On a learning platform one student may have several folders, one for a typed text among them.
    """
    known = {(one.student, one.number) for one in found if one.question}
    kept, left_out = [], []
    for one in found:
        who = one.student, one.number
        if one.question or who not in known:
            kept.append(one)
            known.add(who)
        else:
            left_out.append(one.file)
    return kept, left_out


def _told_apart(found: list[Submission]) -> list[Submission]:
    """The same, where two people with one name get their number behind it."""
    numbers = collections.defaultdict(set)
    for one in found:
        numbers[one.student].add(one.number)
    return [
        msgspec.structs.replace(one, student=f"{one.student} ({one.number})")
        if one.number and len(numbers[one.student]) > 1
        else one
        for one in found
    ]


def _text(file: File) -> tuple[str, str]:
    """A file's text and "", or "" and why it was not read."""
    if file.problem:
        return "", file.problem
    try:
        return reading.text(plain_text.plain(file.path.name), file.data), ""
    except reading.NotReadError as error:
        return "", str(error)
