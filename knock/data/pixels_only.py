"""A picture's file without what is not pixels: metadata that no decoder must fail on.

A chunk of a PNG that is not needed may be huge, a JPEG's notes may be damaged, and its last two
bytes may be missing, while every pixel is there.
"""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_SMALL = 1 << 16
"""Bytes of a PNG's EXIF data, in which the orientation is, at most."""

_JPEG = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"
_SCAN = 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xCA}
_NOTES = {*range(0xE1, 0xEE), 0xEF, 0xFE}
"""APP1 to APP13, APP15 and comments. APP0 is JFIF; APP14, Adobe's, says how colours are coded."""

_FILLERS = tuple(bytes([byte]) * 40 for byte in (0, 0x55, 0xAA, 0x33, 0xCC, 0x0F, 0xF0, 0x69))
"""What a decoder is given where a file ends. Only a pixel that is missing depends on it."""

Array = NDArray[np.uint8]


def png(data: bytes) -> bytes:
    """A PNG with the chunks alone that its pixels and its orientation need; others unchanged.

    Of an animation the first picture is left.
    """
    if not data.startswith(_PNG):
        return data
    kept, place = [_PNG], len(_PNG)
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if end > len(data):
            break
        kind = data[place + 4 : place + 8]
        if kind in _PNG_KEPT or (kind == b"eXIf" and end - place <= _SMALL):
            kept.append(data[place:end])
        place = end
        if kind == b"IEND":
            return b"".join(kept)
    return b"".join([*kept, data[place:]])


def jpeg(data: bytes) -> bytes | None:
    """A JPEG without its notes; None if it is none."""
    if not data.startswith(_JPEG):
        return None
    kept, place = [_JPEG], len(_JPEG)
    for marker, first, end in _segments(data):
        if marker not in _NOTES:
            kept.append(data[first:end])
        place = end
    return b"".join([*kept, data[place:]])


def jpeg_whole(data: bytes, decode: Callable[[bytes], Array]) -> bytes | None:
    """A JPEG that can be decoded, maybe with its last bytes put back; None if pixels may miss.

    None is missing if the picture is the same whatever follows the end of the file. `decode` may
    raise anything.
    """
    with contextlib.suppress(Exception):
        decode(data)
        return data
    data = data.rstrip(b"\xff")
    if not data.startswith(_JPEG) or not _has_all_scans(data):
        return None
    with contextlib.suppress(Exception):
        first = decode(data + _JPEG_END)
        if all(np.array_equal(decode(data + more + _JPEG_END), first) for more in _FILLERS):
            return data + _JPEG_END
    return None


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end of each segment, up to the first scan's."""
    place = len(_JPEG)
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # fill bytes may stand before a marker
            place += 1
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == _SCAN or end > len(data):
            return
        yield marker, place, end
        place = end


def _has_all_scans(data: bytes) -> bool:
    """Whether no scan is missing: of a progressive file, each refines the picture."""
    frames = [(m, first, end) for m, first, end in _segments(data) if m in _FRAMES]
    if len(frames) != 1:
        return False
    marker, first, _ = frames[0]
    count = data[first + 9]
    missing = {
        (data[first + 10 + 3 * i], coefficient) for i in range(count) for coefficient in range(64)
    }
    place = first
    while (place := data.find(bytes([0xFF, _SCAN]), place)) >= 0:
        head = data[place + 4 : place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")]
        if not head or len(head) < 4 + 2 * head[0]:
            return False
        begin, last, bits = head[1 + 2 * head[0] :][:3]
        if marker not in _PROGRESSIVE:
            begin, last, bits = 0, 63, 0
        if not bits & 15:
            missing -= {
                (head[1 + 2 * i], coefficient)
                for i in range(head[0])
                for coefficient in range(begin, last + 1)
            }
        place += 2
    return not missing
