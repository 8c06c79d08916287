"""Quality tells good faces from poor ones, part by part."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodlens.recognition.quality import head_angles, measure_quality, visible_share
from moodlens.types import Quality

FRONTAL = np.array([[31, 38], [68, 38], [49.5, 60], [35, 75], [64, 75]], np.float32)
"""Eyes, nose, mouth corners of a face seen from the front, in a crop of side 100."""


def texture() -> np.ndarray:
    """A picture with detail at all sizes, as a face has, and none of a person."""
    rng = np.random.default_rng(0)
    layers = [
        cv2.resize(rng.normal(0, 1, (n, n)), (48, 48), interpolation=cv2.INTER_CUBIC) * 48 / n
        for n in (6, 12, 24, 48)
    ]
    mixed = sum(layers)
    return np.clip(128 + 45 * mixed / mixed.std(), 0, 255).astype(np.uint8)


def measured(
    crop: np.ndarray | None = None,
    *,
    px: float = 100,
    square: tuple[float, float, float] = (320, 240, 100),
    marks: np.ndarray | None = FRONTAL,
) -> Quality:
    box = (320 - px / 2, 240 - px / 2, 320 + px / 2, 240 + px / 2)
    return measure_quality(texture() if crop is None else crop, box, square, marks, (480, 640))


def test_an_ordinary_face_is_good() -> None:
    found = measured()
    assert found.score > 0.8
    assert found.face_px == 100
    assert found.visible == 1.0


@pytest.mark.parametrize(
    "found",
    [
        measured(np.zeros((48, 48), np.uint8)),
        measured(np.full((48, 48), 255, np.uint8)),
        measured(np.full((48, 48), 128, np.uint8)),
        measured(np.asarray(cv2.GaussianBlur(texture(), (0, 0), 5))),
        measured(px=10, square=(320, 240, 10)),
        measured(square=(-30, 240, 100)),
    ],
    ids=["black", "white", "flat", "blurred", "tiny", "outside"],
)
def test_unusable_faces_score_below_the_default_threshold(found: Quality) -> None:
    assert found.score < 0.2


def test_more_blur_is_less_sharp() -> None:
    sharp = [
        measured(np.asarray(cv2.GaussianBlur(texture(), (0, 0), s))).sharpness
        for s in (0.5, 1, 1.5, 2, 3)
    ]
    assert sharp == sorted(sharp, reverse=True)
    assert sharp[0] > sharp[-1] + 0.5


def test_contrast_alone_is_not_sharpness() -> None:
    pale = (texture().astype(float) - 128) * 0.5 + 128
    assert measured(pale.astype(np.uint8)).sharpness == pytest.approx(
        measured().sharpness, abs=0.05
    )


@pytest.mark.parametrize("gain", [0.05, 0.15])
def test_less_light_is_less_exposure(gain: float) -> None:
    dark = (texture() * gain).astype(np.uint8)
    assert measured(dark).exposure < measured().exposure


def turned(yaw_deg: float, roll_deg: float = 0.0) -> np.ndarray:
    """Landmarks of a head turned and leant, by the geometry `head_angles` inverts."""
    w, d = 37.0, 0.45 * 37.0
    head = np.array(
        [[-w / 2, 0, 0], [w / 2, 0, 0], [0, 22, d], [-14, 37, 0], [14, 37, 0]], np.float64
    )
    a, r = np.radians(yaw_deg), np.radians(roll_deg)
    flat = np.stack([head[:, 0] * np.cos(a) + head[:, 2] * np.sin(a), head[:, 1]], axis=1)
    lean = np.array([[np.cos(r), -np.sin(r)], [np.sin(r), np.cos(r)]])
    return (flat @ lean.T + 50).astype(np.float32)


@given(st.floats(-70, 70), st.floats(-60, 60))
def test_angles_are_those_the_head_was_turned_by(yaw: float, roll: float) -> None:
    found_roll, found_yaw = head_angles(turned(yaw, roll))
    assert found_roll == pytest.approx(roll, abs=0.01)
    assert found_yaw == pytest.approx(yaw, abs=0.01)


def test_signs_of_the_angles() -> None:
    right = FRONTAL.copy()
    right[2, 0] += 8
    assert head_angles(right)[1] > 10
    lean = FRONTAL.copy()
    lean[1, 1] += 10  # the eye on the right is lower: leant clockwise
    assert head_angles(lean)[0] > 10


def test_a_profile_is_poorer_than_a_frontal_face() -> None:
    assert measured(marks=turned(65)).score < 0.5 * measured(marks=turned(0)).score


def test_without_landmarks_there_are_no_angles() -> None:
    found = measured(marks=None)
    assert found.roll_deg is None
    assert found.yaw_deg is None
    assert found.score > 0.8


def test_landmarks_on_one_point_do_no_harm() -> None:
    assert head_angles(np.full((5, 2), 3.0, np.float32)) == (0.0, 0.0)


@given(st.floats(-1000, 2000), st.floats(-1000, 2000), st.floats(0.5, 3000), st.integers(1, 2000))
def test_the_visible_share_is_a_share(x: float, y: float, side: float, height: int) -> None:
    assert 0.0 <= visible_share((x, y, side), (height, 640)) <= 1.0


@pytest.mark.parametrize(
    ("square", "share"),
    [((320, 240, 100), 1.0), ((0, 240, 100), 0.5), ((640, 480, 100), 0.25), ((-60, 0, 100), 0.0)],
)
def test_known_visible_shares(square: tuple[float, float, float], share: float) -> None:
    assert visible_share(square, (480, 640)) == pytest.approx(share)


@pytest.mark.shared_data
def test_a_real_face_is_good(shared) -> None:  # type: ignore[no-untyped-def]
    from moodlens.imaging import load_image
    from moodlens.lens import Lens

    face = Lens(detector="haar").analyze(load_image(shared / "media" / "one-face.jpg")).largest
    assert face is not None
    assert face.quality is not None
    assert face.quality.score > 0.5
