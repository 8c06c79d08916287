"""The timeline of a video: one row a face a frame, as CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from moodlens.emotions import EMOTIONS
from moodlens.errors import MissingExtraError, MoodlensError
from moodlens.types import Analysis, Face

TimelineFormat = Literal["csv", "jsonl", "parquet"]

COLUMNS: tuple[str, ...] = (
    "frame_index",
    "timestamp_s",
    "track_id",
    "x1",
    "y1",
    "x2",
    "y2",
    "detection_score",
    "emotion",
    "confidence",
    "uncertain",
    *EMOTIONS,
    "valence",
    "arousal",
    "quality",
)
ROWS_A_GROUP = 5000
"""Rows of a Parquet row group, and the most that are held in memory."""


def rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """A flat row for each face of a frame, its keys in the order of `COLUMNS`."""
    for face in analysis.faces:
        yield _row(analysis, face)


def _row(analysis: Analysis, face: Face) -> dict[str, Any]:
    x1, y1, x2, y2 = (round(v, 1) for v in face.box_xyxy)
    at = analysis.timestamp_s
    return {
        "frame_index": analysis.frame_index,
        "timestamp_s": None if at is None else round(at, 4),
        "track_id": face.track_id,
        "x1": x1,
        "y1": y1,
        "x2": x2,
        "y2": y2,
        "detection_score": round(face.detection_score, 4),
        "emotion": face.emotion,
        "confidence": round(face.confidence, 4),
        "uncertain": face.uncertain,
        **{label: round(p, 4) for label, p in face.scores.items()},
        "valence": round(face.valence, 4),
        "arousal": round(face.arousal, 4),
        "quality": None if face.quality is None else round(face.quality.score, 4),
    }


class TimelineWriter:
    """Appends the rows of each frame to a file; a context manager.

    Rows reach the disk frame by frame. When it is full the file is cut back to its last whole
    row. Parquet can't be read before its end is written, so rows are kept as JSON lines beside
    it and turned into Parquet on closing; if that fails the JSON lines stay.
    """

    def __init__(self, path: Path | str, kind: TimelineFormat) -> None:
        """Open the file, replacing one that is there.

        Raises:
            MissingExtraError: Parquet without pyarrow. MoodlensError: it can't be written.
        """
        self.path = Path(path)
        self.kind = kind
        if kind == "parquet":
            _pyarrow()
        self._text = self.path.with_suffix(".jsonl.part") if kind == "parquet" else self.path
        try:
            self._file = self._text.open("wb", buffering=0)
            self._whole = 0
            if kind == "csv":
                self._append(_csv_line(COLUMNS))
        except OSError as error:
            raise self._error(error) from error

    def write(self, analysis: Analysis) -> None:
        """Add the faces of a frame; a frame without any adds nothing.

        Raises:
            MoodlensError: the disk is full or gone; whole rows written before are kept.
        """
        found = list(rows(analysis))
        if not found:
            return
        if self.kind == "csv":
            text = "".join(_csv_line(row.values()) for row in found)
        else:
            text = "".join(json.dumps(row) + "\n" for row in found)
        try:
            self._append(text)
        except OSError as error:
            self._file.truncate(self._whole)
            raise self._error(error) from error

    def close(self) -> None:
        """Finish the file. Calling it again does nothing.

        Raises:
            MoodlensError: the Parquet file can't be written; the message names the rows' file.
        """
        if self._file.closed:
            return
        self._file.close()
        if self.kind != "parquet":
            return
        try:
            _to_parquet(self._text, self.path)
        except OSError as error:
            kept = self.path.with_suffix(".jsonl")
            self.path.unlink(missing_ok=True)
            self._text.rename(kept)
            raise MoodlensError(
                f"{self.path}: can't be written: {error.strerror or error}; "
                f"its rows are kept in {kept}"
            ) from error
        self._text.unlink()

    def _append(self, text: str) -> None:
        data = memoryview(text.encode())
        while data:  # an unbuffered write may take only a part
            data = data[self._file.write(data) or 0 :]
        self._whole = self._file.tell()

    def _error(self, error: OSError) -> MoodlensError:
        reason = error.strerror or error
        return MoodlensError(f"{self.path}: the timeline can't be written: {reason}")

    def __enter__(self) -> TimelineWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _csv_line(values: Any) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("a Parquet timeline", "serve") from error
    return pyarrow


def _to_parquet(text: Path, path: Path) -> None:
    """The rows of a JSON lines file as Parquet, a group at a time.

    Raises:
        OSError: the disk is full or gone.
    """
    arrow = _pyarrow()
    kinds: dict[str, Any] = dict.fromkeys(COLUMNS, arrow.float32())
    kinds |= {"frame_index": arrow.int64(), "track_id": arrow.int64(), "uncertain": arrow.bool_()}
    kinds |= {"timestamp_s": arrow.float64(), "emotion": arrow.string()}
    schema = arrow.schema(list(kinds.items()))
    with (
        text.open(encoding="utf-8") as lines,
        arrow.parquet.ParquetWriter(os.fspath(path), schema) as writer,
    ):
        group: list[dict[str, Any]] = []
        for line in lines:
            group.append(json.loads(line))
            if len(group) == ROWS_A_GROUP:
                writer.write_table(arrow.Table.from_pylist(group, schema))
                group.clear()
        if group:
            writer.write_table(arrow.Table.from_pylist(group, schema))
