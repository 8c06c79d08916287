"""A clip from upload to result: followed frame by frame, with a thumbnail for each moment."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import MoodlensError, SourceError
from moodlens.history import RecordedSession, SampleGatherer
from moodlens.imaging.draw import draw
from moodlens.imaging.sources import SourceFrame
from moodlens.imaging.summary import Summary
from moodlens.imaging.timeline import TimelineWriter
from moodlens.imaging.timeline_plot import TimelinePlot
from moodlens.imaging.video_in import open_video
from moodlens.imaging.video_out import VideoWriter
from moodlens.lens import Lens
from moodlens.tracking import StreamOptions
from moodlens.types import Analysis, Face

MOMENTS = 160
"""The most moments in the interactive timeline; a longer clip has longer moments."""
THUMB_PX = 200
PROGRESS_EVERY = 10

Progress = Callable[[float, str], object]


@dataclass(slots=True)
class _Moment:
    image: str
    face: Face | None = None
    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(EMOTIONS) + 3))
    """(10,): summed scores, valence, arousal of the largest face, and frames with one."""


class MomentGatherer:
    """The largest face's course in at most `MOMENTS` steps, each with a thumbnail.

    A step starts at a frame's length and doubles whenever the clip runs past the last one, so
    memory does not grow with the clip.
    """

    def __init__(self, step_s: float) -> None:
        """`step_s`: seconds of a frame, more than 0."""
        self._step_s = step_s
        self._first_s: float | None = None
        self._moments: dict[int, _Moment] = {}

    def add(self, frame: SourceFrame, analysis: Analysis) -> None:
        """The next frame."""
        if self._first_s is None:
            self._first_s = frame.timestamp_s
        at = max(frame.timestamp_s - self._first_s, 0.0)
        while at >= MOMENTS * self._step_s:
            self._halve()
        place = int(at / self._step_s)
        moment = self._moments.get(place)
        if moment is None:
            moment = self._moments[place] = _Moment(_thumbnail(frame.image, analysis))
        face = analysis.largest
        if face is not None:
            moment.face = moment.face or face
            moment.sums += [*face.scores.values(), face.valence, face.arousal, 1.0]

    def table(self) -> pd.DataFrame:
        """What `moodlens.webapp.charts.clip` draws: a row for each moment and emotion."""
        rows = [row for place, moment in sorted(self._moments.items()) for row in _rows(moment)]
        places = [place for place, moment in sorted(self._moments.items()) if moment.face]
        times = np.repeat([round(place * self._step_s, 3) for place in places], len(EMOTIONS))
        columns = ["emotion", "probability", "order", "shown", "confidence", "valence", "arousal"]
        table = pd.DataFrame(rows, columns=[*columns, "image"])
        table.insert(0, "time_s", times.astype(float))
        return table

    def _halve(self) -> None:
        self._step_s *= 2
        joined: dict[int, _Moment] = {}
        for place, moment in sorted(self._moments.items()):
            kept = joined.get(place // 2)
            if kept is None:
                joined[place // 2] = moment
            else:
                kept.face = kept.face or moment.face
                kept.sums += moment.sums
        self._moments = joined


def _rows(moment: _Moment) -> Iterator[dict[str, Any]]:
    if moment.face is None:
        return
    means = moment.sums / moment.sums[-1]
    for i, emotion in enumerate(EMOTIONS):
        yield {
            "emotion": emotion,
            "probability": round(float(means[i]), 4),
            "order": i,
            "shown": moment.face.emotion,
            "confidence": round(moment.face.confidence, 4),
            "valence": round(float(means[-3]), 3),
            "arousal": round(float(means[-2]), 3),
            "image": moment.image,
        }


def _thumbnail(image: NDArray[np.uint8], analysis: Analysis) -> str:
    """A data address of a small JPEG with the faces marked."""
    shown = draw(image, analysis) if analysis.faces else image
    scale = THUMB_PX / max(shown.shape[:2])
    small = cv2.resize(shown, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 60])
    return "data:image/jpeg;base64," + base64.b64encode(bytes(data)).decode()


@dataclass(slots=True)
class ClipResult:
    """What a clip showed; its files lie in a folder that goes with this object.

    Attributes:
        summary: see `moodlens.imaging.summary.Summary.to_dict`.
        recorded: the numbers, as the history keeps them.
        moments: for the interactive timeline.
        skipped: damaged frames that were left out.
        error: what ended the clip early; None when it was whole.
        rows_csv: file of one row a face a frame.
        plot_png: file of the timeline's picture.
        annotated_mp4: file with boxes and labels; None when it was not wanted.
    """

    summary: dict[str, Any]
    recorded: RecordedSession
    moments: pd.DataFrame
    skipped: int
    error: str | None
    rows_csv: Path
    plot_png: Path
    annotated_mp4: Path | None
    folder: tempfile.TemporaryDirectory[str]

    @property
    def main_emotion(self) -> Emotion | None:
        """The one shown longest; None without a face."""
        shares = self.summary["share_of_time"]
        found = max(EMOTIONS, key=lambda e: shares[e])
        return found if shares[found] > 0 else None


def follow_clip(
    lens: Lens, name: str, data: bytes, *, annotate: bool, tell: Progress
) -> ClipResult:
    """Analyse a clip to its end.

    Args:
        lens: shared by all viewers.
        name: of the upload, for messages.
        data: the file's bytes.
        annotate: write a copy with boxes and labels, and its sound.
        tell: called with the share done, 0 to 1, and a line about it.

    Raises:
        SourceError: not a video, or one without a frame that can be read.
        MoodlensError: a result can't be written.
    """
    folder = tempfile.TemporaryDirectory(prefix="moodlens-", ignore_cleanup_errors=True)
    clip = Path(folder.name) / "clip"  # never under the name that came with it
    clip.write_bytes(data)
    try:
        return _follow(lens, name, clip, folder, annotate, tell)
    except SourceError as error:
        raise SourceError(str(error).replace(str(clip), name)) from error
    finally:
        clip.unlink(missing_ok=True)


def _follow(
    lens: Lens,
    name: str,
    clip: Path,
    folder: tempfile.TemporaryDirectory[str],
    annotate: bool,
    tell: Progress,
) -> ClipResult:
    place = Path(folder.name)
    started_at = datetime.now(UTC)
    summary, plot, gatherer = Summary(name), TimelinePlot(name), SampleGatherer()
    error: str | None = None
    with ExitStack() as stack:
        source = open_video(clip)
        stack.callback(source.close)
        moments = MomentGatherer(1 / (source.fps or 30.0))
        rows = stack.enter_context(TimelineWriter(place / "timeline.csv", "csv"))
        annotated: VideoWriter | None = None
        if annotate:
            annotated = stack.enter_context(
                VideoWriter(
                    place / "annotated.mp4", sound_from=clip, frames_per_s=source.fps or 30.0
                )
            )
        session = lens.open_session(StreamOptions(faces_at_once=None))
        try:
            for frame, analysis in session.follow(source, source=name):
                for gather in (summary, plot, gatherer, rows):
                    _add(gather, analysis)
                moments.add(frame, analysis)
                if annotated is not None:
                    annotated.write(draw(frame.image, analysis), frame.timestamp_s)
                if summary.frames % PROGRESS_EVERY == 1:
                    tell(*_progress(summary.frames, source.frame_count))
        except SourceError as fault:
            if not summary.frames:
                raise
            error = str(fault).replace(str(clip), name)
        skipped = int(getattr(source, "skipped", 0))
    if not summary.frames:
        raise SourceError(f"{name}: no frame in it that can be read")
    plot.save(place / "timeline.png")
    return ClipResult(
        summary=summary.to_dict(),
        recorded=RecordedSession(
            "video", name, started_at, gatherer.duration_s, gatherer.frames, gatherer.samples()
        ),
        moments=moments.table(),
        skipped=skipped,
        error=error,
        rows_csv=place / "timeline.csv",
        plot_png=place / "timeline.png",
        annotated_mp4=place / "annotated.mp4" if annotate else None,
        folder=folder,
    )


def _add(gather: Summary | TimelinePlot | SampleGatherer | TimelineWriter, found: Analysis) -> None:
    if isinstance(gather, TimelineWriter):
        gather.write(found)
    else:
        gather.add(found)


def _progress(frames: int, total: int | None) -> tuple[float, str]:
    if not total:
        return 0.0, f"{frames} frames"
    return min(frames / total, 1.0), f"{frames} of {total} frames"


def read_file(path: Path) -> bytes:
    """The bytes of a result.

    Raises:
        MoodlensError: it is gone.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise MoodlensError(
            f"the file is gone; analyse the clip again: {error.strerror}"
        ) from error
