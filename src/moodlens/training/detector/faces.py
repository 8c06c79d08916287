"""Faces with a box and five landmarks, and backgrounds without faces: what scenes are made of.

YuNet labels both. A face picture is enlarged and shown to it as it is and mirrored; where the
two answers disagree, or it finds no face or several, the picture is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.detection.base import MIRRORED, Detections, Detector
from moodlens.errors import DatasetError

VIEWS = ((4, 1 / 6), (4, 0.3), (3, 1 / 6))
"""How a face picture is shown: enlarged so many times, with a border of that share of its side,
whose edge pixels repeat. One look alone strays by 6 % of the eyes' distance from their mean."""
SURE_VIEWS = 5
"""Of the six looks (each view also mirrored), so many must find the face."""
SURE_SCORE = 0.65
SURE_OVERLAP = 0.7
SURE_MARKS = 0.16
"""Largest mean distance of a landmark from the mean of all looks, in eye distances."""
LOOKS = ((1.0, 0.5), (0.5, 0.5), (2.0, 0.6), (3.0, 0.7))
"""Scales at which a background is searched for people, and the score that counts there."""


SURE_ON_PHOTOGRAPH = 0.75
"""Score from which a face on a photograph is taken for one."""


class Look(NamedTuple):
    """The one face that a view shows: box (4,) and landmarks (5, 2) in sides, and score."""

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float


@dataclass(frozen=True)
class AnnotatedFaces:
    """Square gray face pictures; boxes and landmarks in units of the picture's side.

    Attributes:
        pictures: square uint8 arrays, of any side.
        boxes: (n, 4) float32 x1, y1, x2, y2; may reach over the picture.
        landmarks: (n, 5, 2) float32: eyes, nose tip, mouth corners, the left one first.
        rows: (n,) int64, the row of each in the set that was annotated.
    """

    pictures: Sequence[NDArray[np.uint8]]
    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pictures)

    def __add__(self, other: AnnotatedFaces) -> AnnotatedFaces:
        return AnnotatedFaces(
            [*self.pictures, *other.pictures],
            np.concatenate([self.boxes, other.boxes]),
            np.concatenate([self.landmarks, other.landmarks]),
            np.concatenate([self.rows, other.rows]),
        )

    def save(self, path: Path) -> None:
        """Keep the labels (not the pictures) in an .npz file."""
        np.savez(path, boxes=self.boxes, landmarks=self.landmarks, rows=self.rows)

    @classmethod
    def load(cls, path: Path, pictures: Sequence[NDArray[np.uint8]]) -> AnnotatedFaces:
        """Labels saved before, joined with the pictures they are of.

        Raises:
            DatasetError: the file is damaged or of other pictures.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                rows = stored["rows"]
                chosen = [pictures[row] for row in rows]
                return cls(chosen, stored["boxes"], stored["landmarks"], rows)
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise DatasetError(f"{path}: not the labels of these faces: {error}") from error


def annotate_faces(
    pictures: NDArray[np.uint8],
    detector: Detector,
    report: Callable[[int], None] = lambda _done: None,
) -> AnnotatedFaces:
    """Boxes and landmarks of (n, side, side) face pictures, the doubtful ones left out."""
    rows, boxes, marks = [], [], []
    for row, picture in enumerate(pictures):
        found = annotate_face(picture, detector)
        if found is not None:
            rows.append(row)
            boxes.append(found[0])
            marks.append(found[1])
        if row % 1000 == 999:
            report(row + 1)
    if not rows:
        raise DatasetError("no face in any of the pictures")
    return AnnotatedFaces(
        [pictures[row] for row in rows],
        np.array(boxes, np.float32),
        np.array(marks, np.float32),
        np.array(rows, np.int64),
    )


def annotate_face(
    picture: NDArray[np.uint8], detector: Detector
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Box (4,) and landmarks (5, 2) of one face picture in units of its side, or None."""
    seen = looks_at(picture, detector)
    boxes, marks = [look.box for look in seen], [look.landmarks for look in seen]
    if len(boxes) < SURE_VIEWS or float(np.mean([look.score for look in seen])) < SURE_SCORE:
        return None
    box, points = np.mean(boxes, axis=0), np.mean(marks, axis=0)
    eyes = float(np.hypot(*(points[1] - points[0])))
    apart = np.linalg.norm(np.array(marks) - points, axis=2).mean()
    agree = overlap(np.array(boxes, np.float32), box[None])
    if agree.min() < SURE_OVERLAP or apart > SURE_MARKS * eyes:
        return None
    return box.astype(np.float32), points.astype(np.float32)


