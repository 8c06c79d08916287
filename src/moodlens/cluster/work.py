"""What a worker does, in either engine: a chunk becomes its part."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moodlens.cluster import storage
from moodlens.cluster.items import Chunk, Item
from moodlens.cluster.parts import Parts
from moodlens.cluster.rows import arrow, rows
from moodlens.errors import ImageError, InputError
from moodlens.imaging import load_image
from moodlens.imaging.sources import open_source
from moodlens.lens import Lens
from moodlens.types import Analysis


@dataclass(frozen=True, slots=True)
class Work:
    """All that a worker needs to know beside its chunk.

    Attributes:
        folder: where parts go. job: names model and options; see `Parts`.
        model: the ONNX file. model_bytes: the same file's bytes, for workers on other machines;
            they go before the path.
        detector: a detector's name. min_face_px: smallest face looked for.
        frames_every: of videos, every how many-th frame is looked at.
        thorough: look at twice the scale; see `Lens.analyze`.
    """

    folder: str
    job: str
    model: str
    detector: str
    min_face_px: float = 24.0
    frames_every: int = 1
    thorough: bool = False
    model_bytes: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A part was written: its name, its inputs, how many of them failed, its rows."""

    name: str
    items: int
    failed: int
    rows: int


class Worker:
    """One lens, one core."""

    def __init__(self, work: Work) -> None:
        """Load the networks.

        Raises:
            ModelError: the model can't be used. SettingsError: an option makes no sense.
        """
        import cv2

        cv2.setNumThreads(1)  # there is a worker for each core
        self._work = work
        self._parts = Parts(work.folder, work.job)
        with tempfile.TemporaryDirectory() as folder:
            model = Path(work.model)
            if work.model_bytes is not None:
                model = Path(folder) / "model.onnx"
                model.write_bytes(work.model_bytes)
            self._lens = Lens(
                model=model, detector=work.detector, threads=1, min_face_px=work.min_face_px
            )
        self._group: tuple[tuple[str, str, int], list[Any]] | None = None

    def process(self, chunk: Chunk, tick: Callable[[], None] = lambda: None) -> Outcome:
        """Analyse a chunk and write its part; `tick` is called after each item.

        Raises:
            MoodlensError: the part can't be written.
        """
        failed = 0

        def every_row() -> Iterator[dict[str, Any]]:
            nonlocal failed
            for item in chunk.items:
                wrong = False
                for row in rows(item.source, self._analyses(item)):
                    wrong = wrong or row.get("error") is not None
                    yield row
                failed += wrong
                tick()

        written = self._parts.write(chunk, every_row())
        return Outcome(chunk.name, len(chunk.items), failed, written)

    def _analyses(self, item: Item) -> Iterator[Analysis]:
        """An item's results; a fault of the input is a result with its error."""
        try:
            if item.kind == "video":
                yield from self._video(item)
                return
            if item.kind == "nothing":
                raise InputError(f"{item.source}: the row names no file")
            image = load_image(self._bytes(item), name=item.source)
            yield self._lens.analyze(image, source=item.source, thorough=self._work.thorough)
        except InputError as error:
            yield Analysis.failed(item.source, str(error))

    def _bytes(self, item: Item) -> bytes:
        if item.kind == "picture":
            return storage.read(item.source)
        value = self._row_group(item)[item.index]
        if isinstance(value, dict):  # as some data sets store pictures: {bytes, path}
            value = value.get("bytes")
        if not isinstance(value, bytes):
            raise ImageError(f"{item.source}: no bytes in column {item.column!r}")
        return value

    def _row_group(self, item: Item) -> list[Any]:
        """Values of the item's column in its row group; the last group is kept."""
        place = (item.file, item.column, item.group)
        if self._group is None or self._group[0] != place:
            pa = arrow()
            try:
                with (
                    storage.open_binary(item.file) as file,
                    pa.parquet.ParquetFile(file) as table,
                ):
                    group = table.read_row_group(item.group, columns=[item.column])
            except Exception as error:
                why = storage.reason(error)
                raise InputError(f"{item.source}: the row can't be read: {why}") from error
            self._group = (place, group.column(0).to_pylist())
        return self._group[1]

    def _video(self, item: Item) -> Iterator[Analysis]:
        if not storage.is_remote(item.source):
            yield from self._frames(item.source, item.source)
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / item.source.rpartition("/")[2]
            path.write_bytes(storage.read(item.source))
            yield from self._frames(item.source, str(path))

    def _frames(self, name: str, path: str) -> Iterator[Analysis]:
        """Each frame by itself; tracks and steady labels are what `moodlens video` is for."""
        from dataclasses import replace

        with open_source(Path(path)) as frames:
            for frame in frames:
                if frame.index % self._work.frames_every:
                    continue
                found = self._lens.analyze(frame.image, source=name, thorough=self._work.thorough)
                yield replace(found, frame_index=frame.index, timestamp_s=frame.timestamp_s)
            if frames.skipped:
                raise InputError(f"{name}: {frames.skipped} damaged frames skipped")
