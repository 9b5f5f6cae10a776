"""What a script calls: from a command line to a folder with everything a training run produced.

A run's folder holds `losses.csv` and `losses.png`, `samples/` with a picture every so often,
`result.png` (the last of them), `samples.gif` and `strip.png` (how they changed),
`checkpoint.safetensors`, and `run.json`: all that is needed to take the run again.
"""

import contextlib
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from knock import animation, data, layers, pictures, record, score, start
from knock import checkpoint as checkpoints
from knock import recipe as recipes
from knock.checkpoint import Checkpoint
from knock.data import resize
from knock.data.batches import Batches, prefetch, random_draws, to_pixels, to_unit, unit_pair
from knock.data.imageset import ImageSet, Split
from knock.errors import UserError
from knock.files import make_folder, only_writer
from knock.frameworks.adapter import Adapter
from knock.frameworks.binding import WrongNetwork
from knock.health import Health
from knock.log import LossLog
from knock.log import read as read_losses
from knock.options import Options, parse, spare_cores
from knock.questions import Question, find
from knock.start import Start
from knock.stop import STOPPED, exit_with

import numpy as np
from tqdm import tqdm

_BEFORE_TRAINING = -1  # from here down, steps whose draws no training step has
_JUDGED = 1000  # pictures at least that are made to be judged
_LOG_EVERY = 0.2  # seconds; reading a loss from a device makes it wait, so not at every step


