"""Labels that can be read at any size and never leave the picture."""

from __future__ import annotations

import numpy as np
import pytest

from moodlens.emotions import EMOTIONS, STYLES
from moodlens.imaging.draw import draw
from moodlens.types import Analysis, Box, Face


def analysis(box: Box, width: int, height: int, *, uncertain: bool = False) -> Analysis:
    scores = {e: 0.7 if e == "happy" else 0.05 for e in EMOTIONS}
    face = Face(box, 0.9, scores, "happy", 0.7, uncertain, 0.6, 0.1)
    return Analysis("x", width, height, (face,))


@pytest.mark.parametrize("size", [(160, 120), (640, 480), (3000, 2000), (48, 48), (9, 9)])
@pytest.mark.parametrize(
    "where", [(0.3, 0.3, 0.6, 0.7), (-0.2, -0.1, 0.1, 0.2), (0.9, 0.9, 1.3, 1.2)]
)
def test_any_size_and_place_is_drawn_on_a_copy(
    size: tuple[int, int], where: tuple[float, float, float, float]
) -> None:
    width, height = size
    image = np.full((height, width, 3), 60, np.uint8)
    box = (where[0] * width, where[1] * height, where[2] * width, where[3] * height)
    out = draw(image, analysis(box, width, height))
    assert out.shape == image.shape
    assert np.all(image == 60)
    assert np.any(out != 60)


def test_the_colour_is_the_emotions() -> None:
    out = draw(np.zeros((480, 640, 3), np.uint8), analysis((200, 200, 300, 320), 640, 480))
    assert np.any(np.all(out == STYLES["happy"].bgr, axis=-1))


def test_an_uncertain_face_is_dashed() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    box = (200.0, 200.0, 400.0, 420.0)
    sure = draw(image, analysis(box, 640, 480))[420, 210:390].any(axis=-1).mean()
    unsure = draw(image, analysis(box, 640, 480, uncertain=True))[420, 210:390].any(axis=-1).mean()
    assert sure == 1.0
    assert 0.2 < unsure < 0.9


def test_no_faces_nothing_drawn() -> None:
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    assert np.array_equal(draw(image, Analysis("x", 80, 60)), image)
