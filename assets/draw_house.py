"""The figure of CONTRIBUTING.md: the rooms of `knock/`, floor above floor, and who calls whom.

    python assets/draw_house.py      measures knock/, keeps that in house.json, draws house.png

The figure is drawn from `house.json`. So it stays the same while a file grows by a line, and is
drawn again when a room, an arrow or a fifth of a room is new: tests/test_assets.py compares.
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from knock import files, frameworks, paths

import figures
from figures import CODE, DECODE, ENCODE, INK, SOFT, text
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle
from matplotlib.path import Path as Line

KEPT = figures.HERE / "house.json"
BRICK = 250  # lines of code
FLOORS = {
    "the command line": (INK, "a word becomes\na call", [["cli"], ["commands"]]),
    "what people do": (
        DECODE,
        "none of these\nimports another",
        [
            ["run", "look", "explore", "notebook", "standalone"]
            + ["measure", "learner", "verify", "grade"]
        ],
    ),
    "right or wrong": (
        CODE,
        "runs, answers\nand the judge",
        [["check", "trained"], ["training", "scripts"], ["questions"]],
    ),
    "numbers": (ENCODE, "what all answers\nshare", [["data", "frameworks"], ["recipe"]]),
    "the cellar": (
        SOFT,
        "open to every room",
        [["arguments", "cluster", "files", "installing", "kept", "paths", "errors", "noise"]],
    ),
}
"""From the roof down: a floor's name, its colour, what it is for, and its rooms, row below row."""

WIDTH, HEIGHT = 10.0, 9.75
LEFT, RIGHT, ROOF = 2.1, 9.65, 9.45  # the walls, and the top of the roof
MIDDLE = (LEFT + RIGHT) / 2
BOX = 0.46  # the height of a room
GAP = 0.37  # between two rows
ABOVE, BELOW = 0.32, 0.22  # between a floor's ceiling and its first row, its last row and its floor
PLACES = {
    "cli": MIDDLE,
    "commands": MIDDLE,
    "run": 2.555,
    "look": 3.385,
    "explore": 4.215,
    "notebook": 5.045,
    "standalone": 5.875,
    "measure": 6.705,
    "learner": 7.535,
    "verify": 8.365,
    "grade": 9.195,
    "check": 8.4,
    "trained": 7.06,
    "training": 4.2,
    "scripts": 6.5,
    "questions": 6.2,
    "data": 3.4,
    "frameworks": 6.95,
    "recipe": 5.6,
    "arguments": 2.61,
    "cluster": 3.54,
    "files": 4.47,
    "installing": 5.40,
    "kept": 6.33,
    "paths": 7.26,
    "errors": 8.25,
    "noise": 9.18,
}
"""How far from the left the middle of a room is."""
WIDE = {"frameworks": 4.9, "training": 1.5, "check": 1.5, "commands": 1.5}
WIDE |= dict.fromkeys(FLOORS["what people do"][2][0], 0.78)  # nine rooms side by side
WIDE |= dict.fromkeys(FLOORS["the cellar"][2][0], 0.87)  # eight
USUAL = 0.96  # a room's width


def measure(folder: Path) -> dict:
    """What the figure shows of a package: each room's bricks, and the arrows that it needs.

    A room is a module or package right below `folder`. Rooms are sorted by name.
    """
    lines, found = {}, set()
    for path in sorted(folder.rglob("*.py")):
        room = path.relative_to(folder).parts[0].removesuffix(".py")
        if room.startswith("__"):
            continue
        source = path.read_text(encoding="utf-8")
        lines[room] = lines.get(room, 0) + source.count("\n")
        found |= {(room, other) for other in imports(ast.parse(source), folder.name)}
    arrows = {(a, b) for a, b in found if a != b and b in lines}
    return {"lines": lines, "arrows": sorted(arrows)}


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """The rooms of a package that a module imports, wherever in its text."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (one.split(".")[1] for one in names if one.startswith(f"{package}."))


def bricks(lines: int) -> int:
    """How many are drawn for a room of so many lines: at least one."""
    return max(1, round(lines / BRICK))


def drawn(arrows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows that no way along others says already, without those into the cellar."""
    cellar = {room for row in list(FLOORS.values())[-1][2] for room in row}
    left = {(a, b) for a, b in arrows if b not in cellar}
    return sorted((a, b) for a, b in left if not _leads(a, b, left - {(a, b)}))


def _leads(start: str, end: str, arrows: set[tuple[str, str]]) -> bool:
    """Whether there is a way along arrows."""
    seen, waiting = set(), [start]
    while waiting:
        here = waiting.pop()
        new = {b for a, b in arrows if a == here} - seen
        seen |= new
        waiting += new
    return end in seen


def rows() -> dict[str, int]:
    """In which row each room is, counted from the roof."""
    every = [row for _, _, floor in FLOORS.values() for row in floor]
    return {room: number for number, row in enumerate(every) for room in row}


def keep() -> None:
    """Write down what is measured now."""
    found = measure(paths.PACKAGE)
    known = {
        "bricks": {room: bricks(lines) for room, lines in found["lines"].items()},
        "arrows": drawn(found["arrows"]),
    }
    files.write_atomically(KEPT, json.dumps(known, indent=1) + "\n")


