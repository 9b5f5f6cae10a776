"""Everything that a run writes and prints while it trains, and at its end.

Its folder holds `losses.csv` and `losses.png`, `samples/` with a picture every so often,
`result.png` (the last of them), `samples.gif` and `strip.png` (how they changed),
`checkpoint.safetensors`, and `run.json`: all that is needed to take the run again.
"""

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from knock.errors import STOPPED, UserError, in_words
from knock.files import DISK_FULL, make_folder
from knock.frameworks.adapter import Adapter
from knock.questions import Question
from knock.training import animation, bar, charts, checkpoint, loss_log, past, pictures, record
from knock.training.checkpoint import Checkpoint
from knock.training.health import Health
from knock.training.loss_log import LossLog
from knock.training.origin import Origin
from knock.training.past import Past

import numpy as np

_LOG_EVERY = 0.2  # seconds; reading a loss from a device makes it wait, so not at every step
_HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none
_AGAIN = 1.0  # seconds after which another Ctrl-C is one that the user meant
_SAVING = 0.01  # of a run's time goes into checkpoints at most, but for the first and the last


class Recorder:
    """Writes one training down: losses, sample pictures, checkpoints, curves.

    All is written within `recording`, the checkpoint first, and by `finish` and `conclude`. Every
    method that writes raises UserError where it cannot.
    """

    def __init__(
        self,
        question: Question,
        adapter: Adapter,
        begun: Origin,
        model: Any,
        *,
        answer: str,
        device: str,
        threads: int,
        classes: tuple[str, ...],
        pictures: dict[str, Any] | None,
        quiet: bool,
    ) -> None:
        self.stopped = False
        """Whether the user has asked the run to end after this step."""
        self._question = question
        self._adapter = adapter
        self._begun = begun
        self._model = model
        self._answer = answer
        self._device = device
        self._threads = threads
        self._losses = LossLog(begun.folder, begun.step, begun.losses)
        self._last = self._losses.last
        self._classes = classes
        self._pictures = pictures
        self._record: dict[str, Any] = {}  # what run.json says at the last checkpoint
        self._pending: list[tuple[int, Mapping[str, Any]]] = []
        self._flushed = 0.0
        self._health = Health()
        self._band: tuple[int, int] | None = None  # of a sample picture, from here to there
        self._names = 0  # columns of a sample picture that have its rows' names
        self._started = time.monotonic()
        self._seconds = 0.0  # from then to the last checkpoint
        self._saver = ThreadPoolExecutor(1, "checkpoint")
        self._saving: Future[float] | None = None
        self._saved = 0.0  # when the last checkpoint was asked for
        self._reading = 0.0  # seconds that its state took to read
        self._bar = bar.make(question.name, begun.recipe.train.steps, begun.step, quiet)

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """While the steps are taken: a bar moves, signals are heeded, checkpoints are written.

        The first one is there before anything else: from then on the folder is that of a run, and
        a run that is killed at any moment can go on. However it ends, the files are whole and
        closed.
        """
        try:
            with self._bar, self._stopping_on_signals():
                self.save(self._begun.step)
                self._finish_saving()
                self._losses.open()
                yield
            self._finish_saving()
        finally:
            self._saver.shutdown()
            self._losses.close()

    def advance(self) -> None:
        """Move the bar by a step."""
        self._bar.update()

    def log(self, step: int, losses: Mapping[str, Any]) -> None:
        """Note a step's losses (scalars on the framework's side); now and then they are written."""
        self._pending.append((step, losses))
        if time.monotonic() - self._flushed > _LOG_EVERY:
            self.flush()

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
                    f"last good checkpoint is kept in {self._begun.folder}; try a smaller --lr"
                )
            self._warn(self._health.losses(step, self._last))
        self._pending.clear()
        self._losses.flush()
        self._bar.set_postfix_str(bar.losses(self._last, bar.room(self._bar)), refresh=False)
        self._flushed = time.monotonic()

    def show(self, step: int, rows: Mapping[str, pictures.Pixels], samples: Sequence[str]) -> None:
        """Write a step's sample picture: a row for each name, uint8 N×H×W×C.

        `samples` are the rows that are made from noise or labels; pictures that are all the same
        are warned of. The first of them, or else the first row, is the strip's. A picture that
        cannot be written costs a warning. Raises UserError where the disk is full: then the weights
        are saved first, if they still can be.
        """
        try:
            self._show(step, rows, samples)
        except UserError as error:
            if DISK_FULL not in str(error):
                self._warn(str(error))
                return
            with contextlib.suppress(UserError):
                self.save(step)
                self._finish_saving()
            raise

    def _show(self, step: int, rows: Mapping[str, pictures.Pixels], samples: Sequence[str]) -> None:
        folder = self._begun.folder
        enlarge = pictures.enlargement(self._begun.recipe.image_shape[1])
        make_folder(folder / "samples")
        pictures.write_rows(folder / "samples" / f"step_{step:06d}.png", rows, enlarge)
        for name in samples:
            self._warn(self._health.pictures(step, name, rows[name]))
        top, bottom = pictures.band(rows, [*samples, *rows][0], pictures.ACROSS)
        self._band = (top * enlarge, bottom * enlarge)
        self._names = pictures.names_width(rows, enlarge)
        record.write_shown(folder, "result", rows, enlarge)

    @property
    def save_due(self) -> bool:
        """Whether the last checkpoint is old enough, and written: saving must cost little."""
        if self._saving is None:
            return True
        if not self._saving.done():
            return False
        cost = self._reading + self._saving.result()
        return _SAVING * (time.monotonic() - self._saved) >= cost

    def save(self, step: int) -> None:
        """Hand the state of this moment to the thread that writes checkpoints.

        Raises UserError when the one before could not be written, or the state is not finite.
        """
        self.flush()
        self._finish_saving()
        self._saved = time.monotonic()
        recipe = self._begun.recipe
        state = self._adapter.read(self._model, recipe)
        bad = next((key for key, array in state.items() if not np.isfinite(array).all()), None)
        if bad:
            raise UserError(
                f"{bad} is not finite after step {step}: the training fails; the last good "
                f"checkpoint is kept in {self._begun.folder}; try a smaller --lr"
            )
        begun, versions = self._begun, self._adapter.versions()
        threads, steps = self._threads, (begun.step, step)
        name, answer, device = self._adapter.NAME, self._answer, self._device
        stretch = record.stretch(name, answer, steps, device, threads, versions)
        made = Checkpoint(
            recipe=recipe,
            step=step,
            state=state,
            framework=name,
            versions=versions,
            past=Past(
                history=past.joined(begun.history, stretch),
                losses=self._losses.columns(),
                data=str(begun.data_folder.resolve()) if begun.data_folder else None,
                init=begun.init,
                classes=self._classes,
                pictures=self._pictures,
            ),
        )
        self._reading = time.monotonic() - self._saved
        self._seconds = time.monotonic() - self._started
        self._record = record.of_run(made, self._times(made))
        self._saving = self._saver.submit(self._write, made, self._record)

    def _times(self, made: Checkpoint) -> list[float]:
        """The seconds of each stretch; this run's own are the last one's, or belong to it."""
        count = len(made.past.history) if made.past else 0
        times = [*self._begun.seconds[:count], *[0.0] * count][:count]
        times[-1] += self._seconds
        return times

    def finish(self, step: int) -> int:
        """Draw the curves and the animation, and print how it ended; the exit code."""
        begun = self._begun
        self._draw(charts.LOSSES, self._draw_losses)
        self._draw(animation.GIF, lambda: animation.animate(begun.folder, step))
        if band := self._band:
            self._draw(
                animation.STRIP, lambda: animation.strip(begun.folder, band, step, self._names)
            )
        if step < begun.recipe.train.steps:
            print(f"stopped after step {step}; go on with: --resume {begun.folder}")
            return STOPPED
        losses = ", ".join(f"{name} {value:.5g}" for name, value in self._last.items())
        print(f"{begun.folder}: step {step}, {losses}, {self._seconds:.1f} s on {self._device}")
        return 0

    def _draw_losses(self) -> None:
        begun, name = self._begun, self._adapter.NAME
        charts.curve(
            begun.folder / charts.LOSSES,
            {name: loss_log.read(begun.folder)},
            f"{self._question.label}, {begun.recipe.dataset}, {name}",
        )

    def _draw(self, name: str, draw: Callable[[], None]) -> None:
        """Draw a picture of the whole run; where that fails, the run is not lost with it."""
        try:
            draw()
        except Exception as error:  # matplotlib and Pillow raise anything
            self._warn(f"{self._begun.folder / name} is not drawn: {in_words(error)}")

    def conclude(self) -> None:
        """Note that all steps are taken and everything is written: nothing is left to a resume."""
        record.write_run(self._begun.folder, {**self._record, "finished": True})

    def _write(self, made: Checkpoint, told: Mapping[str, Any]) -> float:
        """Write a checkpoint and its record; the seconds of processor time that this took."""
        began = time.thread_time()
        if not self._begun.folder.is_dir():
            self._warn(f"{self._begun.folder} is gone, and is made again")
            make_folder(self._begun.folder)
        self._losses.sync()
        checkpoint.save(self._begun.folder / checkpoint.FILE_NAME, made)
        record.write_run(self._begun.folder, told)
        return time.thread_time() - began

    def _finish_saving(self) -> None:
        if self._saving is not None:
            self._saving.result()

    def _warn(self, line: str | None) -> None:
        if line:
            self._bar.write(f"warning: {line}", sys.stderr)

    @contextlib.contextmanager
    def _stopping_on_signals(self) -> Iterator[None]:
        """The first Ctrl-C, SIGTERM or SIGHUP ends the run after the step in hand.

        A second one ends it at once, but not within a second: some programs, such as `timeout`,
        send each twice. Where SIGHUP is ignored, as by `nohup`, it stays so; a terminal that went
        away sends it as often as it likes.
        """
        if threading.current_thread() is not threading.main_thread():
            yield  # Python lets no other thread handle signals
            return
        before: dict[int, Any] = {}
        asked = 0.0

        def ask_to_stop(number: int, frame: Any) -> None:
            nonlocal asked
            if not self.stopped:
                self.stopped, asked = True, time.monotonic()
                self._bar.write("stopping after this step; once more to stop at once", sys.stderr)
            elif number != _HANGUP and time.monotonic() - asked > _AGAIN:
                signal.signal(number, before[number])
                signal.raise_signal(number)

        numbers = [signal.SIGINT, signal.SIGTERM]
        if _HANGUP is not None and signal.getsignal(_HANGUP) != signal.SIG_IGN:
            numbers.append(_HANGUP)
        for number in numbers:
            before[number] = signal.signal(number, ask_to_stop) or signal.SIG_DFL
        try:
            yield
        finally:
            for restored, handler in before.items():
                signal.signal(restored, handler)
