"""TensorFlow itself: started quietly, on the chosen device; arrays in and out of it.

What the TensorFlow and the Keras adapter share. Their modules take `tf` from here: whichever
is imported first, TensorFlow starts quietly, or a line says that it is not installed.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from knock.frameworks import require

require("tensorflow")

from knock.errors import UserError  # noqa: E402  # after `require`, which may leave

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

__all__ = ["channels_last", "devices", "quiet", "start", "tf", "to_device", "to_numpy"]

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
os.environ.setdefault(_LOG_LEVEL, "2")  # errors only
_wants_messages = os.environ[_LOG_LEVEL] in ("0", "1")
# TensorFlow imports an installed Keras by itself, which chooses its backend at that moment.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep back what TensorFlow's libraries print while they are loaded, unless something fails.

    It is about oneDNN, CPU instructions and graphics drivers that are not there: nothing to act on,
    and printed before they read the log level. With TF_CPP_MIN_LOG_LEVEL=0 one sees everything.
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

# Fusing a convolution with its bias and leaky ReLU fails where a gradient needs what lies between,
# gives up with an error message on every GAN of ours, and made none of them faster.
tf.config.optimizer.set_experimental_options({"remapping": False})


def start(device: str, threads: int | None = None) -> str:
    """Choose the device and the number of threads; returns the device as a person calls it.

    TensorFlow takes both only before its first operation. When it has begun, another device is
    refused with UserError; the number of threads stays what it was.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if device == "cuda" and not gpus:
        raise UserError(
            "TensorFlow finds no CUDA device here; use --device cpu, or see knock doctor"
        )
    use_gpu = bool(gpus) and device != "cpu"
    try:
        tf.config.set_visible_devices(gpus if use_gpu else [], "GPU")
        for gpu in gpus if use_gpu else []:
            # Else TensorFlow takes the whole memory, and nothing else in the process gets any.
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        if bool(tf.config.get_visible_devices("GPU")) != use_gpu:
            raise UserError(
                f"TensorFlow already runs in this process; start again to use --device {device}"
            ) from None
    _set_threads(threads)
    return _name(gpus[0]) if use_gpu else "CPU"


def _set_threads(threads: int | None) -> None:
    if not threads or threads == tf.config.threading.get_intra_op_parallelism_threads():
        return
    with contextlib.suppress(RuntimeError):  # it has begun
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def _name(gpu: Any) -> str:
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))


def devices() -> list[str]:
    """The devices that TensorFlow sees, hidden ones too; the CPU first."""
    return ["CPU", *(_name(gpu) for gpu in tf.config.list_physical_devices("GPU"))]


def to_device(batch: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """A batch as tensors; arrays of four axes go from N×C×H×W to N×H×W×C."""
    return {name: tf.constant(channels_last(array)) for name, array in batch.items()}


def to_numpy(tensor: Any) -> NDArray[Any]:
    """A tensor (or what is already an array) as an array; four axes go back to N×C×H×W."""
    array = np.asarray(tensor)
    return np.array(array.transpose(0, 3, 1, 2) if array.ndim == 4 else array, order="C")


def channels_last(array: NDArray[Any]) -> NDArray[Any]:
    """N×C×H×W as N×H×W×C; anything else unchanged."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array
