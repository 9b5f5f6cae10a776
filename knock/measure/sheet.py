"""Made pictures, each above the nearest training picture: is it new, or a copy?"""

from pathlib import Path

from knock.data.imageset import Pixels
from knock.training import charts
from knock.training.measures import nearest
from knock.training.pictures import grid

SHOWN = 12
"""How many made pictures are shown."""


@charts.as_it_comes()
def draw(path: Path, title: str, made: Pixels, train: Pixels) -> None:
    """Write the sheet: some made pictures, under each the nearest training picture and how far.

    Raises UserError when it cannot be written.
    """
    from matplotlib.figure import Figure

    some = made[:SHOWN]
    places, far = nearest(some, train)
    count, height, width, _ = some.shape
    picture, left, above, below = 0.9, 1.15, 0.45, 0.5  # inches
    high = picture * height / width
    wide, tall = left + picture * count + 0.15, above + 2 * high + below
    figure = Figure(figsize=(wide, tall))
    figure.suptitle(title, fontsize=11, y=1 - 0.12 / tall, va="top")
    rows = {"nearest\ntraining\npicture": train[places], "made": some}  # from the bottom up
    for number, (name, row) in enumerate(rows.items()):
        bottom = below + number * high
        axis = figure.add_axes(
            (left / wide, bottom / tall, picture * count / wide, high / tall), anchor="W"
        )
        axis.imshow(grid([row]), interpolation="nearest", aspect="auto")
        axis.set_axis_off()
        figure.text((left - 0.1) / wide, (bottom + high / 2) / tall, name, ha="right", va="center")
    for number, one in enumerate(far):
        x = (left + (number + 0.5) * picture) / wide
        figure.text(x, (below - 0.05) / tall, f"{one:.0f}", ha="center", va="top", fontsize=9)
    words = "their difference, in grey levels (root mean square): 0 is a copy"
    figure.text(left / wide, 0.06 / tall, words, va="bottom", fontsize=9)
    charts.save(path, figure)
