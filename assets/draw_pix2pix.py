"""The figure of question 08: the U-Net with its skips, and the PatchGAN that looks at the pair.

    python assets/draw_pix2pix.py      draws pix2pix.png

Each block is a stack of maps, the higher the larger they are, the thicker the more there are. All
shapes are those of the preset `quick`; photo and mask are a test picture's own, at both ends.
"""

from knock import data
from knock.data.batches import painted
from knock.recipe import layers

import figures
from figures import CODE, DECODE, ENCODE, FAINT, SOFT, arrow, image, shape, text
from matplotlib.patches import Polygon, Rectangle

WIDTH, HEIGHT = 10.0, 7.6
MIDDLE, TOP = 5.0, HEIGHT - 1.55  # the U's axis, and the height of the pictures at its ends
ASIDE, DROP = 0.62, 0.58  # from one level to the next
SIDE = 1.2  # of a picture, inches
LOW = 1.22  # the height of the discriminator's middle
NEWT = 0  # which of the test pictures
SEEN = {(3, 3): CODE, (9, 9): DECODE}  # logits, row and column, whose patches are shown


def draw():
    """The whole card."""
    recipe = figures.recipe("pix2pix")
    generator, discriminator = layers.networks(recipe).values()
    found = data.load(recipe.dataset, recipe.image_shape, "test")
    photo, mask = found.images[NEWT], painted(found.masks[NEWT : NEWT + 1], 3)[0]
    figure, axis = figures.card(WIDTH, HEIGHT)
    words = "generator: a U-Net"
    text(axis, 0.3, HEIGHT - 0.38, words, 11, DECODE, ha="left", weight="bold")
    words = "widths of the preset quick"
    text(axis, WIDTH - 0.3, HEIGHT - 0.38, words, 9, SOFT, ha="right")
    _unet(axis, generator, photo, mask)
    words = "discriminator: a PatchGAN"
    text(axis, 0.3, LOW + 0.98, words, 11, ENCODE, ha="left", weight="bold")
    _patchgan(axis, discriminator, photo, mask)
    return figure


def _unet(axis, generator, photo, mask):
    """Pictures at the upper ends, a level for each halving, skips across."""
    downs = [one.output for one in generator.layers if one.layer.kind == "conv"]
    ups = [one.output for one in generator.layers if one.layer.kind == "tconv"]
    dropouts = [one.layer.kind for one in generator.layers].count("dropout")
    depth = len(downs)
    ends = 0.3 + SIDE / 2, WIDTH - 0.3 - SIDE / 2
    for x, pixels, words in zip(ends, (photo, mask), ("photo", "mask"), strict=True):
        image(axis, pixels, x - SIDE / 2, TOP - SIDE / 2, SIDE)
        text(axis, x, TOP + SIDE / 2 + 0.17, f"{words}  {shape(generator.input)}")
    first = MIDDLE - (depth - 1) * ASIDE, TOP - DROP + _high(downs[0]) / 2 + 0.06
    arrow(axis, (ends[0] + SIDE / 2 + 0.06, TOP), first, ENCODE, -0.35)
    last = WIDTH - first[0] + 0.13, first[1]
    arrow(axis, last, (ends[1] - SIDE / 2 - 0.06, TOP), DECODE, -0.35)
    for level in range(1, depth):
        kept, made = downs[level - 1], ups[depth - 1 - level]
        x, y = (depth - level) * ASIDE, TOP - level * DROP
        left, right = _block(axis, MIDDLE - x, y, kept, ENCODE)
        text(axis, left - 0.08, y - 0.19, shape(kept), 8.5, ha="right")
        apart = (_thick(kept) + 0.04) / 2
        start, _ = _block(axis, MIDDLE + x - apart, y, kept, ENCODE)
        _, end = _block(axis, MIDDLE + x + apart, y, made, DECODE)
        text(axis, end + 0.08, y - 0.19, shape((made[0] + kept[0], *made[1:])), 8.5, ha="left")
        if depth - level <= dropouts:
            text(axis, end + 0.83, y - 0.19, "dropout ½", 8.5, CODE, ha="left")
        arrow(axis, (right + 0.08, y), (start - 0.08, y), ENCODE, line=1.0)
        bottom, lower = y - _high(kept) / 2 - 0.06, y - DROP + 0.03
        inner = downs[level]
        narrow = (_thick(inner) + 0.22 * _high(inner)) / 2 + 0.06
        arrow(axis, (MIDDLE - x, bottom), (MIDDLE - x + ASIDE - narrow, lower), ENCODE, 0.3)
        wide = narrow if level == depth - 1 else narrow + (_thick(inner) + 0.04) / 2
        arrow(axis, (MIDDLE + x - ASIDE + wide, lower), (MIDDLE + x + apart, bottom), DECODE, 0.3)
    _block(axis, MIDDLE, TOP - depth * DROP, downs[-1], CODE)
    text(axis, MIDDLE, TOP - depth * DROP - 0.3, shape(downs[-1]), 8.5)
    text(axis, MIDDLE, TOP - DROP + 0.3, "skips: beside each map, the one of its size", 9, ENCODE)
    low = TOP - 4.95 * DROP
    text(axis, MIDDLE - 3.1, low, "4×4, stride 2:\nhalves the sides", 8.5, ENCODE)
    text(axis, MIDDLE + 3.6, low, "4×4, stride 2, transposed:\ndoubles them", 8.5, DECODE)


