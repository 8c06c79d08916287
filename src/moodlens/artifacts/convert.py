"""A `.keras` file made into ONNX, in a process of its own.

Model files are not trusted: a `.keras` file is opened in Keras' safe mode, in a child process
that has a time and a memory limit, and the result is kept under the file's hash and the way it
is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from moodlens.artifacts.inspect import check_onnx, is_keras
from moodlens.artifacts.places import cache_dir, sha256_of
from moodlens.artifacts.reading import Reading, side_file
from moodlens.errors import MissingExtraError, ModelError

TIME_LIMIT_S = 180
MEMORY_LIMIT = 8 * 1024**3
CONVERTER = "moodlens.training.convert_child"


def converted(
    path: Path,
    reading: Reading | None = None,
    *,
    check: bool = False,
    alone: bool = False,
    name: str = "",
) -> Path:
    """The file itself when it is ONNX; a `.keras` file's ONNX twin.

    Args:
        path: the file.
        reading: how a `.keras` file is to be read; what it does not say is taken from the side
            file, then from the usual case.
        check: it is an emotion model that nobody has vouched for: look at it first.
        alone: all of it must be in this one file.
        name: what the card calls a `.keras` file's twin; default: the file's name.

    Raises:
        ModelError: another kind of file, or a conversion that fails.
        MissingExtraError: a `.keras` file, and Keras is not installed.
    """
    if is_keras(path):
        said = (reading or Reading()).over(side_file(path))
        return _from_keras(path, said, name or path.stem)
    if reading is not None and reading.says:
        raise ModelError(
            f"{path}: an ONNX file says itself how it is read; input size, scale and labels are "
            "given for .keras files only"
        )
    if check:
        check_onnx(path, alone=alone)
    return path


def _from_keras(path: Path, reading: Reading, name: str) -> Path:
    card = json.dumps({"name": name, **reading.card()}, sort_keys=True)
    key = hashlib.sha256((sha256_of(path) + card).encode()).hexdigest()[:24]
    target = cache_dir() / f"{key}.converted.onnx"
    if target.is_file():
        return target
    if not find_spec("keras") or not find_spec("tf2onnx"):
        raise MissingExtraError(f"{path}: reading .keras files", "train")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", CONVERTER, str(path), str(partial), str(MEMORY_LIMIT), card],
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
