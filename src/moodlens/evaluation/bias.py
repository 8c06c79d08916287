"""Moving a network's answers to the label frequencies of the data, by one number a label.

A network trained on soft votes leans to *neutral* where FER2013's labels do not. Adding a constant
to each logit corrects that (the bias part of vector scaling, Guo et al. 2017, arXiv:1706.04599).
The constants go into the last layer's own bias, so they cost nothing when the network runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodlens.evaluation.calibrate import fit_temperature
from moodlens.evaluation.metrics import Labels, Rows, accuracy, cross_entropy
from moodlens.recognition.calibration import softmax

_RIDGE = 1e-3
_STEPS = 25
_SMALL = 1e-6


def fit_bias(logits: Rows, labels: Labels) -> NDArray[np.float64]:
    """(7,) constants of mean 0 that give the least cross-entropy, at the best temperature.

    Newton's method on one scale and one constant a label; the loss is convex in them.
    """
    n, k = logits.shape
    truth = np.eye(k)[labels]
    design = np.zeros((n, k, k + 1))  # of (scale, constants): d logit_j / d parameter
    design[:, :, 0] = logits
    design[:, np.arange(k), np.arange(k) + 1] = 1.0
    pull = np.diag([0.0, *[_RIDGE] * k])

    def loss(at: NDArray[np.float64]) -> float:
        rows = softmax(np.asarray(design @ at, np.float32))
        return cross_entropy(rows, labels) + float(at @ pull @ at) / 2

    found = np.zeros(k + 1)
    found[0] = 1.0 / fit_temperature(logits, labels)
    now = loss(found)
    for _ in range(_STEPS):
        p = softmax(np.asarray(design @ found, np.float32)).astype(np.float64)
        slope = np.einsum("nj,njp->p", p - truth, design) / n + pull @ found
        weighted = p[:, :, None] * design
        mean = weighted.sum(axis=1)
        curve = np.einsum("njp,njq->pq", weighted, design) / n - mean.T @ mean / n + pull
        step = np.linalg.solve(curve, slope)
        while loss(found - step) > now and float(np.abs(step).max()) > _SMALL:
            step /= 2  # far from the minimum a whole step may overshoot
        found = found - step
        now = loss(found)
        if float(np.abs(step).max()) <= _SMALL:
            break
    bias = found[1:] / max(found[0], 1e-3)
    return np.asarray(bias - bias.mean(), dtype=np.float64)


def check_bias(
    logits: Rows, labels: Labels, *, folds: int = 5, seed: int = 20260
) -> dict[str, Any]:
    """Accuracy and loss without and with the constants, on rows they were not fitted on."""
    order = np.random.default_rng(seed).permutation(len(labels))
    moved = np.empty_like(logits)
    for fold in np.array_split(order, folds):
        rest = np.setdiff1d(order, fold)
        moved[fold] = logits[fold] + fit_bias(logits[rest], labels[rest])
    before, after = softmax(logits), softmax(moved)
    return {
        "folds": folds,
        "accuracy_before": round(accuracy(before, labels), 5),
        "accuracy_after": round(accuracy(after, labels), 5),
        "loss_before": round(cross_entropy(before, labels), 5),
        "loss_after": round(cross_entropy(after, labels), 5),
    }
