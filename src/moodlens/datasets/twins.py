"""Pictures of one split that are in another too, exactly or nearly.

FER2013 was collected by web search and holds many pictures twice. A figure on pictures that the
network was trained on flatters it, so models are chosen on the rows that have no twin in
Training, and both figures are reported.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

THUMBNAIL_SIDE = 16
TWIN_CORRELATION = 0.985
_CHUNK = 1024


def without_twins(
    validation: NDArray[np.uint8],
    training: NDArray[np.uint8],
    *,
    threshold: float = TWIN_CORRELATION,
) -> NDArray[np.bool_]:
    """Which validation pictures have no twin among the training pictures.

    Args:
        validation: (n, side, side) uint8.
        training: (m, side, side) uint8.
        threshold: of the correlation, see `nearest_twin`.

    Returns:
        (n,) bool, True where there is no twin.
    """
    return nearest_twin(validation, training)[0] <= threshold


def nearest_twin(
    validation: NDArray[np.uint8], training: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The most similar training picture of each validation picture, upright or mirrored.

    Similarity is the correlation of thumbnails, which neither brightness, contrast, noise nor
    a recompression changes much. A thumbnail without contrast is similar to nothing.

    Args:
        validation: (n, side, side) uint8.
        training: (m, side, side) uint8.

    Returns:
        (n,) correlation in [-1, 1] and (n,) index into `training`; -1 and 0 without training.
    """
    n = len(validation)
    best = np.full(n, -1.0, np.float32)
    found = np.zeros(n, np.int64)
    if not len(training) or not n:
        return best, found
    known = _thumbnails(training).T
    views = np.concatenate([_thumbnails(validation), _thumbnails(validation[:, :, ::-1])])
    for start in range(0, len(views), _CHUNK):
        similar = views[start : start + _CHUNK] @ known
        at = similar.argmax(axis=1)
        value = similar[np.arange(len(at)), at]
        rows = np.arange(start, start + len(at)) % n
        better = value > best[rows]
        best[rows[better]] = value[better]
        found[rows[better]] = at[better]
    return best, found


def _thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 256) float32 of mean 0 and length 1; all zero where the picture is flat."""
    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    small = np.stack(
        [cv2.resize(np.ascontiguousarray(i), size, interpolation=cv2.INTER_AREA) for i in images]
    )
    flat = small.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.where(length > THUMBNAIL_SIDE, flat / np.maximum(length, 1e-6), np.float32(0))
