"""FER2013 in its published layout, and the FER+ votes for the same rows.

FER2013: Goodfellow et al. 2013, "Challenges in representation learning" (arXiv:1307.0414).
FER+: Barsoum et al. 2016, "Training deep networks for facial expression recognition with
crowd-sourced label distribution" (arXiv:1608.01041).
"""

from __future__ import annotations

import csv
import gzip
import lzma
import queue
import threading
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodlens.datasets.core import FaceDataset
from moodlens.emotions import EMOTIONS
from moodlens.errors import DatasetError

FERPLUS_COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
SIDE = 48
ALL = "all"
"""The split's name where the data name none."""
_CHUNK_BYTES = 1 << 22
_NONE = np.zeros(0, dtype=np.int64)


def _chunks(path: Path) -> Generator[bytes, None, None]:
    """The bytes of a plain, .gz or .xz file, unpacked in a thread while the last are parsed."""
    opener: Any = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix.lower(), open)
    waiting: queue.Queue[bytes | Exception] = queue.Queue(maxsize=4)
    given_up = threading.Event()

    def read() -> None:
        try:
            with opener(path, "rb") as file:
                while not given_up.is_set():
                    chunk = file.read(_CHUNK_BYTES)
                    waiting.put(chunk)
                    if not chunk:
                        return
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            waiting.put(error)

    thread = threading.Thread(target=read, name="moodlens-table", daemon=True)
    thread.start()
    try:
        while chunk := waiting.get():
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk
    finally:
        given_up.set()
        while thread.is_alive():  # it may wait for room in the queue
            with suppress(queue.Empty):
                waiting.get(timeout=0.05)


def _rows(path: Path) -> Generator[tuple[int, list[bytes]], None, None]:
    """Line number and cells of every line that is not empty.

    Raises:
        DatasetError: the file is not there, can't be read or is damaged.
    """
    number, rest = 0, b""
    try:
        for chunk in _chunks(path):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                number += 1
                if cells := _cells(line):
                    yield number, cells
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file") from None
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise DatasetError(f"{path}: can't be read as a table: {error}") from error
    if cells := _cells(rest):
        yield number + 1, cells


def _cells(line: bytes) -> list[bytes]:
    line = line.removeprefix(b"\xef\xbb\xbf").strip()
    if b'"' in line:
        try:
            return [cell.encode() for cell in next(csv.reader([line.decode("utf-8", "replace")]))]
        except csv.Error:
            return [line]  # has too few columns then, and is refused with its number
    return line.split(b",") if line else []


def _header(rows: Iterator[tuple[int, list[bytes]]]) -> list[str]:
    return [cell.decode("utf-8", "replace").strip() for cell in next(rows, (1, []))[1]]


def read_fer2013(path: Path | str) -> FaceDataset:
    """FER2013 from `fer2013.csv` (plain, .gz, .xz) or Kaggle's `icml_face_data.csv`.

    Returns:
        All rows of the file in its order; `rows` counts from 0.

    Raises:
        DatasetError: a missing column, an unknown label or a row with a wrong number of
            pixels; the message names the file and the line.
    """
    path = Path(path)
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    splits: list[str] = []
    with closing(_rows(path)) as rows:
        header = [name.lower() for name in _header(rows)]
        try:
            emotion_at, pixels_at = header.index("emotion"), header.index("pixels")
        except ValueError:
            raise DatasetError(
                f"{path}: expected the columns emotion, pixels and Usage; found "
                f"{', '.join(header)[:200] or 'none'}"
            ) from None
        usage_at = header.index("usage") if "usage" in header else None
        for line, row in rows:
            if len(row) != len(header):
                raise DatasetError(
                    f"{path}, line {line}: expected {len(header)} columns, found {len(row)}"
                )
            images.append(_parse_pixels(row[pixels_at], path, line))
            labels.append(_parse_label(row[emotion_at], path, line))
            splits.append(
                ALL if usage_at is None else row[usage_at].decode("utf-8", "replace").strip()
            )
    if not images:
        raise DatasetError(f"{path}: the table has no rows")
    return FaceDataset(
        images=np.stack(images),
        labels=np.array(labels, dtype=np.int64),
        splits=np.array(splits),
        rows=np.arange(len(images), dtype=np.int64),
        source=str(path),
    )


def _parse_pixels(text: bytes, path: Path, line: int) -> NDArray[np.uint8]:
    try:
        if text.translate(None, b"0123456789 "):
            values = np.array(text.split(), dtype=np.int64)  # a sign, a tab, or not a number
        else:  # four times quicker, but it would pass over what is no number
            values = np.fromstring(text, dtype=np.int64, sep=" ") if text.strip() else _NONE
    except (ValueError, OverflowError):
        raise DatasetError(f"{path}, line {line}: the pixels are not numbers") from None
    if values.size != SIDE * SIDE:
        raise DatasetError(
            f"{path}, line {line}: expected {SIDE * SIDE} pixels (48x48), found {values.size}"
        )
    if values.min() < 0 or values.max() > 255:
        raise DatasetError(f"{path}, line {line}: pixels must lie in 0..255")
    return values.astype(np.uint8).reshape(SIDE, SIDE)


def _parse_label(text: bytes, path: Path, line: int) -> int:
    label = text.strip()
    if label.isdigit() and int(label) < len(EMOTIONS):
        return int(label)
    shown = label.decode("utf-8", "replace")
    raise DatasetError(
        f"{path}, line {line}: unknown label {shown!r}; expected 0..6 for {', '.join(EMOTIONS)}"
    )


def read_ferplus(path: Path | str) -> NDArray[np.uint8]:
    """The FER+ votes: (rows, 10) uint8 in `FERPLUS_COLUMNS` order, a row for each of FER2013's.

    Raises:
        DatasetError: a missing column or a vote that is not a number.
    """
    path = Path(path)
    votes: list[list[int]] = []
    with closing(_rows(path)) as rows:
        header = _header(rows)
        missing = [name for name in FERPLUS_COLUMNS if name not in header]
        if missing:
            raise DatasetError(f"{path}: not a FER+ table, missing columns: {', '.join(missing)}")
        places = [header.index(name) for name in FERPLUS_COLUMNS]
        for line, row in rows:
            try:
                found = [int(row[place]) for place in places]
            except (IndexError, ValueError):
                raise DatasetError(f"{path}, line {line}: votes must be whole numbers") from None
            if min(found) < 0 or max(found) > 255:
                raise DatasetError(f"{path}, line {line}: votes must lie in 0..255")
            votes.append(found)
    if not votes:
        raise DatasetError(f"{path}: the table has no rows")
    return np.array(votes, dtype=np.uint8)
