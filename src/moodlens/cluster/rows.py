"""The result's schema: one row a face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from moodlens.emotions import EMOTIONS
from moodlens.errors import MissingExtraError
from moodlens.types import Analysis

ROWS_A_TABLE = 4096
"""Rows held as Python values before they become a compact table."""


def arrow() -> Any:
    """pyarrow with its Parquet part.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("moodlens batch", "serve") from error
    return pyarrow


def schema() -> Any:
    """The columns, their types and which may be empty; `docs/batch.md` says what they mean."""
    pa = arrow()
    real, whole = pa.float32(), pa.int32()
    return pa.schema(
        [
            pa.field("source", pa.string(), nullable=False),
            ("width", whole),
            ("height", whole),
            ("face_index", whole),
            ("frame_index", pa.int64()),
            ("timestamp_s", pa.float64()),
            *((name, real) for name in ("x1", "y1", "x2", "y2", "detection_score")),
            ("emotion", pa.string()),
            ("confidence", real),
            ("uncertain", pa.bool_()),
            *((emotion, real) for emotion in EMOTIONS),
            ("valence", real),
            ("arousal", real),
            ("prediction_set", pa.list_(pa.string())),
            ("quality", real),
            ("error", pa.string()),
        ]
    )


def rows(source: str, analyses: Iterable[Analysis]) -> Iterator[dict[str, Any]]:
    """The rows of one input.

    A picture without a face is one row without a face; so is a video without any. What goes
    wrong is a row with its error, after the rows of the frames read before it.
    """
    any_row = False
    size: dict[str, int] = {}
    for analysis in analyses:
        if analysis.error is not None:
            yield {"source": source, "error": analysis.error}
            any_row = True
            continue
        size = {"width": analysis.width, "height": analysis.height}
        for index, face in enumerate(analysis.faces):
            any_row = True
            x1, y1, x2, y2 = face.box_xyxy
            yield {
                "source": source,
                **size,
                "face_index": index,
                "frame_index": analysis.frame_index,
                "timestamp_s": analysis.timestamp_s,
                "x1": x1,
                "y1": y1,
                "x2": x2,
                "y2": y2,
                "detection_score": face.detection_score,
                "emotion": face.emotion,
                "confidence": face.confidence,
                "uncertain": face.uncertain,
                **{str(emotion): p for emotion, p in face.scores.items()},
                "valence": face.valence,
                "arousal": face.arousal,
                "prediction_set": list(face.prediction_set),
                "quality": None if face.quality is None else face.quality.score,
            }
    if not any_row:
        yield {"source": source, **size}


def to_table(found: Iterable[dict[str, Any]]) -> Any:
    """A pyarrow table of rows, in their order."""
    pa, columns = arrow(), schema()
    tables: list[Any] = []
    group: list[dict[str, Any]] = []
    for row in found:
        group.append(row)
        if len(group) == ROWS_A_TABLE:
            tables.append(pa.Table.from_pylist(group, columns))
            group = []
    tables.append(pa.Table.from_pylist(group, columns))
    return pa.concat_tables(tables)
