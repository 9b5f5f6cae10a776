"""How the sample pictures of a run changed while it trained: an animation, and a strip of rows."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

from knock.data import images
from knock.data.imageset import Pixels
from knock.files import write_atomically
from knock.training import pictures

import numpy as np
from PIL import Image

GIF = "samples.gif"
STRIP = "strip.png"

_FRAMES, _FEW = 50, 25
_COLOURS = 32
_BANDS = 8
_EACH, _LAST = 200, 2000  # milliseconds


def animate(folder: Path, until: int) -> None:
    """Write `samples.gif` into a run's folder: its sample pictures up to step `until`, for ever.

    At most 50 of them, evenly chosen, the first and the last among them; the last stays longest.
    Those of another size than the newest are left out, and nothing is written of fewer than two.
    Raises UserError when a picture cannot be read, or the file not written.
    """
    _write_gif(folder / GIF, list(_samples(folder, until, _FRAMES).values()))


def excerpt(
    path: Path, folder: Path, box: tuple[int, int], until: int, left: int, enlarged: int
) -> None:
    """Write a smaller animation to `path`: the part of a run's sample pictures that `strip` takes.

    At most 25 of them, in 32 colours, and not enlarged, as the samples are. Raises UserError as
    `animate` does.
    """
    frames = [
        pixels[slice(*box), left:][::enlarged, ::enlarged]
        for pixels in _samples(folder, until, _FEW).values()
    ]
    _write_gif(path, frames, _COLOURS)


def _write_gif(path: Path, frames: Sequence[Pixels], colours: int = 256) -> None:
    if len(frames) > 1:
        write_gif(path, frames, [_EACH] * (len(frames) - 1) + [_LAST], colours)


def write_gif(
    path: Path, frames: Sequence[Pixels], times: Sequence[int], colours: int = 256, note: str = ""
) -> None:
    """Write frames (each H×W×3, of one size) that are shown again and again, with a comment.

    `times` has the milliseconds of each frame. Raises UserError when it cannot be written.
    """
    first, *rest = (Image.fromarray(one).quantize(colours) for one in frames)
    buffer = io.BytesIO()
    more = {"comment": note} if note else {}
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=[*times], loop=0, **more)
    write_atomically(path, buffer.getvalue())


def strip(folder: Path, box: tuple[int, int], until: int, left: int = 0) -> None:
    """Write `strip.png` into a run's folder: the rows box[0]:box[1] of its sample pictures.

    At most 8 pictures up to step `until`, chosen as `animate` does, one band below the other, its
    step's number to the left, without their first `left` columns, which have the rows' names. The
    rows, counted in pixels, must lie within the pictures. The same
    pictures give the same bytes. Raises UserError when one cannot be read, or the file not written.
    """
    bands = {step: p[slice(*box), left:] for step, p in _samples(folder, until, _BANDS).items()}
    if len(bands) < 2:
        return
    rows = np.concatenate(list(bands.values()))
    height = len(rows) // len(bands)
    steps, middles = map(str, bands), (np.arange(len(bands)) + 0.5) * height
    pictures.write_png(folder / STRIP, pictures.beside(rows, list(steps), middles, height))


def _samples(folder: Path, until: int, most: int) -> dict[int, Pixels]:
    """Sample pictures (H×W×3, all of one size) by step, in order: at most `most` of them."""
    found = {_step(path): path for path in (folder / "samples").glob("step_*.png")}
    steps = sorted(step for step in found if 0 <= step <= until)
    if not steps:
        return {}
    shape = images.read(found[steps[-1]], 3).shape
    steps = [step for step in steps if images.read(found[step], 3).shape == shape]
    places = np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int)
    return {steps[place]: images.read(found[steps[place]], 3) for place in places}


def _step(path: Path) -> int:
    """The step of `step_000250.png`; -1 for a file that no run wrote."""
    named = re.fullmatch(r"step_([0-9]{6,})\.png", path.name)
    return int(named[1]) if named else -1
