"""The figure of question 09: what two networks make of hills that lie apart from each other.

    python assets/draw_wgan.py      draws wgan.png

No network is asked: the hills are normal distributions, and all curves are drawn from formulas.
"""

import math

import figures
import numpy as np
from figures import CODE, DECODE, ENCODE, FAINT, INK, SOFT, arrow, text

WIDTH, HEIGHT = 10.0, 6.0
LEFT, RIGHT = 0.75, 6.15  # the ends of the line on which the hills stand
MADE, REAL, SPREAD = 1.85, 5.05, 0.27  # the hills' middles and their deviation, in inches
FAR = REAL - MADE
ROWS = 3.47, 0.6  # the heights of the line in either row
BORDER = 3.0  # the height of what parts the rows
HILL = 0.5  # how high a hill is
FLOOR, RISE = 0.72, 1.05  # where the curve's lowest place is, above the line, and how far it rises
PLACES = -1.3, -0.65, 0.0, 0.65, 1.3  # of a few pictures, in deviations
SIDE = 7.35, 9.4  # the ends of the small plot
TALL = 1.6  # its height
MOST = math.log(2) / 0.82, 4.6  # what is reported at its upper end, in either row


def draw():
    """The whole card."""
    figure, axis = figures.card(WIDTH, HEIGHT)
    above, below = ROWS
    _hills(axis, above)
    _hills(axis, below)
    _discriminator(axis, above)
    _critic(axis, below)
    axis.plot([0.45, WIDTH - 0.45], [BORDER, BORDER], FAINT, linewidth=1)
    ways = np.linspace(0, 4, 201)
    told = np.array([_jensen_shannon(way) for way in ways])
    _report(axis, above, ways, told / MOST[0], ENCODE)
    _report(axis, below, ways, ways / MOST[1], CODE)
    _reports(axis)
    return figure


def _density(x, middle):
    """A hill of height 1."""
    return np.exp(-(((x - middle) / SPREAD) ** 2) / 2)


def _jensen_shannon(way):
    """Of two hills with their middles `way` apart: log 2 where they do not meet."""
    x = np.linspace(-3, 7, 2001)
    p, q = _density(x, 0.0), _density(x, way)
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    return (_divergence(p, middle) + _divergence(q, middle)) / 2


def _divergence(p, q):
    """Kullback and Leibler's; what is 0 counts nothing."""
    some = p > 1e-300
    return float(np.sum(p[some] * np.log(p[some] / q[some])))


def _hills(axis, line):
    """The two distributions on their line, with their names."""
    for middle, colour, name in ((MADE, DECODE, "made  G(z)"), (REAL, INK, "real  x")):
        x = middle + SPREAD * np.linspace(-3.8, 3.8, 301)
        height = line + HILL * _density(x, middle)
        axis.fill_between(x, line, height, color=colour, alpha=0.18, linewidth=0, zorder=2)
        axis.plot(x, height, colour, linewidth=1.2, zorder=3)
        text(axis, middle, line - 0.17, name, 9.5, colour)
    axis.plot([LEFT, RIGHT], [line, line], SOFT, linewidth=1, zorder=4)


def _curve(axis, line, share, colour, name, ends):
    """A function of the place, from 0 to 1, above the hills; its values at a few made pictures."""
    x = np.linspace(LEFT, RIGHT, 601)
    low = line + FLOOR
    for end, height in zip(ends, (low, low + RISE), strict=True):
        axis.plot([LEFT, RIGHT], [height, height], FAINT, linewidth=0.8, zorder=1)
        text(axis, LEFT - 0.1, height, end, 8.5, SOFT, ha="right")
    axis.plot(x, low + RISE * share(x), colour, linewidth=2.2, zorder=5)
    text(axis, LEFT, low + RISE + 0.36, name, 11, colour, weight="bold", ha="left")
    places = MADE + SPREAD * np.array(PLACES)
    heights = low + RISE * share(places)
    for place, height in zip(places, heights, strict=True):
        foot = line + HILL * _density(place, MADE)
        axis.plot([place, place], [foot, height], DECODE, linewidth=0.8, linestyle=":", zorder=3)
        axis.plot([place], [height], "o", color=DECODE, markersize=4.5, zorder=6)
    return places, heights


