"""TensorFlow itself: started quietly, on the chosen device; arrays in and out of it.

The TensorFlow and the Keras adapter share this module and import `tf` from here: whichever comes
first, TensorFlow starts quietly, or one line says that it is not installed.
"""

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from knock.frameworks import require

require("tensorflow")

from knock.errors import UserError  # noqa: E402  # after `require`, which may leave
from knock.frameworks.devices import cuda_index  # noqa: E402
from knock.paths import has_home  # noqa: E402

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

__all__ = ["channels_last", "devices", "eagerly", "quiet", "start", "tf", "to_device", "to_numpy"]

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
os.environ.setdefault(_LOG_LEVEL, "2")  # errors only
_wants_messages = os.environ[_LOG_LEVEL] in ("0", "1")
# TensorFlow itself imports Keras if it is installed, and Keras then chooses its backend.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if not has_home() and "KERAS_HOME" not in os.environ:
    # Keras would keep its settings in a folder named "~", here.
    os.environ["KERAS_HOME"] = tempfile.mkdtemp(prefix="keras-")
    atexit.register(shutil.rmtree, os.environ["KERAS_HOME"], ignore_errors=True)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide what TensorFlow's libraries print while they are loaded, unless something fails.

    It is about oneDNN, CPU instructions and missing graphics drivers: no reason to act, and printed
    before they read the log level. TF_CPP_MIN_LOG_LEVEL=0 shows everything.
    """
    if _wants_messages:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


with quiet():
    import tensorflow as tf

    tf.config.list_physical_devices()  # loads the drivers

# "remapping" fuses a convolution with its bias and leaky ReLU. It fails if a gradient needs a value
# in between: it gives up with an error message on every GAN here, and made none of them faster.
_REWRITING = {"remapping": False}


def start(device: str, threads: int | None = None, as_written: bool = False) -> str:
    """Choose the device and the number of threads; returns the device's name for people.

    TensorFlow accepts both only before its first operation. After that, another device raises
    UserError, and the number of threads stays as it is. With `as_written`, graphs are not rewritten
    before they run; this holds at once, also for functions that already ran.
    """
    tf.config.optimizer.set_experimental_options(
        _REWRITING | {"disable_meta_optimizer": as_written}
    )
    gpus = tf.config.list_physical_devices("GPU")
    index = cuda_index(device, len(gpus), "TensorFlow")
    used = [] if index is None else [gpus[index]]
    try:
        tf.config.set_visible_devices(used, "GPU")
        for gpu in used:
            # Otherwise TensorFlow takes the whole memory, and nothing is left for others.
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        if tf.config.get_visible_devices("GPU") != used:
            raise UserError(
                f"TensorFlow already runs in this process; start a new one for --device {device}"
            ) from None
    _set_threads(threads)
    return _name(used[0]) if used else "CPU"


def _set_threads(threads: int | None) -> None:
    if not threads or threads == tf.config.threading.get_intra_op_parallelism_threads():
        return
    with contextlib.suppress(RuntimeError):  # TensorFlow already runs
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def _name(gpu: Any) -> str:
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))


def devices() -> list[str]:
    """The devices that TensorFlow sees, including hidden ones; the CPU first."""
    return ["CPU", *(_name(gpu) for gpu in tf.config.list_physical_devices("GPU"))]


def import_late() -> None:
    """Nothing to do: TensorFlow has imported all of it."""


@contextlib.contextmanager
def eagerly() -> Iterator[None]:
    """Run what `tf.function` decorates as it stands: making a graph takes longer than a step."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def to_device(batch: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """A batch as tensors; arrays of pictures go from N×C×H×W to N×H×W×C, several for each too."""
    return {name: tf.constant(channels_last(array)) for name, array in batch.items()}


def to_numpy(tensor: Any) -> NDArray[Any]:
    """A tensor (or an array) as an array; four axes go back to N×C×H×W."""
    array = np.asarray(tensor)
    return np.array(array.transpose(0, 3, 1, 2) if array.ndim == 4 else array, order="C")


def channels_last(array: NDArray[Any]) -> NDArray[Any]:
    """N×C×H×W as N×H×W×C, and N×K×C×H×W as N×K×H×W×C; anything else unchanged."""
    return np.ascontiguousarray(np.moveaxis(array, -3, -1)) if array.ndim in (4, 5) else array
