"""`moodlens analyze` as a user runs it: real processes, real files."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moodlens.emotions import EMOTIONS


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "moodlens", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def blank(tmp_path: Path) -> Path:
    path = tmp_path / "blank.png"
    Image.fromarray(np.full((120, 160, 3), 99, np.uint8)).save(path)
    return path


@pytest.mark.shared_data
def test_json_follows_the_contract(shared: Path) -> None:
    path = shared / "media" / "one-face.jpg"
    done = run("analyze", str(path), "--format", "json")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)
    assert (entry["source"], entry["width"], entry["height"]) == (str(path), 381, 384)
    assert entry["error"] is None
    (face,) = entry["faces"]
    assert face["emotion"] == "happy"
    assert list(face["scores"]) == list(EMOTIONS)
    assert abs(sum(face["scores"].values()) - 1) < 0.01
    assert face["track_id"] is None
    assert isinstance(face["uncertain"], bool)


@pytest.mark.shared_data
def test_a_bad_file_does_not_end_the_run(shared: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.touch()
    good = shared / "media" / "one-face.jpg"
    done = run("analyze", str(empty), str(tmp_path / "none.png"), str(good), "--format", "jsonl")
    assert done.returncode == 1
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert "empty" in first["error"]
    assert "no such file" in second["error"]
    assert len(third["faces"]) == 1
    assert done.stderr.count("\n") == 2
    assert "empty.jpg" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.shared_data
def test_an_annotated_copy_is_written_and_the_picture_left_alone(
    shared: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "face.jpg"
    picture.write_bytes((shared / "media" / "one-face.jpg").read_bytes())
    before = picture.read_bytes()
    for _ in range(2):
        done = run("analyze", str(picture), "--annotate", "--output", str(tmp_path))
        assert done.returncode == 0, done.stderr
    assert picture.read_bytes() == before
    assert len(list(tmp_path.glob("face.moodlens*.png"))) == 2


def test_no_face_is_no_face(blank: Path) -> None:
    done = run("analyze", str(blank))
    assert done.returncode == 0
    assert "no face" in done.stdout


def test_csv_has_a_row_for_every_picture(blank: Path) -> None:
    done = run("analyze", str(blank), str(blank), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["source"] for row in rows] == [str(blank)] * 2
    assert rows[0]["emotion"] == ""


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["analyze"], "PATH"),
        (["analyze", "x.jpg", "--format", "xml"], "xml"),
        (["analyze", "x.jpg", "--annotate"], "--output"),
        (["analyze", "x.jpg", "--detector", "mtcnn"], "mtcnn"),
        (["analyze", "x.jpg", "--model", "/nowhere/model.onnx"], "model.onnx"),
        (["nonsense"], "nonsense"),
        (["recommend", "joyful"], "joyful"),
    ],
)
def test_wrong_use_is_said_in_a_line_and_ends_with_two(arguments: list[str], word: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_folder_with_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none here")
    done = run("analyze", str(tmp_path))
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr


def test_recommend_json() -> None:
    done = run("recommend", "sad", "--json", "--seed", "1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["quote"]["author"]
    assert found["activity"]["minutes"] > 0
    assert all(link.startswith("https://") for m in found["music"] for link in m["links"].values())
