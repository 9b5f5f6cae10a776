"""What `knock score` leaves in a run's folder: `scores.json`, numbers for the pictures it makes."""

from pathlib import Path

from knock.errors import UserError
from knock.files import write_atomically

import msgspec

FILE_NAME = "scores.json"
OWN_FILE_NAME = "scores_features.json"
"""Where the scores by features of the user's own go: they cannot be compared with the others."""

EXAMINER = "examiner"
"""The name of the examiner's eyes; all others have a file's."""

FORMAT = 1
"""Whoever changes or removes a key below counts this up."""


class Eyes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What looked at the pictures, and at which real ones.

    name: the examiner, or the user's own file of features. digest: two scores may be compared where
    it is the same. accuracy: the share of the test pictures, 0 … 1, whose class the examiner says;
    None where it has no classes. features: how many numbers it says about a picture. test, train:
    how many real pictures there are.
    """

    name: str
    digest: str
    accuracy: float | None
    features: int
    test: int
    train: int


class Scores(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The measures of some pictures; one is None where `missing` says why, under its name.

    frechet: from 0, alike. kernel: near 0, alike; it may be below. inception: from 1 to the number
    of classes. precision, recall, coverage: 0 … 1. density: from 0, about 1 if alike. similarity:
    MS-SSIM of two pictures of one class, 0 … 1. kinds: how many classes own at least 2 % of the
    pictures. asked_for: the share of the pictures, 0 … 1, that show the class they were asked for.
    """

    frechet: float | None = None
    kernel: float | None = None
    inception: float | None = None
    precision: float | None = None
    recall: float | None = None
    density: float | None = None
    coverage: float | None = None
    similarity: float | None = None
    kinds: int | None = None
    asked_for: float | None = None
    missing: dict[str, str] = {}


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The scores of one run, and all that they depend on.

    checkpoint: the digest of the measured weights. framework trained them, `made_in` made the
    pictures, from the draws of the seed `draws`.
    """

    question: str
    framework: str
    made_in: str
    dataset: str
    image: tuple[int, int, int]
    preset: str
    seed: int
    step: int
    checkpoint: str
    pictures: int
    draws: int
    eyes: Eyes
    scores: Scores
    format: int = FORMAT


def write(path: Path, measured: Measured) -> None:
    """Write a run's scores, whole or not at all. Raises UserError when that is impossible."""
    text = msgspec.json.format(msgspec.json.encode(measured), indent=2)
    write_atomically(path, text + b"\n", "folder: copy the run there")


def read(folder: Path) -> Measured | None:
    """A run's scores; None where there are none. Raises UserError when they are damaged."""
    path = folder / FILE_NAME
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Measured)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        raise UserError(
            f"{path} is damaged, or of another version; knock score {folder} writes it anew"
        ) from None
    if found.format != FORMAT:
        raise UserError(f"{path} is of another version; knock score {folder} writes it anew")
    return found
