"""Runs are measured one after the other; each gets its scores and a sheet into its folder."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knock import kept, questions
from knock.errors import UserError
from knock.frameworks import FRAMEWORKS
from knock.measure import examiner, features, made, real, scores, sheet, table
from knock.measure.examiner import EXAMINERS, Array, Examiner, evenly
from knock.measure.features import Features
from knock.measure.made import Made
from knock.measure.real import Real
from knock.measure.scores import Seen
from knock.measure.table import Mean, Row, Table
from knock.recipe import to_json
from knock.trained import opened
from knock.trained.opened import Opened
from knock.training import checkpoint as checkpoints
from knock.training import compare, measured, record
from knock.training.measured import Eyes, Measured, Scores

import msgspec
import numpy as np
from tqdm import tqdm

LEAST = 50
"""Of fewer pictures, a class that owns one owns more than 2 %."""
MOST = 50_000

SHEET = "scores.png"


@dataclass(frozen=True)
class Settings:
    """What is asked of a measurement: how many pictures, on what they are made, and whose eyes.

    `data` is another folder for the runs' pictures, `features` a file of the user's own features.
    """

    pictures: int
    device: str
    threads: int
    data: Path | None = None
    features: Path | None = None


@dataclass(frozen=True, eq=False)
class Group:
    """Runs of the same real pictures, and the eyes that see them.

    `examiner` is None where the pictures have no classes, `own` where the examiner sees everything.
    `test` are the features of the test pictures, float64 N×d.
    """

    runs: list[Opened]
    real: Real
    examiner: Examiner | None
    own: Features | None
    test: Array
    measures: Any

    def eyes(self) -> Eyes:
        """What the scores say of them."""
        asked, own = self.examiner, self.own
        return Eyes(
            name=own.name if own else measured.EXAMINER,
            digest=_digest(own.digest if own else "", asked.digest if asked else ""),
            accuracy=asked.about.accuracy if asked else None,
            features=self.test.shape[1],
            test=len(self.real.test),
            train=len(self.real.train),
        )

    def of(self, pictures: Made) -> Scores:
        """The measures of some pictures."""
        pixels = pictures.pixels
        seen = self.examiner.features(pixels) if self.examiner else None
        logits = None if self.examiner is None or seen is None else self.examiner.logits(seen)
        own = self.own.of(pixels) if self.own else seen
        assert own is not None  # a group has eyes, of one kind or the other
        return scores.take(self.measures, Seen(pixels, own, logits, pictures.asked), self.test)


def score(named: Sequence[Path], settings: Settings) -> list[Table]:
    """Measure every run that was named, and write its scores; a table for each data set.

    All runs and pictures are opened before the first is measured. Raises UserError for bad input.
    """
    own = features.load(settings.features) if settings.features else None
    folders = opened.find(named, made.METHOD)
    runs = [_opened(folder, settings.data) for folder in folders]
    return [_measure(group, settings) for group in _groups(runs, own)]


def _opened(folder: Path, data: Path | None) -> Opened:
    run = opened.open_run(folder, data)
    if run.recipe.unpaired:
        raise UserError(
            f"{folder} is a run of question {run.question.label}, whose pictures are translations; "
            f"knock run {run.question.name} --test {folder} says how good they are"
        )
    if made.METHOD not in run.recipe.methods:
        look = f"run {run.question.name} --test {folder} shows what it learnt"
        if run.recipe.from_pictures:
            look = f"apply {folder} PICTURE shows what it makes of yours"
        raise UserError(
            f"{folder} is a run of question {run.question.label}, which makes no pictures of its "
            f"own; knock {look}"
        )
    return run


def _groups(runs: Sequence[Opened], own: Features | None) -> list[Group]:
    by_source: dict[tuple[object, ...], list[Opened]] = {}
    for run in runs:
        by_source.setdefault(real.source(run), []).append(run)
    found = []
    # Pictures that are missing are reported before an examiner is trained.
    for some, pictures in [(some, real.load(some[0])) for some in by_source.values()]:
        if own is None:
            asked = examiner.get(pictures)
            found.append(Group(some, pictures, asked, None, asked.test, asked.metrics))
        else:
            sees = examiner.get(pictures) if pictures.can_be_told_apart else None
            test = own.of(pictures.test.images)
            found.append(Group(some, pictures, sees, own, test, examiner.measures()))
    return found


def _measure(group: Group, settings: Settings) -> Table:
    """One group: its runs' scores, each written into its folder, and all as a table."""
    rows, eyes = [], group.eyes()
    for run in tqdm(group.runs, "measured", unit="run", disable=None):  # in a terminal only
        pictures = made.make(
            run, settings.pictures, group.real.pairs, settings.device, settings.threads
        )
        found = _of(run, eyes, group.of(pictures), len(pictures.pixels))
        name = measured.FILE_NAME if group.own is None else measured.OWN_FILE_NAME
        measured.write(run.folder / name, found)
        if group.own is None:
            sheet.draw(
                run.folder / SHEET, _title(run, found), pictures.pixels, group.real.train.images
            )
        rows.append(Row(str(run.folder), found))
    some = group.real.train.images[evenly(len(group.real.train), settings.pictures)]
    return Table(
        group.real.name,
        group.real.train.image_shape,
        eyes,
        _of_real(group, Made(some, None)),
        len(some),
        rows,
        _means(group.runs, rows),
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def _of(run: Opened, eyes: Eyes, taken: Scores, count: int) -> Measured:
    found = run.checkpoint
    return Measured(
        question=run.question.name,
        framework=found.framework,
        made_in=run.framework,
        dataset=run.recipe.dataset,
        image=run.recipe.image_shape,
        preset=run.recipe.preset,
        seed=run.recipe.seed,
        step=found.step,
        checkpoint=checkpoints.digest(found.state),
        pictures=count,
        draws=made.DRAWS,
        eyes=eyes,
        scores=taken,
    )


def _title(run: Opened, found: Measured) -> str:
    told = found.scores
    parts = [
        f"{run.question.label} in {opened.title(found.framework)}, {found.dataset}, "
        f"step {found.step}, seed {found.seed}"
    ]
    if told.frechet is not None:
        parts.append(f"Fréchet distance {told.frechet:.2f}")
    if told.kinds is not None:
        parts.append(f"{told.kinds} classes own 2 % or more")
    return " · ".join(parts)


def _of_real(group: Group, pictures: Made) -> Scores:
    """What training pictures score, which need not be computed for every run of a data set."""
    if group.own is not None or group.examiner is None:
        return group.of(pictures)
    key = kept.digest("training pictures", group.examiner.key, str(len(pictures.pixels)))
    known = EXAMINERS.read(key)
    try:
        return msgspec.json.decode((known or {})["scores"].tobytes(), type=Scores)
    except (KeyError, ValueError):  # msgspec's own errors are ValueErrors
        taken = group.of(pictures)
        text = np.frombuffer(msgspec.json.encode(taken), np.uint8)
        EXAMINERS.write(key, {"scores": text})
        return taken


def _means(runs: Sequence[Opened], rows: Sequence[Row]) -> list[Mean]:
    """For all runs that differ in their seed alone, if there are several seeds."""
    groups: dict[tuple[object, ...], dict[int, Row]] = {}
    for run, row in zip(runs, rows, strict=True):
        alike = to_json(msgspec.structs.replace(run.recipe, seed=0))
        found = groups.setdefault((alike, run.checkpoint.framework, run.checkpoint.step), {})
        found.setdefault(run.recipe.seed, row)
    return [table.mean([*seeds.values()]) for seeds in groups.values() if len(seeds) > 1]


def draw_comparisons(tables: Sequence[Table]) -> None:
    """Draw the sheets of `knock compare` again whose runs have new scores.

    Raises UserError where such a sheet, or what belongs on it, cannot be read or written.
    """
    runs = (Path(row.run) for one in tables for row in one.rows)
    named = (run if run.name else run.resolve() for run in runs)  # "." has no parent
    for folder in dict.fromkeys(run.parent for run in named):
        names = [n for n in FRAMEWORKS if (folder / n / checkpoints.FILE_NAME).is_file()]
        if (folder / compare.SHEET).is_file() and names:
            question = questions.find(str(record.read_run(folder / names[0]).get("question")))
            compare.draw(question, names, folder)
