"""Whether a stranger's file is what it should be, before anything runs it."""

from __future__ import annotations

import zipfile
from importlib.util import find_spec
from pathlib import Path

from moodlens.errors import ModelError

SIZE_LIMIT = 512 * 1024 * 1024
UNPACKED_LIMIT = 2 * 1024**3
LABELS = 7

_REFUSED = {
    b"\x80\x02": "a Python pickle, which can run any code when it is opened",
    b"\x80\x03": "a Python pickle, which can run any code when it is opened",
    b"\x80\x04": "a Python pickle, which can run any code when it is opened",
    b"\x80\x05": "a Python pickle, which can run any code when it is opened",
    b"\x89HDF": "an HDF5 file, which can hold code; save it anew as .keras",
    b"<htm": "a web page",
    b"<!DO": "a web page",
    b"<!do": "a web page",
    b"<HTM": "a web page",
    b"%PDF": "a PDF",
    b"vers": "a pointer of Git LFS in place of the model; fetch the file itself",
}
_KERAS_PARTS = {"config.json", "model.weights.h5"}


def is_keras(path: Path) -> bool:
    """Whether a file is `.keras`; what it is, is read from its bytes, not from its name.

    Raises:
        ModelError: it is a kind that is refused, too large, or another zip.
    """
    size = path.stat().st_size
    if size > SIZE_LIMIT:
        raise ModelError(f"{path}: too large for a model: {size} bytes, limit {SIZE_LIMIT}")
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise ModelError(f"{path}: refused: an empty file; expected ONNX or .keras")
    for mark, what in _REFUSED.items():
        if start.startswith(mark):
            raise ModelError(f"{path}: refused: {what}; expected ONNX or .keras")
    if not start.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ModelError(f"{path}: refused: a damaged zip; expected ONNX or .keras") from error
    if not {part.filename for part in parts} >= _KERAS_PARTS:
        raise ModelError(f"{path}: refused: a zip that is not a .keras file (or holds a pickle)")
    if sum(part.file_size for part in parts) > UNPACKED_LIMIT:
        raise ModelError(f"{path}: refused: it unpacks to more than {UNPACKED_LIMIT} bytes")
    return True


def check_onnx(path: Path, *, alone: bool) -> None:
    """Check an ONNX file that nobody has vouched for: by onnx's checker where it is installed,
    and by its inputs and outputs.

    Args:
        path: the file.
        alone: it must hold all of its weights itself, as a download must; otherwise they may
            lie in files inside its own folder.

    Raises:
        ModelError: it is not sound; expected and found are named.
    """
    if find_spec("onnx"):
        _by_onnx(path, alone)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's errors share no base class
        reason = str(error).splitlines()[0]
        if "external data" in reason.lower():
            raise ModelError(
                f"{path}: refused: its external data is missing or outside its own folder"
            ) from error
        raise ModelError(
            f"{path}: not a model that ONNX Runtime can run: {reason[:200]}"
        ) from error
    _check_ends(path, session.get_inputs(), session.get_outputs())


def _by_onnx(path: Path, alone: bool) -> None:
    import onnx

    try:
        graph = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's errors share no public base class
        raise ModelError(
            f"{path}: not a model that ONNX Runtime can run: the file is damaged, or is not ONNX"
        ) from error
    outside = [
        tensor.name
        for tensor in graph.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    ]
    if outside and alone:
        raise ModelError(f"{path}: refused: its weights lie in other files; save it as one file")
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:  # ValidationError lives in a compiled module
        reason = str(error).splitlines()[0][:200]
        if outside:
            raise ModelError(
                f"{path}: refused: its external data is missing or outside its own folder"
            ) from error
        raise ModelError(f"{path}: refused: not sound ONNX: {reason}") from error


def _check_ends(path: Path, inputs: list[object], outputs: list[object]) -> None:
    """One float input (faces, side, side, 1); scores (faces, 7) first of the outputs."""
    found = ", ".join(_said(end) for end in inputs), _said(outputs[0])
    shape = list(getattr(inputs[0], "shape", []))
    scores = list(getattr(outputs[0], "shape", []))
    floats = getattr(inputs[0], "type", "") == "tensor(float)"
    good = len(inputs) == 1 and floats and len(shape) == 4 and _may_be(shape[3], 1)
    if not good or len(scores) != 2 or not _may_be(scores[1], LABELS):
        raise ModelError(
            f"{path}: expected one float input (faces, side, side, 1) and scores (faces, {LABELS})"
            f" as the first output; found {found[0]} and {found[1]}"
        )


def _may_be(size: object, wanted: int) -> bool:
    return not isinstance(size, int) or size == wanted


def _said(end: object) -> str:
    return f"{getattr(end, 'name', '?')} {getattr(end, 'shape', '?')} {getattr(end, 'type', '?')}"
