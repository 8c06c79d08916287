"""Probabilities that mean what they say, and sets that hold the truth."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from moodlens.recognition.calibration import prediction_set, softmax, temper

logits = arrays(np.float32, (3, 7), elements=st.floats(-30, 30, width=32))


@given(logits, st.floats(0.2, 5.0))
def test_probabilities_sum_to_one_and_keep_the_order(x: np.ndarray, temperature: float) -> None:
    p = softmax(x, temperature)
    assert np.allclose(p.sum(axis=1), 1.0, atol=1e-5)
    assert np.all(p.max(axis=1) >= p[np.arange(3), x.argmax(axis=1)] - 1e-6)
    assert p.dtype == np.float32


def test_extreme_logits_stay_finite() -> None:
    p = softmax(np.array([[1e4, -1e4, 0, 0, 0, 0, 0]], np.float32))
    assert np.isfinite(p).all()
    assert p[0, 0] == 1.0


def test_tempering_probabilities_is_tempering_their_logits() -> None:
    x = np.array([[2.0, 1.0, 0.0, -1.0, 0.5, 0.2, 3.0]], np.float32)
    assert np.allclose(temper(softmax(x), 1.7), softmax(x, 1.7), atol=1e-5)


def test_a_higher_temperature_is_more_modest() -> None:
    x = np.array([[3.0, 0, 0, 0, 0, 0, 0]], np.float32)
    assert softmax(x, 2.0).max() < softmax(x, 1.0).max()


@given(logits, st.floats(0.01, 0.999))
def test_a_prediction_set_reaches_its_threshold_with_the_fewest_labels(
    x: np.ndarray, threshold: float
) -> None:
    row = softmax(x)[0]
    chosen = prediction_set(row, threshold)
    assert 1 <= len(chosen) <= 7
    assert len(set(chosen)) == len(chosen)
    assert chosen[0] == int(row.argmax())
    assert row[chosen[:-1]].sum() < threshold + 1e-5
    assert len(chosen) == 7 or row[chosen].sum() >= threshold - 1e-5
