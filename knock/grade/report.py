"""The results of a grading: a table for a spreadsheet, and a page for a browser."""

import collections
import csv
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from knock import frameworks
from knock.check.parts import MARKS, Part, Status
from knock.grade import sandbox
from knock.grade.grading import Grade, Settings
from knock.grade.points import WHOLE, Points
from knock.questions import all_questions

_STYLE = Path(__file__).with_name("report.css")

_MOST = 10
"""How many of the most frequent mistakes the page shows."""

_WHAT_IF_NOT = {
    sandbox.MEMORY: "a submission can use up all memory",
    sandbox.TIME: "only the clock stops a submission",
    sandbox.FILES: "a submission can read what you can read",
    sandbox.PROCESSES: "a submission can start other programs",
    sandbox.NETWORK: "a submission can use the network",
}


def points(grade: Grade, worth: Points) -> tuple[float, float]:
    """The points of a submission, and the most that it could have."""
    parts = sum(worth[part.name] for part in grade.parts if part.status == "done")
    every = sum(worth[part.name] for part in grade.parts)
    return parts + worth[WHOLE] * grade.whole, every + worth[WHOLE]


def missing_walls(grades: Sequence[Grade]) -> list[str]:
    """A line for each wall that some submission did not have, with what that means."""
    run = [grade for grade in grades if grade.seconds]
    missing = [wall for wall in sandbox.ALL if any(wall not in grade.walls for grade in run)]
    return [f"{wall} not restricted on this system: {_WHAT_IF_NOT[wall]}" for wall in missing]


def table(grades: Sequence[Grade], worth: Points) -> str:
    """One row of CSV per submission, with the points of each part.

    It begins with the mark by which Excel recognises UTF-8.
    """
    columns = [name for name in worth if name in {part.name for g in grades for part in g.parts}]
    made = io.StringIO()
    made.write("\ufeff")
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(
        ["student", "question", "framework", "file", *columns, WHOLE, "points", "of", "remarks"]
    )
    for one in grades:
        reached, of = points(one, worth)
        row = [one.student, one.question, one.framework, one.file]
        parts = {part.name: part for part in one.parts}
        row += [_cell(parts.get(name), worth[name]) for name in columns]
        row += [_number(worth[WHOLE] * one.whole), _number(reached), _number(of), _remarks(one)]
        writer.writerow([_harmless(cell) for cell in row])
    return made.getvalue()


def _cell(part: Part | None, worth: float) -> str:
    return "" if part is None else _number(worth if part.status == "done" else 0)


def _number(value: float) -> str:
    return f"{value:g}"


