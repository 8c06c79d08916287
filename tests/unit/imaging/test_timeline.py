"""The timeline: the same rows in every format, whole rows whatever happens."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import MissingExtraError, MoodlensError
from moodlens.imaging.timeline import COLUMNS, TimelineFormat, TimelineWriter, rows
from moodlens.types import Analysis, Face, Quality


def face(track: int, emotion: Emotion = "happy") -> Face:
    scores = dict.fromkeys(EMOTIONS, 0.05) | {emotion: 0.7}
    return Face(
        box_xyxy=(1.04, 2, 30, 40),
        detection_score=0.9,
        scores=scores,
        emotion=emotion,
        confidence=0.7,
        uncertain=False,
        valence=0.5,
        arousal=0.1,
        track_id=track,
        quality=Quality(0.8, 29, 1, 1, 1),
    )


def frame(index: int, *faces: Face) -> Analysis:
    return Analysis("a.mp4", 64, 48, faces, frame_index=index, timestamp_s=index / 30)


def write(path: Path, kind: TimelineFormat) -> None:
    with TimelineWriter(path, kind) as writer:
        writer.write(frame(0, face(1)))
        writer.write(frame(1))
        writer.write(frame(2, face(1, "sad"), face(2)))


def test_a_row_is_a_face() -> None:
    found = list(rows(frame(3, face(1), face(2))))
    assert [tuple(row) for row in found] == [COLUMNS, COLUMNS]
    assert found[0] | {"track_id": 2} == found[1]
    assert found[0]["x1"] == 1.0
    assert found[0]["happy"] == 0.7


def test_csv(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", "csv")
    with (tmp_path / "t.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [(row["frame_index"], row["track_id"], row["emotion"]) for row in found] == [
        ("0", "1", "happy"),
        ("2", "1", "sad"),
        ("2", "2", "happy"),
    ]
    assert float(found[1]["timestamp_s"]) == pytest.approx(2 / 30, abs=1e-4)


def test_json_lines(tmp_path: Path) -> None:
    write(tmp_path / "t.jsonl", "jsonl")
    found = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [row["emotion"] for row in found] == ["happy", "sad", "happy"]
    assert list(found[0]) == list(COLUMNS)


def test_parquet_has_types_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write(tmp_path / "t.parquet", "parquet")
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table.column_names == list(COLUMNS)
    assert table.column("emotion").to_pylist() == ["happy", "sad", "happy"]
    assert str(table.schema.field("uncertain").type) == "bool"
    assert str(table.schema.field("track_id").type) == "int64"
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_no_faces_at_all_is_an_empty_timeline(tmp_path: Path, kind: TimelineFormat) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"t.{kind}"
    with TimelineWriter(path, kind) as writer:
        writer.write(frame(0))
    assert path.is_file()


def test_rows_are_on_the_disk_before_the_end(tmp_path: Path) -> None:
    with TimelineWriter(tmp_path / "t.csv", "csv") as writer:
        writer.write(frame(0, face(1)))
        assert len((tmp_path / "t.csv").read_text().splitlines()) == 2


FULL = """
import resource, signal, sys
sys.path.insert(0, sys.argv[2])
from test_timeline import face, frame
from moodlens.errors import MoodlensError
from moodlens.imaging.timeline import TimelineWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    with TimelineWriter(sys.argv[1], sys.argv[3]) as writer:
        for i in range(100):
            writer.write(frame(i, face(1)))
except MoodlensError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_full_disk_keeps_whole_rows(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"t.{kind}"
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), here, kind],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "can't be written" in done.stdout, done.stderr
    text = path.read_text()
    assert text.endswith("\n")
    lines = text.splitlines()
    assert len(lines) > 5
    if kind == "jsonl":
        assert [json.loads(line)["frame_index"] for line in lines] == list(range(len(lines)))
    else:
        assert {len(row) for row in csv.reader(lines)} == {len(COLUMNS)}


def test_parquet_that_fails_leaves_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")

    def full(_text: Path, _path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("moodlens.imaging.timeline._to_parquet", full)
    writer = TimelineWriter(tmp_path / "t.parquet", "parquet")
    writer.write(frame(0, face(1)))
    with pytest.raises(MoodlensError, match=r"No space left .* kept in .*t\.jsonl"):
        writer.close()
    (line,) = (tmp_path / "t.jsonl").read_text().splitlines()
    assert json.loads(line)["emotion"] == "happy"


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(MoodlensError, match=r"t\.csv: the timeline can't be written"):
        TimelineWriter(tmp_path / "none" / "t.csv", "csv")


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"moodlens\["):
        TimelineWriter(tmp_path / "t.parquet", "parquet")