class Run:
    """One training run, as an answer sees it.

    `recipe` is the resolved recipe; `step` counts the steps taken, the one in hand included;
    `examples` is a small batch of test pictures, with draws of its own, always the same one.
    """

    def __init__(self, question: Question, adapter: Adapter, options: Options) -> None:
        self._question = question
        self._adapter = adapter
        self.options = options
        begun: Start = start.decide(question, adapter.NAME, options)
        self.recipe = begun.recipe
        layers.networks(self.recipe)  # sizes that do not fit are refused before anything is made
        self.step = begun.step
        self.begun = begun
        self._threads = options.threads or spare_cores()
        self._device = adapter.setup(options.device, self.recipe.dtype, self._threads)
        self._train_set = self._load("train")
        self._test = self._load("test").middle(self.recipe.augment.crop)
        self._require_classes()
        self.source = Batches(self._train_set, self.recipe)
        count = len(self._test.images)
        shown = min(self.recipe.train.shown, count)
        self._places = [i * count // shown for i in range(shown)]
        self.examples = adapter.to_device(self._test_batch(self._places, 0))
        self._stopped = False
        self._band: tuple[int, int] | None = None  # of a sample picture, from here to there
        self._pending: list[tuple[int, Mapping[str, Any]]] = []
        self._flushed = 0.0
        self._last: dict[str, float] = {}

    def _load(self, split: Split) -> ImageSet:
        recipe, folder = self.recipe, self.begun.data_folder
        return data.load(recipe.dataset, recipe.read_shape, split, folder, bool(recipe.pairs))

    def _require_classes(self) -> None:
        """As many classes as are told to the networks; 0 where a recipe tells them by option."""
        said = recipes.read(self._question.recipe_file).get("constants", {}).get("classes")
        asked, there = self.recipe.constants.get("classes"), len(self._test.classes)
        if asked not in (None, there) and (said, asked) != (0, 0):
            name = self.recipe.dataset
            raise UserError(f"{name} has {there} classes, not {asked}; leave --classes out")

    @property
    def sample_due(self) -> bool:
        """Whether a sample picture is to be drawn after this step; always after the last."""
        train = self.recipe.train
        return self.step % train.sample_every == 0 or self.step == train.steps

    def batches(self) -> Iterator[dict[str, Any]]:
        """The batches of the steps still to take; between two of them the run is saved.

        Ends early, at a step's end, when the user asks the run to stop.
        """
        steps = self.recipe.train.steps

        def make(step: int) -> dict[str, Any]:
            return self._adapter.to_device(self.source.batch(step))

        with contextlib.closing(prefetch(make, self.step, steps)) as source:
            for batch in source:
                self.step += 1
                yield batch
                self._bar.update()
                if self._stopped or self.step == steps:
                    break
                if self.step % self.recipe.train.save_every == 0:
                    self._save()

    def log(self, losses: Mapping[str, Any]) -> None:
        """Note this step's losses (scalars on the framework's side)."""
        self._pending.append((self.step, losses))
        if time.monotonic() - self._flushed > _LOG_EVERY:
            self.flush()

    def show(self, **rows: Any) -> None:
        """Draw a picture with a row for each argument (images N×C×H×W or the framework's layout).

        Values lie in [-1, 1]; what lies outside is clipped. Many pictures are wrapped, and those
        that are smaller than the recipe's are shown as large, with larger pixels.
        """
        if self.options.test is None:
            self.flush()  # pictures of losses that are not finite are not drawn
        sides = self.recipe.image_shape[1:]
        pixels = {
            name: resize.coarse(to_pixels(self._adapter.to_numpy(row)), *sides)
            for name, row in rows.items()
        }
        picture = pictures.grid(list(pixels.values()), pictures.ACROSS)
        enlarge = pictures.enlargement(self.recipe.image_shape[1])
        if self.options.test is None:
            make_folder(self.begun.folder / "samples")
            path = self.begun.folder / "samples" / f"step_{self.step:06d}.png"
            pictures.write_png(path, picture, enlarge)
            made = [name for name in pixels if name in ("sample", *self._test.classes)]
            for name in made:
                self._warn(self._health.pictures(self.step, name, pixels[name]))
            top, bottom = pictures.band(pixels, [*made, *pixels][0], pictures.ACROSS)
            self._band = (top * enlarge, bottom * enlarge)
            result = "result"
        else:
            result = "test"
        pictures.write_png(self.begun.folder / f"{result}.png", picture, enlarge)
        record.write_pictures(self.begun.folder / f"{result}.safetensors", pixels)

    def classes(self) -> Iterator[tuple[str, Any]]:
        """Each class of the data set: its name, and the labels that ask for it, one an example."""
        count = len(self._places)
        for number, name in enumerate(self._test.classes):
            labels = np.full(count, number, np.int64)
            yield name, self._adapter.to_device({"labels": labels})["labels"]

    def tell_test(self, model: Any) -> None:
        """Say where the test picture is, and what the test set says of the model.

        For a model that has `loss_terms`, their averages over all test pictures, with draws of
        their own; and what the recipe `scores`, which `test.json` keeps as well.
        """
        print(f"{self.begun.folder / 'test.png'}: what step {self.step} makes of test images")
        if hasattr(model, "loss_terms"):
            self._tell_losses(model)
        found: dict[str, Any] = {}
        for name in self.recipe.scores:
            wanted = score.SCORES[name]
            made = self._made_by(model, wanted.method)
            train_set = self._train_set.middle(self.recipe.augment.crop)
            scored = wanted.judge(made, train_set, self._test)
            if scored:
                print(scored.line)
                found[name] = scored.numbers
        if found:
            record.write_scores(self.begun.folder, {"step": self.step, **found})

    def _made_by(self, model: Any, method: str) -> Iterator[score.Made]:
        """What a method makes of every test picture's batch, and what was asked of it.

        A small test set is asked for more than once, each time with other draws, unless each of
        its pictures has one right answer.
        """
        count, names = len(self._test.images), self.recipe.methods[method]
        free = not self.recipe.pairs and set(names) & set(self.recipe.draws)
        for batch in self._test_batches(max(count, _JUDGED) if free else count):
            given = self._adapter.to_device(batch)
            made = getattr(model, method)(*(given[name] for name in names))
            wanted = to_pixels(batch["targets"]) if "targets" in batch else None
            yield score.Made(to_pixels(self._adapter.to_numpy(made)), batch["labels"], wanted)

    def _tell_losses(self, model: Any) -> None:
        count, sums = len(self._test.images), dict[str, float]()
        for batch in self._test_batches(count):
            share = len(batch["images"]) / count
            for name, value in model.loss_terms(self._adapter.to_device(batch)).items():
                sums[name] = sums.get(name, 0.0) + share * float(self._adapter.to_numpy(value))
        told = ", ".join(f"{name} {value:.5g}" for name, value in sums.items())
        print(f"all {count} test images: {told}")

    def _test_batches(self, asked: int) -> Iterator[dict[str, Any]]:
        """`asked` test pictures, a batch at a time; after the last the first comes again."""
        size = self.recipe.train.batch_size
        for first in range(0, asked, size):
            places = np.arange(first, min(first + size, asked)) % len(self._test.images)
            yield self._test_batch(places, first)

    def _test_batch(self, chosen: Any, number: int) -> dict[str, Any]:
        """Some test pictures with labels and draws, which no training step has."""
        batch = {"labels": self._test.labels[chosen]}
        if self.recipe.pairs:
            batch["images"], batch["targets"] = unit_pair(self._test, chosen, self.recipe)
        else:
            batch["images"] = to_unit(self._test.images[chosen], self.recipe.dtype)
        count = len(batch["images"])
        return {**batch, **random_draws(self.recipe, _BEFORE_TRAINING - number, count)}

    def make(self, model_class: Callable[..., Any]) -> Any:
        """The model with its first weights, or with what the checkpoint holds."""
        model = model_class(self.recipe)
        self._adapter.build(model, self.recipe)
        state = self.begun.state
        if state is None:
            state = dict(layers.initial_weights(self.recipe))
        try:
            self._adapter.write(model, self.recipe, state)
        except WrongNetwork as error:
            raise UserError(f"the networks are not the recipe's: {error}") from None
        self._model = model
        return model

    def train(self, train: Callable[["Run", Any], None], model: Any) -> int:
        """Let an answer's `train` take the steps, and write everything down; the exit code."""
        folder, steps = self.begun.folder, self.recipe.train.steps
        if self.step == steps:
            print(f"{folder}: all {steps} steps are taken already; a larger --steps takes more")
            return 0
        make_folder(folder)
        with only_writer(folder):
            if self.begun.state is None:
                start.refuse_another_run(folder)  # one that began since we looked
            return self._train_alone(train, model)

    def _train_alone(self, train: Callable[["Run", Any], None], model: Any) -> int:
        folder = self.begun.folder
        self._losses = LossLog(folder, self.step, self.begun.losses)
        self._health = Health()
        self._last = self._losses.last
        self._began, self._first_step = time.monotonic(), self.step
        self._saver = ThreadPoolExecutor(1, "checkpoint")
        self._saving: Future[None] | None = None
        self._bar = tqdm(
            total=self.recipe.train.steps,
            initial=self.step,
            desc=f"{self._question.name} {self._adapter.NAME}",
            unit="step",
            disable=self.options.quiet,
            mininterval=_between_bars(),
        )
        try:
            with self._bar, self._stopping_on_signals():
                self._save()
                train(self, model)
                self._save()
            self._finish_saving()
        finally:
            self._saver.shutdown()
            self._losses.close()
        pictures.curve(
            folder / "losses.png",
            {self._adapter.NAME: read_losses(folder)},
            f"{self._question.label}, {self.recipe.dataset}, {self._adapter.NAME}",
        )
        animation.animate(folder, self.step)
        if self._band:
            animation.strip(folder, self._band, self.step)
        return self._say_goodbye()

    def _warn(self, line: str | None) -> None:
        if line:
            self._bar.write(f"warning: {line}", sys.stderr)

    def _say_goodbye(self) -> int:
        folder, done = self.begun.folder, self.step >= self.recipe.train.steps
        losses = ", ".join(f"{name} {value:.5g}" for name, value in self._last.items())
        if not done:
            print(f"stopped after step {self.step}; go on with: --resume {folder}")
            return STOPPED
        print(f"{folder}: step {self.step}, {losses}, {self._seconds:.1f} s on {self._device}")
        return 0

    def flush(self) -> None:
        """Bring the noted losses to the file and the bar. Raises UserError when one is not finite.

        It comes before every checkpoint, so that the last checkpoint is always a good one.
        """
        for step, losses in self._pending:
            self._last = {n: float(self._adapter.to_numpy(v)) for n, v in losses.items()}
            self._losses.add(step, self._last)
            bad = [n for n, value in self._last.items() if not math.isfinite(value)]
            if bad:
                raise UserError(
                    f"{bad[0]} is {self._last[bad[0]]} at step {step}: the training fails; the "
                    f"last good checkpoint is kept in {self.begun.folder}; try a smaller --lr"
                )
            self._warn(self._health.losses(step, self._last))
        self._pending.clear()
        self._losses.flush()
        self._bar.set_postfix({n: f"{v:.4g}" for n, v in self._last.items()}, refresh=False)
        self._flushed = time.monotonic()

    def _save(self) -> None:
        """Hand the state of this moment to the thread that writes checkpoints."""
        self.flush()
        self._finish_saving()
        state = self._adapter.read(self._model, self.recipe)
        bad = next((key for key, array in state.items() if not np.isfinite(array).all()), None)
        if bad:
            raise UserError(
                f"{bad} is not finite after step {self.step}: the training fails; the last good "
                f"checkpoint is kept in {self.begun.folder}; try a smaller --lr"
            )
        made = Checkpoint(
            recipe=self.recipe,
            step=self.step,
            state=state,
            framework=self._adapter.NAME,
            versions=self._adapter.versions(),
        )
        self._seconds = time.monotonic() - self._began
        self._saving = self._saver.submit(self._write, made, self._seconds, self._last)

    def _write(self, made: Checkpoint, seconds: float, losses: Mapping[str, float]) -> None:
        checkpoints.save(self.begun.folder / checkpoints.FILE_NAME, made)
        record.write_run(
            self.begun.folder,
            record.of_run(
                made,
                device=self._device,
                history=self.begun.history,
                first_step=self._first_step,
                seconds=seconds,
                losses=losses,
                data_folder=self.begun.data_folder,
                threads=self._threads,
            ),
        )

    def _finish_saving(self) -> None:
        if self._saving is not None:
            self._saving.result()

    @contextlib.contextmanager
    def _stopping_on_signals(self) -> Iterator[None]:
        """The first Ctrl-C (or SIGTERM) ends the run after the step in hand; a second, at once."""

        before: dict[signal.Signals, Any] = {}

        def ask_to_stop(number: int, frame: Any) -> None:
            self._stopped = True
            signal.signal(number, before[signal.Signals(number)])
            self._bar.write("stopping after this step; once more to stop at once", sys.stderr)

        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask_to_stop)
        try:
            yield
        finally:
            for restored, handler in before.items():
                signal.signal(restored, handler)


