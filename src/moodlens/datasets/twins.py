"""Pictures of one split that are in another too: the same file, or the same photograph again.

FER2013 was collected by web search and holds many photographs twice, often with another
watermark, brightness or crop. A figure on photographs that the network was trained on flatters
it, so models are chosen on the rows that have no twin in Training, and both figures are reported.

The search has two steps. Thumbnails' correlation finds the most similar training pictures, as
they are and mirrored. Then the middle of each is moved and zoomed over the candidates, since most
twins were cropped anew, and the best correlation counts.

How the threshold was set: contact sheets of PublicTest pictures beside their nearest Training
picture. Of 100 pairs between 0.95 and 0.985 every one showed one photograph; between 0.93 and
0.95 about nine in ten; between 0.92 and 0.93 about three in four. Without the second step the
same photograph, shifted by three pixels, is no more alike than two strangers.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

TWIN_CORRELATION = 0.93
_THUMBNAIL_SIDE = 16
_CANDIDATES = 3
_WORTH_ALIGNING = 0.7
_ALIGNED_SIDE, _MIDDLE = 24, 18
_ZOOMED_SIDES = (20, 22, 24, 26, 28)
"""Sides to which a picture is resized before its middle is taken: zooms of 0.83 to 1.17."""
_CHUNK = 512

Pictures = NDArray[np.uint8]
"""(n, side, side) uint8, gray."""


class Nearest(NamedTuple):
    """The most similar training picture of each picture.

    Attributes:
        correlation: (n,) float32 of the aligned middles, -1 where nothing is alike at all.
        place: (n,) int64 into the training pictures.
        mirrored: (n,) bool, whether it is the mirror image that is alike.
    """

    correlation: NDArray[np.float32]
    place: NDArray[np.int64]
    mirrored: NDArray[np.bool_]


def without_twins(
    validation: Pictures, training: Pictures, *, threshold: float = TWIN_CORRELATION
) -> NDArray[np.bool_]:
    """(n,) bool, True for the validation pictures that have no twin among the training ones."""
    return nearest_twin(validation, training).correlation <= threshold


def nearest_twin(validation: Pictures, training: Pictures) -> Nearest:
    """Find the training picture most likely to be of the same photograph.

    Args:
        validation: n pictures.
        training: m pictures of the same side.
    """
    n = len(validation)
    best = Nearest(np.full(n, -1.0, np.float32), np.zeros(n, np.int64), np.zeros(n, bool))
    if not n or not len(training):
        return best
    known = _thumbnails(training).T  # (256, m)
    shrunk: dict[int, NDArray[np.uint8]] = {}
    for mirrored in (False, True):
        views = np.ascontiguousarray(validation[:, :, ::-1]) if mirrored else validation
        thumbnails = _thumbnails(views)
        for start in range(0, n, _CHUNK):
            similar = thumbnails[start : start + _CHUNK] @ known
            for row, likely in enumerate(_most_similar(similar), start=start):
                middles = _middles(views[row]) if len(likely) else []
                for j in likely:
                    if j not in shrunk:
                        shrunk[j] = _shrink(training[j], _ALIGNED_SIDE)
                    alike = max((_slide(shrunk[j], middle) for middle in middles), default=-1.0)
                    if alike > best.correlation[row]:
                        best.correlation[row] = alike
                        best.place[row], best.mirrored[row] = j, mirrored
    return best


def _most_similar(similar: NDArray[np.float32]) -> list[list[int]]:
    """For each row the columns of the highest values, none below what is worth a second look.

    Overwrites those values: a few searches for the largest are many times quicker than a sort.
    """
    rows = np.arange(len(similar))
    found: list[list[int]] = [[] for _ in rows]
    for _ in range(min(_CANDIDATES, similar.shape[1])):
        columns = similar.argmax(axis=1)
        values = similar[rows, columns]
        for row in np.flatnonzero(values > _WORTH_ALIGNING).tolist():
            found[row].append(int(columns[row]))
        similar[rows, columns] = -1.0
    return found


def _shrink(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _middles(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The middle of a picture at each zoom, all of one size; none that is flat.

    A flat patch is like every other: OpenCV would call the correlation 1.
    """
    found = []
    for side in _ZOOMED_SIDES:
        edge = (side - _MIDDLE) // 2
        part = _shrink(image, side)[edge : edge + _MIDDLE, edge : edge + _MIDDLE]
        if int(part.min()) != int(part.max()):
            found.append(np.ascontiguousarray(part))
    return found


def _slide(image: NDArray[np.uint8], middle: NDArray[np.uint8]) -> float:
    """The best correlation over all places of `middle` in `image`."""
    return float(cv2.matchTemplate(image, middle, cv2.TM_CCOEFF_NORMED).max())


def _thumbnails(images: Pictures) -> NDArray[np.float32]:
    """(n, 256) float32 of mean 0 and length 1; all zero where the picture is flat."""
    small = np.stack([_shrink(image, _THUMBNAIL_SIDE) for image in images])
    flat = small.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.where(length > _THUMBNAIL_SIDE, flat / np.maximum(length, 1e-6), np.float32(0))
