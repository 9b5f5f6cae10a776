"""Read one picture from a file that may be anything: too large, incomplete, in another format.

Pillow decodes it. It reads a header without decoding, refuses an incomplete JPEG or PNG (OpenCV
fills the rest with grey), and knows CMYK, palettes, transparency and the orientation that cameras
store with the pixels.
"""

import io
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from knock.data import pixels_only
from knock.data.imageset import Pixels
from knock.errors import UserError

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

_PLAIN = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
_PLAIN_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM")
_IF_BUILT = {
    "avif": ("AVIF", (".avif",)),  # Pillow's wheels have it from 11.3 on
    "jpg_2000": ("JPEG2000", (".jp2", ".j2k", ".jpx")),
}

OTHERS = (
    *(".avif", ".heic", ".heif", ".j2k", ".jp2", ".jpx", ".jxl", ".psd", ".svg", ".tga", ".ico"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2"),
)
"""Endings of pictures that are not read, or not by every Pillow; the user is told so."""

_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")

_SYSTEM = ("thumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "$recycle.bin", "lost+found")
"""What systems put into folders, beside hidden names."""

MAX_PIXELS = 80_000_000
"""Larger pictures are not decoded: a header of 40 bytes can demand gigabytes of memory."""

MAX_BYTES = 256 * 1024 * 1024

NAMED = 10
"""Files of which one line tells what is wrong with them."""

_ORIENTATION = 0x0112
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""EXIF's orientations, and how the stored pixels are turned."""

# Pillow's remarks on a damaged file: the one line that refuses it says enough.
warnings.filterwarnings("ignore", module=r"PIL\.")

Colour = tuple[int, int, int]
Item = TypeVar("Item")
Result = TypeVar("Result")


@cache
def _built() -> tuple[str, ...]:
    """The features of Pillow that this one was built with, of those that may be missing."""
    from PIL import features

    known = {
        **features.modules,
        **features.codecs,
    }  # an older Pillow warns of what it never heard of
    return tuple(one for one in _IF_BUILT if one in known and features.check(one))


@cache
def formats() -> tuple[str, ...]:
    """The formats that are read, whatever a file's ending; of several pictures, the first."""
    return (*_PLAIN_FORMATS, *(_IF_BUILT[one][0] for one in _built()))


@cache
def endings() -> tuple[str, ...]:
    """The endings, in small letters, of files that are read."""
    return (*_PLAIN, *(ending for one in _built() for ending in _IF_BUILT[one][1]))


def is_picture(path: Path) -> bool:
    """Whether a file is there that ends like a picture, or without any ending begins like one."""
    if not path.suffix:
        return os.path.isfile(path) and _begins_like_one(path)
    return path.suffix.lower() in endings() and os.path.isfile(path)


def _begins_like_one(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(_BEGINNINGS) or (start[:4], start[8:]) == (b"RIFF", b"WEBP")


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of `folder` itself, sorted, without hidden ones.

    Raises UserError if the folder cannot be listed.
    """
    return [path for path in entries(folder) if is_picture(path)]


def pictures_below(folder: Path) -> Iterator[Path]:
    """The pictures in `folder` and in all folders below it, in order. Raises UserError."""
    return (path for path in files_below(folder) if is_picture(path))


def any_below(folder: Path) -> bool:
    """Whether there is a picture in `folder`, or below it. Raises UserError."""
    return os.path.isdir(folder) and any(True for _ in pictures_below(folder))


def files_below(folder: Path) -> Iterator[Path]:
    """What is no folder in `folder` and in all folders below it, in order, without hidden names.

    Links are followed; no folder is entered twice, and none that `folder` is in. Raises UserError.
    """
    home = folder.resolve()
    seen = {home}

    def walk(here: Path) -> Iterator[Path]:
        for path in entries(here):
            if not os.path.isdir(path):
                yield path
                continue
            real = path.resolve() if path.is_symlink() else here.resolve() / path.name
            if real not in seen and not home.is_relative_to(real):
                seen.add(real)
                yield from walk(path)

    return walk(folder)


def folders_in(folder: Path) -> list[Path]:
    """The folders in `folder`, sorted, without hidden ones. Raises UserError."""
    return [path for path in entries(folder) if os.path.isdir(path)]


def entries(folder: Path) -> list[Path]:
    """What is in `folder`, sorted by name, without what is hidden. Raises UserError."""
    try:
        return sorted(path for path in folder.iterdir() if not _hidden(path.name))
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from None


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM


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
    """`one(item)` for every item, in order, four at a time: decoding lets other threads run.

    Raises one UserError for all those that `one` raises; it names the first ten.
    """

    def kept(item: Item) -> Result | _Refused:
        try:
            return one(item)
        except UserError as error:
            return _Refused(str(error))

    with ThreadPoolExecutor(max_workers=4) as workers:
        made = list(workers.map(kept, items))
    require_none([result.why for result in made if isinstance(result, _Refused)])
    return [result for result in made if not isinstance(result, _Refused)]


@dataclass(frozen=True)
class _Refused:
    why: str


def require_none(refusals: Sequence[str]) -> None:
    """Raise a UserError of one line if there are refusals: the first, then what is wrong with more.

    Each is "what is wrong; what to do". The first ten are told.
    """
    if not refusals:
        return
    first, *more = refusals
    told = "".join(f"; also: {one.split('; ')[0]}" for one in more[: NAMED - 1])
    rest = len(more) - (NAMED - 1)
    raise UserError(f"{first}{told}{f'; and {rest} more' if rest > 0 else ''}")


def _code(colours: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Each colour of …×3 as one number."""
    red, green, blue = np.moveaxis(colours, -1, 0)
    return np.asarray((red << 16) | (green << 8) | blue, np.uint32)


def _decode(path: Path) -> "Image.Image":
    """The whole picture, upright, in whatever mode its file has."""
    from PIL import Image, UnidentifiedImageError

    data = pixels_only.png(_bytes(path))
    too_large = (
        f"{path} is too large: a picture may have {MAX_PIXELS // 1_000_000} million pixels; make "
        "it smaller"
    )
    try:
        return _upright(_loaded_somehow(data))
    except _TooLargeError as error:
        raise UserError(f"{too_large} ({error})") from None
    except Image.DecompressionBombError:
        raise UserError(too_large) from None
    except UnidentifiedImageError:
        raise UserError(
            f"{path} is not a picture ({', '.join(formats())}), or its beginning is damaged; "
            "replace it or remove it"
        ) from None
    except Exception as error:  # a damaged file can make a decoder raise anything
        cut = "truncat" in str(error).lower()
        what = "is incomplete" if cut else f"is damaged ({' '.join(str(error).split())})"
        raise UserError(f"{path} {what}; copy it again or remove it") from None


class _TooLargeError(Exception):
    """Says how large a picture is."""


def _loaded(data: bytes) -> "Image.Image":
    from PIL import Image

    image = Image.open(io.BytesIO(data), formats=formats())  # reads the header only
    if image.width * image.height > MAX_PIXELS:
        raise _TooLargeError(f"{image.width}×{image.height}")
    image.load()
    return image


def _loaded_somehow(data: bytes) -> "Image.Image":
    """The picture, of a JPEG also without its notes or its end. Raises what Pillow raises."""
    from PIL import Image

    try:
        return _loaded(data)
    except (_TooLargeError, Image.DecompressionBombError):
        raise
    except Exception:
        for file in filter(None, (data, pixels_only.jpeg(data))):
            if whole := pixels_only.jpeg_whole(file, lambda one: np.asarray(_loaded(one))):
                return _loaded(whole)
        raise


def _upright(image: "Image.Image") -> "Image.Image":
    """The picture turned as its camera was held, if its EXIF data can be read so far."""
    from PIL import Image

    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data can make their reader raise anything
        turn = None
    return image if turn is None else image.transpose(Image.Transpose[turn])


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
