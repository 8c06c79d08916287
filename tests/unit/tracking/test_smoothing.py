"""Smoothing is in seconds, and labels change on evidence alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodlens.tracking.smoothing import LabelHold, ProbabilitySmoother

LABELS = 7


def one(label: int, sure: float = 0.9) -> np.ndarray:
    row = np.full(LABELS, (1 - sure) / (LABELS - 1))
    row[label] = sure
    return row


@st.composite
def distributions(draw: st.DrawFn) -> np.ndarray:
    row = np.array(draw(st.lists(st.floats(0.01, 1), min_size=LABELS, max_size=LABELS)))
    return row / row.sum()


@given(st.lists(st.tuples(distributions(), st.floats(0, 5), st.floats(0, 1)), min_size=1))
def test_a_mean_of_distributions_is_one(frames: list[tuple[np.ndarray, float, float]]) -> None:
    smoother = ProbabilitySmoother(0.2)
    rows = np.array([row for row, _, _ in frames])
    for row, dt, weight in frames:
        mean = smoother.update(row, dt, weight)
        assert mean.sum() == pytest.approx(1.0)
        assert (mean >= rows.min(axis=0) - 1e-9).all()
        assert (mean <= rows.max(axis=0) + 1e-9).all()


@given(distributions(), st.floats(0.001, 0.5), st.integers(1, 30))
def test_what_does_not_change_stays(row: np.ndarray, dt: float, frames: int) -> None:
    smoother = ProbabilitySmoother(0.3)
    for _ in range(frames):
        mean = smoother.update(row, dt)
    np.testing.assert_allclose(mean, row)


@pytest.mark.parametrize("fps", [10, 30, 120])
def test_the_step_response_is_that_of_the_time_constant_at_any_frame_rate(fps: int) -> None:
    smoother = ProbabilitySmoother(0.4)
    for _ in range(10 * fps):
        smoother.update(one(0), 1 / fps)
    for _ in range(fps // 2):  # half a second of another face
        mean = smoother.update(one(1), 1 / fps)
    share = (mean[1] - one(0)[1]) / (one(1)[1] - one(0)[1])
    assert share == pytest.approx(1 - math.exp(-0.5 / 0.4), abs=1e-3)


def test_a_poor_frame_counts_little() -> None:
    smoother = ProbabilitySmoother(0.2)
    for _ in range(30):
        before = smoother.update(one(0), 1 / 30)
    after = smoother.update(one(1), 1 / 30, weight=0.0)
    np.testing.assert_allclose(after, before, atol=1e-3)
    trusted = smoother.update(one(1), 1 / 30, weight=1.0)
    assert trusted[1] > before[1] + 0.05


def test_poor_frames_alone_still_give_an_answer() -> None:
    mean = ProbabilitySmoother(0.2).update(one(3), 0.0, weight=0.0)
    np.testing.assert_allclose(mean, one(3))


def test_no_smoothing_shows_each_frame() -> None:
    smoother = ProbabilitySmoother(0.0)
    smoother.update(one(0), 0.1)
    np.testing.assert_array_equal(smoother.update(one(1), 0.1), one(1))


def test_after_a_very_long_gap_only_the_new_frame_counts() -> None:
    smoother = ProbabilitySmoother(0.05)
    smoother.update(one(0), 0.0)
    np.testing.assert_allclose(smoother.update(one(1), 1e6), one(1))


def hold() -> LabelHold:
    return LabelHold(margin=0.02, evidence_s=0.006, min_dwell_s=0.2)


@pytest.mark.parametrize("fps", [2, 15, 30, 200])
def test_a_single_odd_frame_never_changes_the_label(fps: int) -> None:
    held = hold()
    for frame in range(20 * fps):
        odd = frame % (2 * fps) == fps
        assert held.update(one(4 if odd else 3, 1.0), 1 / fps) == 3


def test_a_lasting_change_is_shown_soon() -> None:
    held = hold()
    for _ in range(60):
        held.update(one(3), 1 / 30)
    labels = [held.update(one(4), 1 / 30) for _ in range(8)]
    assert labels[0] == 3
    assert labels.index(4) <= 4


def test_a_small_but_lasting_lead_is_shown_in_the_end() -> None:
    held = hold()
    held.update(one(3), 0.0)
    close = np.full(LABELS, 0.04)
    close[3], close[4] = 0.37, 0.43
    assert [held.update(close, 1 / 30) for _ in range(90)][-1] == 4


def test_a_lead_within_the_margin_changes_nothing() -> None:
    held = hold()
    held.update(one(3), 0.0)
    close = np.full(LABELS, 0.04)
    close[3], close[4] = 0.395, 0.405
    assert {held.update(close, 1 / 30) for _ in range(300)} == {3}


@given(st.lists(distributions(), min_size=2, max_size=80), st.floats(0.01, 0.2))
def test_a_label_is_shown_for_its_least_time(rows: list[np.ndarray], dt: float) -> None:
    held = hold()
    changes = []
    before = None
    for frame, row in enumerate(rows):
        label = held.update(row, dt)
        if before is not None and label != before:
            changes.append(frame * dt)
        before = label
    gaps = np.diff(changes)
    assert (gaps >= 0.2 - 1e-6).all()


def test_a_wavering_face_changes_less_than_it_wavers() -> None:
    rng = np.random.default_rng(0)
    held, raw, shown = hold(), [], []
    for _ in range(600):
        row = np.full(LABELS, 0.02)
        row[3] = 0.45 + rng.normal(0, 0.1)
        row[6] = 0.9 - row[3]
        row = np.clip(row, 0.001, 1)
        raw.append(int(row.argmax()))
        shown.append(held.update(row / row.sum(), 1 / 30))
    assert np.count_nonzero(np.diff(shown)) < np.count_nonzero(np.diff(raw)) / 3
