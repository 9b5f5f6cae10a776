"""Where pictures go, whether a file there may be replaced, and how they are written."""

import io
from collections.abc import Sequence
from pathlib import Path

from knock.errors import UserError
from knock.files import free, make_folder, write_atomically, write_new
from knock.training import pictures
from knock.training.pictures import Pixels

from PIL import Image, PngImagePlugin

_MOST = 80_000_000  # pixels of a sheet: few programs would open a larger one
_LARGE = 12_000_000  # pixels: a larger sheet is not enlarged
_SIGNED = "Software"  # the PNG standard's word for the program that made a picture


def file(out: Path | None, home: Path, name: str, program: str, also: str | None = None) -> Path:
    """The PNG file to write: `out`; or, if that is a folder or None, a free name in it or `home`.

    `also` is the ending of a second file that goes beside it. Raises UserError for another ending,
    and where a file would be replaced that the same program did not make.
    """
    if out is None or is_chosen(out):
        number, path = 1, (out or home) / f"{name}.png"
        while path.exists() or (also and path.with_suffix(also).exists()):
            number += 1
            path = path.with_name(f"{name}-{number}.png")
        return path
    if out.suffix.lower() not in (".png", also):
        wanted = ".png" if also is None else f".png or {also}"
        raise UserError(f"--out must end in {wanted}, or name a folder, not {out}")
    path = out if out.suffix.lower() == ".png" else out.with_suffix(".png")
    for one in (path, path.with_suffix(also)) if also else (path,):
        if one.exists() and not _is_of(program, one):
            raise UserError(
                f"{one} is there already, and {program} did not make it; choose another --out"
            )
    return path


def is_chosen(out: Path | None) -> bool:
    """Whether `file` chooses a name that is free, since `out` names none."""
    return out is None or out.is_dir() or not out.suffix


def folder(out: Path | None, home: Path, name: str, files: Sequence[str]) -> Path:
    """The folder to write `files` into: `out`, or a new one in `home`.

    Raises UserError where it is a file, or has one of these files already.
    """
    if out is None:
        return free(home / name)
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; with --separate, --out must name a folder")
    taken = next((out / one for one in files if (out / one).exists()), None)
    if taken:
        raise UserError(f"{taken} is there already; choose another --out")
    return out


def require_room(rows: Sequence[int], across: int, shape: tuple[int, int, int]) -> None:
    """Raise UserError where rows of so many pictures would make too large a sheet."""
    _, height, width = shape
    if sum(-(-count // across) for count in rows) * across * height * width > _MOST:
        raise UserError(
            f"{sum(rows)} pictures of {width}×{height} are too many for one; add --separate"
        )


def write_sheet(
    path: Path,
    rows: Sequence[tuple[str, Pixels]],
    across: int,
    program: str,
    about: str,
    new: bool,
) -> Path:
    """Write rows of pictures (each N×H×W×C) as one, with their names, as `write` does.

    They are enlarged as far as a person needs it, and the sheet does not become too large.
    """
    height, width = rows[0][1].shape[1:3]
    area = sum(-(-len(row) // across) for _, row in rows) * across * height * width
    enlarge = pictures.enlargement(height)
    while enlarge > 1 and area * enlarge**2 > _LARGE:
        enlarge -= 1
    return write(path, pictures.named(rows, across, enlarge), program, about, new)


def write(path: Path, picture: Pixels, program: str, about: str, new: bool = False) -> Path:
    """Write a picture (H×W×C, C 1 or 3) as PNG, signed by a program, with words about it.

    Returns where it is: with `new`, a name that another program has taken just now is left to it.
    Its folder is made if it is not there. Raises UserError when it cannot be written.
    """
    note = PngImagePlugin.PngInfo()
    note.add_text(_SIGNED, program)
    note.add_itxt("Description", about)
    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(
        buffer, "PNG", pnginfo=note
    )
    make_folder(path.parent)
    if new:
        return write_new(path, buffer.getvalue())
    write_atomically(path, buffer.getvalue())
    return path


def _is_of(program: str, path: Path) -> bool:
    """Whether a program made a picture: a PNG that it has signed, or a GIF with such a comment."""
    try:
        with Image.open(path, formats=["PNG", "GIF"]) as image:
            said = image.info.get(_SIGNED) or image.info.get("comment", b"").decode()
    except Exception:  # no picture, or a damaged one
        return False
    return bool(said == program)
