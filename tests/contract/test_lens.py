"""What every lens promises, whatever its detector."""

from __future__ import annotations

import json
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from moodlens.emotions import EMOTIONS
from moodlens.errors import MoodlensError
from moodlens.lens import Lens

DETECTORS = ["haar", "yunet"]


_made: dict[str, Lens] = {}


@pytest.fixture(params=DETECTORS)
def lens(request: pytest.FixtureRequest) -> Lens:
    """Made once for each detector, within a test, where the settings are those of the tests."""
    if request.param not in _made:
        try:
            _made[request.param] = Lens(detector=request.param)
        except MoodlensError:
            pytest.skip(f"{request.param}: its file is not here and downloads are off")
    return _made[request.param]


@pytest.mark.shared_data
def test_a_face_follows_the_json_contract(lens: Lens, shared: Path) -> None:
    found = lens.analyze(shared / "media" / "one-face.jpg")
    said = json.loads(json.dumps(found.to_dict()))
    assert said["error"] is None
    assert said["source"].endswith("one-face.jpg")
    (face,) = said["faces"]
    assert list(face["scores"]) == list(EMOTIONS)
    assert sum(face["scores"].values()) == pytest.approx(1.0, abs=1e-3)
    assert face["emotion"] == "happy"
    x1, y1, x2, y2 = face["box_xyxy"]
    assert x1 < x2
    assert y1 < y2
    assert set(face["quality"]) >= {"score", "face_px", "sharpness", "exposure", "visible"}


@pytest.mark.shared_data
def test_a_drawing_gives_no_face(lens: Lens, shared: Path) -> None:
    assert lens.analyze(shared / "media" / "cartoon-no-face.jpg").faces == ()


@pytest.mark.shared_data
def test_a_video_holds_one_person_with_steady_labels(lens: Lens, shared: Path) -> None:
    video = shared / "media" / "talking-woman.mp4"
    frames = list(islice(lens.stream(video), 60))
    assert len(frames) == 60
    assert all(len(a.faces) == 1 for a in frames)
    assert {a.faces[0].track_id for a in frames} == {1}
    labels = [a.faces[0].emotion for a in frames]
    assert sum(a != b for a, b in pairwise(labels)) <= 6
    assert [e.from_emotion for a in frames for e in a.events][:1] == [None]


def test_a_picture_without_faces_gives_none(lens: Lens) -> None:
    assert lens.analyze(np.full((240, 320, 3), 90, np.uint8)).faces == ()


def test_the_smallest_pictures_are_looked_at(lens: Lens) -> None:
    for shape in ((1, 1, 3), (1, 500, 3), (30, 30, 3)):
        assert lens.analyze(np.zeros(shape, np.uint8)).faces == ()
