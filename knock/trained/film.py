"""A walk in motion: there and back, again and again, without a jump."""

import math
from collections.abc import Sequence
from pathlib import Path

from knock.data.imageset import Pixels
from knock.files import make_folder
from knock.trained import walk
from knock.training import animation, pictures

import numpy as np

ENDING = ".gif"
FRAMES = 31
"""How many pictures the way there has, both ends included."""

_EACH = 60  # milliseconds
_ACROSS = 8  # ways side by side
_HIGH, _WIDE = 192, 400  # pixels: small pictures are enlarged to about one of these


def write(path: Path, rows: Sequence[tuple[str, Pixels]], program: str) -> None:
    """Write the ways (each `FRAMES`×H×W×C, with the name of its row) side by side, as a GIF.

    Ways of one name are in one row. Raises UserError when it cannot be written.
    """
    named: dict[str, list[Pixels]] = {}
    for name, way in rows:
        named.setdefault(name, []).append(way)
    height, width = rows[0][1].shape[1:3]
    lines = sum(math.ceil(len(ways) / _ACROSS) for ways in named.values())
    across = min(_ACROSS, max(map(len, named.values())))
    wanted = min(_HIGH / (lines * height), _WIDE / (across * width))
    enlarge = max(pictures.enlargement(height), round(wanted))
    frames = [
        pictures.named(
            [(name, np.stack([way[number] for way in ways])) for name, ways in named.items()],
            _ACROSS,
            enlarge,
        )
        for number in range(FRAMES)
    ]
    shown = [frames[number] for number in walk.there_and_back(FRAMES)]
    make_folder(path.parent)
    animation.write_gif(path, shown, [_EACH] * len(shown), note=program)
