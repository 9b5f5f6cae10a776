"""Draws the data set: two species of newt, 160 pictures and the 160 masks that go with them.

Every picture is own work, made of arithmetic; nothing is photographed.  A newt is built as a long
row of overlapping ellipsoids (`Stamp`) along a curved spine, down each bent leg and out to each
toe.  The ellipsoids are painted into a height field (`Relief`), which is then coloured by species
and lit like any relief: a slope facing the lamp is bright, a wet one glints.  Pebbles and leaves
are painted the same way.  Because colour follows the angle *around* the body, one number, the
roll, turns a newt seen from above (0) over its red flank (about 1) onto its back (pi).

    python Dataset/draw_newts.py              # draw into the folder beside this script
    python Dataset/draw_newts.py --out DIR    # draw somewhere else
    python Dataset/draw_newts.py --check      # redraw in memory, compare with the files

The files are reproducible byte for byte: each picture has its own counter-based random stream,
and everything is computed in float64, so that a last-bit difference between two processors is
far too small to turn a byte.  The encoders are OpenCV's, whose bytes may change with its version;
the committed files were written with NumPy 2.4.6 and OpenCV 5.0.0 (`WRITTEN_WITH`).

Colours are RGB in 0..1 and arrays are (row, column[, channel]) until the very last step.
Lengths on a newt are fractions of its length from snout to tail tip; angles are in radians.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

WRITTEN_WITH = {"numpy": "2.4.6", "opencv": "5.0.0"}
SEED = "image-generation-knock/newts/1"
SIZE = 256  # pixels along each side of a picture
SCALE = 2  # the newt is drawn this many times larger, then averaged down
COUNTS = {"train": 64, "test": 16}  # pictures of each species
MASK_COLOURS = {"akahara": (128, 0, 0), "madara": (0, 128, 0)}  # RGB
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 89]
PNG = [cv2.IMWRITE_PNG_COMPRESSION, 9]

GROUND, BODY, LIMB, IRIS, PUPIL, GLINT = range(6)  # what a pixel of a relief belongs to

# Half-width of the animal, and its height as a share of that, along the spine.  The first point
# is where the snout's round end is centred; 0.13 is the neck, 0.50 the hips.
PROFILE_AT = (0.00, 0.03, 0.065, 0.095, 0.13, 0.20, 0.31, 0.43, 0.50, 0.56, 0.70, 0.85, 1.00)
HALF_WIDTH = (
    0.030,
    0.040,
    0.051,
    0.051,
    0.038,
    0.051,
    0.062,
    0.055,
    0.043,
    0.034,
    0.029,
    0.020,
    0.004,
)
ROUNDNESS = (0.55, 0.60, 0.65, 0.68, 0.75, 0.85, 0.85, 0.85, 0.90, 1.00, 1.00, 1.00, 1.00)


# ------------------------------------------------------------------------------ random numbers
class Dice:
    """One picture's random stream: Philox keyed by a hash of (seed, split, species, index)."""

    def __init__(self, *name: object) -> None:
        """Start the stream of that name, for instance "train", "akahara", 1."""
        digest = hashlib.sha256("/".join(map(str, (SEED, *name))).encode()).digest()
        key = int.from_bytes(digest[:16], "little")
        self._generator = np.random.Generator(np.random.Philox(key=key))

    def array(self, *shape: int) -> Floats:
        """Uniform numbers in [0, 1)."""
        return self._generator.random(shape)

    def between(self, low: float, high: float) -> float:
        """One uniform number in [low, high)."""
        return low + (high - low) * float(self._generator.random())

    def sign(self) -> int:
        """-1 or 1."""
        return -1 if self._generator.random() < 0.5 else 1


