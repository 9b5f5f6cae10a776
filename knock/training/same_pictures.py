"""Whether the user's own pictures are those that a run has learnt from so far."""

import hashlib
from pathlib import Path
from typing import Any

from knock.data.imageset import ImageSet
from knock.errors import UserError

import numpy as np


def told(pictures: ImageSet) -> dict[str, Any]:
    """How many there are, and a digest of their pixels and labels, in their order."""
    found = hashlib.sha256()
    for array in (pictures.images, pictures.labels, pictures.targets):
        if array is not None:
            found.update(f"{array.dtype} {array.shape}".encode())
            found.update(np.ascontiguousarray(array).data)
    return {"count": len(pictures), "digest": found.hexdigest()}


def require_classes(then: tuple[str, ...], now: tuple[str, ...], folder: Path) -> None:
    """Raise UserError if the classes have other names: a number would mean something else."""
    if not then or then == now:
        return
    gone = [name for name in then if name not in now]
    new = [name for name in now if name not in then]
    change = [f"{_some(gone)} missing" if gone else "", f"{_some(new)} new" if new else ""]
    raise UserError(
        f"{folder} has other classes than the run learnt from ({', '.join(filter(None, change))}); "
        "give the folders of classes their names again, or begin a new run"
    )


def changed(then: dict[str, Any] | None, now: dict[str, Any] | None, folder: Path) -> str | None:
    """A line if the training pictures are others than before; None if not, or nothing is known."""
    if not then or not now or then == now:
        return None
    return (
        f"the {now['count']} training pictures in {folder} are not the same {then['count']} that "
        "this run learnt from"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
