"""Parts of photographs: chosen by chance, or so that a face is on them."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.detection.base import MIRRORED
from moodlens.training.detector.effects import Chance, Gray, between


class View(NamedTuple):
    """A part of a picture, in its pixels."""

    left: int
    top: int
    width: int
    height: int
    flipped: bool

    def of(self, picture: Gray, height: int, width: int) -> Gray:
        """The part at another size."""
        part = picture[self.top : self.top + self.height, self.left : self.left + self.width]
        if self.flipped:
            part = part[:, ::-1]
        how = cv2.INTER_AREA if self.width > width else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(part, (width, height), interpolation=how), np.uint8).copy()

    def label(
        self, box: NDArray[np.float32], marks: NDArray[np.float32], width: int
    ) -> NDArray[np.float32]:
        """(14,) box and landmarks of a face of the picture on the part shown so wide."""
        scale = width / self.width
        corner = np.array([self.left, self.top], np.float32)
        points = np.concatenate([box.reshape(2, 2), marks])
        points = (points - corner) * np.float32(scale)
        if self.flipped:
            points[:, 0] = width - points[:, 0]
            points[:2, 0] = points[1::-1, 0]
            points[2:] = points[2:][MIRRORED]
        return np.asarray(points.ravel(), np.float32)


def choose_view(picture: Gray, height: int, width: int, rng: Chance) -> View:
    """A part of this shape, at a random scale and place, mirrored half of the time."""
    rows, columns = picture.shape
    fit = min(rows / height, columns / width)
    zoom = fit * between(0.25, 1.0, rng)
    h, w = max(1, round(height * zoom)), max(1, round(width * zoom))
    top, left = int(rng.integers(rows - h + 1)), int(rng.integers(columns - w + 1))
    return View(left, top, w, h, bool(rng.random() < 0.5))


def view_of_face(
    picture: Gray,
    box: NDArray[np.float32],
    size: float,
    height: int,
    width: int,
    rng: Chance,
) -> View:
    """A part of this shape on which the face on a box has about this size, as far as there is room.

    Its centre lies anywhere on the part but near the border.
    """
    rows, columns = picture.shape
    own = float(np.sqrt(np.prod(box[2:] - box[:2])))
    zoom = min(own / size, rows / height, columns / width)
    h, w = max(1, round(height * zoom)), max(1, round(width * zoom))
    middle = (box[:2] + box[2:]) / 2
    left, top = middle - rng.uniform(0.15, 0.85, 2) * (w, h)
    left, top = (int(np.clip(v, 0, most)) for v, most in ((left, columns - w), (top, rows - h)))
    return View(left, top, w, h, bool(rng.random() < 0.5))


def random_view(picture: Gray, height: int, width: int, rng: Chance) -> Gray:
    """A part of a picture, at this size."""
    return choose_view(picture, height, width, rng).of(picture, height, width)
