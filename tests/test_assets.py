"""The figures of the questions are what their scripts draw, now, from the recipes of today."""

import importlib.util
from pathlib import Path

from knock import paths

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