def _remarks(grade: Grade) -> str:
    """What is wrong with a submission, in one text. A reason that all parts share appears once."""
    messages = [
        f"{part.name} {part.status}: {part.message}"
        for part in grade.parts
        if part.status != "done" and part.message != grade.remark
    ]
    return "; ".join([*messages, *([grade.remark] if grade.remark else [])])


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet reads as a formula: names and messages come from students."""
    text = " ".join(cell.split())
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def document(grades: Sequence[Grade], worth: Points, settings: Settings) -> str:
    """An HTML page that needs no other file."""
    body = [
        f"<header><h1>Grades</h1><p>{_facts(grades, settings)}</p>",
        *(f"<p class=warning>{html.escape(line)}</p>" for line in missing_walls(grades)),
        "</header><main>",
        _overview(grades, worth),
        _frequent_mistakes(grades),
        "<section><h2>Submissions</h2>",
        *(_details(number, grade, worth) for number, grade in enumerate(grades)),
        "</section></main>",
    ]
    style = _STYLE.read_text(encoding="utf-8")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><meta charset="utf-8"><title>Grades</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>\n{style}</style>",
            *body,
            "</html>\n",
        ]
    )


def _facts(grades: Sequence[Grade], settings: Settings) -> str:
    students = len({grade.student for grade in grades})
    seed, hidden = settings.conditions[0].seed, [one.name for one in settings.conditions[1:]]
    facts = [
        f"{len(grades)} submissions of {students} students",
        f"seed {seed}",
        f"{settings.seconds} s and {settings.memory >> 20} MiB for each part",
        f"hidden checks: {', '.join(hidden) or 'none'}",
    ]
    return " · ".join(map(html.escape, facts))


def _overview(grades: Sequence[Grade], worth: Points) -> str:
    """Students as rows, questions as columns; each cell links to its submission."""
    names = [q.name for q in all_questions()]
    keys = sorted(
        {(grade.question, grade.framework) for grade in grades},
        key=lambda key: (names.index(key[0]), list(frameworks.FRAMEWORKS).index(key[1])),
    )
    cells: dict[tuple[str, tuple[str, str]], list[str]] = collections.defaultdict(list)
    sums: dict[str, list[float]] = collections.defaultdict(lambda: [0.0, 0.0])
    for number, grade in enumerate(grades):
        reached, of = points(grade, worth)
        share = round(100 * reached / of) if of else 0
        cells[grade.student, (grade.question, grade.framework)].append(
            f'<a href="#s{number}" class="points" style="--share: {share}%">'
            f"{_number(reached)}<small> of {_number(of)}</small></a>"
        )
        sums[grade.student][0] += reached
        sums[grade.student][1] += of
    heads = "".join(
        f"<th>{q}<br><small>{frameworks.FRAMEWORKS[f].title}</small></th>" for q, f in keys
    )
    rows = []
    for student in sorted(sums):
        given = "".join(f"<td>{''.join(cells[student, key]) or '–'}</td>" for key in keys)
        reached, of = sums[student]
        total = f"<td>{_number(reached)}<small> of {_number(of)}</small></td>"
        rows.append(f"<tr><th>{html.escape(student)}</th>{given}{total}</tr>")
    return (
        '<section><h2>Students</h2><div class="wide"><table>'
        f"<thead><tr><th></th>{heads}<th>all</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _frequent_mistakes(grades: Sequence[Grade]) -> str:
    """What went wrong most often: the topic of the next lesson."""
    students: Mapping[tuple[str, str], set[str]] = collections.defaultdict(set)
    for grade in grades:
        for part in grade.parts:
            if part.status == "failed":
                students[f"{grade.question}, {part.name}", part.message].add(grade.student)
    common = sorted(students.items(), key=lambda item: (-len(item[1]), item[0]))[:_MOST]
    if not common:
        return ""
    rows = "".join(
        f"<tr><td>{len(who)}</td><th>{html.escape(where)}</th><td>{html.escape(what)}</td></tr>"
        for (where, what), who in common
    )
    return (
        '<section><h2>What went wrong most often</h2><div class="wide"><table class="words"><thead>'
        f"<tr><th>students</th><th>where</th><th>what</th></tr></thead><tbody>{rows}"
        "</tbody></table></div></section>"
    )


def _details(number: int, grade: Grade, worth: Points) -> str:
    reached, of = points(grade, worth)
    title = frameworks.FRAMEWORKS[grade.framework].title
    head = f"{grade.student}: {grade.question} in {title}"
    rows = "".join(
        f'<tr class="{part.status.replace(" ", "-")}"><td>{MARKS[part.status]}</td>'
        f"<th>{html.escape(part.name)}</th>"
        f"<td>{_cell(part, worth[part.name])}<small> of {_number(worth[part.name])}</small></td>"
        f"<td>{html.escape(part.message)}</td></tr>"
        for part in grade.parts
    )
    status: Status = "done" if grade.whole else "failed"
    rows += (
        f'<tr class="{status}"><td>{MARKS[status]}</td><th>{WHOLE}</th>'
        f"<td>{_number(worth[WHOLE] * grade.whole)}<small> of {_number(worth[WHOLE])}</small></td>"
        f"<td>{html.escape(grade.remark)}</td></tr>"
    )
    used = f"{grade.seconds:.1f} s of computing, {grade.memory >> 20} MiB at most"
    return (
        f"<details><summary>{html.escape(head)} <b>{_number(reached)}"
        f"<small> of {_number(of)}</small></b></summary>"
        # The link's target is inside, so that the link opens the details.
        f'<p id="s{number}">{html.escape(grade.file)} · {used}</p>'
        f'<div class="wide"><table class="words"><tbody>{rows}</tbody></table></div></details>'
    )