def _patchgan(axis, discriminator, photo, mask):
    """The pair with two patches, the maps, and the grid of logits with the two that saw them."""
    convs = [one for one in discriminator.layers if one.layer.kind == "conv"]
    first, step, size = _patch(convs)
    side = discriminator.input[1]
    bottom = LOW - SIDE / 2
    for left, pixels in ((0.3, photo), (0.3 + SIDE + 0.1, mask)):
        image(axis, pixels, left, bottom, SIDE)
        for (row, column), colour in SEEN.items():
            x = left + (first + step * column) * SIDE / side
            y = bottom + SIDE - (first + step * row + size) * SIDE / side
            for line, edge in ((3.2, "white"), (1.6, colour)):
                square = Rectangle((x, y), size * SIDE / side, size * SIDE / side, fill=False)
                square.set(edgecolor=edge, linewidth=line, zorder=3)
                axis.add_patch(square)
    words = f"the pair  {shape(discriminator.input)}"
    text(axis, 0.35 + SIDE, bottom - 0.2, words)
    edge = 0.4 + 2 * SIDE
    places = (4.0, 5.25, 6.5)
    grid = 7.55
    for x, placed in zip((*places, None), convs, strict=True):
        if x:
            start, end = _block(axis, x, LOW, placed.output, ENCODE)
            text(axis, x, bottom - 0.2, shape(placed.output))
        else:
            start, end = grid, None
        arrow(axis, (edge + 0.1, LOW), (start - 0.1, LOW), ENCODE)
        words = f"{placed.layer.kernel}×{placed.layer.kernel}\nstride {placed.layer.stride}"
        text(axis, (edge + start) / 2, LOW + 0.09, words, 8, ENCODE, va="bottom")
        edge = end
    _, rows, columns = discriminator.output
    cell = SIDE / rows
    for row in range(rows):
        for column in range(columns):
            colour = SEEN.get((row, column))
            square = Rectangle((grid + column * cell, bottom + SIDE - (row + 1) * cell), cell, cell)
            square.set(facecolor=colour or (ENCODE, 0.08), edgecolor=FAINT, linewidth=0.6)
            axis.add_patch(square)
    frame = Rectangle((grid, bottom), SIDE, SIDE, fill=False, edgecolor=ENCODE, linewidth=0.9)
    axis.add_patch(frame)
    text(axis, grid + SIDE / 2, bottom - 0.2, f"{rows}×{columns} logits")
    words = f"each sees\n{size}×{size} pixels\nof the pair"
    text(axis, grid + SIDE + 0.12, LOW, words, 8.5, ha="left")


def _patch(convs):
    """The pixels that a logit sees: the first logit's first one, the next one's, and how many."""
    first, step, size = 0, 1, 1
    for one in (placed.layer for placed in convs):
        first -= one.pad * step
        size += (one.kernel - 1) * step
        step *= one.stride
    return first, step, size


def _high(maps):
    return 0.27 * maps[1] ** 0.28


def _thick(maps):
    return 0.085 * maps[0] ** 0.28


def _block(axis, x, y, maps, colour):
    """A box in a slanted view about (x, y): its left and right end."""
    high, thick = _high(maps), _thick(maps)
    slant, half = 0.22 * high, high / 2
    left = x - (thick + slant) / 2
    right, bottom, top = left + thick, y - half, y + half - slant
    faces = (
        ((left, bottom), (right, bottom), (right, top), (left, top)),
        ((left, top), (right, top), (right + slant, y + half), (left + slant, y + half)),
        ((right, bottom), (right + slant, bottom + slant), (right + slant, y + half), (right, top)),
    )
    for face, strength in zip(faces, (0.25, 0.12, 0.45), strict=True):
        axis.add_patch(Polygon(face, facecolor="white", zorder=3))
        tinted = Polygon(face, facecolor=(colour, strength), edgecolor=colour, zorder=3)
        axis.add_patch(tinted)
    return left, right + slant


if __name__ == "__main__":
    figures.main(__file__, draw)
