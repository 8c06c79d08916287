"""The lens behind the API: threads that work, and a count that says when there are enough."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodlens.detection.base import Detections, Detector, Frame
from moodlens.errors import ImageError, InputError
from moodlens.imaging import load_image
from moodlens.lens import Lens, make_face
from moodlens.recognition.preprocess import crop_square, to_gray
from moodlens.server.batching import BatchingClassifier
from moodlens.server.measures import Measures
from moodlens.server.problems import Refusal
from moodlens.server.settings import ServerSettings
from moodlens.tracking import StreamState
from moodlens.types import Analysis


class Engine:
    """Everything that works on pictures; made once, closed once."""

    def __init__(self, settings: ServerSettings, lens: Lens, measures: Measures) -> None:
        """Start the threads.

        Args:
            settings: how many threads, how much room.
            lens: from here on the engine's own.
            measures: where to count.

        Raises:
            ModelError: the lens's network can't be opened for batches.
        """
        self.settings = settings
        self.measures = measures
        self.lens = lens
        self.classifier = BatchingClassifier(
            self.lens.classifier.path,
            most=settings.batch_faces,
            wait_s=settings.batch_wait_ms / 1000,
            calls=settings.calls,
            told=self.measures.batches.observe,
            waited=self.measures.steps.labels("classify").observe,
        )
        self.lens.classifier = self.classifier
        self.lens.detector = _Timed(self.lens.detector, self.measures)
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="pictures")
        self._lock = threading.Lock()
        self._depth = 0

    @property
    def depth(self) -> int:
        """Pictures in work: queued or being judged."""
        return self._depth

    @property
    def full(self) -> bool:
        """Whether one more picture would be too many."""
        return self._depth >= self.settings.room

    def analyze(self, pictures: list[tuple[str, bytes]]) -> list[Future[Analysis]]:
        """Each picture (its name and bytes) on its own; a bad one gives a result with its error.

        Raises:
            Refusal: there is no room for all of them (503).
        """
        return self._submit(self._analyze, pictures)

    def classify(self, pictures: list[tuple[str, bytes]]) -> list[Future[dict[str, Any]]]:
        """Each picture is one face, filling the frame.

        Raises:
            Refusal: there is no room for all of them (503).
        """
        return self._submit(self._classify, pictures)

    def next_frame(self, state: StreamState, data: bytes, at_s: float) -> Future[Analysis]:
        """The next frame of a stream. One at a time for each state.

        Raises:
            Refusal: there is no room for it (503).
        """
        return self._submit(self._next_frame, [(state, data, at_s)])[0]

    def close(self) -> None:
        """Finish what was accepted, then end the threads."""
        self._pool.shutdown(wait=True)

    def _submit(self, work: Any, inputs: Sequence[tuple[Any, ...]]) -> list[Future[Any]]:
        with self._lock:
            if self._depth + len(inputs) > self.settings.room:
                self.measures.rejected.labels("queue").inc()
                raise Refusal(503, "too much to do at the moment; try again", Retry_After="1")
            self._depth += len(inputs)
            self.measures.depth.set(self._depth)
        futures: list[Future[Any]] = []
        for given in inputs:
            future: Future[Any] = self._pool.submit(work, *given)
            future.add_done_callback(self._done)
            futures.append(future)
        return futures

    def _done(self, _future: object) -> None:
        with self._lock:
            self._depth -= 1
            self.measures.depth.set(self._depth)

    def _decode(self, data: bytes, name: str) -> Frame:
        with self.measures.step("decode"):
            return load_image(data, max_pixels=self.settings.max_pixels, name=name)

    def _analyze(self, name: str, data: bytes) -> Analysis:
        try:
            frame = self._decode(data, name)
            with self.classifier.coming():
                analysis = self.lens.analyze(frame, source=name)
        except InputError as error:
            self.measures.pictures.labels("refused").inc()
            return Analysis.failed(name, str(error))
        self.measures.pictures.labels("judged").inc()
        self.measures.faces.inc(len(analysis.faces))
        return analysis

    def _classify(self, name: str, data: bytes) -> dict[str, Any]:
        try:
            gray = to_gray(self._decode(data, name))
        except ImageError as error:
            self.measures.pictures.labels("refused").inc()
            return {"source": name, "error": str(error)}
        height, width = gray.shape
        side = self.classifier.input_side
        if (height, width) != (side, side):
            gray = crop_square(gray, width / 2, height / 2, min(height, width), side)
        probabilities = self.classifier.classify(gray[None])[0]
        self.measures.faces.inc()
        self.measures.pictures.labels("judged").inc()
        return {"source": name, "error": None, **self._judged(probabilities, width, height)}

    def _judged(
        self, probabilities: NDArray[np.float32], width: int, height: int
    ) -> dict[str, Any]:
        threshold = self.classifier.info.conformal_threshold
        whole = (0.0, 0.0, float(width), float(height))
        face = make_face(whole, 1.0, probabilities, threshold=threshold, poor=False).to_dict()
        told = ("emotion", "confidence", "uncertain", "scores", "valence", "arousal")
        return {name: face[name] for name in (*told, "prediction_set")}

    def _next_frame(self, state: StreamState, data: bytes, at_s: float) -> Analysis:
        try:
            frame = self._decode(data, "frame")
        except InputError as error:
            return Analysis.failed("stream", str(error))
        with self.classifier.coming():
            analysis = state.process(frame, at_s)
        self.measures.faces.inc(len(analysis.faces))
        return analysis


class _Timed:
    """A detector whose time is measured."""

    def __init__(self, detector: Detector, measures: Measures) -> None:
        self._detector = detector
        self._measures = measures
        self.name = detector.name

    def detect(self, frame: Frame, *, min_face_px: float = 24.0) -> Detections:
        """See `moodlens.detection.Detector`."""
        with self._measures.step("detect"):
            return self._detector.detect(frame, min_face_px=min_face_px)

    def crop_squares(self, detections: Detections) -> NDArray[np.float32]:
        """See `moodlens.detection.Detector`."""
        return self._detector.crop_squares(detections)
