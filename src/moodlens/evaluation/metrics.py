"""Figures of a classifier on labelled faces, in plain numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodlens.emotions import EMOTIONS

BINS = 15
Rows = NDArray[np.float32]
"""(n, labels) probabilities."""
Labels = NDArray[np.int64]
"""(n,) index into `EMOTIONS`."""


def accuracy(probabilities: Rows, labels: Labels) -> float:
    """Share of rows whose likeliest label is the true one, 0 to 1; NaN without rows."""
    return float((probabilities.argmax(axis=1) == labels).mean()) if len(labels) else float("nan")


def cross_entropy(probabilities: Rows, labels: Labels) -> float:
    """Mean negative log probability of the true label, in nats; NaN without rows."""
    if not len(labels):
        return float("nan")
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(of_truth, 1e-12)).mean())


def reliability(probabilities: Rows, labels: Labels, bins: int = BINS) -> list[dict[str, float]]:
    """For each bin of confidence of equal width: how many rows, mean confidence, accuracy.

    Bins without rows have a count of 0 and the middle of the bin as confidence.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    # Bins are open below and closed above, as Guo et al. 2017 cut them.
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for i in range(bins):
        inside = place == i
        count = int(inside.sum())
        found.append(
            {
                "count": count,
                "confidence": float(confidence[inside].mean()) if count else (i + 0.5) / bins,
                "accuracy": float(right[inside].mean()) if count else 0.0,
            }
        )
    return found


def expected_calibration_error(probabilities: Rows, labels: Labels, bins: int = BINS) -> float:
    """Mean gap between confidence and accuracy, weighted by bin size (Naeini et al. 2015).

    0 (confidence means what it says) to 1; NaN without rows.
    """
    if not len(labels):
        return float("nan")
    rows = reliability(probabilities, labels, bins)
    gaps = sum(row["count"] * abs(row["accuracy"] - row["confidence"]) for row in rows)
    return gaps / len(labels)


def confusion(predicted: Labels, labels: Labels) -> NDArray[np.int64]:
    """(7, 7) counts; a row is a true label, a column what was said."""
    size = len(EMOTIONS)
    counts = np.bincount(labels * size + predicted, minlength=size * size)
    return counts.reshape(size, size).astype(np.int64)


def per_class(matrix: NDArray[np.int64], support: NDArray[np.int64]) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 and support of each emotion; 0 where there is nothing to divide by.

    Args:
        matrix: from `confusion`, of the judged faces.
        support: (7,) how many pictures of each emotion there are, judged or missed; a missed
            one counts against recall.
    """
    right = np.diag(matrix).astype(np.float64)
    precision = right / np.maximum(matrix.sum(axis=0), 1)
    recall = right / np.maximum(support, 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return {
        emotion: {
            "precision": round(float(precision[i]), 4),
            "recall": round(float(recall[i]), 4),
            "f1": round(float(f1[i]), 4),
            "support": int(support[i]),
        }
        for i, emotion in enumerate(EMOTIONS)
    }
