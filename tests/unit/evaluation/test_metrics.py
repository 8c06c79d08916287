"""Figures against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moodlens.emotions import EMOTIONS
from moodlens.evaluation import metrics


def rows(*pairs: tuple[int, float]) -> np.ndarray:
    """Rows whose label is given a probability, the rest spread evenly."""
    out = np.zeros((len(pairs), 7), np.float32)
    for row, (label, p) in zip(out, pairs, strict=True):
        row[:] = (1 - p) / 6
        row[label] = p
    return out


ANSWERS = rows((0, 0.9), (0, 0.6), (3, 0.8), (3, 0.4))
TRUTHS = np.array([0, 3, 3, 3])


def test_accuracy() -> None:
    assert metrics.accuracy(ANSWERS, TRUTHS) == 0.75


def test_cross_entropy() -> None:
    expected = -np.mean(np.log([0.9, 0.4 / 6, 0.8, 0.4]))
    assert metrics.cross_entropy(ANSWERS, TRUTHS) == pytest.approx(expected, rel=1e-5)


def test_calibration_error_weighs_each_bin_by_its_rows() -> None:
    expected = (abs(1 - 0.9) + abs(0 - 0.6) + abs(1 - 0.8) + abs(1 - 0.4)) / 4
    found = metrics.expected_calibration_error(ANSWERS, TRUTHS)
    assert found == pytest.approx(expected, abs=1e-6)


def test_two_rows_of_a_bin_cancel_out() -> None:
    answers = rows((0, 0.5), (0, 0.5))
    assert metrics.expected_calibration_error(answers, np.array([0, 1])) == pytest.approx(0.0)


def test_confidence_of_one_belongs_to_the_last_bin() -> None:
    found = metrics.reliability(rows((2, 1.0)), np.array([2]))
    assert [row["count"] for row in found] == [0] * 14 + [1]


def test_confusion_has_truths_as_rows() -> None:
    matrix = metrics.confusion(ANSWERS.argmax(axis=1), TRUTHS)
    assert matrix[3, 0] == 1
    assert matrix[3, 3] == 2
    assert matrix[0, 0] == 1
    assert matrix.sum() == 4


def test_each_emotion() -> None:
    matrix = metrics.confusion(ANSWERS.argmax(axis=1), TRUTHS)
    support = np.bincount(TRUTHS, minlength=7)
    found = metrics.per_class(matrix, support)
    assert tuple(found) == EMOTIONS
    assert found["angry"] == {"precision": 0.5, "recall": 1.0, "f1": 0.6667, "support": 1}
    assert found["happy"]["recall"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["fear"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}


def test_missed_pictures_count_against_recall() -> None:
    matrix = metrics.confusion(np.array([3]), np.array([3]))
    support = np.array([0, 0, 0, 2, 0, 0, 0])  # one of the two was missed
    assert metrics.per_class(matrix, support)["happy"]["recall"] == 0.5


def test_no_rows_no_number() -> None:
    none, truths = np.zeros((0, 7), np.float32), np.zeros(0, np.int64)
    assert math.isnan(metrics.accuracy(none, truths))
    assert math.isnan(metrics.cross_entropy(none, truths))
    assert math.isnan(metrics.expected_calibration_error(none, truths))