def spline_weights(count: int, cells: int) -> Floats:
    """Cubic B-spline weights, (count, cells + 3): `count` samples over `cells` lattice cells."""
    at = np.arange(count) * (cells / count)
    cell = at.astype(np.int64)
    f = at - cell
    taps = ((1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3)
    weights = np.zeros((count, cells + 3))
    for k, tap in enumerate(taps):
        weights[np.arange(count), cell + k] = tap / 6
    return weights


def noise(dice: Dice, size: int, cell: float, stretch: float = 1.0, octaves: int = 1) -> Floats:
    """Smooth noise, (size, size), mean 0 and variance 1.

    `cell` is the width of a bump in pixels, `stretch` how many times longer it is down the
    columns; each further octave halves the bumps and their strength.
    """
    total: Floats = np.zeros((size, size))
    for octave in range(octaves):
        across = max(2, round(size * 2**octave / cell))
        down = max(2, round(size * 2**octave / (cell * stretch)))
        lattice = dice.array(down + 3, across + 3) - 0.5
        layer: Floats = spline_weights(size, down) @ lattice @ spline_weights(size, across).T
        total += layer / layer.std() / 2**octave
    total -= total.mean()
    total /= total.std()
    return total


# ---------------------------------------------------------------------------------- small tools
def ramp(low: float | Floats, high: float | Floats, value: Floats) -> Floats:
    """0 below `low`, 1 above `high`, and smooth between (`low` > `high` turns it round)."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def mix(first: Floats, second: Floats, share: Floats) -> Floats:
    """Blend two colours or colour fields; `share` (H, W) is how much of the second."""
    return first + (second - first) * share[..., None]


def rgb(red: float, green: float, blue: float) -> Floats:
    """A colour given in the familiar 0..255."""
    return np.array((red, green, blue)) / 255


def blur(field: Floats, sigma: float) -> Floats:
    """Gaussian blur, `sigma` in pixels."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), dtype=np.float64)


# --------------------------------------------------------------------------------------- relief
class Stamp(NamedTuple):
    """One ellipsoid: its centre, semi-axes and direction in the plane, and its height."""

    x: float
    y: float
    heading: float  # direction of the first semi-axis
    long: float  # semi-axis along the heading
    wide: float  # semi-axis across it
    lift: float  # height of the centre above the ground
    depth: float  # semi-axis towards the viewer
    part: int
    along: float  # where it sits on the animal, 0 snout .. 1 tail tip


class Relief(NamedTuple):
    """A height field in pixels, and what each pixel of it shows; all (size, size)."""

    height: Floats
    part: npt.NDArray[np.int64]
    along: Floats
    across: Floats  # -1 at one edge of the stamp, 1 at the other


def paint(stamps: list[Stamp], size: int) -> Relief:
    """Paint the stamps, given in pixels; where they overlap the highest shows."""
    relief = Relief(
        np.zeros((size, size)),
        np.full((size, size), GROUND, dtype=np.int64),
        np.zeros((size, size)),
        np.zeros((size, size)),
    )
    for stamp in stamps:
        reach = max(stamp.long, stamp.wide) + 1
        top, left = (max(0, math.floor(c - reach)) for c in (stamp.y, stamp.x))
        bottom, right = (min(size, math.ceil(c + reach) + 1) for c in (stamp.y, stamp.x))
        if top >= bottom or left >= right:
            continue
        dy = (np.arange(top, bottom) - stamp.y)[:, None]
        dx = (np.arange(left, right) - stamp.x)[None, :]
        cos, sin = math.cos(stamp.heading), math.sin(stamp.heading)
        across = (dy * cos - dx * sin) / stamp.wide
        inside = 1 - ((dx * cos + dy * sin) / stamp.long) ** 2 - across**2
        height = stamp.lift + stamp.depth * np.sqrt(np.maximum(inside, 0.0))
        window = (slice(top, bottom), slice(left, right))
        wins = (inside > 0) & (height > relief.height[window])
        relief.height[window][wins] = height[wins]
        relief.part[window][wins] = stamp.part
        relief.along[window][wins] = stamp.along
        relief.across[window][wins] = across[wins]
    return relief


class Light(NamedTuple):
    """A distant lamp: unit vector towards it (x right, y down, z to the viewer) and its tint."""

    x: float
    y: float
    z: float
    tint: Floats  # RGB factors; brightness and warmth

    @classmethod
    def thrown(cls, dice: Dice) -> Light:
        """A lamp at a random place, warmth and brightness."""
        azimuth, elevation = dice.between(0, math.tau), dice.between(0.75, 1.1)
        warmth, brightness = dice.between(-1, 1), dice.between(0.92, 1.12)
        flat = math.cos(elevation)
        return cls(
            flat * math.cos(azimuth),
            flat * math.sin(azimuth),
            math.sin(elevation),
            brightness * np.array((1 + 0.06 * warmth, 1.0, 1 - 0.09 * warmth)),
        )


def lit(albedo: Floats, height: Floats, light: Light, gloss: float) -> Floats:
    """Light a relief: ambient, diffuse and a highlight of strength `gloss`; (H, W, 3)."""
    slope_y, slope_x = np.gradient(height)
    norm = np.sqrt(slope_x**2 + slope_y**2 + 1)
    facing = (light.z - slope_x * light.x - slope_y * light.y) / norm
    # Half-way between the lamp and the viewer, who looks straight down.
    half = math.sqrt(2 + 2 * light.z)
    mirror = (light.z + 1 - slope_x * light.x - slope_y * light.y) / (norm * half)
    shine = gloss * (np.maximum(mirror, 0) ** 40 + 0.25 * np.maximum(mirror, 0) ** 8)
    diffuse = 0.42 + 0.72 * np.maximum(facing, 0) + 0.10 / norm
    reflected: Floats = albedo * diffuse[..., None] + shine[..., None]
    return reflected * light.tint


# ------------------------------------------------------------------------------------ the animal
def sweep(
    points: Floats, wide: Floats, lift: Floats, depth: Floats, part: int, along: Floats
) -> list[Stamp]:
    """Round stamps along a path (n, 2); the other arguments are (n,)."""
    step = np.gradient(points, axis=0)
    heading = np.arctan2(step[:, 1], step[:, 0])
    return [
        Stamp(x, y, h, w, w, z, d, part, s)
        for (x, y), h, w, z, d, s in zip(
            points.tolist(),
            heading.tolist(),
            wide.tolist(),
            lift.tolist(),
            depth.tolist(),
            along.tolist(),
            strict=True,
        )
    ]


def polar(length: float, angle: float) -> Floats:
    """The vector (2,) of that length and direction."""
    return length * np.array((math.cos(angle), math.sin(angle)))


def limb(
    dice: Dice,
    root: Floats,
    lift: float,
    along: float,
    *,
    ahead: float,
    side: int,
    hind: bool,
    stride: float,
) -> list[Stamp]:
    """A leg: two bones with a bent joint between them, a palm, and 4 (hind: 5) splayed toes.

    `ahead` is the direction the animal faces, `side` is -1 or 1, and `stride` in -1..1 swings
    the whole leg from back to front.
    """
    # Angles from straight ahead: the upper bone, the lower bone, the middle toe.  Elbows point
    # back and knees forward, so the two bones turn opposite ways.
    upper, lower, toe = (1.15, 1.75, 1.25) if hind else (1.80, 0.95, 0.75)
    swing = -0.40 * stride
    size = 1.12 if hind else 1.0
    joint = root + polar(0.066 * size, ahead + side * (upper + swing))
    ankle = joint + polar(0.060 * size, ahead + side * (lower + swing + dice.between(-0.2, 0.2)))
    bones = np.concatenate([np.linspace(root, joint, 20), np.linspace(joint, ankle, 20)[1:]])
    t = np.linspace(0, 1, len(bones))
    wide = size * np.interp(t, (0, 0.35, 0.55, 1), (0.026, 0.019, 0.0165, 0.0125))
    floor = 0.012
    stamps = sweep(
        bones,
        wide,
        lift + (floor - lift) * ramp(0, 1, t),
        0.9 * wide,
        LIMB,
        np.full(len(bones), along),
    )
    middle = ahead + side * (toe + 0.6 * swing)
    palm = ankle + polar(0.006, middle)
    stamps.append(
        Stamp(
            float(palm[0]),
            float(palm[1]),
            middle,
            0.016 * size,
            0.014 * size,
            floor,
            0.009,
            LIMB,
            along,
        )
    )
    count = 5 if hind else 4
    for k in range(count):
        off = (k - (count - 1) / 2) / (count - 1)  # -0.5 .. 0.5 across the fan
        length = (0.050 - 0.05 * off**2) * size * dice.between(0.92, 1.08)
        tip = palm + polar(length, middle + off * (1.75 if hind else 1.45))
        toe_path = np.linspace(palm, tip, 12)
        thin = np.linspace(0.0078, 0.0050, 12) * size
        stamps += sweep(toe_path, thin, np.full(12, 0.7 * floor), thin, LIMB, np.full(12, along))
    return stamps


def newt(dice: Dice, roll: float, light: Light) -> list[Stamp]:
    """A newt in a random pose, one unit long before bending, about the origin."""
    s = np.linspace(0, 1, 280)
    wave, phase = dice.sign() * dice.between(0.25, 0.55), dice.between(-0.08, 0.12)
    bend, curl = dice.between(-0.8, 0.8), dice.sign() * dice.between(0.2, 1.4)
    heading = (
        dice.between(0, math.tau)
        + wave * np.sin(math.tau * (1.05 * s + phase))
        + bend * s
        + curl * ramp(0.40, 1.15, s)
    )
    spine = np.cumsum(np.stack((np.cos(heading), np.sin(heading)), axis=1), axis=0) / len(s)

    girth = dice.between(1.12, 1.38)
    soften = np.hanning(17) / np.hanning(17).sum()  # rounds the corners of the profile
    wide = (
        np.convolve(
            np.pad(np.interp(s, PROFILE_AT, HALF_WIDTH), 8, mode="edge"), soften, mode="valid"
        )
        * girth
    )
    # The tail is a blade on edge: the further the animal rolls over, the broader it looks.
    wide *= 1 + 0.35 * abs(math.sin(roll)) * ramp(0.52, 0.68, s)
    tall = wide * np.interp(s, PROFILE_AT, ROUNDNESS)
    stamps = sweep(spine, wide, tall, tall, BODY, s)

    def at(along: float, angle: float, share: float) -> tuple[Floats, float, float]:
        """Place on the skin: its plane point, its height, and the direction of the spine there.

        `angle` is measured around the body from the middle of the back, `share` is how far out
        from the body's axis (1 is on the skin).
        """
        k = round(along * (len(s) - 1))
        seen = angle - roll
        offset = polar(share * wide[k] * math.sin(seen), heading[k] + math.pi / 2)
        return spine[k] + offset, tall[k] * (1 + share * math.cos(seen)), float(heading[k])

    gait = dice.between(-1, 1)
    for along, hind in ((0.175, False), (0.485, True)):
        for side in (-1, 1):
            # Diagonal legs move together, as in any walking newt.
            stride = gait * side * (-1 if hind else 1) + dice.between(-0.3, 0.3)
            root, lift, spine_heading = at(along, side * 1.85, 0.72)
            # A newt on its back has its left legs on the right.  The spine runs from head to
            # tail, so facing ahead turns its sides round once more.
            outward = -1 if math.sin(side * 1.85 - roll) > 0 else 1
            stamps += limb(
                dice,
                root,
                lift,
                along,
                ahead=spine_heading + math.pi,
                side=outward,
                hind=hind,
                stride=stride,
            )
    for side in (-1, 1):
        if math.cos(side * 0.95 - roll) < -0.1:
            continue  # this eye is on the far side of the head
        (x, y), lift, ahead = at(0.052, side * 0.95, 0.90)
        ball = 0.0140 * girth
        for part, share, rise, aside in (
            (IRIS, 1.0, 0.0, 0.0),
            (PUPIL, 0.66, 0.55, 0.0),
            (GLINT, 0.24, 1.3, 0.45),
        ):
            size = share * ball
            stamps.append(
                Stamp(
                    x + aside * ball * light.x,
                    y + aside * ball * light.y,
                    ahead,
                    1.15 * size,
                    size,
                    lift + rise * ball,
                    size,
                    part,
                    0.052,
                )
            )
    if math.cos(roll) < 0:  # on its back: the swelling of the vent
        (x, y), lift, ahead = at(0.515, math.pi, 0.8)
        stamps.append(Stamp(x, y, ahead, 0.028, 0.018, lift, 0.010, LIMB, 0.515))
    return stamps


def placed(dice: Dice, roll: float, light: Light) -> list[Stamp]:
    """A newt turned, scaled and moved into the frame, in pixels of the large canvas.

    Poses that would leave it small (a straight one along the diagonal, say) are thrown again.
    """
    while True:
        stamps = newt(dice, roll, light)
        box = np.array([(t.x, t.y, t.wide) for t in stamps])
        low = (box[:, :2] - box[:, 2:]).min(axis=0)
        high = (box[:, :2] + box[:, 2:]).max(axis=0)
        body = [t.wide for t in stamps if t.part == BODY]
        area = 2 * sum(body) / len(body) + 0.022  # of the body, plus about that for the legs
        wanted = math.sqrt(dice.between(0.14, 0.26) / area)
        zoom = min(wanted, dice.between(0.93, 0.985) / float((high - low).max()))
        if zoom * zoom * area > 0.125:
            break
    zoom *= SIZE * SCALE
    slack = (SIZE * SCALE - zoom * (high - low)) / 2
    jitter = 0.8 * (2 * dice.array(2) - 1)
    dx, dy = (SIZE * SCALE / 2 - zoom * (low + high) / 2 + jitter * slack).tolist()
    return [
        Stamp(
            zoom * t.x + dx,
            zoom * t.y + dy,
            t.heading,
            zoom * t.long,
            zoom * t.wide,
            zoom * t.lift,
            zoom * t.depth,
            t.part,
            t.along,
        )
        for t in stamps
    ]


# ------------------------------------------------------------------------------------ the skins
Skin = Callable[[Dice, Relief, float, float], tuple[Floats, Floats]]


def akahara_skin(dice: Dice, relief: Relief, roll: float, girth: float) -> tuple[Floats, Floats]:
    """Fire-bellied newt: warty brown-black above, red below with black spots.

    Returns the colours (H, W, 3) and the bumps to add to the height (H, W), in pixels; `girth` is
    the widest half-width of the body in pixels.
    """
    size = len(relief.height)
    back = mix(rgb(38, 29, 27), rgb(74, 54, 42), np.full((size, size), dice.between(0, 0.9)))
    back = back * (1 + 0.10 * noise(dice, size, 0.5 * girth, octaves=3))[..., None]
    red = mix(rgb(226, 38, 22), rgb(240, 92, 24), np.full((size, size), dice.between(0, 0.75)))
    red = red * (1 + 0.05 * noise(dice, size, 0.6 * girth))[..., None]

    facing_up = np.cos(np.arcsin(relief.across) + roll)  # 1 on the back, -1 under the belly
    border = 0.30 + 0.13 * noise(dice, size, 0.33 * girth)
    belly = ramp(border + 0.06, border - 0.06, facing_up)
    # Blotches, which run together towards the flanks, and a few freckles.
    blotch = noise(dice, size, 0.34 * girth) + 0.35 * ramp(-0.6, 0.4, facing_up)
    spots = np.maximum(ramp(0.85, 1.05, blotch), ramp(1.5, 1.7, noise(dice, size, 0.16 * girth)))
    colour = mix(mix(back, red, belly), 0.55 * back, belly * spots)
    warts = np.minimum(np.maximum(noise(dice, size, 0.075 * girth) - 0.5, 0), 1.5)
    return colour, 0.030 * girth * warts * (1 - 0.85 * belly)


def madara_skin(dice: Dice, relief: Relief, roll: float, girth: float) -> tuple[Floats, Floats]:
    """Marbled newt: green with a black network, and an orange stripe down the back.

    Arguments and result as for `akahara_skin`.
    """
    size = len(relief.height)
    black = rgb(27, 27, 24) * np.ones((size, size, 1))
    green = mix(rgb(74, 158, 52), rgb(138, 182, 48), np.full((size, size), dice.between(0, 1)))
    green = green * (1 + 0.08 * noise(dice, size, 0.3 * girth, octaves=2))[..., None]

    level = dice.between(-0.15, 0.2)
    marble = noise(dice, size, 0.36 * girth, octaves=2)
    colour = mix(green, black, ramp(level - 0.12, level + 0.12, marble))
    angle = np.arcsin(relief.across) + roll
    stripe = ramp(0.17, 0.10, np.abs(angle)) * ramp(0.11, 0.15, relief.along)
    stripe *= (relief.part == BODY) * ramp(-1.6, -0.9, noise(dice, size, 0.5 * girth))
    colour = mix(colour, rgb(226, 92, 30), stripe)
    return colour, 0.008 * girth * np.maximum(noise(dice, size, 0.08 * girth), 0)


SKINS: dict[str, Skin] = {"akahara": akahara_skin, "madara": madara_skin}
EYE_COLOURS = {IRIS: rgb(160, 118, 44), PUPIL: rgb(12, 10, 10), GLINT: rgb(330, 330, 330)}


def draw_newt(dice: Dice, species: str, roll: float, light: Light) -> tuple[Floats, Floats]:
    """The lit newt (H, W, 3) and its silhouette (H, W), 0 or 1; H = W = SIZE * SCALE."""
    stamps = placed(dice, roll, light)
    relief = paint(stamps, SIZE * SCALE)
    girth = max(t.wide for t in stamps if t.part == BODY)
    colour, bumps = SKINS[species](dice, relief, roll, girth)
    for part, eye in EYE_COLOURS.items():
        colour[relief.part == part] = eye
    # A little blur of the height welds the legs to the body and the stamps to each other.
    skin = relief.part <= LIMB
    height = blur(relief.height, 1.6) + bumps * skin
    silhouette = (relief.part != GROUND).astype(np.float64)
    return lit(colour, height, light, dice.between(0.20, 0.42)), silhouette


# ---------------------------------------------------------------------------------- backgrounds
Ground = Callable[[Dice], tuple[Floats, Floats]]  # colours (SIZE, SIZE, 3) and heights (SIZE, SIZE)


def pebbles(dice: Dice) -> tuple[Floats, Floats]:
    """A bed of rounded grey and tan stones."""
    count, spread = 420, dice.between(0.8, 1.3)
    stamps = []
    for k in range(count):
        x, y = (SIZE * dice.array(2)).tolist()
        long = spread * dice.between(7, 22)
        stamps.append(
            Stamp(
                x,
                y,
                dice.between(0, math.pi),
                long,
                long * dice.between(0.6, 0.95),
                dice.between(0.5, 11),
                long * 0.30,
                BODY,
                k / count,
            )
        )
    relief = paint(stamps, SIZE)
    shades = mix(rgb(140, 136, 128), rgb(182, 168, 146), dice.array(count)) * (
        0.85 + 0.3 * dice.array(count, 1)
    )
    colour = shades[np.rint(relief.along * count).astype(np.int64)]
    return colour * (1 + 0.05 * noise(dice, SIZE, 6, octaves=2))[..., None], 0.7 * relief.height


def sand(dice: Dice) -> tuple[Floats, Floats]:
    """Fine sand with faint ripples."""
    grain = noise(dice, SIZE, 2.2)
    dunes = noise(dice, SIZE, dice.between(24, 40), stretch=dice.between(0.3, 3), octaves=2)
    colour = mix(rgb(206, 184, 146), rgb(186, 172, 150), np.full((SIZE, SIZE), dice.between(0, 1)))
    return colour * (1 + 0.05 * grain + 0.03 * dunes)[..., None], 0.35 * grain + 0.9 * dunes


def moss(dice: Dice) -> tuple[Floats, Floats]:
    """Soft cushions of pale moss, made of small leaflets."""
    count = 2200
    at, turn, long, lift = (
        SIZE * dice.array(count, 2),
        dice.array(count),
        dice.array(count),
        dice.array(count),
    )
    relief = paint(
        [
            Stamp(x, y, math.tau * h, 3 + 2 * w, 1.4 + 0.6 * w, 5 * z, 1.5, BODY, z)
            for (x, y), h, w, z in zip(
                at.tolist(), turn.tolist(), long.tolist(), lift.tolist(), strict=True
            )
        ],
        SIZE,
    )
    cushions = noise(dice, SIZE, 55, octaves=2)
    tone = relief.along + 0.25 * cushions
    return mix(
        rgb(104, 118, 78), rgb(176, 180, 128), ramp(-0.5, 1.3, tone)
    ), 0.35 * relief.height + 4 * cushions


def leaves(dice: Dice) -> tuple[Floats, Floats]:
    """Fallen leaves, wet and overlapping, with a midrib and side veins."""
    stamps: list[Stamp] = []
    count = 46
    for k in range(count):
        length, turn = dice.between(55, 105), dice.between(0, math.tau)
        t = np.linspace(0, 1, 36)
        angle = turn + dice.between(-0.6, 0.6) * t
        path = np.stack((np.cos(angle), np.sin(angle)), axis=1).cumsum(axis=0) * (length / 36)
        path += SIZE * (1.2 * dice.array(2) - 0.1) - path[18]
        wide = length * dice.between(0.2, 0.28) * np.sin(math.pi * t**0.8) ** 0.8 + 0.8
        stamps += sweep(path, wide, np.full(36, 0.4 * k), np.full(36, 3.0), BODY, (k + t) / count)
    relief = paint(stamps, SIZE)
    leaf = np.minimum((relief.along * count).astype(np.int64), count - 1)
    t = relief.along * count - leaf
    ribs = np.abs(np.mod(7 * (t - 0.12 * np.abs(relief.across)), 1) - 0.5)
    veins = np.maximum(ramp(0.10, 0.04, np.abs(relief.across)), 0.5 * ramp(0.44, 0.5, ribs))
    shades = mix(rgb(164, 134, 92), rgb(142, 140, 96), dice.array(count)) * (
        0.85 + 0.3 * dice.array(count, 1)
    )
    colour = mix(shades[leaf], rgb(206, 186, 146), 0.5 * veins)
    return colour * (1 + 0.05 * noise(dice, SIZE, 9, octaves=2))[..., None], 0.5 * relief.height


def wood(dice: Dice) -> tuple[Floats, Floats]:
    """A weathered board, its grain along one of the two axes."""
    drift = noise(dice, SIZE, 60, stretch=4) + np.linspace(0, dice.between(5, 9), SIZE)[None, :]
    rings = np.sin(math.tau * drift)
    fibre = noise(dice, SIZE, 2.5, stretch=24)
    colour = mix(rgb(172, 146, 114), rgb(152, 128, 102), ramp(-1.8, 1.8, rings + 0.5 * fibre))
    height = 0.3 * fibre + 0.2 * rings
    return (colour, height) if dice.sign() < 0 else (colour.transpose(1, 0, 2), height.T)


def water(dice: Dice) -> tuple[Floats, Floats]:
    """Shallow clear water: a pale bed under a net of light."""
    net = np.exp(-3.5 * np.abs(noise(dice, SIZE, 34, octaves=2)))
    depth = noise(dice, SIZE, 110)
    colour = mix(rgb(112, 148, 154), rgb(150, 170, 162), ramp(-2, 2, depth))
    return mix(colour, rgb(222, 236, 228), 0.45 * net), 1.5 * noise(dice, SIZE, 26, octaves=2)


def paper(dice: Dice) -> tuple[Floats, Floats]:
    """A plain sheet, white to grey-blue."""
    colour = mix(rgb(204, 200, 190), rgb(160, 170, 182), np.full((SIZE, SIZE), dice.between(0, 1)))
    fibre = noise(dice, SIZE, 3, octaves=2)
    return colour * (1 + 0.012 * fibre)[..., None], 0.12 * fibre + 2 * noise(dice, SIZE, 120)


def palm(dice: Dice) -> tuple[Floats, Floats]:
    """The tone of a hand: soft, with a few deep lines."""
    soft = noise(dice, SIZE, 90, octaves=2)
    lines = np.exp(-14 * np.abs(noise(dice, SIZE, 130)))
    colour = mix(rgb(200, 166, 142), rgb(174, 138, 116), np.full((SIZE, SIZE), dice.between(0, 1)))
    colour = mix(colour, 0.82 * colour, lines) * (1 + 0.03 * soft)[..., None]
    return colour, 9 * soft - 1.2 * lines


GROUNDS: tuple[Ground, ...] = (pebbles, sand, moss, leaves, wood, water, paper, palm)


# ----------------------------------------------------------------------------------- the picture
def thrown_roll(dice: Dice, species: str, index: int) -> float:
    """How far the animal is turned about its long axis.

    Of every eight fire-bellied newts three show the belly, the others at least a red flank; the
    marbled ones, whose pattern is on the back, are seen from above.
    """
    if species == "madara":
        return dice.between(-0.4, 0.4)
    if index % 8 in (1, 4, 6):
        return math.pi + dice.between(-0.3, 0.3)
    return dice.sign() * dice.between(0.75, 1.1)


def draw(split: str, species: str, index: int) -> tuple[Bytes, Bytes]:
    """One picture and its mask, both RGB (SIZE, SIZE, 3)."""
    dice = Dice(split, species, index)
    light = Light.thrown(dice)
    # Eight grounds in turn, out of step with the views, so that each meets every view.
    ground, ground_height = GROUNDS[(index + index // 8) % len(GROUNDS)](dice)
    # Calmer than the animal: paler patterns, softened outlines, a little out of focus.
    ground = ground + 0.25 * (ground.mean(axis=(0, 1)) - ground)
    ground = lit(ground, blur(ground_height, 0.8), light, 0.05)
    ground = blur(ground, dice.between(0.6, 1.1))

    big, silhouette = draw_newt(dice, species, thrown_roll(dice, species, index), light)
    blocks = (SIZE, SCALE, SIZE, SCALE)
    cover = silhouette.reshape(blocks).mean(axis=(1, 3))
    animal = (np.clip(big, 0, 1) * silhouette[..., None]).reshape(*blocks, 3).mean(axis=(1, 3))

    reach = dice.between(5, 9)
    shift = np.rint((-reach * light.y, -reach * light.x)).astype(np.int64)
    cast = np.roll(cover, tuple(shift.tolist()), axis=(0, 1))
    shade = 1 - 0.48 * blur(cast, 4.0) - 0.28 * blur(cover, 2.2)
    picture = ground * shade[..., None] * (1 - cover[..., None]) + animal
    grain = (dice.array(SIZE, SIZE, 1) + dice.array(SIZE, SIZE, 1) - 1) * 0.025
    picture = np.rint(255 * np.clip(picture + grain, 0, 1)).astype(np.uint8)
    mask = (cover >= 0.5)[..., None] * np.array(MASK_COLOURS[species], dtype=np.uint8)
    return picture, mask


def encoded(extension: str, image: Bytes, options: list[int]) -> bytes:
    """The file contents of an RGB image."""
    done, data = cv2.imencode(extension, image[..., ::-1], options)
    if not done:
        raise RuntimeError(f"OpenCV could not encode a {extension} image")
    return bytes(data)


def names() -> Iterator[tuple[str, str, int]]:
    """Every (split, species, index) of the data set; indices start at 1."""
    for split, count in COUNTS.items():
        for species in MASK_COLOURS:
            for index in range(1, count + 1):
                yield split, species, index


def files(split: str, species: str, index: int) -> dict[str, bytes]:
    """The two files of one newt: path relative to the data set -> contents."""
    picture, mask = draw(split, species, index)
    stem = f"{species}/{species}_{index:04d}"
    return {
        f"{split}/images/{stem}.jpg": encoded(".jpg", picture, JPEG),
        f"{split}/seg_images/{stem}.png": encoded(".png", mask, PNG),
    }


def main() -> int:
    """Draw the data set, or check the one on disk; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).resolve().parent,
        help="folder of the data set (default: the one beside this script)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="redraw in memory and compare with the files; write nothing",
    )
    arguments = parser.parse_args()

    drawn: dict[str, bytes] = {}
    for name in names():
        drawn |= files(*name)
    sums = [f"{hashlib.sha256(drawn[path]).hexdigest()}  {path}\n" for path in sorted(drawn)]
    drawn["SHA256SUMS"] = "".join(sums).encode()

    differences = 0
    for path, contents in drawn.items():
        target: Path = arguments.out / path
        if not arguments.check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(contents)
        elif not target.is_file():
            print(f"{path}: missing")
            differences += 1
        elif target.read_bytes() != contents:
            print(f"{path}: differs")
            differences += 1
    count = len(sums) // 2
    if not differences:
        print(f"{count} pictures and {count} masks are {'as ' if arguments.check else ''}drawn")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
