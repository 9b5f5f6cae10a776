"""The figure of question 20: one picture's way there and back, the pool, and the discriminator.

    python assets/draw_cyclegan.py                        draws cyclegan.png
    python assets/draw_cyclegan.py runs/cyclegan_pytorch  with what this run has learnt

The first picture is a test picture; its translation, what came back, and some pictures of the pool
are those of a run, kept in `cyclegan.safetensors`. All shapes are those of the preset `quick`.
"""

from knock import data
from knock.data.batches import to_pixels
from knock.recipe import layers
from knock.training import checkpoint

import figures
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, INK, SOFT, arrow, image, number, shape, text
from matplotlib.patches import Polygon

KEPT = figures.HERE / "cyclegan.safetensors"
NEWT, REAL = 5, 20  # which of the test pictures are translated, and shown as a real one
FORMER = 5  # pictures of the pool that are shown
WIDTH, HEIGHT = 10.0, 5.6
TOP, LOW = 4.05, 1.3  # the heights of the middles of both rows
SIDE, SMALL = 1.3, 0.8  # of a picture, and of one in the pool, inches
PLACES = 1.15, 5.0, 8.85  # the middles of the pictures in the upper row
JUDGE = 6.75  # the left end of the discriminator


def keep(folder):
    """Keep of a run what the figure shows."""
    recipe, found = figures.recipe("cyclegan"), checkpoint.load(folder)
    networks = figures.trained(recipe, found.state)
    there = networks["generator_y"](figures.newt(recipe, NEWT))
    back = networks["generator_x"](there)
    pool = found.state["pool_y.pictures"][:FORMER]
    made = {"there": there, "back": back, "pool": pool}
    KEPT.write_bytes(safetensors.numpy.save({name: to_pixels(one) for name, one in made.items()}))


def draw():
    """The whole card."""
    recipe = figures.recipe("cyclegan")
    placed = layers.networks(recipe)
    kept = safetensors.numpy.load_file(KEPT)
    test = data.load(recipe.dataset, recipe.image_shape, "test")
    figure, axis = figures.card(WIDTH, HEIGHT)
    shown = test.images[NEWT], kept["there"][0], kept["back"][0]
    words = "x", "G(x), which should be a y", "F(G(x)), which should be x"
    colours = INK, DECODE, ENCODE
    for x, pixels, said, colour in zip(PLACES, shown, words, colours, strict=True):
        image(axis, pixels, x - SIDE / 2, TOP - SIDE / 2, SIDE, colour, 1.4)
        text(axis, x, TOP + SIDE / 2 + 0.2, said, 9.5, colour)
    _generator(axis, placed["generator_y"], "G", PLACES[:2], DECODE)
    _generator(axis, placed["generator_x"], "F", PLACES[1:], ENCODE)
    _cycle(axis, recipe)
    _pool(axis, recipe, kept["pool"])
    _judge(axis, placed["discriminator_y"], test.images[REAL])
    text(axis, WIDTH - 0.3, 0.3, "widths of the preset quick", 8.5, SOFT, ha="right")
    return figure


def _generator(axis, placed, letter, places, colour):
    """An hourglass between two pictures: three halvings, three doublings."""
    middle, high, narrow = sum(places) / 2, 0.42, 0.14
    left, right = middle - 0.62, middle + 0.62
    corners = [(left, TOP - high), (middle, TOP - narrow), (right, TOP - high)]
    outline = corners + [(x, 2 * TOP - y) for x, y in corners[::-1]]
    axis.add_patch(Polygon(outline, facecolor=(colour, 0.22), edgecolor=colour, linewidth=1.2))
    arrow(axis, (places[0] + SIDE / 2 + 0.05, TOP), (left - 0.05, TOP), colour)
    arrow(axis, (right + 0.05, TOP), (places[1] - SIDE / 2 - 0.05, TOP), colour)
    text(axis, middle, TOP + high + 0.2, f"{placed.name}  ({letter})", 9.5, colour, weight="bold")
    count = sum(p.size for p in placed.parameters)
    inner = next(one.output for one in placed.layers if one.name == "down3")
    text(
        axis, middle, TOP - high - 0.25, f"{number(count)} weights\ninnermost map {shape(inner)}", 8
    )


