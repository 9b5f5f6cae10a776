"""The results of a grading as pages for a browser: one of the class, one for each student."""

import collections
import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from knock import frameworks
from knock.check.parts import MARKS, Status
from knock.grade import sandbox
from knock.grade.grading import Grade, Settings
from knock.grade.points import WHOLE, Points, number, reached
from knock.grade.roster import Roster
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


def missing_walls(grades: Sequence[Grade]) -> list[str]:
    """A line for each wall that some submission did not have, with what that means."""
    run = [grade for grade in grades if grade.seconds]
    missing = [wall for wall in sandbox.ALL if any(wall not in grade.walls for grade in run)]
    return [f"{wall} not restricted on this system: {_WHAT_IF_NOT[wall]}" for wall in missing]


def document(
    grades: Sequence[Grade], worth: Points, settings: Settings, roster: Roster | None = None
) -> str:
    """The page of the class; with a roster, also who has handed in nothing."""
    return _page(
        "Grades",
        [
            f"<header><h1>Grades</h1><p>{_facts(grades, settings)}</p>",
            *(f"<p class=warning>{html.escape(line)}</p>" for line in missing_walls(grades)),
            "</header><main>",
            _overview(grades, worth),
            _nothing(roster),
            _frequent_mistakes(grades),
            "<section><h2>Submissions</h2>",
            *(_details(number, grade, worth) for number, grade in enumerate(grades)),
            "</section></main>",
        ],
    )


def of_student(student: str, grades: Sequence[Grade], worth: Points) -> str:
    """The page of one student, which says nothing of the others."""
    body = [f"<header><h1>{html.escape(student)}</h1></header><main><section>"]
    for place, grade in enumerate(grades):
        body.append(_details(place, grade, worth, shown=True))
    return _page(student, [*body, "</section></main>"])


MARK = '<meta name="generator" content="knock grade">'
"""By which a page is known as one that may be written again."""


def _page(title: str, body: list[str]) -> str:
    """An HTML page that needs no other file."""
    style = _STYLE.read_text(encoding="utf-8")
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><meta charset="utf-8">{MARK}<title>{html.escape(title)}</title>',
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
    names = [*(q.name for q in all_questions()), ""]  # what was not read comes last
    keys = sorted(
        {_column(grade) for grade in grades},
        key=lambda key: (names.index(key[0]), [*frameworks.FRAMEWORKS, ""].index(key[1])),
    )
    cells: dict[tuple[str, tuple[str, str]], list[str]] = collections.defaultdict(list)
    sums: dict[str, list[float]] = collections.defaultdict(lambda: [0.0, 0.0])
    for place, grade in enumerate(grades):
        got, of = reached(grade, worth)
        share = round(100 * got / of) if of else 0
        link = f'<a href="#s{place}" class="points" style="--share: {share}%">'
        cells[grade.student, _column(grade)].append(f"{link}{_score(grade, worth)}</a>")
        sums[grade.student][0] += got
        sums[grade.student][1] += of
    heads = "".join(
        f"<th>{q}<br><small>{frameworks.FRAMEWORKS[f].title}</small></th>"
        if q
        else "<th>not read</th>"
        for q, f in keys
    )
    rows = []
    for student in sorted(sums):
        given = "".join(f"<td>{''.join(cells[student, key]) or '–'}</td>" for key in keys)
        got, of = sums[student]
        total = f"<td>{number(got)}<small> of {number(of)}</small></td>" if of else "<td>–</td>"
        rows.append(f"<tr><th>{html.escape(student)}</th>{given}{total}</tr>")
    return (
        '<section><h2>Students</h2><div class="wide"><table>'
        f"<thead><tr><th></th>{heads}<th>all</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _column(grade: Grade) -> tuple[str, str]:
    """The question and the framework of a submission, where both are known."""
    known = grade.question and grade.framework
    return (grade.question, grade.framework) if known else ("", "")


def _score(grade: Grade, worth: Points) -> str:
    if not grade.parts:
        return "not read"
    got, of = reached(grade, worth)
    return f"{number(got)}<small> of {number(of)}</small>"


def _nothing(roster: Roster | None) -> str:
    """The lines of the roster of which nothing was handed in."""
    if roster is None or not roster.nothing:
        return ""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in roster.head)
    rows = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
        for row in roster.nothing
    )
    return (
        '<section><h2>Handed in nothing</h2><div class="wide"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


_PLACE = re.compile(r" \((?:code cell \d+, )?line \d+(?:: .*)?\)$")
"""Where in a student's file an error is: others make the same mistake in another line."""


def _frequent_mistakes(grades: Sequence[Grade]) -> str:
    """What went wrong most often: the topic of the next lesson.

    What costs all parts of a file, such as an error of syntax, counts once.
    """
    students: Mapping[tuple[str, str], set[str]] = collections.defaultdict(set)
    for grade in grades:
        failed = {part.name: part.message for part in grade.parts if part.status == "failed"}
        if failed and set(failed.values()) == {grade.remark}:
            kind = grade.remark.removeprefix(f"{grade.file.rpartition('/')[2]} ")
            failed = {"the file": kind}
        for where, what in failed.items():
            students[f"{grade.question}, {where}", _PLACE.sub("", what)].add(grade.student)
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


def _details(place: int, grade: Grade, worth: Points, shown: bool = False) -> str:
    """One submission, part by part; folded up unless it is to be `shown` at once."""
    question, framework = _column(grade)
    what = f"{question} in {frameworks.FRAMEWORKS[framework].title}" if question else grade.file
    head = what if shown else f"{grade.student}: {what}"
    rows = "".join(
        f'<tr class="{part.status.replace(" ", "-")}"><td>{MARKS[part.status]}</td>'
        f"<th>{html.escape(part.name)}</th>"
        f"<td>{number(worth[part.name] if part.status == 'done' else 0)}"
        f"<small> of {number(worth[part.name])}</small></td>"
        f"<td>{html.escape(part.message)}</td></tr>"
        for part in grade.parts
    )
    status: Status = "done" if grade.whole else "failed"
    whole = f"{number(worth[WHOLE] * grade.whole)}<small> of {number(worth[WHOLE])}</small>"
    rows += (
        f'<tr class="{status}"><td>{MARKS[status]}</td>'
        + (f"<th>{WHOLE}</th><td>{whole}</td>" if grade.parts else "<th>not read</th><td></td>")
        + f"<td>{html.escape(grade.remark)}</td></tr>"
    )
    used = f"{grade.seconds:.1f} s of computing, {grade.memory >> 20} MiB at most"
    facts = [grade.file, grade.note, used if grade.parts and not shown else ""]
    return (
        f"<details{' open' * shown}><summary>{html.escape(head)} "
        f"<b>{_score(grade, worth)}</b></summary>"
        # The link's target is inside, so that the link opens the details.
        f'<p id="s{place}">{html.escape(" · ".join(filter(None, facts)))}</p>'
        f'<div class="wide"><table class="words"><tbody>{rows}</tbody></table></div></details>'
    )
