"""The packaged face detector, trained on composed scenes: gray in, boxes and landmarks out.

Its answers are coded as YuNet codes them (see `moodlens.detection.yunet`). Several cells answer
for each face; their answers are averaged, as in Bazarevsky et al. 2019 (arXiv:1907.05047), which
steadies box and landmarks. Where the network is in doubt it looks again, closer, as cascades have
done since Viola and Jones 2001: a face is one at any scale, a chance pattern is not.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.detection.base import MIRRORED, Detections, Frame
from moodlens.detection.framing import (
    YUNET_SIDES_OF_HEIGHT,
    YUNET_SIDES_OF_WIDTH,
    squares_from_boxes,
)
from moodlens.errors import ModelError
from moodlens.recognition.classifier import open_session
from moodlens.recognition.preprocess import crop_square, to_gray

PACKAGED: Final = Path(__file__).parents[1] / "artifacts" / "packaged" / "moodlens-detector.onnx"
METADATA_KEY: Final = "moodlens-detector"
GRID: Final = 32
SMALLEST_PX: Final = 12.0
"""Faces of this size in working pixels are looked for."""
MAX_SIDE: Final = 1280
MIN_FRAME_PX: Final = 12
"""A frame with a shorter side than this can hold no face."""
CLOSE_SIDE: Final = 192
CLOSE_BORDER: Final = 0.25
"""The second look at a frame without a find: small, with air around a face that fills it."""
SUPPRESS: Final = 0.4
JOIN: Final = 0.6
"""Overlap from which two answers are taken to mean the same face and are averaged."""
SAME: Final = 0.3
"""Overlap from which a closer look's answer is about the face that was looked at."""
WEAK: Final = 0.5
"""An answer joins in the average when its score is at least this share of the threshold."""
MOST: Final = 400
"""Candidates kept before suppression, the best first: bounded work on any frame."""


class CloserLook(NamedTuple):
    """The same network on a small square around a face it is not sure of.

    Attributes:
        size: of the square as the network sees it, pixels.
        view: side of the square in sides of the face's box.
        low: scores from here on are in doubt, and below `high`.
        high: see `low`.
        mirrored: whether it is the mirror image that is looked at.
    """

    size: int
    view: float
    low: float
    high: float
    mirrored: bool = False


CLOSER: Final = (
    CloserLook(96, 1.5, 0.30, 0.80),
    CloserLook(96, 1.5, 0.35, 0.80, mirrored=True),
    CloserLook(128, 1.5, 0.40, 0.70),
    CloserLook(128, 1.5, 0.40, 0.70, mirrored=True),
)
"""One after the other; a score is the mean of all looks so far. A look costs about a ninth and a
fifth of one at a 320x256 frame. Scores outside these ranges were right without."""
MOST_CLOSER: Final = 12
"""Faces looked at again in one frame, the likeliest first: bounded work on any frame."""


