"""Functions that a script is given as they stand, but for their annotations.

They need NumPy and Pillow alone. `s` is the script's Settings, with the size of the pictures.
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps


def inside(network: Any, kind: Any) -> Iterator[tuple[str, Any]]:
    """What a network consists of, by name; of a block, in which there are layers, its own parts."""
    for name, one in vars(network).items():
        if isinstance(one, kind) and any(isinstance(two, kind) for two in vars(one).values()):
            yield from ((f"{name}.{deeper}", two) for deeper, two in inside(one, kind))
        else:
            yield name, one


def pictures(s: Any) -> tuple[NDArray[Any], NDArray[Any], list[str]]:
    """Pictures (uint8, N×H×W×C), the number of each one's class, and the classes' names."""
    found: Any
    kinds: Any
    data = Path(s.data)
    if data.is_file():  # of the digits: rows of 64 numbers from 0 to 16, then the class
        table = np.loadtxt(data, delimiter=",")
        found, kinds = np.uint8(table[:, :64] * 15.94).reshape(-1, 8, 8), table[:, 64].astype(int)
    elif mnist := sorted(data.glob("train-*-ubyte*")):
        both = (path.read_bytes() for path in (mnist[0], mnist[-1]))
        a, b = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw for raw in both)
        found, kinds = np.frombuffer(a[16:], np.uint8).reshape(-1, 28, 28), b[8:]
    else:
        endings = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
        found = [path for path in sorted(data.rglob("[!.]*")) if path.suffix.lower() in endings]
        kinds = [path.parent.name for path in found]
    if not len(kinds):
        raise OSError(f"no pictures in {data}; name their folder with --data")
    names, labels = np.unique([str(kind) for kind in kinds], return_inverse=True)
    return np.stack([fit(one, s) for one in found]), labels, names.tolist()


def pairs(s: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """The pictures A and B of all pairs (uint8, N×H×W×C each)."""
    data, endings = Path(s.data), (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
    paths = [path for path in sorted(data.rglob("[!.]*")) if path.suffix.lower() in endings]
    in_a, in_b = ([path for path in paths if path.parent.name == side] for side in "AB")
    if [path.stem for path in in_a] != [path.stem for path in in_b] or not paths:
        raise OSError(f"no pairs in {data}: side by side, or of one name in folders A and B")
    if in_a:
        found = [(fit(a, s), fit(b, s)) for a, b in zip(in_a, in_b, strict=True)]
    else:
        halves = [np.array_split(np.asarray(Image.open(path)), 2, axis=1) for path in paths]
        found = [(fit(a, s), fit(b, s)) for a, b in halves]
    first, second = np.swapaxes(found, 0, 1)
    return first, second


def fit(source: Any, s: Any) -> NDArray[Any]:
    """A file or an array as a picture of the wanted size and colours: its middle."""
    image = Image.open(source) if isinstance(source, Path) else Image.fromarray(source)
    image = ImageOps.exif_transpose(image).convert("L" if s.channels == 1 else "RGB")
    return np.asarray(ImageOps.fit(image, (s.width, s.height))).reshape(s.height, s.width, -1)


def save(path: str, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, str]) -> None:
    """Write a safetensors file: the length of the header, the header in JSON, all numbers."""
    header: dict[str, Any]
    header, end = {"__metadata__": about}, 0
    for name, array in arrays.items():
        place, kind = [end, end := end + array.nbytes], f"F{8 * array.itemsize}"
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": place}
    text = json.dumps(header).encode()
    numbers = [array.tobytes() for array in arrays.values()]
    Path(path).write_bytes(b"".join([len(text).to_bytes(8, "little"), text, *numbers]))
