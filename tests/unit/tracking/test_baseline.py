"""A person's own neutral face takes bias away and leaves expressions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodlens.emotions import EMOTIONS
from moodlens.tracking import StreamOptions, StreamState
from moodlens.tracking.baseline import PersonalBaseline

from .conftest import FRAME, ScriptedLens, one

NEUTRAL, SAD, HAPPY = (EMOTIONS.index(e) for e in ("neutral", "sad", "happy"))


def at_rest() -> np.ndarray:
    """A neutral face that a model takes for a slightly sad one."""
    row = np.full(7, 0.02)
    row[SAD], row[NEUTRAL] = 0.48, 0.42
    return row


def calibrated() -> PersonalBaseline:
    baseline = PersonalBaseline(1.0)
    for _ in range(40):
        baseline.update(at_rest(), 1 / 30, 1.0)
    assert baseline.ready
    return baseline


def test_rest_is_neutral_after_the_calibration() -> None:
    assert at_rest().argmax() == SAD
    assert calibrated().update(at_rest(), 1 / 30, 1.0).argmax() == NEUTRAL


def test_a_real_expression_still_comes_through() -> None:
    baseline = calibrated()
    for label in (SAD, HAPPY):
        row = np.full(7, 0.005)
        row[label] = 0.97
        assert baseline.update(row, 1 / 30, 1.0).argmax() == label


def test_nothing_changes_before_it_is_ready() -> None:
    baseline = PersonalBaseline(1.0)
    np.testing.assert_array_equal(baseline.update(at_rest(), 1 / 30, 1.0), at_rest())
    assert not baseline.ready


def test_untrusted_frames_do_not_count() -> None:
    baseline = PersonalBaseline(1.0)
    for _ in range(300):
        baseline.update(at_rest(), 1 / 30, 0.0)
    assert not baseline.ready


@given(st.lists(st.floats(0.001, 1), min_size=7, max_size=7))
def test_corrected_rows_are_distributions_and_neutral_never_loses(values: list[float]) -> None:
    row = np.array(values) / sum(values)
    corrected = calibrated().update(row, 1 / 30, 1.0)
    assert corrected.sum() == pytest.approx(1.0)
    assert corrected[NEUTRAL] >= row[NEUTRAL] - 1e-9


def test_a_stream_takes_no_baseline_unless_asked(lens: ScriptedLens) -> None:
    lens.row = at_rest().astype(np.float32)
    plain, personal = StreamState(lens), StreamState(lens, StreamOptions(baseline_s=1.0))
    for f in range(90):
        shown = [state.process(FRAME, f / 30).faces[0].emotion for state in (plain, personal)]
    assert shown == ["sad", "neutral"]
    lens.row = one("happy")
    for f in range(90, 120):
        face = personal.process(FRAME, f / 30).faces[0]
    assert face.emotion == "happy"
