"""Read one picture from a file that may be anything: too large, incomplete, in another format.

Pillow decodes it. It reads a header without decoding, refuses an incomplete JPEG or PNG (OpenCV
fills the rest with grey), and knows CMYK, palettes, transparency and the orientation that cameras
store with the pixels.
"""

import io
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from knock.data.imageset import Pixels
from knock.errors import UserError

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

EXTENSIONS = (".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")
"""The formats that are read, whatever the file's ending; of several pictures in one, the first."""

OTHERS = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".psd", ".svg", ".dng", ".cr2", ".nef", ".arw")
"""Endings of pictures that are not read, and of which the user is told so."""

_DEEPEST = 3
"""Folders below one in which pictures may be: A/train/frog."""

MAX_PIXELS = 80_000_000
"""Larger pictures are not decoded: a header of 40 bytes can demand gigabytes of memory."""

MAX_BYTES = 256 * 1024 * 1024

# Pillow's remarks on a damaged file: the one line that refuses it says enough.
warnings.filterwarnings("ignore", module=r"PIL\.")

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


def any_below(folder: Path) -> bool:
    """Whether there is a file that ends like a picture in `folder`, or not far below."""
    return any(path.suffix.lower() in EXTENSIONS for path in _below(folder))


def unreadable_below(folder: Path) -> str | None:
    """A line about the pictures in `folder` whose format is not read; None if there are none."""
    found = sorted(path for path in _below(folder) if path.suffix.lower() in OTHERS)
    if not found:
        return None
    endings = ", ".join(sorted({path.suffix.lower() for path in found}))
    files = f"{len(found)} files are" if len(found) > 1 else "1 file is"
    return f"{files} not read ({found[0].name}): export {endings} as JPEG or PNG"


def _below(folder: Path) -> Iterator[Path]:
    """What is in `folder` and in its folders, without hidden names."""
    for depth in range(1, _DEEPEST + 2):
        for path in folder.glob("/".join("*" * depth)):
            if not any(part.startswith(".") for part in path.parts[-depth:]):
                yield path


def entries(folder: Path) -> list[Path]:
    """What is in `folder`, sorted by name, without hidden names. Raises UserError."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from None


def read(path: Path, channels: int) -> Pixels:
    """The picture in a file as uint8 H×W×`channels` (1 grey, 3 RGB), upright.

    Channels of 16 bits lose the lower eight, transparent pixels become white, colour becomes grey
    by ITU-R BT.601. Raises UserError that names the file if it is not a complete picture, or has
    numbers that are no colours.
    """
    from PIL import Image

    image = _decode(path)
    if image.mode[0] in "IF":
        image = _eight_bits(image, path)
    elif image.mode == "LAB":  # of which Pillow makes no grey
        image = image.convert("RGB")
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(*pixels.shape[:2], channels)


def _eight_bits(image: "Image.Image", path: Path) -> "Image.Image":
    """A grey picture of more bits. Pillow's own conversion clips it at 255: nearly all white."""
    from PIL import Image

    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
        raise UserError(f"{path} has grey levels of 32 bits; save it with 8 or 16 bits")
    return Image.fromarray((values.astype(np.uint32) >> 8).astype(np.uint8))


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