class MoodlensDetector:
    """Boxes and five landmarks; one file inside the package, safe to share between threads."""

    name = "moodlens"

    def __init__(
        self, path: Path | None = None, *, threads: int = 1, min_score: float | None = None
    ) -> None:
        """Open the network.

        Args:
            path: the ONNX file; None: the packaged one.
            threads: of one call; 0 means all cores.
            min_score: faces below are dropped; None: what the file's card says.

        Raises:
            ModelError: the file is missing, can't be run, or is no detector of this kind.
        """
        self.path = path or PACKAGED
        self._session = open_session(self.path, threads)
        self.card = _read_card(self._session, self.path)
        self._strides = tuple(int(s) for s in self.card["strides"])
        self._min_score = float(self.card["min_score"] if min_score is None else min_score)
        self._doubt = min(self._min_score, CLOSER[0].low)

    def detect(self, frame: Frame, *, min_face_px: float = 24.0) -> Detections:
        """See `moodlens.detection.Detector`."""
        height, width = frame.shape[:2]
        if min(height, width) < MIN_FRAME_PX:
            return Detections.empty()
        longest = max(height, width)
        scale = min(1.0, SMALLEST_PX / max(min_face_px, 1.0), MAX_SIDE / longest)
        found = self._sure(frame, self._look(frame, scale, 0.0))
        if len(found) == 0:
            close = min(scale, CLOSE_SIDE / longest)
            found = self._sure(frame, self._look(frame, close, CLOSE_BORDER))
        return found

    def crop_squares(self, detections: Detections) -> NDArray[np.float32]:
        """See `moodlens.detection.Detector`; the boxes are like YuNet's, so is the square."""
        return squares_from_boxes(detections, YUNET_SIDES_OF_WIDTH, YUNET_SIDES_OF_HEIGHT)

    def _look(self, frame: Frame, scale: float, border: float) -> Detections:
        """Faces at one scale, with a black border of a share of the frame's size around it."""
        height, width = frame.shape[:2]
        w, h = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = round(w * border), round(h * border)
        full_w, full_h = (math.ceil((n + 2 * m) / GRID) * GRID for n, m in ((w, left), (h, top)))
        small = frame
        if (w, h) != (width, height):
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            small = np.asarray(cv2.resize(frame, (w, h), interpolation=how), np.uint8)
        picture = np.zeros((1, 1, full_h, full_w), np.float32)
        picture[0, 0, top : top + h, left : left + w] = to_gray(small)
        cells = self._session.run(None, {"pictures": picture})[0][0]
        boxes, scores, marks = decode(cells, full_h, full_w, self._strides, self._doubt)
        shift = np.array([left, top], np.float32)
        return Detections(
            ((boxes - np.tile(shift, 2)) / np.float32(scale)).astype(np.float32),
            scores,
            ((marks - shift) / np.float32(scale)).astype(np.float32),
        )

    def _sure(self, frame: Frame, found: Detections) -> Detections:
        """The faces that stand up to a closer look; their boxes and landmarks gain by it too."""
        boxes, scores, marks = found.boxes_xyxy, found.scores, found.landmarks
        assert marks is not None
        for looks, closer in enumerate(CLOSER, 2):
            doubtful = np.flatnonzero((scores >= closer.low) & (scores < closer.high))
            if len(doubtful) == 0:
                continue
            doubtful = doubtful[:MOST_CLOSER]
            box, score, points = self._look_closer(frame, boxes[doubtful], closer)
            scores[doubtful] += (score - scores[doubtful]) / looks
            seen = score > 0
            again = doubtful[seen]
            boxes[again] += (box[seen] - boxes[again]) / looks
            marks[again] += (points[seen] - marks[again]) / looks
        kept, _ = suppress(boxes, scores, self._min_score)
        return Detections(boxes[kept], scores[kept], marks[kept])

    def _look_closer(
        self, frame: Frame, boxes: NDArray[np.float32], closer: CloserLook
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Boxes, scores and landmarks of the faces on (n, 4) boxes, as a closer look at each has
        them; the score is 0 where it shows no face."""
        size = closer.size
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        sides = np.sqrt(np.maximum(area, 1.0)) * np.float32(closer.view)
        squares = np.stack(
            [
                crop_square(frame, float(x), float(y), float(side), size)
                for (x, y), side in zip(centres, sides, strict=True)
            ]
        )
        if closer.mirrored:
            squares = squares[:, :, ::-1]
        cells = self._session.run(None, {"pictures": squares[:, None].astype(np.float32)})[0]
        corner = centres - sides[:, None] / 2
        unit = sides[:, None] / np.float32(size)
        asked = (boxes - np.tile(corner, 2)) / unit  # in the middle, so the mirror image has it too
        shown, scores, marks = decode_about(asked, cells, size, self._strides, self._doubt / 2)
        if closer.mirrored:
            shown, marks = mirror(shown, marks, size)
        return shown * unit + np.tile(corner, 2), scores, marks * unit[:, None] + corner[:, None]


def _read_card(session: Any, path: Path) -> dict[str, Any]:
    """What the file says of itself.

    Raises:
        ModelError: it has no card, or one without strides and threshold.
    """
    text = dict(session.get_modelmeta().custom_metadata_map).get(METADATA_KEY)
    try:
        card = json.loads(text or "")
        if not isinstance(card, dict) or not {"strides", "min_score"} <= set(card):
            raise ValueError("strides or min_score is missing")
    except ValueError as error:
        raise ModelError(f"{path}: not a moodlens face detector: {error}") from None
    return card


@lru_cache(maxsize=16)
def cell_corners(height: int, width: int, strides: tuple[int, ...]) -> NDArray[np.float32]:
    """(cells, 3): column, row and stride of every cell, stride by stride, row by row."""
    parts = []
    for stride in strides:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        full = np.full(rows.size, stride)
        parts.append(np.stack([columns.ravel(), rows.ravel(), full], axis=1))
    return np.concatenate(parts).astype(np.float32)


def decode(
    cells: NDArray[np.float32],
    height: int,
    width: int,
    strides: tuple[int, ...],
    min_score: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Faces from the network's cells, each the average of the cells that agree on it.

    Args:
        cells: (cells, 15): score, box centre x y and log size, landmarks, in strides.
        height: of the network's input; the same for `width`.
        strides: of the grids.
        min_score: of a face.

    Returns:
        (n, 4) boxes x1, y1, x2, y2, (n,) scores and (n, 5, 2) landmarks, in input pixels, the
        best first.
    """
    likely = np.flatnonzero(cells[:, 0] >= min_score * WEAK)
    if len(likely) > MOST:
        likely = likely[np.argsort(-cells[likely, 0])[:MOST]]
    chosen = cells[likely]
    boxes, marks = place(chosen, cell_corners(height, width, strides)[likely])
    scores = chosen[:, 0]
    kept, shared = suppress(boxes, scores, min_score)
    weights = np.where(shared >= JOIN, scores[None], 0)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    return (
        (weights @ boxes).astype(np.float32),
        scores[kept].astype(np.float32),
        np.tensordot(weights, marks, axes=1).astype(np.float32),
    )


def decode_about(
    asked: NDArray[np.float32],
    cells: NDArray[np.float32],
    side: int,
    strides: tuple[int, ...],
    min_score: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """What each of several square pictures says about one box on it.

    Args:
        asked: (n, 4) boxes in pixels.
        cells: (n, cells, 15) as for `decode`.
        side: of the pictures, pixels.
        strides: of the grids.
        min_score: of an answer.

    Returns:
        (n, 4) boxes, (n,) scores and (n, 5, 2) landmarks of the likeliest answer that overlaps the
        box asked for, averaged with those that agree; the score is 0 where there is none.
    """
    boxes, marks = place(cells, cell_corners(side, side, strides))
    about = overlaps(asked[:, None], boxes)[:, 0] >= SAME
    scores = np.where(about & (cells[..., 0] >= min_score * WEAK), cells[..., 0], 0)
    row, best = np.arange(len(cells)), scores.argmax(axis=1)
    score = scores[row, best]
    agree = overlaps(boxes[row, best][:, None], boxes)[:, 0] >= JOIN
    weights = np.where(agree, scores, 0)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    return (
        np.einsum("nc,ncd->nd", weights, boxes).astype(np.float32),
        np.where(score >= min_score, score, 0).astype(np.float32),
        np.einsum("nc,ncpd->npd", weights, marks).astype(np.float32),
    )


def place(
    cells: NDArray[np.float32], corners: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(..., cells, 4) boxes and (..., cells, 5, 2) landmarks in pixels, of answers in strides.

    Args:
        cells: (..., cells, 15) as for `decode`.
        corners: (cells, 3) of `cell_corners`.
    """
    stride = corners[:, 2:3]
    centre = (corners[:, :2] + cells[..., 1:3]) * stride
    half = np.exp(np.clip(cells[..., 3:5], -6, 6)) * stride / 2
    boxes = np.concatenate([centre - half, centre + half], axis=-1)
    offsets = cells[..., 5:].reshape(*cells.shape[:-1], 5, 2)
    return boxes, (offsets + corners[:, None, :2]) * stride[:, None]


def mirror(
    boxes: NDArray[np.float32], marks: NDArray[np.float32], width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n, 4) boxes and (n, 5, 2) landmarks of a mirror image, on the picture itself.

    Left and right change places: a landmark keeps its name, seen from the person's side.
    """
    flipped = boxes.copy()
    flipped[:, [0, 2]] = width - boxes[:, [2, 0]]
    points = marks[:, MIRRORED].copy()
    points[..., 0] = width - points[..., 0]
    return flipped, points


def suppress(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], min_score: float
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The best boxes, no two of which overlap much.

    Returns:
        Their indices (kept,), best first, and their overlap (kept, n) with every box.
    """
    order = np.argsort(-scores, kind="stable")
    shared = overlaps(boxes, boxes)
    alive = scores >= min_score
    kept = []
    for i in order:
        if alive[i]:
            kept.append(i)
            alive &= shared[i] <= SUPPRESS
    index = np.array(kept, np.intp)
    return index, shared[index]


def overlaps(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., n, m) intersection over union of (..., n, 4) and (..., m, 4) x1, y1, x2, y2 boxes."""
    low = np.maximum(a[..., :, None, :2], b[..., None, :, :2])
    high = np.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    area_a, area_b = (np.prod(np.clip(x[..., 2:] - x[..., :2], 0, None), axis=-1) for x in (a, b))
    union = area_a[..., :, None] + area_b[..., None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)
