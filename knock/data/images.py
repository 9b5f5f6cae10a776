"""Read one picture from a file that may be anything: too large, incomplete, in another format.

Pillow decodes it. It reads a header without decoding, refuses an incomplete JPEG or PNG (OpenCV
fills the rest with grey), and knows CMYK, palettes, transparency and the orientation that cameras
store with the pixels.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from knock.data.imageset import Pixels
from knock.errors import UserError

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
"""The formats that are read, whatever the file's ending; of an animation, the first frame."""

MAX_PIXELS = 80_000_000
"""Larger pictures are not decoded: a header of 40 bytes can demand gigabytes of memory."""

MAX_BYTES = 256 * 1024 * 1024

Colour = tuple[int, int, int]
Item = TypeVar("Item")
Result = TypeVar("Result")


def pictures_in(folder: Path) -> list[Path]:
    """The files of `folder` itself that end like a picture, sorted, without hidden ones.

    Raises UserError if the folder cannot be listed.
    """
    return [
        path for path in entries(folder) if path.suffix.lower() in EXTENSIONS and path.is_file()
    ]


def entries(folder: Path) -> list[Path]:
    """What is in `folder`, sorted by name, without hidden names. Raises UserError."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from None


def read(path: Path, channels: int) -> Pixels:
    """The picture in a file as uint8 H×W×`channels` (1 grey, 3 RGB), upright.

    Channels of 16 bits lose the lower eight, transparent pixels become white, colour becomes grey
    by ITU-R BT.601. Raises UserError that names the file if it is not a complete picture.
    """
    from PIL import Image

    image = _decode(path)
    if image.mode.startswith("I"):
        # Pillow's own conversion clips 16-bit grey at 255: nearly everything would be white.
        grey = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
        image = grey
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(*pixels.shape[:2], channels)


def read_mask(path: Path, colours: Sequence[Colour]) -> Pixels:
    """A mask as uint8 H×W: the index of each pixel's colour in `colours`.

    Transparency is ignored. Raises UserError that names the file and the first pixel whose colour
    is not one of `colours`.
    """
    pixels = np.asarray(_decode(path).convert("RGB")).astype(np.uint32)
    codes = _code(pixels)
    ids = np.zeros(codes.shape, np.uint8)
    known = np.zeros(codes.shape, bool)
    for index, colour in enumerate(colours):
        here = codes == _code(np.array(colour, np.uint32))
        ids[here] = index
        known |= here
    if not known.all():
        y, x = np.argwhere(~known)[0]
        found = tuple(int(value) for value in pixels[y, x])
        wanted = ", ".join(str(colour) for colour in colours)
        raise UserError(
            f"the mask {path} has the colour {found} at x={x}, y={y}; a mask has only {wanted}: "
            "save it as PNG, drawn without soft edges"
        )
    return ids


def in_parallel(one: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`one(item)` for every item, in order, four at a time: decoding lets other threads run."""
    with ThreadPoolExecutor(max_workers=4) as workers:
        return list(workers.map(one, items))


def _code(colours: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Each colour of …×3 as one number."""
    red, green, blue = np.moveaxis(colours, -1, 0)
    return np.asarray((red << 16) | (green << 8) | blue, np.uint32)


def _decode(path: Path) -> "Image.Image":
    """The whole picture, upright, in whatever mode its file has."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    data = _bytes(path)
    too_large = (
        f"{path} is too large: a picture may have {MAX_PIXELS // 1_000_000} million pixels; make "
        "it smaller"
    )
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)  # reads the header only
        if image.width * image.height > MAX_PIXELS:
            raise UserError(f"{too_large} ({image.width}×{image.height})")
        image.load()
        return ImageOps.exif_transpose(image)
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(too_large) from None
    except UnidentifiedImageError:
        raise UserError(
            f"{path} is not a picture ({', '.join(FORMATS)}), or its beginning is damaged; "
            "replace it or remove it"
        ) from None
    except Exception as error:  # a damaged file can make a decoder raise anything
        cut = "truncat" in str(error).lower()
        what = "is incomplete" if cut else f"is damaged ({' '.join(str(error).split())})"
        raise UserError(f"{path} {what}; copy it again or remove it") from None


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} is larger than {MAX_BYTES >> 20} MiB; make it smaller")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the picture {path}: {error.strerror}") from None
    if not data:
        raise UserError(f"{path} is empty; copy it again or remove it")
    return data
