"""The pipeline: detect, crop, classify; and on a stream, track and steady."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodlens.artifacts import Reading, resolve_model
from moodlens.detection import Detector, create_detector
from moodlens.detection.base import Detections, Frame
from moodlens.emotions import EMOTIONS, STYLES, Emotion
from moodlens.errors import ImageError
from moodlens.imaging import load_image
from moodlens.recognition.calibration import prediction_set
from moodlens.recognition.classifier import Classifier
from moodlens.recognition.preprocess import crop_faces
from moodlens.recognition.quality import measure_quality
from moodlens.settings import settings
from moodlens.types import Analysis, Face

if TYPE_CHECKING:
    from moodlens.tracking import StreamOptions, StreamState

_VALENCE = np.array([STYLES[e].valence for e in EMOTIONS], np.float32)
_AROUSAL = np.array([STYLES[e].arousal for e in EMOTIONS], np.float32)
SURE_SET_SIZE = 2
"""A prediction set of more labels than this is an uncertain answer."""


class Lens:
    """Faces and their apparent emotions; loads once, safe to share between threads.

    A call of `analyze` depends on its picture alone. What depends on earlier frames (tracks,
    steady labels) lives in the session that `open_session` returns, one for each stream.
    """

    def __init__(
        self,
        *,
        model: str | Path | None = None,
        detector: str | Detector | None = None,
        threads: int | None = None,
        min_face_px: float = 24.0,
        min_quality: float = 0.2,
        reading: Reading | None = None,
    ) -> None:
        """Load the network and the detector.

        Args:
            model: a model SPEC (path, address, registry name); None: `MOODLENS_MODEL`, else the
                packaged model.
            detector: auto, moodlens, yunet or haar, or an object of that protocol; None:
                `MOODLENS_DETECTOR`, else auto.
            threads: of one network call; 0: all cores; None: `MOODLENS_THREADS`, else 1.
            min_face_px: faces whose box is smaller are not looked for.
            min_quality: faces of lower quality score (0 to 1) are marked uncertain.
            reading: input size, scale and labels of a `.keras` model that is not the usual one.

        Raises:
            ModelError: the model can't be used. DownloadError: it can't be fetched.
            SettingsError: an option makes no sense.
        """
        configured = settings()
        threads = configured.threads if threads is None else threads
        path = resolve_model(model if model is not None else configured.model, reading=reading)
        self.classifier = Classifier(path, threads=threads)
        if detector is None or isinstance(detector, str):
            detector = create_detector(detector or configured.detector, threads=threads)
        self.detector: Detector = detector
        self.min_face_px = min_face_px
        self.min_quality = min_quality

    def analyze(
        self,
        image: Frame | str | Path | bytes,
        *,
        source: str | None = None,
        thorough: bool = False,
    ) -> Analysis:
        """One picture on its own.

        Args:
            image: (height, width, 3) BGR uint8, or a path or the bytes of a picture file.
            source: what the result calls the picture; default: the path, else "image".
            thorough: look at twice the scale, for pictures that are not in a hurry: more of the
                small and the half hidden faces are found, at about three times the cost.

        Raises:
            ImageError: not a picture, damaged, too large, or an array of another shape.
        """
        if isinstance(image, np.ndarray):
            frame = check_frame(image)
        else:
            frame = load_image(image)
            if source is None and not isinstance(image, bytes):
                source = str(image)
        smallest = self.min_face_px / 2 if thorough else self.min_face_px
        detections = self.detector.detect(frame, min_face_px=smallest)
        if thorough:
            sides = detections.boxes_xyxy[:, 2:] - detections.boxes_xyxy[:, :2]
            detections = detections.select(sides.min(axis=1) >= self.min_face_px)
        faces = self.judge(frame, detections)
        return Analysis(
            source=source or "image",
            width=frame.shape[1],
            height=frame.shape[0],
            faces=tuple(sorted(faces, key=lambda face: -face.area)),
        )

    def crop(self, frame: Frame, detections: Detections) -> NDArray[np.uint8]:
        """(faces, side, side) uint8: the crops as the network sees them."""
        squares = self.detector.crop_squares(detections)
        return crop_faces(frame, squares, self.classifier.input_side)

    def judge(self, frame: Frame, detections: Detections) -> list[Face]:
        """The faces of given detections, in their order, classified in one batch."""
        squares = self.detector.crop_squares(detections)
        crops = crop_faces(frame, squares, self.classifier.input_side)
        probabilities = self.classifier.classify(crops)
        return [
            self._face(frame, detections, squares, crops, probabilities, i)
            for i in range(len(detections))
        ]

    def _face(
        self,
        frame: Frame,
        detections: Detections,
        squares: NDArray[np.float32],
        crops: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
        index: int,
    ) -> Face:
        x1, y1, x2, y2 = (float(v) for v in detections.boxes_xyxy[index])
        marks = None if detections.landmarks is None else detections.landmarks[index]
        quality = measure_quality(
            crops[index], (x1, y1, x2, y2), squares[index], marks, frame.shape[:2]
        )
        return make_face(
            (x1, y1, x2, y2),
            float(detections.scores[index]),
            probabilities[index],
            threshold=self.classifier.info.conformal_threshold,
            poor=quality.score < self.min_quality,
            landmarks=None if marks is None else tuple((float(x), float(y)) for x, y in marks),
            quality=quality,
        )

    def restate(
        self,
        face: Face,
        probabilities: NDArray[np.float32],
        *,
        emotion: Emotion,
        poor: bool,
        track_id: int,
    ) -> Face:
        """A face with other (7,) probabilities, as smoothed over time, and the label to show."""
        return make_face(
            face.box_xyxy,
            face.detection_score,
            probabilities,
            threshold=self.classifier.info.conformal_threshold,
            poor=poor,
            emotion=emotion,
            track_id=track_id,
            landmarks=face.landmarks,
            quality=face.quality,
        )

    def open_session(self, options: StreamOptions | None = None) -> StreamState:
        """A stream's memory: feed it frames in order with `process(frame, timestamp_s)`."""
        from moodlens.tracking import StreamState

        return StreamState(self, options)

    def stream(
        self, source: int | str | Path | Iterable[Frame], options: StreamOptions | None = None
    ) -> Iterator[Analysis]:
        """Analyse a camera index, video file, folder, stream address, or frames of the caller.

        Yields:
            One result a frame, with tracks and steady labels. The source is released when the
            generator ends or is closed.

        Raises:
            SourceError: the source can't be opened.
        """
        from moodlens.imaging.sources import open_source

        session = self.open_session(options)
        with open_source(source) as frames:
            for frame in frames:
                yield session.process(
                    frame.image, frame.timestamp_s, index=frame.index, source=frames.name
                )


