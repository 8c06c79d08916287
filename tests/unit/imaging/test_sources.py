"""Files, folders and frames of the caller as one iterable; bad ones in a line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from moodlens.errors import SourceError
from moodlens.imaging.sources import open_source


def write_video(path: Path, frames: int = 12, size: tuple[int, int] = (64, 48)) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, size)
    for i in range(frames):
        writer.write(np.full((size[1], size[0], 3), 10 * i, np.uint8))
    writer.release()
    return path


def test_every_frame_of_a_file_comes_at_its_time(tmp_path: Path) -> None:
    with open_source(write_video(tmp_path / "a.mp4")) as source:
        frames = list(source)
        assert not source.live
        assert source.fps == pytest.approx(25.0)
    assert [f.index for f in frames] == list(range(12))
    times = [f.timestamp_s for f in frames]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(11 / 25, abs=0.05)
    assert frames[0].image.shape == (48, 64, 3)


def test_frames_of_the_caller() -> None:
    pictures = [np.zeros((4, 4, 3), np.uint8)] * 3
    with open_source(iter(pictures)) as source:
        assert len(list(source)) == 3


def test_pictures_of_a_folder_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.png"):
        cv2.imwrite(str(tmp_path / name), np.full((5, 6, 3), ord(name[0]), np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    with open_source(tmp_path) as source:
        assert [int(f.image[0, 0, 0]) for f in source] == [ord("a"), ord("b")]


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("none.mp4", None, "no such file"),
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"not a video at all " * 50, "no video"),
    ],
)
def test_bad_files_are_one_line(
    tmp_path: Path, name: str, content: bytes | None, word: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=word) as caught, open_source(path) as source:
        list(source)
    assert str(path) in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_sound_file_has_no_video(tmp_path: Path) -> None:
    import wave

    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    with pytest.raises(SourceError, match="no video"), open_source(path) as source:
        list(source)


def test_a_camera_that_does_not_exist(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match="camera 99"), open_source(99):
        pass
    assert capfd.readouterr().err == ""


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no pictures"), open_source(tmp_path):
        pass
