"""FER2013 in its published layout, and the FER+ votes for the same rows.

FER2013: Goodfellow et al. 2013, "Challenges in representation learning" (arXiv:1307.0414).
FER+: Barsoum et al. 2016, "Training deep networks for facial expression recognition with
crowd-sourced label distribution" (arXiv:1608.01041).
"""

from __future__ import annotations

import csv
import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

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
_NONE = np.zeros(0, dtype=np.int64)


@contextmanager
def _open_text(path: Path) -> Iterator[IO[str]]:
    """A plain, .gz or .xz text file, read as UTF-8.

    Raises:
        DatasetError: the file is not there, can't be read or is damaged.
    """
    openers = {".gz": gzip.open, ".xz": lzma.open}
    try:
        with openers.get(path.suffix, open)(path, "rt", encoding="utf-8", newline="") as file:  # type: ignore[operator]
            yield file
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file") from None
    except (OSError, EOFError, lzma.LZMAError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: can't be read as a table: {error}") from error


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
    with _open_text(path) as file:
        reader = csv.reader(file)
        header = [name.strip().lower() for name in next(reader, [])]
        try:
            emotion_at, pixels_at = header.index("emotion"), header.index("pixels")
        except ValueError:
            raise DatasetError(
                f"{path}: expected the columns emotion, pixels and Usage; found {header}"
            ) from None
        usage_at = header.index("usage") if "usage" in header else None
        for line, row in enumerate(reader, start=2):
            if not row:
                continue
            images.append(_parse_pixels(row, pixels_at, path, line))
            try:
                labels.append(_parse_label(row[emotion_at], path, line))
                splits.append(row[usage_at].strip() if usage_at is not None else "all")
            except IndexError:
                raise DatasetError(
                    f"{path}, line {line}: expected {len(header)} columns, found {len(row)}"
                ) from None
    if not images:
        raise DatasetError(f"{path}: the table has no rows")
    return FaceDataset(
        images=np.stack(images),
        labels=np.array(labels, dtype=np.int64),
        splits=np.array(splits),
        rows=np.arange(len(images), dtype=np.int64),
        source=str(path),
    )


def _parse_pixels(row: list[str], at: int, path: Path, line: int) -> NDArray[np.uint8]:
    try:
        text = row[at].encode("ascii")
        if text.translate(None, b"0123456789 "):
            values = np.array(text.split(), dtype=np.int64)  # a sign, a tab, or not a number
        else:  # four times quicker, but it would pass over what is no number
            values = np.fromstring(text, dtype=np.int64, sep=" ") if text.strip() else _NONE
    except (ValueError, IndexError, OverflowError):
        raise DatasetError(f"{path}, line {line}: the pixels are not numbers") from None
    if values.size != SIDE * SIDE:
        raise DatasetError(
            f"{path}, line {line}: expected {SIDE * SIDE} pixels (48x48), found {values.size}"
        )
    if values.min() < 0 or values.max() > 255:
        raise DatasetError(f"{path}, line {line}: pixels must lie in 0..255")
    return values.astype(np.uint8).reshape(SIDE, SIDE)


def _parse_label(text: str, path: Path, line: int) -> int:
    label = text.strip()
    if label.isascii() and label.isdigit() and int(label) < len(EMOTIONS):
        return int(label)
    raise DatasetError(
        f"{path}, line {line}: unknown label {label!r}; expected 0..6 for {', '.join(EMOTIONS)}"
    )


def read_ferplus(path: Path | str) -> NDArray[np.uint8]:
    """The FER+ votes: (rows, 10) uint8 in `FERPLUS_COLUMNS` order, a row for each of FER2013's.

    Raises:
        DatasetError: a missing column or a vote that is not a number.
    """
    path = Path(path)
    votes: list[list[int]] = []
    with _open_text(path) as file:
        reader = csv.DictReader(file)
        missing = [name for name in FERPLUS_COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            raise DatasetError(f"{path}: not a FER+ table, missing columns: {', '.join(missing)}")
        for line, row in enumerate(reader, start=2):
            try:
                votes.append([int(row[name]) for name in FERPLUS_COLUMNS])
            except (TypeError, ValueError):
                raise DatasetError(f"{path}, line {line}: votes must be whole numbers") from None
    return np.array(votes, dtype=np.uint8)
