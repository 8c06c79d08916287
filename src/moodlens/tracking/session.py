"""The memory of one stream: tracks, steady labels and what changed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from moodlens.emotions import Emotion
from moodlens.errors import ImageError, InputError
from moodlens.imaging.ahead import read_ahead
from moodlens.tracking.options import StreamOptions
from moodlens.tracking.people import Person
from moodlens.tracking.search import default_detect_every, detect_near
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
        numbers = self._tracker.update(detections.boxes_xyxy, now)
        self._judge(frame, detections, numbers, now)
        events: list[EmotionChange] = []
        shown: list[Face] = []
        for index_of_face, number in enumerate(numbers):
            if not number:  # not confirmed yet
                continue
            shown.append(self._steady(detections, index_of_face, number))
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

    def _judge(self, frame: Frame, detections: Detections, numbers: list[int], now: float) -> None:
        """Classify the faces whose turn it is, in one batch: new ones, then the longest waiting."""
        turns = [face for face, number in enumerate(numbers) if number]
        for face in turns:
            if numbers[face] not in self._people:
                self._people[numbers[face]] = Person(self.options, now)
        most = self.options.faces_at_once
        if most is not None and len(turns) > most:
            waiting = {face: self._people[numbers[face]] for face in turns}
            new = [face for face in turns if waiting[face].face is None]
            known = [face for face in turns if waiting[face].face is not None]
            known.sort(key=lambda face: waiting[face].judged_at_s)
            turns = new + known[: max(most - len(new), 0)]
        if not turns:
            return
        every = len(turns) == len(numbers)
        chosen = detections if every else detections.select(np.array(turns, np.intp))
        order = range(len(turns)) if every else turns
        for face, judged in zip(order, self._lens.judge(frame, chosen), strict=True):
            self._people[numbers[face]].judge(judged, self._lens.min_quality, now)

    def _steady(self, detections: Detections, index: int, number: int) -> Face:
        """What to show of a face: where it is now, and what is known of its person."""
        person = self._people[number]
        assert person.face is not None
        assert person.shown is not None
        face = person.face
        box = tuple(detections.boxes_xyxy[index].tolist())
        if box != face.box_xyxy:  # it was not its turn
            points = None if detections.landmarks is None else detections.landmarks[index]
            marks: Any = None if points is None else tuple(map(tuple, points.tolist()))
            face = replace(
                face,
                box_xyxy=box,
                detection_score=min(max(float(detections.scores[index]), 0.0), 1.0),
                landmarks=marks,
            )
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
