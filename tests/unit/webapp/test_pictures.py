"""What the page keeps of a picture, and what can be taken away."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from moodlens.emotions import EMOTIONS
from moodlens.lens import Lens
from moodlens.webapp import pictures
from moodlens.webapp.pictures import (
    CROP_PX,
    annotated_png,
    blend_map,
    color_crop,
    judge_picture,
    to_csv,
    to_json,
)

SAMPLES = Path(pictures.__file__).parent / "samples"


@pytest.fixture(scope="module")
def lens() -> Lens:
    return Lens()


def shape_of(data: bytes) -> tuple[int, ...]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.shape


def test_a_picture_has_a_preview_and_a_square_for_each_face(lens: Lens) -> None:
    data = (SAMPLES / "three-faces.png").read_bytes()
    result = judge_picture(lens, "three", data)
    assert result.analysis.error is None
    assert len(result.faces) == len(result.analysis.faces) == 3
    for face in result.faces:
        assert shape_of(face.crop) == (CROP_PX, CROP_PX, 3)
        assert face.attention is not None
        assert face.attention != face.crop
    assert shape_of(annotated_png(data, result.analysis)) == shape_of(data)


def test_a_large_picture_has_a_small_preview(lens: Lens) -> None:
    image = np.zeros((300, 2600, 3), np.uint8)
    _, data = cv2.imencode(".png", image)
    result = judge_picture(lens, "wide", data.tobytes())
    assert max(shape_of(result.preview)) == pictures.PREVIEW_PX


def test_a_bad_file_is_a_result_with_an_error(lens: Lens) -> None:
    result = judge_picture(lens, "x.png", b"%PDF-1.7")
    assert result.analysis.error is not None
    assert "x.png: not a picture" in result.analysis.error
    assert result.preview == b""


def test_files_have_a_row_for_every_face_and_every_failure(lens: Lens) -> None:
    results = [
        judge_picture(lens, "=1+1", b"no"),
        judge_picture(lens, "one", (SAMPLES / "average-happy.png").read_bytes()),
        judge_picture(lens, "none", (SAMPLES / "no-face.png").read_bytes()),
    ]
    rows = list(csv.DictReader(to_csv(results).splitlines()))
    assert [row["source"] for row in rows] == ["'=1+1", "one", "none"]
    assert rows[1]["emotion"] == "happy"
    assert sum(float(rows[1][e]) for e in EMOTIONS) == pytest.approx(1.0, abs=1e-3)
    found = json.loads(to_json(results))
    assert [len(entry["faces"]) for entry in found] == [0, 1, 0]


def test_the_map_leaves_places_without_evidence_as_they_are() -> None:
    crop = np.full((60, 60, 3), 100, np.uint8)
    heat = np.zeros((6, 6), np.float32)
    assert (blend_map(crop, heat) == crop).all()
    heat[0, 0] = 1.0
    mapped = blend_map(crop, heat)
    assert (mapped[:5, :5] != 100).any()
    assert (mapped[40:, 40:] == 100).all()


@pytest.mark.parametrize("side", [20.0, 200.0, 1000.0])
def test_a_square_keeps_its_place_and_repeats_the_border(side: float) -> None:
    frame = np.zeros((400, 400, 3), np.uint8)
    frame[:, 200:] = 255
    crop = color_crop(frame, 200.0, 200.0, side)
    assert crop.shape == (CROP_PX, CROP_PX, 3)
    assert crop[:, : CROP_PX // 2 - 6].max() == 0
    assert crop[:, CROP_PX // 2 + 6 :].min() == 255


def test_a_picture_from_a_camera_that_was_not_ready_is_told_from_one_without_a_face(
    lens: Lens,
) -> None:
    rng = np.random.default_rng(1)
    dark = rng.integers(0, 12, (120, 160, 3), dtype=np.uint8)  # a black frame as JPEG leaves it
    for frame, black in ((dark, True), (dark + 60, False)):
        good, data = cv2.imencode(".png", frame)
        assert good
        result = judge_picture(lens, "shot", data.tobytes())
        assert (result.black, result.analysis.faces) == (black, ())