def _discriminator(axis, line):
    """The best one of question 05: flat wherever there are pictures."""

    def share(x):
        # p / (p + q) of two hills with one deviation is a sigmoid of a line.
        slope = FAR / SPREAD**2
        return 1 / (1 + np.exp(-slope * (x - (MADE + REAL) / 2)))

    name = "the best discriminator of question 05:  real or made?"
    _, heights = _curve(axis, line, share, ENCODE, name, ("0", "1"))
    words = "flat: no made picture learns\nwhere to go"
    text(axis, MADE, heights[0] + 0.36, words, 8.5, DECODE)
    text(axis, REAL + 0.1, line + FLOOR + RISE - 0.2, "flat here, too", 8.5, SOFT)


def _critic(axis, line):
    """A line with slope 1; the earth that is moved, and how the scores tell how far."""

    def share(x):
        return (x - LEFT) / (RIGHT - LEFT)

    name = "the best critic:  how far?"
    places, heights = _curve(axis, line, share, CODE, name, ("low", "high"))
    tilt = RISE / (RIGHT - LEFT)
    shift = 0.3  # from the last made picture to where its arrow begins
    begin = places[-1] + shift, heights[-1] + shift * tilt + 0.13
    arrow(axis, begin, (begin[0] + 0.9, begin[1] + 0.9 * tilt), DECODE, line=1.8)
    text(axis, begin[0] + 0.35, begin[1] + 0.3, "this way, from everywhere", 8.5, DECODE)
    for share_of_hill in (0.2, 0.5, 0.8):
        half = SPREAD * math.sqrt(-2 * math.log(share_of_hill)) + 0.05  # of the hill's width there
        up = line + share_of_hill * HILL
        arrow(axis, (MADE + half, up), (REAL - half, up), DECODE, line=1.1)
    text(axis, (MADE + REAL) / 2, line - 0.17, "all the earth, all the way", 8.5, DECODE)
    _difference(axis, line, share)


def _difference(axis, line, share):
    """The two mean scores, carried to the right, and what lies between them."""
    low, high = (line + FLOOR + RISE * float(share(middle)) for middle in (MADE, REAL))
    end = RIGHT + 0.12
    for middle, height, colour in ((MADE, low, DECODE), (REAL, high, INK)):
        style = {"linewidth": 0.9, "linestyle": (0, (4, 3)), "zorder": 3}
        axis.plot([middle, end + 0.05], [height, height], colour, **style)
    axis.plot([REAL], [high], "o", color=INK, markersize=4.5, zorder=6)
    arrow(axis, (end, low), (end, high), CODE, style="<|-|>")
    text(axis, end + 0.17, (low + high) / 2, "W", 11, CODE, weight="bold")


def _report(axis, line, ways, heights, colour):
    """A small plot: what is reported for hills at a distance, and the place of ours."""
    left, right = SIDE
    x = left + (right - left) * ways / ways[-1]
    y = line + TALL * heights
    axis.plot([left, left, right], [line + TALL, line, line], SOFT, linewidth=1)
    axis.plot(x, y, colour, linewidth=2.2, zorder=5)
    here = int(np.argmin(np.abs(ways - FAR)))
    axis.plot([x[here]] * 2, [line, y[here]], DECODE, linewidth=0.8, linestyle=":", zorder=3)
    axis.plot([x[here]], [y[here]], "o", color=DECODE, markersize=5.5, zorder=6)
    text(axis, left, line - 0.17, "0", 8.5, SOFT)
    text(axis, (left + right) / 2, line - 0.17, "distance of the hills", 8.5, SOFT)


def _reports(axis):
    """What stands beside the two small plots."""
    above, below = ROWS
    left, right = SIDE
    top = FLOOR + RISE + 0.36
    text(axis, left, above + top, "Jensen-Shannon divergence", 9.5, ENCODE, ha="left")
    text(axis, left, below + top, "earth mover's distance  W", 9.5, CODE, ha="left")
    height = above + TALL * math.log(2) / MOST[0]
    text(axis, left - 0.1, height, "log 2", 8.5, SOFT, ha="right")
    words = "the same, near or far"
    text(axis, right, height + 0.17, words, 8.5, ENCODE, ha="right")
    height = below + TALL * FAR / MOST[1]
    text(axis, left + 0.14, height, "grows with the way", 8.5, CODE, ha="left")


if __name__ == "__main__":
    figures.main(__file__, draw)
