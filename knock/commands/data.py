"""`knock data`: which sets are here, and a sheet of one set's pictures."""

from pathlib import Path

from knock import data
from knock.files import free
from knock.training import pictures

import numpy as np

_SHAPES = {"digits": (1, 32, 32), "mnist": (1, 28, 28), "fashion_mnist": (1, 28, 28)}
_COLOUR = {"cifar10": (3, 32, 32)}
_PHOTOGRAPHS = (3, 64, 64)
_COLUMNS = 8


def run(name: str | None, folder: Path | None, out: Path | None) -> int:
    """Without a name, list the sets; with one, get it and draw a sheet with a row a class.

    Raises UserError for an unknown set, and one that cannot be had or read.
    """
    if name is None and folder is None:
        for one in data.status():
            state = str(one.where or "built in") if one.present else f"not here: {one.how_to_get}"
            print(f"{one.name:<14} {state}")
        return 0
    name = name or "folder"
    shape = {**_SHAPES, **_COLOUR}.get(name, _PHOTOGRAPHS)
    found = data.load(name, shape, "train", folder)
    count = len(data.load(name, shape, "test", folder).images)
    print(f"{name}: {len(found.images)} train and {count} test pictures, {shape}")
    rows = []
    for label, class_name in enumerate(found.classes or ("",)):
        places = np.flatnonzero(found.labels == label)
        print(f"  {class_name or 'all'}: {len(places)}")
        rows.append(found.images[places[:_COLUMNS]])
    path = out or free(Path(f"{name}.png"))
    enlarge = pictures.enlargement(shape[1])
    pictures.write_png(
        path, pictures.grid([row for row in rows if len(row)], pictures.ACROSS), enlarge
    )
    print(path)
    return 0
