"""The figures are what their scripts draw, now, from the recipes and the code of today."""

import importlib.util
import json
import re
from pathlib import Path

from knock import paths
from knock.verify.markdown import parts

import matplotlib.image
import numpy as np
import pytest

SCRIPTS = sorted(paths.ASSETS.glob("draw_*.py"))
VISIBLE = 32 / 255
"""Another machine may round the edge of a letter otherwise; nobody sees less than this."""
FEW = 20
"""Pixels that may differ visibly; a wrong digit in a label changes more."""


@pytest.fixture(autouse=True)
def assets_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(paths.ASSETS))


def load(script: Path):
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_figure_is_what_its_script_draws(script, tmp_path):
    import figures

    drawn = tmp_path / "drawn.png"
    figures.save(load(script).draw(), drawn)
    kept = matplotlib.image.imread(figures.picture_of(script))
    now = matplotlib.image.imread(drawn)
    assert kept.shape == now.shape
    differing = int((np.abs(kept - now).max(axis=2) > VISIBLE).sum())
    assert differing <= FEW, f"{differing} pixels differ: run python assets/{script.name}"


def test_every_figure_has_its_script_and_every_script_its_figure():
    figures = {path.stem for path in paths.ASSETS.iterdir() if path.suffix in (".png", ".svg")}
    assert figures == {script.stem.removeprefix("draw_") for script in SCRIPTS}


def test_a_figure_can_be_read_on_a_light_and_on_a_dark_page():
    """The card is opaque and white; only what lies outside of its corners is nothing."""
    for path in paths.ASSETS.glob("*.png"):
        picture = matplotlib.image.imread(path)
        height, width, _ = picture.shape
        assert picture[0, 0, 3] == 0
        inside = picture[40 : height - 40, 40 : width - 40]
        assert (inside[..., 3] == 1).all(), f"{path.name} can be seen through"
        assert (inside[0, 0, :3] == 1).all(), f"{path.name} is not on white"


@pytest.fixture
def house():
    return load(paths.ASSETS / "draw_house.py")


def test_the_house_that_is_drawn_is_the_code(house):
    """Rooms and arrows are the same; a room may have grown or shrunk by a brick."""
    kept = json.loads(house.KEPT.read_text(encoding="utf-8"))
    now = house.measure(paths.PACKAGE)
    again = "run python assets/draw_house.py"
    assert set(house.rows()) == set(house.PLACES) == set(now["lines"]), "give each room its place"
    assert set(kept["bricks"]) == set(now["lines"]), again
    assert {tuple(arrow) for arrow in kept["arrows"]} == set(house.drawn(now["arrows"])), again
    for room, bricks in kept["bricks"].items():
        assert abs(bricks - house.bricks(now["lines"][room])) <= 1, f"{room}: {again}"


def test_every_arrow_of_the_house_runs_down(house):
    row = house.rows()
    cellar = max(row.values())
    for a, b in house.measure(paths.PACKAGE)["arrows"]:
        assert row[a] < row[b] or row[a] == row[b] == cellar, f"{a} imports {b}"


def test_the_page_about_the_house_has_a_line_for_each_room(house):
    ((_, told),) = [
        part for part in parts(paths.ROOT / "CONTRIBUTING.md", 2) if part[0] == "The house"
    ]
    table = told.split("\n| room | what it is for |\n")[1].split("\n\n")[0]
    named = [
        room for line in table.splitlines() for room in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert sorted(named) == sorted(house.rows())
    assert re.findall(r"\*\*(.+)\*\*", table) == list(house.FLOORS)


def test_what_is_measured_of_a_house(house, tmp_path):
    files = {
        "__init__.py": "import knock.c\n",
        "a.py": "import knock.b\nfrom knock import c\n\ndef late():\n    from knock.b import d\n",
        "b/__init__.py": "import os\nfrom knock.b.d import e\n",
        "b/d.py": "from knock.c import f\n" * 3,
        "c.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "knock" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    found = house.measure(tmp_path / "knock")
    assert found == {
        "lines": {"a": 5, "b": 5, "c": 0},
        "arrows": [("a", "b"), ("a", "c"), ("b", "c")],
    }
    assert house.drawn(found["arrows"]) == [("a", "b"), ("b", "c")]
