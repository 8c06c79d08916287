"""Folders with a sub-folder for each class."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from moodlens.datasets import list_folder, load_dataset
from moodlens.emotions import EMOTIONS
from moodlens.errors import DatasetError

RNG = np.random.default_rng(3)


def put(path: Path, side: int | tuple[int, int] = 48, *, color: bool = False) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = (side, side) if isinstance(side, int) else side
    shape = (height, width, 3) if color else (height, width)
    image = RNG.integers(0, 256, shape, dtype=np.uint8)
    assert cv2.imwrite(str(path), image)
    return image


def test_classes_at_the_top_and_pictures_of_48_as_they_are(tmp_path: Path) -> None:
    images = {name: put(tmp_path / name / "a.png") for name in ("happy", "Sad", "ANGER")}
    found = load_dataset(tmp_path)
    assert sorted(EMOTIONS[i] for i in found.labels) == ["angry", "happy", "sad"]
    assert set(found.splits.tolist()) == {"all"}
    at = found.labels.tolist().index(EMOTIONS.index("angry"))
    assert np.array_equal(found.images[at], images["ANGER"])


@pytest.mark.parametrize(
    ("name", "emotion"),
    [("happiness", "happy"), ("sadness", "sad"), ("suprise", "surprise"), ("fearful", "fear")],
)
def test_common_spellings(tmp_path: Path, name: str, emotion: str) -> None:
    put(tmp_path / name / "a.png")
    assert load_dataset(tmp_path).counts()[emotion] == 1  # type: ignore[index]


def test_train_and_test_are_splits(tmp_path: Path) -> None:
    put(tmp_path / "train" / "happy" / "a.png")
    put(tmp_path / "train" / "sad" / "b.png")
    put(tmp_path / "test" / "sad" / "c.jpg")
    found = load_dataset(tmp_path)
    assert len(found.split("Training")) == 2
    assert len(found.split("test")) == 1


def test_other_sizes_lose_what_lies_beside_the_middle_square(tmp_path: Path) -> None:
    image = put(tmp_path / "happy" / "wide.png", (96, 192))
    image[:, :48] = 255
    image[:, 144:] = 255
    cv2.imwrite(str(tmp_path / "happy" / "wide.png"), image)
    found = load_dataset(tmp_path).images[0]
    expected = cv2.resize(image[:, 48:144], (48, 48), interpolation=cv2.INTER_AREA)
    assert np.array_equal(found, expected)


def test_frames_are_whole_pictures_in_color(tmp_path: Path) -> None:
    image = put(tmp_path / "happy" / "a.png", (60, 90), color=True)
    frames = list(list_folder(tmp_path).frames())
    assert frames[0][1] == EMOTIONS.index("happy")
    assert np.array_equal(frames[0][0], image)


def test_what_archives_and_viewers_leave_behind_is_no_class(tmp_path: Path) -> None:
    put(tmp_path / "happy" / "a.png")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / ".cache").mkdir()
    (tmp_path / "happy" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "happy" / "._a.png").write_bytes(b"x")
    assert len(load_dataset(tmp_path)) == 1


def test_an_unknown_class_folder_is_named(tmp_path: Path) -> None:
    put(tmp_path / "happy" / "a.png")
    put(tmp_path / "contempt" / "a.png")
    with pytest.raises(DatasetError, match=r"contempt: unknown class folder; expected .*disgust"):
        load_dataset(tmp_path)


def test_a_stranger_beside_train_is_named(tmp_path: Path) -> None:
    put(tmp_path / "train" / "happy" / "a.png")
    put(tmp_path / "happy" / "a.png")
    with pytest.raises(DatasetError, match="beside train/"):
        load_dataset(tmp_path)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    put(tmp_path / "happy" / "a.png")
    bad = tmp_path / "sad" / "torn.png"
    put(bad)
    bad.write_bytes(bad.read_bytes()[:80])
    with pytest.raises(DatasetError, match=r"torn\.png: the picture is damaged"):
        load_dataset(tmp_path)


def test_a_picture_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "sad").mkdir()
    (tmp_path / "sad" / "page.jpg").write_text("<html>")
    with pytest.raises(DatasetError, match=r"page\.jpg: not a picture"):
        load_dataset(tmp_path)


def test_no_pictures_at_all(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no pictures"):
        load_dataset(tmp_path)


def test_votes_are_for_tables(tmp_path: Path) -> None:
    put(tmp_path / "happy" / "a.png")
    with pytest.raises(DatasetError, match="not of a folder"):
        load_dataset(tmp_path, ferplus=tmp_path / "votes.csv")