def _cycle(axis, recipe):
    """The arc from the picture that came back to the first one."""
    y = TOP - SIDE / 2 - 0.06
    low = y - 0.62
    for x in (PLACES[0], PLACES[2]):
        axis.plot([x, x], [y, low], color=CODE, linewidth=1.4, zorder=3)
    axis.plot([PLACES[0], PLACES[2]], [low, low], color=CODE, linewidth=1.4, zorder=3)
    weight = recipe.constants["cycle_weight"]
    words = f"cycle: L1, back against first, times {weight:g}"
    text(axis, PLACES[0] + 0.15, low - 0.18, words, 9, CODE, ha="left")


def _pool(axis, recipe, pool):
    """A row of former pictures, one a little before the other."""
    step = 0.55
    left = PLACES[1] - (SMALL + step * (len(pool) - 1)) - 0.75
    for place, pixels in enumerate(pool):
        image(axis, pixels, left + place * step, LOW - SMALL / 2, SMALL, DECODE, 1.0, zorder=3)
    right = left + SMALL + step * (len(pool) - 1)
    size, share = recipe.constants["pool_size"], recipe.constants["from_pool"]
    words = f"the pool: {size} former pictures of G"
    text(axis, left, LOW + SMALL / 2 + 0.18, words, 9, DECODE, ha="left")
    words = f"with a probability of {share:g}, the new one\ntakes the place of a former one"
    text(axis, left, LOW - SMALL / 2 - 0.27, words, 8.5, DECODE, ha="left")
    y = TOP - SIDE / 2 - 0.06
    arrow(axis, (PLACES[1], y), (PLACES[1], LOW + 0.12), DECODE)
    arrow(axis, (PLACES[1] - 0.08, LOW - 0.02), (right + 0.06, LOW - 0.02), DECODE, style="<|-|>")
    arrow(axis, (PLACES[1] + 0.08, LOW - 0.02), (JUDGE - 0.05, LOW - 0.02), DECODE)
    text(axis, (PLACES[1] + JUDGE) / 2, LOW + 0.17, "new or former", 8.5, DECODE)


def _judge(axis, placed, real):
    """The discriminator, what it is shown, and what it says."""
    corners = [(JUDGE, LOW - 0.45), (JUDGE, LOW + 0.45), (JUDGE + 1.0, LOW + 0.2)]
    outline = [*corners, (JUDGE + 1.0, LOW - 0.2)]
    axis.add_patch(Polygon(outline, facecolor=(INK, 0.12), edgecolor=INK, linewidth=1.2))
    text(axis, JUDGE + 0.5, LOW - 0.62, placed.name, 9.5, INK, weight="bold")
    count = sum(p.size for p in placed.parameters)
    text(axis, JUDGE + 0.5, LOW - 0.83, f"{number(count)} weights", 8)
    x = JUDGE + 1.55
    image(axis, real, WIDTH - 0.3 - SMALL, LOW + 0.28, SMALL, INK, 1.0)
    text(axis, WIDTH - 0.3 - SMALL - 0.08, LOW + 0.85, "a real y", 8.5, ha="right")
    start = WIDTH - 0.3 - SMALL - 0.05, LOW + 0.62
    arrow(axis, start, (JUDGE + 0.55, LOW + 0.37), INK, 0.12)
    arrow(axis, (JUDGE + 1.04, LOW - 0.02), (x - 0.05, LOW - 0.02), INK)
    _, rows, columns = placed.output
    words = f"{rows}×{columns} numbers:\n1 for real, 0 for fake"
    text(axis, x, LOW - 0.04, words, 8.5, ha="left")


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
