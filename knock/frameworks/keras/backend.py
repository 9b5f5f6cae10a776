"""Keras itself, on TensorFlow: the modules of its adapter import `keras` from here."""

import os

from knock.frameworks import leave, require

require("keras")
if os.environ.setdefault("KERAS_BACKEND", "tensorflow") != "tensorflow":
    leave(
        "these answers are for Keras on TensorFlow, but KERAS_BACKEND is "
        f"{os.environ['KERAS_BACKEND']}; unset it"
    )

from knock.frameworks.tensorflow.runtime import quiet, tf  # noqa: E402  # after `require`

with quiet():
    import keras

if keras.config.backend() != "tensorflow":  # Keras was imported before this module
    leave(
        f"these answers are for Keras on TensorFlow, not on {keras.config.backend()}; "
        "set KERAS_BACKEND=tensorflow before Keras is imported"
    )

__all__ = ["keras", "tf"]
