"""The whole training on a handful of drawn faces: every step runs and leaves its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")
pytest.importorskip("onnx")

from moodlens.detection.own import MoodlensDetector
from moodlens.errors import ModelError
from moodlens.training.detector.pipeline import (
    Ingredients,
    compose_pool,
    prepare,
    train_detector,
)
from moodlens.training.detector.recipe import DetectorRecipe
from moodlens.training.detector.restore import restore_weights
from moodlens.training.detector.scenes import SceneComposer
from moodlens.training.int8 import is_int8, read_onnx

pytestmark = pytest.mark.train

TINY = DetectorRecipe.model_validate(
    {
        "network": {"stem": 8, "widths": [8, 8, 8], "depths": [1, 1, 1], "neck": [8, 8, 8]},
        "scenes": {"width": 96, "height": 96, "largest": 90, "count": 8},
        "schedule": {"epochs": 1, "second_epochs": 1, "batch_size": 4, "precision": "float32"},
        "mining": {"count": 4, "scales": [1.0], "most": 5, "score": 0.001},
    }
)


def test_from_faces_to_a_file(composer: SceneComposer, tmp_path: Path) -> None:
    parts = Ingredients(composer.faces, list(composer.backgrounds), [], None)
    lines: list[str] = []
    path = train_detector(TINY, parts, tmp_path, report=lines.append)
    assert MoodlensDetector(path).card["strides"] == [8, 16, 32]
    small = path.with_suffix(".int8.onnx")
    assert is_int8(read_onnx(small))
    assert not is_int8(read_onnx(path))
    assert MoodlensDetector(small).card == MoodlensDetector(path).card
    with pytest.raises(ModelError, match=r"int8.* can't be trained further"):
        restore_weights(small, TINY.network, np.zeros((1, 96, 96), np.uint8))
    assert any("mined" in line for line in lines)
    assert (tmp_path / "log.csv").read_text().count("\n") == 3
    other = TINY.model_copy(update={"scenes": TINY.scenes.model_copy(update={"first": 50})})
    further = train_detector(other, parts, tmp_path / "further", start_from=path)
    assert MoodlensDetector(further).card["strides"] == [8, 16, 32]
    before, after = (np.load(f / "first-images.npy") for f in (tmp_path, tmp_path / "further"))
    assert not np.array_equal(before, after)


def test_a_pool_is_composed_once(composer: SceneComposer, tmp_path: Path) -> None:
    images, labels = compose_pool(composer, 5, "some", tmp_path)
    assert images.shape == (5, 128, 160)
    expected = composer.compose_many(0, 5)
    assert np.array_equal(images, expected[0])
    assert np.array_equal(labels, expected[1])
    stamp = (tmp_path / "some-images.npy").stat().st_mtime_ns
    compose_pool(composer, 5, "some", tmp_path)
    assert (tmp_path / "some-images.npy").stat().st_mtime_ns == stamp


@pytest.mark.shared_data
def test_people_are_dropped_from_the_backgrounds(shared: Path, tmp_path: Path) -> None:
    """YuNet labels a few real faces; the photograph with a person is no background."""
    import cv2

    from moodlens.datasets import FaceDataset

    folder = tmp_path / "photographs"
    folder.mkdir()
    person = cv2.imread(str(shared / "media" / "one-face.jpg"))
    for name in ("0.png", "1.png"):
        cv2.imwrite(str(folder / name), person)
    rng = np.random.default_rng(0)
    cv2.imwrite(str(folder / "2.png"), rng.integers(90, 110, (120, 160, 3)).astype(np.uint8))
    gray = cv2.cvtColor(person, cv2.COLOR_BGR2GRAY)
    height, width = gray.shape
    middle = gray[height // 8 : height - height // 4, width // 8 : width - width // 8]
    small = cv2.resize(middle, (48, 48), interpolation=cv2.INTER_AREA)
    dataset = FaceDataset(
        np.stack([small, np.zeros((48, 48), np.uint8)]),
        np.array([3, 3]), np.array(["Training"] * 2), np.arange(2), "two",
    )  # fmt: skip
    recipe = DetectorRecipe(held_out=0)
    parts = prepare(recipe, dataset, folder, tmp_path / "run")
    assert parts.faces.rows.tolist() == [0], "an empty picture is no face"
    assert len(parts.backgrounds) == 1
    assert parts.natural is not None
    assert len(parts.natural) == 1
    again = prepare(recipe, dataset, folder, tmp_path / "run")
    assert np.array_equal(again.faces.boxes, parts.faces.boxes)
