"""What kind of model file this is, and a `.keras` file made into ONNX, in a process of its own.

Model files are not trusted: what a file is, is read from its first bytes; pickles and HDF5 files
are refused; a `.keras` file is opened in Keras' safe mode, in a child process that has a time and
a memory limit, and the result is kept under the file's hash.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from moodlens.artifacts.places import cache_dir, sha256_of
from moodlens.errors import MissingExtraError, ModelError

TIME_LIMIT_S = 180
MEMORY_LIMIT = 8 * 1024**3
CONVERTER = "moodlens.training.convert_child"

_REFUSED = {
    b"\x80\x02": "a Python pickle, which can run any code when it is opened",
    b"\x80\x03": "a Python pickle, which can run any code when it is opened",
    b"\x80\x04": "a Python pickle, which can run any code when it is opened",
    b"\x80\x05": "a Python pickle, which can run any code when it is opened",
    b"\x89HDF": "an HDF5 file, which can hold code; save it anew as .keras",
    b"<htm": "a web page",
    b"<!DO": "a web page",
    b"%PDF": "a PDF",
}


def converted(path: Path) -> Path:
    """The file itself when it is ONNX; a `.keras` file's ONNX twin.

    Raises:
        ModelError: another kind of file, or a conversion that fails.
        MissingExtraError: a `.keras` file, and Keras is not installed.
    """
    with path.open("rb") as file:
        start = file.read(4)
    for mark, what in _REFUSED.items():
        if start.startswith(mark):
            raise ModelError(f"{path}: refused: {what}; expected ONNX or .keras")
    if start.startswith(b"PK\x03\x04"):
        return _from_keras(path)
    return path


def _from_keras(path: Path) -> Path:
    target = cache_dir() / f"{sha256_of(path)[:24]}.converted.onnx"
    if target.is_file():
        return target
    if not find_spec("keras") or not find_spec("tf2onnx"):
        raise MissingExtraError(f"{path}: reading .keras files", "train")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", CONVERTER, str(path), str(partial), str(MEMORY_LIMIT)],
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            env=environment,
            check=False,
        )
        if done.returncode != 0 or not partial.is_file():
            said = [line for line in done.stderr.splitlines() if line.startswith("refused: ")]
            reason = said[-1].removeprefix("refused: ") if said else "the conversion failed"
            raise ModelError(f"{path}: {reason}")
        partial.replace(target)
    except subprocess.TimeoutExpired:
        raise ModelError(f"{path}: the conversion took more than {TIME_LIMIT_S} s") from None
    finally:
        partial.unlink(missing_ok=True)
    return target