def make_face(
    box: tuple[float, float, float, float],
    detection_score: float,
    probabilities: NDArray[np.float32],
    *,
    threshold: float | None,
    poor: bool,
    **rest: Any,
) -> Face:
    """A `Face` from a row of probabilities: label, certainty, valence and arousal.

    Args:
        box: x1, y1, x2, y2 in source pixels.
        detection_score: 0 to 1.
        probabilities: (7,) in the order of `EMOTIONS`.
        threshold: of the prediction set; None leaves it empty.
        poor: the face is too poor to judge.
        rest: further fields of `Face`; `emotion` holds another label than the likeliest.
    """
    likely = [] if threshold is None else prediction_set(probabilities, threshold)
    emotion = rest.pop("emotion", EMOTIONS[int(probabilities.argmax())])
    return Face(
        box_xyxy=box,
        detection_score=min(max(detection_score, 0.0), 1.0),
        scores={e: float(p) for e, p in zip(EMOTIONS, probabilities, strict=True)},
        emotion=emotion,
        confidence=float(probabilities[EMOTIONS.index(emotion)]),
        uncertain=poor or len(likely) > SURE_SET_SIZE,
        valence=float(probabilities @ _VALENCE),
        arousal=float(probabilities @ _AROUSAL),
        prediction_set=tuple(EMOTIONS[i] for i in likely),
        **rest,
    )


def check_frame(image: NDArray[Any]) -> Frame:
    """The array itself, when it is a picture as the pipeline takes it.

    Raises:
        ImageError: another shape or type; the message says what was expected and found.
    """
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size:
        return image
    raise ImageError(
        "expected a (height, width, 3) BGR uint8 array, "
        f"found shape {image.shape} of {image.dtype}; moodlens.load_image reads picture files"
    )


def analyze(image: Frame | str | Path | bytes, **options: Any) -> Analysis:
    """One picture, one shot: `Lens(**options).analyze(image, thorough=True)`.

    The lens of the last call is kept, so a loop over pictures loads the networks once.
    """
    global _last
    key = tuple(sorted(options.items()))
    if _last is None or _last[0] != key:
        _last = (key, Lens(**options))
    return _last[1].analyze(image, thorough=True)


_last: tuple[tuple[tuple[str, Any], ...], Lens] | None = None