def draw():
    """The whole card."""
    known = json.loads(KEPT.read_text(encoding="utf-8"))
    figure, axis = figures.card(WIDTH, HEIGHT)
    heights = _floors(axis)
    for room, y in heights.items():
        _room(axis, room, y, known["bricks"][room])
    _arrows(axis, known["arrows"], heights)
    _doors(axis, heights)
    words = (
        "An arrow means: imports. Those that follow from others are left out, and those into the"
        f" cellar.   A brick is about {BRICK} lines."
    )
    text(axis, WIDTH / 2, 0.4, words, 8.5, SOFT)
    return figure


def _floors(axis) -> dict[str, float]:
    """The floors, with their names beside them; the height of each room's middle."""
    heights, top = {}, ROOF
    for name, (colour, use, floor) in FLOORS.items():
        roof = top == ROOF
        first = top - (1.0 if roof else ABOVE + BOX / 2)
        for number, row in enumerate(floor):
            heights |= dict.fromkeys(row, first - number * (BOX + GAP))
        bottom = first - (len(floor) - 1) * (BOX + GAP) - BOX / 2 - BELOW
        corners = [(LEFT, bottom), (RIGHT, bottom), (RIGHT, top), (LEFT, top)]
        if roof:
            corners = [(LEFT - 0.2, bottom), (RIGHT + 0.2, bottom), (MIDDLE, top)]
        axis.add_patch(Polygon(corners, facecolor=colour, alpha=0.1, linewidth=0, zorder=1))
        axis.plot([LEFT, RIGHT], [bottom, bottom], colour, linewidth=1, zorder=2)
        y = bottom + 0.8 if roof else (top + bottom) / 2
        text(axis, 1.1, y + 0.2, name, 11, colour, weight="bold")
        text(axis, 1.1, y + 0.04, use, 8.5, colour, va="top")
        top = bottom
    return heights


def _room(axis, room, y, count):
    """A room: a white box with its name and its bricks."""
    colour = _colour(room)
    left, right = _walls(room)
    box = FancyBboxPatch(
        (left, y - BOX / 2),
        right - left,
        BOX,
        boxstyle="round,pad=0,rounding_size=0.06",
        facecolor="white",
        edgecolor=colour,
        linewidth=1.1,
        zorder=4,
    )
    axis.add_patch(box)
    middle = PLACES[room]
    if room == "frameworks":
        middle = left + 0.78
        _adapters(axis, y, left + 1.5, right - 0.1, colour)
    text(
        axis,
        middle,
        y + 0.01,
        room,
        8.4 if room == "standalone" else 10,
        colour,
        weight="bold",
        va="baseline",
    )
    apart = min(0.088, (WIDE.get(room, USUAL) - 0.1) / count)
    first = middle - count * apart / 2
    for number in range(count):
        place = (first + (number + 0.11) * apart, y - 0.17)
        axis.add_patch(Rectangle(place, 0.78 * apart, 0.06, facecolor=colour, alpha=0.55, zorder=5))


def _adapters(axis, y, left, right, colour):
    """The adapters, in the room of the frameworks."""
    names = [*(one.title for one in frameworks.FRAMEWORKS.values()), "NumPy"]
    side = (right - left) / len(names)
    for number, name in enumerate(names):
        x = left + (number + 0.5) * side
        place = (x - side / 2 + 0.025, y - 0.14)
        axis.add_patch(
            Rectangle(place, side - 0.05, 0.28, facecolor=colour, alpha=0.12, linewidth=0, zorder=5)
        )
        text(axis, x, y - 0.04, name, 7.2, colour, va="baseline")


def _colour(room):
    floors = FLOORS.values()
    return next(colour for colour, _, floor in floors if any(room in row for row in floor))


def _walls(room):
    half = WIDE.get(room, USUAL) / 2
    return PLACES[room] - half, PLACES[room] + half


def _arrows(axis, arrows, heights):
    """Curves from the floor of one room to the ceiling of another, side by side at either end."""
    for start, end in arrows:
        down = sorted((b for a, b in arrows if a == start), key=PLACES.get)
        up = sorted((a for a, b in arrows if b == end), key=PLACES.get)
        x, y = _port(start, down.index(end), len(down)), heights[start] - BOX / 2
        other, low = _port(end, up.index(start), len(up)), heights[end] + BOX / 2 + 0.02
        half = (y - low) / 2
        bend = Line([(x, y), (x, y - half), (other, low + half), (other, low)], [1, 4, 4, 4])
        axis.add_patch(
            FancyArrowPatch(
                path=bend,
                arrowstyle="-|>",
                mutation_scale=9,
                color=_colour(start),
                linewidth=1.1,
                zorder=3,
            )
        )


def _port(room, number, count):
    """Where the one of `count` arrows is that has this number, along a room's floor or ceiling."""
    left, right = _walls(room)
    return left + (right - left) * (number + 1) / (count + 1)


def _doors(axis, heights):
    """Who comes in from outside, and where."""
    y = heights["cli"]
    start, end = RIGHT - 0.15, _walls("cli")[1]
    text(axis, start - 0.75, y + 0.1, "knock check gan", 9, family="monospace")
    figures.arrow(axis, (start, y - 0.08), (end + 0.04, y - 0.08), INK)
    left, right = _walls("run")[0], _walls("look")[1]
    y = heights["run"] + BOX / 2 + 0.09
    axis.plot([left, left, right, right], [y - 0.05, y, y, y - 0.05], DECODE, linewidth=1)
    text(axis, (left + right) / 2, y + 0.11, "an answer's script enters here", 8, DECODE)


if __name__ == "__main__":
    keep()
    figures.main(__file__, draw)
