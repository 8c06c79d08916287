"""Temperature, prediction sets, constants: on data whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodlens.errors import DatasetError
from moodlens.evaluation.bias import check_bias, fit_bias
from moodlens.evaluation.calibrate import (
    calibrate,
    covered,
    fit_temperature,
    fit_threshold,
    set_sizes,
)
from moodlens.recognition.calibration import prediction_set, softmax


def honest(n: int, seed: int = 0, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is exactly the chance of each label."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (n, 7)).astype(np.float32)
    chances = np.cumsum(softmax(logits), axis=1)
    labels = (rng.random(n)[:, None] > chances[:, :-1]).sum(axis=1)
    return logits, labels.astype(np.int64)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_factor(factor: float) -> None:
    logits, labels = honest(4000)
    assert fit_temperature(logits * factor, labels) == pytest.approx(factor, rel=0.06)


def test_calibration_makes_confidence_honest() -> None:
    logits, labels = honest(4000)
    report = calibrate(logits * 3, labels, halvings=5).report
    assert report["ece_before"] > 0.1
    assert report["ece_cross_validated"] < 0.025
    low, high = report["ece_if_perfect"]
    assert 0 < low < high < 0.03


def test_sets_hold_the_truth_nine_times_in_ten() -> None:
    logits, labels = honest(4000)
    report = calibrate(logits, labels, halvings=10).report["conformal"]
    assert report["coverage_mean"] == pytest.approx(0.9, abs=0.01)
    assert report["within_two_points"] >= 0.9
    assert sum(report["set_size_share"].values()) == pytest.approx(1.0, abs=1e-3)


def test_coverage_and_sizes_are_those_of_the_sets_in_use() -> None:
    logits, labels = honest(500, seed=2)
    probabilities = softmax(logits)
    threshold = fit_threshold(probabilities, labels)
    sets = [prediction_set(row, threshold) for row in probabilities]
    inside = [label in chosen for chosen, label in zip(sets, labels, strict=True)]
    assert covered(probabilities, labels, threshold) == pytest.approx(np.mean(inside), abs=0.005)
    sizes = np.array([len(chosen) for chosen in sets])
    assert (set_sizes(probabilities, threshold) == sizes).mean() > 0.99


@settings(max_examples=30, deadline=None)
@given(st.integers(100, 400), st.integers(0, 1000), st.floats(0.3, 4.0))
def test_the_fitted_rows_are_covered_as_promised(n: int, seed: int, spread: float) -> None:
    logits, labels = honest(n, seed, spread)
    probabilities = softmax(logits)
    assert covered(probabilities, labels, fit_threshold(probabilities, labels)) >= 0.9


def test_a_model_that_is_always_right_needs_one_label() -> None:
    labels = np.arange(700) % 7
    logits = 20 * np.eye(7, dtype=np.float32)[labels]
    found = calibrate(logits, labels, halvings=2)
    assert found.report["conformal"]["mean_set_size"] == 1.0


def test_too_few_rows() -> None:
    logits, labels = honest(50)
    with pytest.raises(DatasetError, match="at least 100 pictures, found 50"):
        calibrate(logits, labels)


def test_constants_undo_a_lean() -> None:
    logits, labels = honest(4000)
    lean = np.array([0, 0, -1.0, 0, 0, 0, 1.0], np.float32)
    found = fit_bias(2 * (logits + lean), labels)
    assert found == pytest.approx(-2 * (lean - lean.mean()), abs=0.25)
    report = check_bias(logits + lean, labels)
    assert report["accuracy_after"] > report["accuracy_before"]
    assert report["loss_after"] < report["loss_before"]


def test_honest_logits_need_no_constants() -> None:
    logits, labels = honest(4000)
    assert np.abs(fit_bias(logits, labels)).max() < 0.2