def _between_bars() -> float:
    """Seconds: a terminal shows a moving bar, a log file gets a line now and then.

    A notebook shows it moving too, but some keep each of its states.
    """
    if sys.stderr.isatty():
        return _LOG_EVERY
    return 1.0 if "ipykernel" in sys.modules else 10.0


def take(
    run: Run,
    model_class: Callable[..., Any],
    train: Callable[[Run, Any], None],
    sample: Callable[[Run, Any], None],
) -> int:
    """Make the model and train it, or show what it has learnt; the exit code. Raises UserError."""
    model = run.make(model_class)
    if run.options.test is None:
        return run.train(train, model)
    sample(run, model)
    run.tell_test(model)
    return 0


def main(
    name: str,
    adapter: Adapter,
    model_class: Callable[..., Any],
    train: Callable[[Run, Any], None],
    sample: Callable[[Run, Any], None],
) -> None:
    """Run an answer's script: read the options, make the model, train or show it; then exit.

    Exit code 0 when done, 2 for what the user can mend (one line says what), 130 when stopped.
    """

    def do() -> int:
        question = find(name)
        run = Run(question, adapter, parse(question, Path(sys.argv[0]).name, sys.argv[1:]))
        return take(run, model_class, train, sample)

    exit_with(do, "stopped; --resume goes on from the last checkpoint")
