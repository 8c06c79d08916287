"""A model judged on labelled pictures, either cropped already or found by a detector first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.datasets.core import FaceDataset
from moodlens.detection.base import Detections, Detector, Frame
from moodlens.emotions import EMOTIONS
from moodlens.evaluation import metrics
from moodlens.recognition.classifier import Classifier
from moodlens.recognition.preprocess import crop_square

BATCH = 64
FRAMING_SCALES = (0.8, 0.9, 1.1, 1.25)
FRAMING_SHIFT = 0.08
Progress = Callable[[int], None]
"""Called with how many pictures more are done."""


def _silent(done: int) -> None:
    pass


@dataclass(frozen=True)
class Evaluation:
    """Answers beside truths.

    Attributes:
        labels: (n,) true labels of all pictures, index into `EMOTIONS`.
        judged: (n,) bool, False where no face was found.
        probabilities: (n, 7); rows of missed pictures are zero and count nowhere.
        extra: further figures for the JSON, after those of the contract.
    """

    labels: NDArray[np.int64]
    judged: NDArray[np.bool_]
    probabilities: NDArray[np.float32]
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,) whether the likeliest label is the true one; a missed picture is wrong."""
        right = self.judged & (self.probabilities.argmax(axis=1) == self.labels)
        return np.asarray(right, dtype=bool)

    def accuracy(self, chosen: NDArray[np.bool_] | None = None) -> float:
        """Share of right answers, of all pictures or of the chosen ones; NaN when there is none."""
        right = self.right if chosen is None else self.right[chosen]
        return float(right.mean()) if len(right) else math.nan

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract of `moodlens evaluate`.

        Accuracy and recall count missed pictures as wrong; loss and calibration error are of
        the judged ones.
        """
        answers, truths = self.probabilities[self.judged], self.labels[self.judged]
        matrix = metrics.confusion(answers.argmax(axis=1), truths)
        support = np.bincount(self.labels, minlength=len(EMOTIONS))
        return {
            "n": len(self.labels),
            "missed": int((~self.judged).sum()),
            "accuracy": rounded(self.accuracy()),
            "loss": rounded(metrics.cross_entropy(answers, truths)),
            "ece": rounded(metrics.expected_calibration_error(answers, truths)),
            "labels": list(EMOTIONS),
            "per_class": metrics.per_class(matrix, support),
            "confusion": matrix.tolist(),
            **self.extra,
        }


def rounded(value: float) -> float | None:
    """To five digits; None, JSON's null, where there is no such number."""
    return None if math.isnan(value) else round(value, 5)


def predict(
    classifier: Classifier, images: NDArray[np.uint8], progress: Progress = _silent
) -> NDArray[np.float32]:
    """(n, 7) probabilities of (n, 48, 48) uint8 crops, in batches."""
    side = classifier.input_side
    found = [np.zeros((0, len(EMOTIONS)), np.float32)]
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH]
        if part.shape[1] != side:
            height, width = part.shape[1:3]
            part = np.stack(
                [crop_square(image, width / 2, height / 2, width, size=side) for image in part]
            )
        found.append(classifier.classify(part))
        progress(len(part))
    return np.concatenate(found)


def evaluate(
    classifier: Classifier, dataset: FaceDataset, *, progress: Progress = _silent
) -> Evaluation:
    """Judge pictures that are face crops already."""
    everything = np.ones(len(dataset), dtype=bool)
    return Evaluation(dataset.labels, everything, predict(classifier, dataset.images, progress))


def evaluate_detected(
    classifier: Classifier,
    detector: Detector,
    pictures: Iterable[tuple[Frame, int]],
    *,
    min_face_px: float = 24.0,
    progress: Progress = _silent,
) -> Evaluation:
    """Find the largest face of each picture and judge it; none found is missed and wrong.

    Args:
        classifier: the model.
        detector: finds and frames the faces.
        pictures: (height, width, 3) BGR uint8 and the true label, one at a time.
        min_face_px: as the pipeline has it.
        progress: called with 1 after each picture.
    """
    labels: list[int] = []
    judged: list[bool] = []
    crops: list[NDArray[np.uint8]] = []
    for frame, label in pictures:
        labels.append(label)
        detections = detector.detect(frame, min_face_px=min_face_px)
        judged.append(len(detections) > 0)
        if len(detections):
            x, y, side = detector.crop_squares(_largest(detections))[0]
            crops.append(crop_square(frame, float(x), float(y), float(side), classifier.input_side))
        progress(1)
    seen = np.array(judged, dtype=bool)
    probabilities = np.zeros((len(labels), len(EMOTIONS)), np.float32)
    if crops:
        probabilities[seen] = predict(classifier, np.stack(crops))
    return Evaluation(np.array(labels, dtype=np.int64), seen, probabilities)


def _largest(detections: Detections) -> Detections:
    sizes = detections.boxes_xyxy[:, 2:] - detections.boxes_xyxy[:, :2]
    return detections.select(np.array([int((sizes[:, 0] * sizes[:, 1]).argmax())]))


def as_frames(dataset: FaceDataset) -> Iterator[tuple[Frame, int]]:
    """The crops of a data set as pictures for a detector: gray in three channels."""
    for image, label in zip(dataset.images, dataset.labels, strict=True):
        yield np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8), int(label)


def framing(
    classifier: Classifier, dataset: FaceDataset, *, progress: Progress = _silent
) -> dict[str, Any]:
    """Accuracy when each picture is cropped anew, larger, smaller and beside its middle.

    Returns:
        `{"as_is": .., "scale_0.8": .., .., "shift_left": .., .., "worst_loss": ..}`; a scale
        above 1 shows less of the face's detail and repeats the border, `worst_loss` is the
        largest fall in accuracy, in [0, 1].
    """
    side = dataset.images.shape[1]
    middle, step = side / 2, side * FRAMING_SHIFT
    views = {"as_is": (middle, middle, float(side))}
    views |= {f"scale_{scale}": (middle, middle, side * scale) for scale in FRAMING_SCALES}
    for name, dx, dy in (("left", -1, 0), ("right", 1, 0), ("up", 0, -1), ("down", 0, 1)):
        views[f"shift_{name}"] = (middle + dx * step, middle + dy * step, float(side))
    found: dict[str, Any] = {}
    for name, (x, y, extent) in views.items():
        crops = np.stack(
            [crop_square(i, x, y, extent, classifier.input_side) for i in dataset.images]
        )
        said = predict(classifier, crops, progress)
        found[name] = round(metrics.accuracy(said, dataset.labels), 5)
    found["worst_loss"] = round(found["as_is"] - min(found.values()), 5)
    return found


def raw_logits(classifier: Classifier, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 7) what the model says before its own temperature, up to a constant for each row."""
    said = predict(classifier, images).astype(np.float64)
    logs = np.log(np.maximum(said, 1e-12)) * classifier.info.temperature
    return np.asarray(logs - logs.max(axis=1, keepdims=True), dtype=np.float32)
