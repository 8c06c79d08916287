"""The memory of one stream: tracks, steady labels and what changed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import ImageError, InputError
from moodlens.imaging.ahead import read_ahead
from moodlens.tracking.baseline import PersonalBaseline
from moodlens.tracking.options import StreamOptions
from moodlens.tracking.search import default_detect_every, detect_near
from moodlens.tracking.smoothing import LabelHold, ProbabilitySmoother
from moodlens.tracking.tracks import Tracker
from moodlens.types import Analysis, EmotionChange, Face

if TYPE_CHECKING:
    from moodlens.detection.base import Detections, Detector, Frame
    from moodlens.imaging.sources import SourceFrame

FRAME_S = 1 / 30
"""Taken for the time between frames where the source's clock can't tell."""
CLOCK_JUMP_S = 1.0
"""A clock that goes back by more has started again: the faces before it are others."""
SEEN_S = 0.25
"""A face seen within this time is looked for; one lost for longer is only waited for."""


class Pipeline(Protocol):
    """What a stream needs of a `Lens`."""

    @property
    def detector(self) -> Detector: ...

    min_face_px: float
    min_quality: float

    def judge(self, frame: Frame, detections: Detections) -> list[Face]: ...

    def restate(
        self,
        face: Face,
        probabilities: NDArray[np.float32],
        *,
        emotion: Emotion,
        poor: bool,
        track_id: int,
    ) -> Face: ...


class Person:
    """What is remembered of one track: its smoothed scores, its label, its baseline."""

    def __init__(self, options: StreamOptions, at_s: float) -> None:
        self._smoother = ProbabilitySmoother(options.smoothing_s)
        self._hold = LabelHold(
            options.switch_margin, options.switch_evidence_s, options.min_dwell_s
        )
        self._baseline = (
            None if options.baseline_s is None else PersonalBaseline(options.baseline_s)
        )
        self._announce_after_s = options.announce_after_s
        self._smoothing_s = options.smoothing_s
        self._seen_at_s = at_s
        self._shown_since_s = at_s
        self._announced: Emotion | None = None
        self.shown: Emotion | None = None
        self.quality = -1.0
        self.probabilities = np.zeros(len(EMOTIONS))

    def update(self, row: NDArray[np.float64], quality: float, poor: bool, at_s: float) -> None:
        """Take in one frame: (7,) probabilities, quality 0 to 1, its time."""
        dt = max(at_s - self._seen_at_s, 0.0)
        self._seen_at_s = at_s
        trust = 0.0 if poor else quality
        if self._baseline is not None:
            row = self._baseline.update(row, dt, trust)
        # A frame that says little (flat probabilities) moves the mean less.
        weight = trust * (0.5 + 0.5 * float(row.max()))
        self.probabilities = self._smoother.update(row, dt, weight)
        label = EMOTIONS[self._hold.update(self.probabilities, dt)]
        if label != self.shown:
            self.shown, self._shown_since_s = label, at_s
        self._steady_quality(quality, dt)

    def _steady_quality(self, quality: float, dt: float) -> None:
        fades = self.quality >= 0.0 and self._smoothing_s > 0.0
        kept = math.exp(-dt / self._smoothing_s) if fades else 0.0
        self.quality = kept * self.quality + (1.0 - kept) * quality

    def announce(self, track_id: int, at_s: float) -> EmotionChange | None:
        """The change to tell of on this frame, once the shown label has lasted."""
        if self.shown is None or self.shown == self._announced:
            return None
        if at_s - self._shown_since_s < self._announce_after_s - 1e-9:
            return None
        before, self._announced = self._announced, self.shown
        confidence = float(self.probabilities[EMOTIONS.index(self.shown)])
        return EmotionChange(track_id, before, self.shown, at_s, confidence)


class StreamState:
    """Analyses the frames of one stream in order, with stable ids and steady labels.

    Not for several threads at once: one stream, one state. Many states may share a `Lens`.
    """

    def __init__(self, lens: Pipeline, options: StreamOptions | None = None) -> None:
        """`options`: None for the defaults."""
        self.options = options or StreamOptions()
        self._lens = lens
        self._detect_every = self.options.detect_every or default_detect_every(lens.detector)
        self._tracker = Tracker(self.options.lost_track_s, confirm=self._detect_every > 1)
        self._people: dict[int, Person] = {}
        self._frames = 0
        self._since_whole = 0
        self._now_s: float | None = None
        self._size: tuple[int, int] | None = None

    def reset(self) -> None:
        """Forget every face, as on a cut to another scene; ids go on and are not used again."""
        self._tracker.clear()
        self._people.clear()
        self._since_whole = 0

    def process(
        self,
        frame: Frame,
        timestamp_s: float | None = None,
        *,
        index: int | None = None,
        source: str = "stream",
        detections: Detections | None = None,
    ) -> Analysis:
        """The next frame.

        Args:
            frame: (height, width, 3) BGR uint8; its size may change between frames.
            timestamp_s: on the stream's clock; None: a thirtieth of a second after the last.
            index: number of the frame; None: counted from 0.
            source: what the result calls the stream.
            detections: the faces, where they are known already; None: look for them.

        Returns:
            The faces, largest first, with `track_id`, smoothed scores and the held label; and
            the changes of label to tell of.

        Raises:
            ImageError: the frame is not a picture. InputError: the time is not a number.
        """
        now = self._clock(timestamp_s)
        _check(frame)
        self._follow_size(frame.shape[0], frame.shape[1])
        if detections is None:
            detections = self._detect(frame, now)
        faces = self._lens.judge(frame, detections)
        numbers = self._tracker.update(detections.boxes_xyxy, now)
        events: list[EmotionChange] = []
        shown: list[Face] = []
        for face, number in zip(faces, numbers, strict=True):
            if not number:  # not confirmed yet
                continue
            shown.append(self._steady(face, number, now))
            change = self._people[number].announce(number, now)
            if change is not None:
                events.append(change)
        if len(self._people) > len(self._tracker.tracks):
            alive = {track.id for track in self._tracker.tracks}
            self._people = {n: person for n, person in self._people.items() if n in alive}
        number_of_frame = self._frames if index is None else index
        self._frames = number_of_frame + 1
        return Analysis(
            source=source,
            width=frame.shape[1],
            height=frame.shape[0],
            faces=tuple(sorted(shown, key=lambda face: -face.area)),
            frame_index=number_of_frame,
            timestamp_s=now if timestamp_s is None else timestamp_s,
            events=tuple(events),
        )

    def follow(
        self, frames: Iterable[SourceFrame], *, source: str = "stream"
    ) -> Iterator[tuple[SourceFrame, Analysis]]:
        """All frames of a file, each with its result, at the best speed of two cores.

        Frames are read, and where every frame is searched whole also searched, on a thread that
        works ahead of the one that classifies. The answers are those of `process`.

        Raises:
            InputError: as `process`, and what reading the frames raises.
        """
        with read_ahead(self._searched(frames)) as ahead:
            for frame, detections in ahead:
                analysis = self.process(
                    frame.image,
                    frame.timestamp_s,
                    index=frame.index,
                    source=source,
                    detections=detections,
                )
                yield frame, analysis

    def _searched(
        self, frames: Iterable[SourceFrame]
    ) -> Iterator[tuple[SourceFrame, Detections | None]]:
        """Frames with their faces, or with None where the place to look depends on the tracks."""
        for frame in frames:
            detections = None
            if self._detect_every == 1:
                _check(frame.image)
                detections = self._detect_whole(frame.image)
            yield frame, detections

    def _detect_whole(self, frame: Frame) -> Detections:
        return self._lens.detector.detect(frame, min_face_px=self._lens.min_face_px)

    def _steady(self, face: Face, number: int, now: float) -> Face:
        person = self._people.get(number)
        if person is None:
            person = self._people[number] = Person(self.options, now)
        row = np.fromiter(face.scores.values(), np.float64, len(EMOTIONS))
        quality = 1.0 if face.quality is None else face.quality.score
        person.update(row, quality, quality < self._lens.min_quality, now)
        assert person.shown is not None
        return self._lens.restate(
            face,
            person.probabilities.astype(np.float32),
            emotion=person.shown,
            poor=person.quality < self._lens.min_quality,
            track_id=number,
        )

    def _detect(self, frame: Frame, now: float) -> Detections:
        """Near the known faces where that is enough, else on the whole frame."""
        self._since_whole += 1
        if self._since_whole < self._detect_every:
            tracks = self._tracker.tracks
            wanted = [t.expected(now) for t in tracks if t.id and now - t.seen_at_s <= SEEN_S]
            if wanted:
                found = detect_near(
                    self._lens.detector, frame, wanted, min_face_px=self._lens.min_face_px
                )
                if found is not None:
                    return found
        self._since_whole = 0
        return self._detect_whole(frame)

    def _clock(self, timestamp_s: float | None) -> float:
        """The time of a frame; never before the one before it."""
        last = self._now_s
        if timestamp_s is None:
            timestamp_s = 0.0 if last is None else last + FRAME_S
        elif not math.isfinite(timestamp_s):
            raise InputError(f"the time of a frame must be a number of seconds, not {timestamp_s}")
        if last is not None and timestamp_s < last:
            if last - timestamp_s <= CLOCK_JUMP_S:
                timestamp_s = last
            else:
                self.reset()
        self._now_s = timestamp_s
        return timestamp_s

    def _follow_size(self, height: int, width: int) -> None:
        if self._size is not None and self._size != (height, width):
            self._tracker.rescale(width / self._size[1], height / self._size[0])
        self._size = (height, width)


def _check(frame: NDArray[np.uint8]) -> None:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise ImageError(
            f"expected a (height, width, 3) BGR uint8 frame, found {frame.shape} of {frame.dtype}"
        )
