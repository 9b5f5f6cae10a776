"""`knock data`: which data sets are here, and a sheet of one set's pictures."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from knock.arguments import file, folder
from knock.paths import RUNS

HELP = "list the data sets; with a name, get that one and draw a sheet of its pictures"

_SHAPES = {
    "digits": (1, 32, 32),
    "mnist": (1, 28, 28),
    "fashion_mnist": (1, 28, 28),
    "cifar10": (3, 32, 32),
}
_PHOTOGRAPHS = (3, 64, 64)
_COLUMNS = 8


def add_arguments(parser: ArgumentParser) -> None:
    """Which set, where it is, and where the sheet goes."""
    parser.add_argument("dataset", nargs="?", help="the name of the set")
    parser.add_argument("--data", type=folder, metavar="FOLDER", help="the folder with its files")
    parser.add_argument(
        "--out", type=file, metavar="FILE", help=f"where the sheet goes ({RUNS}/NAME.png)"
    )


def run(found: Namespace, rest: list[str]) -> int:
    """List the sets, or get one and draw a sheet with one row per class.

    Raises UserError for an unknown set, for one that cannot be downloaded or read, and for a sheet
    that would replace a file.
    """
    if found.dataset is None and found.data is None:
        return _list()
    return _show(found.dataset or "folder", found.data, found.out)


def _list() -> int:
    from knock import data

    for one in data.status():
        state = str(one.where or "built in") if one.present else f"not here: {one.how_to_get}"
        print(f"{one.name:<14} {state}")
    return 0


def _show(name: str, folder: Path | None, out: Path | None) -> int:
    from knock import data
    from knock.errors import UserError
    from knock.files import make_folder, write_atomically, write_new
    from knock.training import pictures

    import numpy as np

    if out is not None and out.suffix.lower() != ".png":
        raise UserError(f"--out must name a PNG file, such as sheet.png, not {out}")
    if out is not None and out.exists():
        raise UserError(f"{out} exists already; choose another --out")
    shape = _SHAPES.get(name, _PHOTOGRAPHS)
    found = data.load(name, shape, "train", folder)
    count = len(data.load(name, shape, "test", folder).images)
    print(f"{name}: {len(found.images)} train and {count} test pictures, {shape}")
    rows = []
    for label, class_name in enumerate(found.classes or ("",)):
        places = np.flatnonzero(found.labels == label)
        print(f"  {class_name or 'all'}: {len(places)}")
        rows.append(found.images[places[:_COLUMNS]])
    path = out or RUNS / f"{name}.png"
    make_folder(path.parent)
    sheet = pictures.grid([row for row in rows if len(row)], pictures.ACROSS)
    png = pictures.as_png(sheet, pictures.enlargement(shape[1]))
    if out is None:
        path = write_new(path, png)
    else:
        write_atomically(path, png)
    print(path)
    if name == "folder" and folder and (unread := data.left_out(folder)):
        print(f"warning: {unread}", file=sys.stderr)
    return 0
