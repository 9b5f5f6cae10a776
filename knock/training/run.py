"""A training run as an answer sees it: from a command line to a folder with all that it produced.

What is written is `recorder`'s matter, what the test set says `evaluation`'s.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from knock import data, frameworks
from knock import recipe as recipes
from knock.data import ladder, resize
from knock.data.batches import Batches, prefetch, to_pixels
from knock.data.imageset import ImageSet, Split
from knock.errors import UserError
from knock.files import make_folder, make_new_folder, only_writer
from knock.frameworks.adapter import Adapter
from knock.frameworks.binding import WrongNetwork
from knock.questions import Question
from knock.recipe import layers
from knock.recipe.weights import initial_weights
from knock.training import (
    charts,
    elsewhere,
    evaluation,
    origin,
    pictures,
    process,
    record,
    same_pictures,
    whose,
)
from knock.training import checkpoint as checkpoints
from knock.training.evaluation import TestSet
from knock.training.folders import refuse_another_run, sweep_run
from knock.training.measures import BETTER, Measures, require
from knock.training.options import Options, spare_cores
from knock.training.origin import Origin
from knock.training.recorder import Recorder
from knock.training.table import Table

import numpy as np

_FIRST = (1, 3, 10, 30, 100)
"""The steps after which a sample is drawn although none is due by `sample_every`."""


_MADE = ("sample", "x to y", "y to x")
"""The rows that a model made: they are shown growing."""


class Run:
    """One training run, as an answer sees it.

    `recipe` is the resolved recipe; `step` counts the steps taken, the one in hand included;
    `examples` is a small batch of test pictures, with draws of its own, always the same one.
    """

    def __init__(
        self, question: Question, adapter: Adapter, options: Options, answer: str = whose.OURS
    ) -> None:
        """Open everything that a run needs; `answer` is whose it is, as in `whose`."""
        self._answer = answer
        self._question = question
        self._adapter = adapter
        self.options = options
        begun: Origin = origin.decide(question, adapter.NAME, options, answer)
        self.recipe = begun.recipe
        if options.test is None:
            layers.require_statistics(self.recipe)
        self.step = begun.step
        self.begun = begun
        self._threads = options.threads or spare_cores()
        process.prepare()
        self._device = adapter.setup(options.device, self.recipe.dtype, self._threads)
        self._train_set = self._load("train")
        test_set = self._load("test").middle(self.recipe.augment.crop)
        self._test = TestSet(test_set, self.recipe, adapter)
        self._require_classes()
        own = begun.dataset == "folder"
        self._pictures = same_pictures.told(self._train_set) if own else None
        self._require_same_pictures()
        self.source = Batches(self._train_set, self.recipe, adapter.CHANNELS_LAST)
        self.examples = self._test.examples()
        self._tables: list[Table] = []
        self._recorder: Recorder | None = None  # from the first step on; never for a test

    def _load(self, split: Split) -> ImageSet:
        recipe, begun = self.recipe, self.begun
        pairs = bool(recipe.pairs)
        try:
            return data.load(begun.dataset, recipe.read_shape, split, begun.data_folder, pairs)
        except UserError as error:
            more = elsewhere.instead(recipe, self.options, begun.folder)
            raise UserError(f"{error}{more}") from None

    def _require_same_pictures(self) -> None:
        """The classes that were learnt from; a line if pictures are others.

        A test may be of any pictures, unless the networks are told of their classes.
        """
        begun, named = self.begun, self.options.data or self.options.dataset
        if begun.dataset != "folder" or self.recipe.dataset != "folder" or not begun.data_folder:
            return
        others = self.options.test is not None and named is not None
        if not others or self.recipe.constants.get("classes"):
            same_pictures.require_classes(begun.classes, self.class_names, begun.data_folder)
        if not others:
            line = same_pictures.changed(begun.pictures, self._pictures, begun.data_folder)
            if line:
                print(f"warning: {line}", file=sys.stderr)

    def _require_classes(self) -> None:
        """As many classes as are told to the networks; any number where no label is used."""
        said = recipes.read(self._question.recipe_file).get("constants", {}).get("classes")
        asked, there = self.recipe.constants.get("classes"), len(self._test.pictures.classes)
        unused = self.recipe.labelled == 0 or (said, asked) == (0, 0)
        if asked not in (None, there) and not unused:
            pictures = self.begun.data_folder or self.begun.dataset
            if self.begun.weights:
                run = self.options.init
                raise UserError(
                    f"{pictures} has {there} classes, but the networks of {run} {asked}"
                )
            what = "take other pictures" if self.begun.state else "leave --classes out"
            raise UserError(f"{pictures} has {there} classes, not {asked}; {what}")

    @property
    def sample_due(self) -> bool:
        """Whether a sample picture is to be drawn after this step.

        After some of the first, so that there is soon something to see; then after every
        `sample_every`; and always after the last.
        """
        train = self.recipe.train
        early = self.step in _FIRST and self.step < train.sample_every
        return early or self.step % train.sample_every == 0 or self.step == train.steps

    def batches(self) -> Iterator[dict[str, Any]]:
        """The batches of the steps still to take; between two of them the run is saved.

        Ends early, at a step's end, when the user asks the run to stop.
        """
        steps = self.recipe.train.steps

        def make(step: int) -> dict[str, Any]:
            return self._adapter.to_device(self.source.batch(step))

        recorder = self._recording
        with contextlib.closing(prefetch(make, self.step, steps)) as source:
            for batch in source:
                self.step += 1
                yield batch
                recorder.advance()
                if recorder.stopped or self.step == steps:
                    break
                if self.step % self.recipe.train.save_every == 0 and recorder.save_due:
                    recorder.save(self.step)

    def log(self, losses: Mapping[str, Any]) -> None:
        """Note this step's losses (scalars on the framework's side)."""
        self._recording.log(self.step, losses)

    def flush(self) -> None:
        """Write the noted losses now. Raises UserError when one is not finite."""
        self._recording.flush()

    def show(self, **rows: Any) -> None:
        """Draw a picture with a row for each argument (images N×C×H×W or the framework's layout).

        Values lie in [-1, 1]; what lies outside is clipped. Many pictures are wrapped, and those
        that are smaller than the recipe's are shown as large, with larger pixels.
        """
        testing = self.options.test is not None
        if not testing:
            self.flush()  # pictures of losses that are not finite are not drawn
        sides = self.recipe.image_shape[1:]
        pixels = {
            name: resize.coarse(to_pixels(self._adapter.to_numpy(row)), *sides)
            for name, row in rows.items()
        }
        if testing:
            record.write_shown(self.begun.folder, "test", pixels, pictures.enlargement(sides[0]))
        else:
            named = (*_MADE, *self._test.pictures.classes)
            self._recording.show(self.step, pixels, [name for name in pixels if name in named])

    def classes(self) -> Iterator[tuple[str, Any]]:
        """Each class of the data set: its name, and the labels that ask for it, one an example."""
        count = len(self._test.shown)
        for number, name in enumerate(self._test.pictures.classes):
            labels = np.full(count, number, np.int64)
            yield name, self._adapter.to_device({"labels": labels})["labels"]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the data set's classes, in the order of their numbers."""
        return self._test.pictures.classes

    def ladder(self, model: Any) -> Table:
        """What a model's measures say of pictures that get worse in known ways: rung by rung.

        Raises UserError where the data set has too few pictures for the measures.
        """
        crop = self.recipe.augment.crop
        made = ladder.make(self._train_set.middle(crop), self._test.pictures, self.recipe.seed)
        measures = Measures(model, self._adapter, self.recipe, made.real)
        numbers = {name: measures.of(pixels) for name, pixels in made.rungs.items()}
        framework = frameworks.find(self._adapter.NAME).title
        title = f"{self._question.label} in {framework}, {self.recipe.dataset}, step {self.step}: "
        title += f"compared with {len(made.real)} training pictures"
        return Table("ladder", title, numbers, made.rungs, BETTER, than=ladder.TRUE)

    def require_ladder(self) -> None:
        """Raise UserError, before any step, where `ladder` would have too few pictures at the end.

        It compares with one half of the training pictures.
        """
        if "neighbours" in self.recipe.constants:
            require(self.recipe, len(self._train_set) // 2, "real pictures")
            require(self.recipe, len(self._test.pictures), "test pictures")

    def table(self, table: Table) -> None:
        """Print a table, draw it, and keep its numbers for `test.json`."""
        print("\n".join(table.lines()))
        shown = "test" if self.options.test is not None else "result"
        charts.table(self.begun.folder / f"{shown}.png", table)
        self._tables.append(table)

    def make(self, model_class: Callable[..., Any]) -> Any:
        """The model with its first weights, or with what a checkpoint holds."""
        model = model_class(self.recipe)
        self._adapter.build(model, self.recipe)
        state = self.begun.state
        if state is None:  # the weights of another run leave the pools as they begin
            state = {**initial_weights(self.recipe), **(self.begun.weights or {})}
        try:
            self._adapter.write(model, self.recipe, state)
        except WrongNetwork as error:
            raise UserError(f"the networks are not the recipe's: {error}") from None
        return model

    def train(
        self,
        train: Callable[["Run", Any], None],
        model: Any,
        sample: Callable[["Run", Any], None] | None = None,
        measure: Callable[["Run", Any], None] | None = None,
    ) -> int:
        """Let an answer's `train` take the steps, and write everything down; the exit code.

        Its `sample`, if given, first shows what the model makes before any step. Its `measure`, if
        given, is called after the last one, and what the test set says is then written down as
        well.
        """
        folder, steps = self.begun.folder, self.recipe.train.steps
        if self._is_over():
            return 0
        self._warn_of_pictures()
        if self.options.out is None and self.begun.state is None:
            folder = make_new_folder(folder)  # another run may have taken the name
            self.begun = dataclasses.replace(self.begun, folder=folder)
        make_folder(folder)
        with only_writer(folder):
            sweep_run(folder)
            self._look_again(model)
            if self._is_over():
                return 0
            self._recorder = recorder = Recorder(
                self._question,
                self._adapter,
                self.begun,
                model,
                answer=self._answer,
                device=self._device,
                threads=self._threads,
                classes=self.class_names,
                pictures=self._pictures,
                quiet=self.options.quiet,
            )
            if not self.options.quiet:
                print(self._line(), flush=True)
            with recorder.recording():
                if sample is not None and self.step in (0, steps):
                    sample(self, model)
                if self.step < steps:
                    train(self, model)
                    recorder.save(self.step)
            code = recorder.finish(self.step)
            if not code:
                if measure is not None:
                    measure(self, model)
                    self.evaluate(model)
                recorder.conclude()
            return code

    def _is_over(self) -> bool:
        """Whether nothing is left to do, and say so.

        A run that was killed after its last checkpoint still has its pictures to draw.
        """
        begun, steps = self.begun, self.recipe.train.steps
        if begun.state is None or self.step < steps:
            return False
        if begun.folder == begun.home and not record.is_finished(begun.folder, steps):
            return False
        print(f"{begun.folder}: all {steps} steps are taken already; a larger --steps takes more")
        return True

    def _look_again(self, model: Any) -> None:
        """Begin where the folder's run is now: another one may have written since we looked.

        Raises UserError where that is another run than the one that was to begin or to go on.
        """
        begun = self.begun
        if begun.state is None and not self.options.resume:
            refuse_another_run(begun.folder)
            return
        if checkpoints.mark(begun.home or begun.folder) == begun.mark:
            return
        now = origin.decide(self._question, self._adapter.NAME, self.options, self._answer)
        then = (begun.recipe, begun.folder, begun.data_folder)
        if now.state is None or (now.recipe, now.folder, now.data_folder) != then:
            raise UserError(f"{begun.folder} has become another run just now; try again")
        self.begun, self.step = now, now.step
        self._adapter.write(model, self.recipe, now.state)

    def _line(self) -> str:
        """What is trained, on what, and where it goes."""
        recipe, train, folder = self.recipe, self.recipe.train, self.begun.folder
        start = f" from step {self.step}" if self.step else ""
        if self.begun.weights:
            start = f" from the weights of {self.options.init}"
        given = "".join(f", {key} = {value}" for key, value in self.options.given.items())
        threads = f"{self._threads} thread{'s' if self._threads > 1 else ''}"
        return (
            f"{self._question.label} in {self._adapter.NAME}{whose.beside(self._answer)}: "
            f"{recipe.dataset} ({self._counted()}), "
            f"preset {recipe.preset}{given}, {train.steps} steps of {train.pictures}{start}, "
            f"{self._device}, {threads} → {folder}"
        )

    def _counted(self) -> str:
        """How many pictures there are, how many more to test with, and of how many classes."""
        _, height, width = self.recipe.image_shape
        count = len(self._train_set.classes)
        kinds = f", {count} class{'es' if count > 1 else ''}" if count else ""
        tested = len(self._test.pictures)
        return f"{len(self._train_set)} + {tested} test pictures of {height}×{width}{kinds}"

    def _warn_of_pictures(self) -> None:
        """Say where there are few, and which in the user's folder are not read."""
        count, size, folder = len(self._train_set), self.recipe.train.batch_size, None
        if self.begun.dataset == "folder":
            folder = self.begun.data_folder
        lines = [folder and data.left_out(folder)]
        if count < size:
            lines.append(
                f"{count} training pictures are fewer than a batch of {size}, so a step sees some "
                f"of them twice or more: add pictures, or take --batch-size {count}"
            )
        for line in filter(None, lines):
            print(f"warning: {line}", file=sys.stderr)

    def evaluate(self, model: Any) -> None:
        """Print what the test set says of the model, and write it down, with all tables."""
        found = evaluation.report(model, self._test, self._train_set)
        found |= {table.name: table.numbers() for table in self._tables}
        if found:
            record.write_scores(self.begun.folder, {"step": self.step, **found})

    @property
    def _recording(self) -> Recorder:
        if self._recorder is None:
            raise UserError("nothing is trained here: call run.batches and run.log only in train")
        return self._recorder


def take(
    run: Run,
    model_class: Callable[..., Any],
    train: Callable[[Run, Any], None],
    sample: Callable[[Run, Any], None],
    measure: Callable[[Run, Any], None] | None = None,
) -> int:
    """Make the model and train it, or show what it has learnt; the exit code. Raises UserError."""
    if measure is not None:
        run.require_ladder()
    model = run.make(model_class)
    if run.options.test is None:
        return run.train(train, model, sample, measure)
    sample(run, model)
    if measure is not None:
        measure(run, model)
    shown = elsewhere.shown(run.recipe, run.options, run.begun.folder)
    print(f"{run.begun.folder / 'test.png'}: what step {run.step} {shown}")
    run.evaluate(model)
    return 0
