"""A `.keras` file at half the size: kernels in half precision, the network as before.

Keras widens them again when it opens the file, so what is loaded computes in single precision.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from moodlens.training.storage import write_atomically

_WEIGHTS = "model.weights.h5"


def save_half(network: Any, path: Path) -> None:
    """Save a Keras model with every array of two axes or more as float16.

    Vectors (statistics, scales, constants) are few and keep their precision.

    Args:
        network: a Keras model.
        path: the `.keras` file.

    Raises:
        MoodlensError: the file can't be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.keras"
        network.save(whole)
        with zipfile.ZipFile(whole) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    files[_WEIGHTS] = _halved(files[_WEIGHTS])

    def write(file: Any) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)

    write_atomically(path, write)


def _halved(data: bytes) -> bytes:
    import h5py

    out = io.BytesIO()
    with h5py.File(io.BytesIO(data), "r") as source, h5py.File(out, "w") as target:
        target.attrs.update(source.attrs)

        def copy(name: str, found: Any) -> None:
            if isinstance(found, h5py.Dataset):
                value = found[()]
                wide = np.ndim(value) >= 2 and value.dtype == np.float32
                made = target.create_dataset(name, data=value.astype(np.float16) if wide else value)
            else:
                made = target.require_group(name)
            made.attrs.update(found.attrs)

        source.visititems(copy)
    return out.getvalue()
