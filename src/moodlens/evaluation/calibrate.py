"""Fitting the temperature and the threshold of the prediction sets, and checking both.

Temperature scaling: Guo et al. 2017 (arXiv:1706.04599). Conformal prediction sets: Romano et
al. 2020 (arXiv:2006.02544), with the finite-sample quantile of Vovk et al. 2005.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodlens.errors import DatasetError
from moodlens.evaluation.metrics import Labels, Rows, cross_entropy, expected_calibration_error
from moodlens.recognition.calibration import softmax

COVERAGE = 0.90
_LOWEST, _HIGHEST = 0.05, 20.0
_GOLDEN = (math.sqrt(5) - 1) / 2


class Calibration(NamedTuple):
    """What a model's card needs.

    Attributes:
        temperature: the logits are divided by it.
        threshold: of `moodlens.recognition.calibration.prediction_set`.
        report: the checks, ready for JSON.
    """

    temperature: float
    threshold: float
    report: dict[str, Any]


def fit_temperature(logits: Rows, labels: Labels) -> float:
    """The temperature of least cross-entropy, by golden-section search on its logarithm.

    Cross-entropy has one minimum in the inverse temperature, so the search finds it.
    """
    low, high = math.log(_LOWEST), math.log(_HIGHEST)

    def loss(log_t: float) -> float:
        return cross_entropy(softmax(logits, math.exp(log_t)), labels)

    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-4:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2)


def mass_before_truth(probabilities: Rows, labels: Labels) -> NDArray[np.float64]:
    """(n,) summed probability of the labels likelier than the true one.

    The true label is in the prediction set exactly when this is below the threshold.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    place = (order == labels[:, None]).argmax(axis=1)
    before[:, 0] = 0.0
    return np.asarray(before[np.arange(len(labels)), place], dtype=np.float64)


def fit_threshold(probabilities: Rows, labels: Labels, coverage: float = COVERAGE) -> float:
    """The smallest threshold whose sets hold the truth with probability `coverage`.

    The ceil((n + 1) * coverage)-th smallest score; on exchangeable data coverage is then at
    least `coverage` on average.
    """
    scores = np.sort(mass_before_truth(probabilities, labels))
    place = math.ceil((len(scores) + 1) * coverage) - 1
    if place >= len(scores):
        return 1.0
    # A hair above, so that the row that sets the threshold is inside despite rounding.
    return float(min(scores[place] + 1e-6, 1.0))


def covered(probabilities: Rows, labels: Labels, threshold: float) -> float:
    """Share of rows whose prediction set holds the truth, 0 to 1."""
    return float((mass_before_truth(probabilities, labels) < threshold).mean())


def set_sizes(probabilities: Rows, threshold: float) -> NDArray[np.int64]:
    """(n,) how many labels each prediction set has."""
    ranked = -np.sort(-probabilities, axis=1)
    reached = np.cumsum(ranked, axis=1) < threshold
    sizes = np.minimum(reached.sum(axis=1) + 1, probabilities.shape[1])
    return np.asarray(sizes, dtype=np.int64)


def ece_if_perfect(
    probabilities: Rows, rng: np.random.Generator, trials: int = 200
) -> tuple[float, float]:
    """The calibration error that exactly right confidences would show by chance alone.

    Truths are drawn from the probabilities themselves; 5th and 95th percentile of the error.
    """
    order = np.cumsum(probabilities, axis=1)[:, :-1]
    found = []
    for _ in range(trials):
        drawn = (rng.random(len(order))[:, None] > order).sum(axis=1)
        found.append(expected_calibration_error(probabilities, drawn))
    low, high = np.percentile(found, [5, 95])
    return float(low), float(high)


def calibrate(
    logits: Rows, labels: Labels, *, folds: int = 5, halvings: int = 50, seed: int = 20260
) -> Calibration:
    """Temperature and threshold from all rows, and honest checks of both.

    Args:
        logits: (n, 7) raw, in the order of `EMOTIONS`.
        labels: (n,).
        folds: the calibration error is measured on rows that the temperature was not fitted on.
        halvings: how often the threshold is fitted on a random half and checked on the other.
        seed: of folds and halves.

    Raises:
        DatasetError: too few rows to calibrate on.
    """
    n = len(labels)
    if n < 20 * folds:
        raise DatasetError(f"calibration needs at least {20 * folds} pictures, found {n}")
    rng = np.random.default_rng(seed)
    temperature = fit_temperature(logits, labels)
    calibrated = softmax(logits, temperature)
    threshold = fit_threshold(calibrated, labels)

    held_out = np.empty_like(calibrated)
    for fold in np.array_split(rng.permutation(n), folds):
        rest = np.setdiff1d(np.arange(n), fold)
        held_out[fold] = softmax(logits[fold], fit_temperature(logits[rest], labels[rest]))

    coverages = []
    for _ in range(halvings):
        order = rng.permutation(n)
        here, there = order[: n // 2], order[n // 2 :]
        half = softmax(logits, fit_temperature(logits[here], labels[here]))
        found = fit_threshold(half[here], labels[here])
        coverages.append(covered(half[there], labels[there], found))

    sizes = set_sizes(calibrated, threshold)
    raw = softmax(logits)
    report = {
        "rows": n,
        "temperature": round(temperature, 4),
        "folds": folds,
        "ece_before": round(expected_calibration_error(raw, labels), 4),
        "ece_if_perfect": [round(v, 4) for v in ece_if_perfect(calibrated, rng)],
        "ece_fitted": round(expected_calibration_error(calibrated, labels), 4),
        "ece_cross_validated": round(expected_calibration_error(held_out, labels), 4),
        "loss_before": round(cross_entropy(raw, labels), 4),
        "loss_cross_validated": round(cross_entropy(held_out, labels), 4),
        "conformal": {
            "aimed_coverage": COVERAGE,
            "threshold": round(threshold, 6),
            "coverage_other_half": round(coverages[0], 4),
            "halvings": halvings,
            "coverage_mean": round(float(np.mean(coverages)), 4),
            "coverage_lowest": round(min(coverages), 4),
            "coverage_highest": round(max(coverages), 4),
            "within_two_points": round(
                float(np.mean(np.abs(np.array(coverages) - COVERAGE) <= 0.02)), 4
            ),
            "mean_set_size": round(float(sizes.mean()), 3),
            "set_size_share": {
                str(size): round(float((sizes == size).mean()), 4)
                for size in range(1, logits.shape[1] + 1)
            },
            "more_than_two_labels": round(float((sizes > 2).mean()), 4),
        },
    }
    return Calibration(temperature, threshold, report)