def looks_at(picture: NDArray[np.uint8], detector: Detector) -> list[Look]:
    """What `VIEWS` show, each as it is and then mirrored; without those that show not one face."""
    looks = [
        _look(picture, detector, enlarge, air, mirror)
        for enlarge, air in VIEWS
        for mirror in (False, True)
    ]
    return [look for look in looks if look is not None]


def _look(
    picture: NDArray[np.uint8], detector: Detector, enlarge: int, air: float, mirror: bool
) -> Look | None:
    side = picture.shape[0] * enlarge
    border = round(side * air)
    seen = np.ascontiguousarray(picture[:, ::-1]) if mirror else picture
    large = cv2.resize(seen, (side, side), interpolation=cv2.INTER_CUBIC)
    large = cv2.copyMakeBorder(large, border, border, border, border, cv2.BORDER_REPLICATE)
    found = detector.detect(np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8))
    if len(found) != 1 or found.landmarks is None:
        return None
    box = (found.boxes_xyxy[0] - border) / side
    marks = (found.landmarks[0] - border) / side
    if mirror:
        box = np.array([1 - box[2], box[1], 1 - box[0], box[3]], np.float32)
        marks = marks[MIRRORED]
        marks[:, 0] = 1 - marks[:, 0]
    return Look(box, marks, float(found.scores[0]))


def overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """(len(a), len(b)) intersection over union of x1, y1, x2, y2 boxes."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(np.clip(x[:, 2:] - x[:, :2], 0, None), axis=1) for x in (a, b)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)


@dataclass(frozen=True)
class Photograph:
    """A photograph with people, gray, and every face that was found on it, sure or not."""

    picture: NDArray[np.uint8]
    found: Detections


def read_backgrounds(folder: Path) -> list[NDArray[np.uint8]]:
    """All pictures of a folder, gray, in the order of their names.

    Raises:
        DatasetError: the folder holds no picture that can be read.
    """
    kinds = {".jpg", ".jpeg", ".png"}
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in kinds)
    read = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    pictures = [np.asarray(picture, np.uint8) for picture in read if picture is not None]
    if not pictures:
        raise DatasetError(f"{folder}: no pictures (.jpg, .png) to use as backgrounds")
    return pictures


def people_in(picture: NDArray[np.uint8], detector: Detector) -> Detections:
    """Every face that YuNet sees at one of several scales, with a low threshold.

    The detector must have been opened with a low minimum score.
    """
    boxes: list[NDArray[np.float32]] = []
    scores, marks = [], []
    for scale, least in LOOKS:
        seen = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        frame = np.asarray(cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR), np.uint8)
        found = detector.detect(frame, min_face_px=12.0)
        for i in np.flatnonzero(found.scores >= least):
            if found.landmarks is None:
                continue
            box = found.boxes_xyxy[i] / scale
            if boxes and overlap(box[None], np.array(boxes))[0].max() > 0.3:
                continue
            boxes.append(box)
            scores.append(found.scores[i])
            marks.append(found.landmarks[i] / scale)
    if not boxes:
        return Detections.empty()
    return Detections(
        np.array(boxes, np.float32), np.array(scores, np.float32), np.array(marks, np.float32)
    )


def cut_faces(
    photograph: Photograph, *, least_score: float = SURE_ON_PHOTOGRAPH, air: float = 1.9
) -> AnnotatedFaces:
    """Square pictures around the surely found faces, with the scene about them."""
    picture, found = photograph.picture, photograph.found
    pictures, boxes, marks = [], [], []
    height, width = picture.shape
    for i in np.flatnonzero(found.scores >= least_score):
        x1, y1, x2, y2 = found.boxes_xyxy[i]
        side = int(min(max(x2 - x1, y2 - y1) * air, height, width))
        if side < 24 or found.landmarks is None:
            continue
        left = int(np.clip((x1 + x2) / 2 - side / 2, 0, width - side))
        top = int(np.clip((y1 + y2) / 2 - side / 2, 0, height - side))
        pictures.append(picture[top : top + side, left : left + side].copy())
        corner = np.array([left, top], np.float32)
        boxes.append((found.boxes_xyxy[i] - np.tile(corner, 2)) / side)
        marks.append((found.landmarks[i] - corner) / side)
    n = len(pictures)
    return AnnotatedFaces(
        pictures,
        np.array(boxes, np.float32).reshape(n, 4),
        np.array(marks, np.float32).reshape(n, 5, 2),
        np.zeros(n, np.int64),
    )
