"""One live viewer's stream: frames in, annotated frames out, and figures for the page."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from moodlens.detection.base import Detections, Detector, Frame
from moodlens.emotions import EMOTIONS, Emotion
from moodlens.history import RecordedSession, SampleGatherer
from moodlens.imaging.draw import draw
from moodlens.imaging.summary import Summary
from moodlens.lens import Lens
from moodlens.tracking import StreamOptions, StreamState
from moodlens.types import Analysis, Face
from moodlens.webapp.admission import Seat

WINDOW_S = 60.0
POINT_EVERY_S = 0.25
RATE_OVER_S = 3.0
CLOCK_OVER_S = 10.0


@dataclass(frozen=True, slots=True)
class LiveChoices:
    """What a viewer may set while the stream runs.

    Attributes:
        mirror: turn the picture left to right, as a mirror does, before it is analysed.
        paused: hold the last frame and analyse nothing.
        smoothing_s: time constant of the probabilities, 0 or more.
        min_face_px: smaller faces are not looked for.
    """

    mirror: bool = False
    paused: bool = False
    smoothing_s: float = 0.08
    min_face_px: float = 24.0


@dataclass(frozen=True, slots=True)
class LiveState:
    """The figures of one moment.

    Attributes:
        analysis: of the newest frame; None before the first.
        settled: the emotion of the largest face that has lasted; None before one has.
        settled_s: how long it has.
        silent_s: since a frame came, analysed or not; 0 before the first.
        frames_per_s: analysed, over the last seconds.
        age_s: of the newest shown frame when it left: how much later it was sent on than the
            quickest frame of the last seconds arrived, by the stream's own clock.
        points: age in seconds, seven probabilities, valence, arousal of the largest face over the
            last `WINDOW_S`, oldest first.
        shares: of the time of all faces since the start.
        frames: analysed since the start.
        refused: whether the machine was full.
    """

    analysis: Analysis | None
    settled: Emotion | None
    settled_s: float
    silent_s: float
    frames_per_s: float
    age_s: float
    points: list[tuple[float, tuple[float, ...], float, float]]
    shares: dict[Emotion, float]
    frames: int
    refused: bool


class _Viewer:
    """A lens as one viewer has set it; the networks are those of the shared lens."""

    def __init__(self, lens: Lens, min_face_px: float) -> None:
        self._lens = lens
        self.min_face_px = min_face_px
        self.min_quality = lens.min_quality

    @property
    def detector(self) -> Detector:
        return self._lens.detector

    def judge(self, frame: Frame, detections: Detections) -> list[Face]:
        return self._lens.judge(frame, detections)

    def restate(self, face: Face, probabilities: NDArray[np.float32], **shown: Any) -> Face:
        return self._lens.restate(face, probabilities, **shown)


class LiveView:
    """Frames come on the stream's own thread, questions and choices from the page's."""

    def __init__(
        self,
        lens: Lens,
        choices: LiveChoices | None = None,
        *,
        seat: Seat | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with nothing seen.

        Args:
            lens: shared by all viewers.
            choices: None for the defaults.
            seat: the viewer's place; None: the machine is full, frames go back as they came.
            clock: seconds, for tests.
        """
        self._lens = lens
        self._seat = seat
        self._clock = clock
        self._lock = threading.Lock()
        self._choices = choices or LiveChoices()
        self._session = self._open_session(self._choices)
        self._started = clock()
        self._started_at = datetime.now(UTC)
        self._analysis: Analysis | None = None
        self._image: NDArray[np.uint8] | None = None
        self._settled: Emotion | None = None
        self._settled_at = 0.0
        self._came: float | None = None
        self._times: deque[float] = deque()
        self._delays: deque[tuple[float, float]] = deque()
        self._age_s = 0.0
        self._points: deque[tuple[float, Face]] = deque()
        self._gatherer = SampleGatherer()
        self._summary = Summary("live")
        self._paused_s = 0.0
        self._paused_at: float | None = None
        self._over = False

    def _open_session(self, choices: LiveChoices) -> StreamState:
        viewer = _Viewer(self._lens, choices.min_face_px)
        return StreamState(viewer, StreamOptions(smoothing_s=choices.smoothing_s))

    @property
    def seated(self) -> bool:
        """Whether this viewer has a place now, from START on."""
        return self._seat is not None and self._seat.held

    def choose(self, choices: LiveChoices) -> None:
        """Change what the viewer set; other smoothing or face size starts the tracks anew."""
        with self._lock:
            old, self._choices = self._choices, choices
            if (old.smoothing_s, old.min_face_px) != (choices.smoothing_s, choices.min_face_px):
                self._session = self._open_session(choices)

    def recv(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """The next frame of the stream, annotated: (height, width, 3) BGR, for nobody to change."""
        came = self._clock()
        with self._lock:
            if self._over or self._seat is None or not self._seat.beat():
                self._seat = None
                untouched: NDArray[np.uint8] = frame.to_ndarray(format="bgr24")
                return untouched
            self._came = came
            choices, session, held = self._choices, self._session, self._image
            self._pause(choices.paused, came)
        if choices.paused and held is not None:
            return held
        image = frame.to_ndarray(format="bgr24")
        if choices.mirror:
            image = np.ascontiguousarray(image[:, ::-1])
        at = came - self._started - self._paused_s
        analysis = session.process(image, at, source="webcam")
        shown = draw(image, analysis)
        with self._lock:
            self._image = shown
            self._note(analysis, came, None if frame.time is None else float(frame.time))
        return shown

    def on_ended(self) -> None:
        """Called when the stream ends: the seat is free again."""
        with self._lock:
            self._over = True  # a frame that is still waiting must not take the seat again
            if self._seat is not None:
                self._seat.leave()
            self._image = None

    def _pause(self, paused: bool, now: float) -> None:
        """Time that passes while paused is none of the session's."""
        if paused and self._paused_at is None:
            self._paused_at = now
        elif not paused and self._paused_at is not None:
            self._paused_s += now - self._paused_at
            self._paused_at = None

    def _note(self, analysis: Analysis, came: float, stream_s: float | None) -> None:
        now = self._clock()
        self._analysis = analysis
        self._gatherer.add(analysis)
        self._summary.add(analysis)
        self._times.append(now)
        while self._times[0] < now - RATE_OVER_S:
            self._times.popleft()
        self._age_s = now - came
        if stream_s is not None:
            delay = came - stream_s
            self._delays.append((now, delay))
            while self._delays[0][0] < now - CLOCK_OVER_S:
                self._delays.popleft()
            self._age_s += delay - min(d for _, d in self._delays)
        largest = analysis.largest
        if largest is None:
            return
        if not self._points or now - self._points[-1][0] >= POINT_EVERY_S:
            self._points.append((now, largest))
            while self._points[0][0] < now - WINDOW_S:
                self._points.popleft()
        changed = any(event.track_id == largest.track_id for event in analysis.events)
        if (self._settled is None or changed) and largest.emotion != self._settled:
            self._settled, self._settled_at = largest.emotion, now

    def state(self) -> LiveState:
        """The figures of this moment."""
        with self._lock:
            now = self._clock()
            times = [t for t in self._times if t >= now - RATE_OVER_S]
            rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 else 0.0
            seconds = [
                {e: track.emotion_s[e] for e in EMOTIONS} for track in self._summary.tracks.values()
            ]
            total = {e: sum(s[e] for s in seconds) for e in EMOTIONS}
            whole = max(sum(total.values()), 1e-9)
            return LiveState(
                analysis=self._analysis,
                settled=self._settled,
                settled_s=now - self._settled_at if self._settled else 0.0,
                silent_s=0.0 if self._came is None else now - self._came,
                frames_per_s=rate,
                age_s=self._age_s,
                points=[
                    (now - at, tuple(face.scores.values()), face.valence, face.arousal)
                    for at, face in self._points
                    if at >= now - WINDOW_S
                ],
                shares={e: spent / whole for e, spent in total.items()},
                frames=self._summary.frames,
                refused=self._seat is None,
            )

    def recorded(self, title: str) -> RecordedSession:
        """The session so far, as it can be saved: numbers of every second and face."""
        with self._lock:
            return RecordedSession(
                kind="live",
                title=title,
                started_at=self._started_at,
                duration_s=self._gatherer.duration_s,
                frames=self._gatherer.frames,
                samples=self._gatherer.samples(),
            )

    def summary(self) -> dict[str, Any]:
        """Shares of time, changes and stretches so far; see `moodlens.imaging.summary`."""
        with self._lock:
            return self._summary.to_dict()
