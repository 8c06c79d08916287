"""Keras on the wanted backend, without its noise on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from moodlens.errors import MissingExtraError, SettingsError

BACKENDS = ("tensorflow", "jax", "torch")


def use_backend(name: str | None = None) -> str:
    """Import Keras on a backend; must come before anything else imports Keras.

    Args:
        name: tensorflow, jax or torch; None: what `KERAS_BACKEND` says, else tensorflow.

    Returns:
        The backend's name.

    Raises:
        MissingExtraError: Keras is not installed.
        SettingsError: no such backend, it is not installed, or Keras runs on another already.
    """
    wanted = name or os.environ.get("KERAS_BACKEND") or "tensorflow"
    if wanted not in BACKENDS:
        raise SettingsError(f"no backend {wanted!r}; choose one of {', '.join(BACKENDS)}")
    if find_spec("keras") is None:
        raise MissingExtraError("training", "train")
    if find_spec(wanted) is None:
        raise SettingsError(f"the {wanted} backend needs the package {wanted!r}: install it first")
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = wanted
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet():
        import keras
    running = str(keras.backend.backend())
    if running != wanted:
        raise SettingsError(f"Keras already runs on {running}; start a new process for {wanted}")
    return running


@contextmanager
def quiet() -> Iterator[None]:
    """For libraries that write to file descriptor 2 themselves; for a while it leads nowhere."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
